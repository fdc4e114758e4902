"""The running parts of a process: started together, stopped together, and none ends unnoticed."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import structlog
from attrs import frozen

from clipsaver.errors import StartFailed

log = structlog.get_logger("clipsaver.app")

STOPPING = 7.0
"""Seconds that all parts together may take to stop; what is below them then closes, and ten were promised for all."""
LAST_WORDS = 1.0
"""Seconds that a part may take to end once it is cancelled."""


@frozen(kw_only=True)
class Part:
    """Something that runs until it is stopped."""

    name: str
    run: Callable[[], Awaitable[None]]
    stop: Callable[[], Awaitable[None]]
    """Tells it to end; `run` returns soon after."""


async def run_parts(parts: Sequence[Part], stop: asyncio.Event, *, patience: float = STOPPING) -> None:
    """Run all parts until `stop`; an end that nobody asked for stops the others, and is raised once they have.

    After `stop` nothing is raised any more: what goes wrong then is logged.
    """
    tasks = [asyncio.create_task(_run(part), name=part.name) for part in parts]
    told = asyncio.create_task(stop.wait())
    early: list[asyncio.Task[None]] = []
    try:
        await asyncio.wait([*tasks, told], return_when=asyncio.FIRST_COMPLETED)
        if not stop.is_set():
            early = [task for task in tasks if task.done()]
        await _stop(parts, tasks, patience)
    finally:
        for task in (told, *tasks):
            task.cancel()
        await asyncio.wait([told, *tasks], timeout=LAST_WORDS)
    for task in early[1:] + [task for task in tasks if task not in early]:
        if not task.done():
            log.error("process.part_stuck", part=task.get_name())
        elif not task.cancelled() and (error := task.exception()) is not None:
            log.warning("process.part_failed", part=task.get_name(), exc_info=error)
    if early:
        early[0].result()
        raise StartFailed(f"The part {early[0].get_name()} ended by itself.")


async def _run(part: Part) -> None:
    await part.run()


async def _stop(parts: Sequence[Part], tasks: Sequence[asyncio.Task[None]], patience: float) -> None:
    log.info("process.stopping", parts=[part.name for part in parts])
    try:
        async with asyncio.timeout(patience):
            for result in await asyncio.gather(*(part.stop() for part in parts), return_exceptions=True):
                if isinstance(result, Exception):
                    log.warning("process.stop_failed", exc_info=result)
            await asyncio.wait(tasks)
    except TimeoutError:
        log.warning("process.stopped_by_force", parts=[task.get_name() for task in tasks if not task.done()])
