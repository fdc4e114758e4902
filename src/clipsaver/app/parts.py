"""The running parts of a process: started together, stopped together, and none ends unnoticed."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import structlog
from attrs import frozen

log = structlog.get_logger("clipsaver.app")

STOPPING = 9.0
"""Seconds that all parts together may take to stop; the program promises to end within ten."""


@frozen(kw_only=True)
class Part:
    """Something that runs until it is stopped."""

    name: str
    run: Callable[[], Awaitable[None]]
    stop: Callable[[], Awaitable[None]]
    """Tells it to end; `run` returns soon after."""


async def run_parts(parts: Sequence[Part], stop: asyncio.Event) -> None:
    """Run all parts until `stop`; an error in one stops the others, and is raised once they have."""
    tasks = [asyncio.create_task(_run(part), name=part.name) for part in parts]
    told = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait([*tasks, told], return_when=asyncio.FIRST_COMPLETED)
        await _stop(parts, tasks)
    finally:
        told.cancel()
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
    for result in results:
        if isinstance(result, Exception):
            raise result


async def _run(part: Part) -> None:
    await part.run()


async def _stop(parts: Sequence[Part], tasks: Sequence[asyncio.Task[None]]) -> None:
    log.info("process.stopping", parts=[part.name for part in parts])
    try:
        async with asyncio.timeout(STOPPING):
            for result in await asyncio.gather(*(part.stop() for part in parts), return_exceptions=True):
                if isinstance(result, Exception):
                    log.warning("process.stop_failed", exc_info=result)
            await asyncio.wait(tasks)
    except TimeoutError:
        log.warning("process.stopped_by_force", parts=[task.get_name() for task in tasks if not task.done()])
