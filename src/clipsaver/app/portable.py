"""`clipsaver export` and `clipsaver import`: what is asked for, how far it is, and what came of it."""

import asyncio
import sys
import time
from argparse import Namespace
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Final, TextIO

import asyncpg
import structlog
from attrs import define, evolve, field

from clipsaver.app.ground import database
from clipsaver.app.signals import on_signals
from clipsaver.clips.portable.exporting import Export
from clipsaver.clips.portable.folder import Folder
from clipsaver.clips.portable.importing import Import
from clipsaver.clips.portable.model import Scope, Tally
from clipsaver.clips.saving.model import GIBIBYTE, shown_size
from clipsaver.config import Config
from clipsaver.discord.snowflakes import at
from clipsaver.errors import ClipsaverError
from clipsaver.media.storage import Storage, open_storage
from clipsaver.postgres.pool import Pool
from clipsaver.words import dates

log = structlog.get_logger("clipsaver.app")

AWAY: Final = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
INTERRUPTED: Final = 130
LOOK: Final = 0.25
"""Seconds between two looks at how far it is."""


def quiet(config: Config) -> Config:
    """The configuration, but that only what goes wrong is logged: what happens is told otherwise."""
    return evolve(config, log=evolve(config.log, level="WARNING")) if config.log.level == "INFO" else config


async def export_clips(config: Config, options: Namespace) -> int:
    """Write clips into a folder; 0 when none was left out."""
    since = None if options.since is None else dates.parse(options.since, now=datetime.now(UTC))
    scope = Scope(guild_id=options.guild, channel_id=options.channel, since_id=0 if since is None else at(since))
    shown = Shown()
    with Folder(options.folder.absolute()) as folder:
        async with _opened(config, writing=False) as (pool, storage):
            work = Export(
                pool=pool, storage=storage, folder=folder, scope=scope, tally=shown.tally, notify=shown.progress
            )
            return await _carried_out(work(), shown, doing="written")


async def import_clips(config: Config, options: Namespace) -> int:
    """Take clips back from a folder; 0 when none was left out."""
    shown = Shown()
    with Folder(options.folder.absolute()) as folder:
        async with _opened(config, writing=True) as (pool, storage):
            work = Import(
                pool=pool,
                storage=storage,
                folder=folder,
                with_gone=options.gone,
                tally=shown.tally,
                notify=shown.progress,
            )
            return await _carried_out(work(), shown, doing="taken")


@asynccontextmanager
async def _opened(config: Config, *, writing: bool) -> AsyncIterator[tuple[Pool, Storage]]:
    """The database, joined if a bot runs on it, and the storage."""
    async with AsyncExitStack() as stack:
        pool = await stack.enter_async_context(database(config))
        reserve = int(config.storage.reserve_gb * GIBIBYTE)
        opened = await open_storage(config.storage.url, data_dir=config.data_dir, reserve=reserve, writing=writing)
        yield pool, await stack.enter_async_context(opened)


async def _carried_out(work: Coroutine[Any, Any, None], shown: "Shown", *, doing: str) -> int:
    """Do it until it ends, or a signal comes; then tell what came of it."""
    task = asyncio.create_task(work)
    with on_signals(task.cancel):
        try:
            await task
        except asyncio.CancelledError:
            shown.tell(doing, "It was interrupted; the next time it goes on from here.")
            return INTERRUPTED
        except ClipsaverError as error:
            shown.tell(doing, error.message)
            return 1
        except AWAY as error:
            log.debug("portable.database_away", exc_info=error)
            shown.tell(doing, f"The database went away ({type(error).__name__}); the next time it goes on from here.")
            return 1
    shown.tell(doing)
    return 1 if shown.tally.left_out else 0


@define(eq=False)
class Shown:
    """What people see of it: one line while it lasts, and a few in the end."""

    out: TextIO = field(factory=lambda: sys.stdout)
    err: TextIO = field(factory=lambda: sys.stderr)
    tally: Tally = field(factory=Tally)
    _next: float = field(default=0.0, init=False)

    def progress(self) -> None:
        """Write how far it is over what stood there, on a terminal."""
        if not self.err.isatty() or time.monotonic() < self._next:
            return
        self._next = time.monotonic() + LOOK
        one = self.tally
        text = f"{one.clips:,} clips looked at, {shown_size(one.bytes)} copied, {one.left_out.total():,} left out"
        print(f"\r\x1b[2K{text}", end="", file=self.err, flush=True)

    def tell(self, doing: str, trouble: str | None = None) -> None:
        """Write what came of it, and why it did not come to its end."""
        if self.err.isatty():
            print("\r\x1b[2K", end="", file=self.err, flush=True)
        for line in summary(self.tally, doing):
            print(line, file=self.out)
        self.out.flush()
        for sentence in self.tally.complaints:
            print(sentence, file=self.err)
        if self.tally.untold:
            print(f"… and {self.tally.untold:,} more like these.", file=self.err)
        if trouble is not None:
            print(trouble, file=self.err)
        self.err.flush()


def summary(tally: Tally, doing: str) -> list[str]:
    """Put in a few lines what came of it."""
    lines = [
        f"clips         {tally.clips:,} looked at",
        f"{doing:<14}{tally.written:,}, {shown_size(tally.bytes)}",
    ]
    optional = (
        ("linked", tally.linked, "have the same bytes as another file"),
        ("right already", tally.kept, ""),
        ("gone", tally.gone, "are no longer in the database that the folder was written from"),
        ("without bytes", tally.unsaved, "are not saved: there is nothing to write"),
        ("untouched", tally.untouched, "were left out or erased here, and stay so"),
    )
    lines += [f"{name:<14}{count:,} {what}".rstrip() for name, count, what in optional if count]
    if tally.left_out:
        reasons = ", ".join(f"{count:,} {kind}" for kind, count in tally.left_out.most_common())
        lines.append(f"{'left out':<14}{tally.left_out.total():,}: {reasons}")
    return lines
