"""A process and its role: what runs in it, and how it begins and ends."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from enum import StrEnum
from functools import partial
from typing import Any, Final

import structlog

from clipsaver import logs
from clipsaver.app.bot import Bot
from clipsaver.app.ground import Ground, ground
from clipsaver.app.jobs import jobs
from clipsaver.app.parts import Part, run_parts
from clipsaver.app.picturing import picturing_work
from clipsaver.app.saving import kept_in_order, saving_work
from clipsaver.app.sight import Sight
from clipsaver.app.signals import on_signals
from clipsaver.clips.picturing.service import Pictures
from clipsaver.clips.saving.service import Saving
from clipsaver.clips.storehouse.service import Storehouse
from clipsaver.config import Config
from clipsaver.scans.service import Scans
from clipsaver.scans.station import ScanWork
from clipsaver.web.metrics import Metrics
from clipsaver.web.server import create_app, serve
from clipsaver.work.cron import Cron
from clipsaver.work.worker import Station, Worker

log = structlog.get_logger("clipsaver.app")

PORT: Final = 8000
"""Where `clipsaver run` serves when no port is set; the other roles serve only where one is."""
POLL: Final = timedelta(seconds=1)
"""How long a scan that another process queued may go unnoticed, a clip that was found, and one that was stored."""
DRAIN: Final = timedelta(seconds=5)
"""How long what is in hand may take to commit what was read once the program is told to end."""
LIMIT: Final = 9.5
"""Seconds after the first signal when the process is ended by force; it promises to be gone within ten."""


class Role(StrEnum):
    """What a process does."""

    RUN = "run"
    BOT = "bot"
    WORKER = "worker"


async def run(config: Config, role: Role) -> int:
    """Run until a signal; the exit status."""
    asyncio.get_running_loop().set_exception_handler(logs.on_loop_error)
    stop, running = asyncio.Event(), asyncio.Event()
    program = asyncio.create_task(_program(config, role, stop=stop, running=running))

    def end() -> None:
        stop.set()
        if not running.is_set():
            program.cancel()  # there is nothing to stop yet but the start

    with on_signals(end, limit=LIMIT):
        try:
            await program
        except asyncio.CancelledError:
            if not stop.is_set():
                raise
    log.info("process.ended", role=role)
    return 0


async def _program(config: Config, role: Role, *, stop: asyncio.Event, running: asyncio.Event) -> None:
    """Open what the role needs, run its parts until `stop`, and close it again."""
    log.info("process.starting", role=role)
    async with AsyncExitStack() as stack:
        below = await stack.enter_async_context(ground(config))
        work = _scan_work(below)
        worker = bot = saving = pictures = storehouse = None
        if role is not Role.BOT:
            saving = await stack.enter_async_context(saving_work(below))
            storehouse = await kept_in_order(below, saving.storage)
            pictures = picturing_work(below, saving.storage)
            stations: list[Station[Any]] = [
                work.station(concurrency=config.scans.concurrency, poll=POLL),
                saving.station(concurrency=config.saving.concurrency, poll=POLL),
                pictures.station(poll=POLL),
            ]
            worker = Worker(stations, drain=DRAIN)
        if role is not Role.WORKER:
            bot = _bot(below, partial(_wake, worker))
        cron = Cron(below.pool, jobs(below, storehouse))
        sight = Sight(
            ground=below,
            work=work,
            bot=bot,
            worker=worker,
            cron=cron,
            saving=saving,
            pictures=pictures,
            storehouse=storehouse,
        )
        port = PORT if config.web.port is None and role is Role.RUN else config.web.port
        if port is not None:
            app = create_app(sight.readiness, Metrics([sight.figures, sight.stored, sight.clips, sight.unmade]))
            server = await serve(app, host=config.web.host, port=port)
            stack.push_async_callback(server.close)
        parts = [Part(name="jobs", run=cron.run, stop=_soon(partial(_stop_jobs, cron, storehouse)))]
        if worker is not None:
            parts.append(Part(name="worker", run=worker.run, stop=_soon(worker.stop)))
        if bot is not None:
            parts.append(bot.part)
        running.set()
        await run_parts(parts, stop)


def _bot(below: Ground, wake: Callable[[str], None]) -> Bot:
    """The bot, over the services whose work it begins; ``wake`` tells a station of this process."""
    scans = Scans(
        pool=below.pool,
        defaults=below.defaults,
        wake=partial(wake, "scans"),
        token_refused=lambda: below.rest.unauthorized,
    )
    saving = Saving(pool=below.pool, defaults=below.defaults, wake=partial(wake, "saving"))
    return Bot.of(below, scans, saving, Pictures(pool=below.pool, wake=partial(wake, "pictures")))


def _wake(worker: Worker | None, station: str) -> None:
    """Tell a station of this process that there is work; another process looks by itself."""
    if worker is not None:
        worker.wake(station)


def _stop_jobs(cron: Cron, storehouse: Storehouse | None) -> None:
    """Begin no job any more, and have those end soon that take long."""
    cron.stop()
    if storehouse is not None:
        storehouse.stop()


def _soon(stop: Callable[[], None]) -> Callable[[], Awaitable[None]]:
    """A stop that doesn't wait, as one that could."""

    async def stopping() -> None:
        stop()

    return stopping


def _scan_work(below: Ground) -> ScanWork:
    return ScanWork(
        pool=below.pool,
        history=below.history,
        access=below.access,
        clips=below.clips,
        defaults=below.defaults,
        application_id=below.application.id,
        bot_id=below.application.bot_id,
        lease_time=timedelta(seconds=below.config.scans.lease_seconds),
    )
