"""Keeping what all runs of this process have read, together: whatever arrives during a commit goes into the next."""

import asyncio
from collections.abc import Collection, Sequence
from contextlib import suppress
from datetime import timedelta
from functools import partial
from uuid import UUID

import asyncpg
from attrs import Factory, define, field

from clipsaver.clips.model import StaleRules
from clipsaver.clips.service import Clips
from clipsaver.errors import LeaseLost
from clipsaver.postgres.few import Few
from clipsaver.postgres.pool import Connection, Pool, in_transaction
from clipsaver.scans import store
from clipsaver.scans.model import LEASE_LOST, Advance

IN_HAND = 150
"""Pages that all runs together hold at most: read, and not yet committed."""
PAUSE = 0.02
"""Seconds between two commits: what arrives meanwhile costs the next one little more."""
WRITERS = 2
"""Commits under way at the same time: a small scan's page doesn't wait for the many of a large one."""
CONNECTIONS = 3
"""Of the pool's connections, how many runs take at the same time for all but keeping; people need some too."""
REFUSED = (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError)
"""What PostgreSQL says of a row that it can't take."""


@define(eq=False)
class Handed:
    """What one run wants kept, and how it is told what became of it."""

    advance: Advance
    kept: asyncio.Future[None]

    def failed(self, error: BaseException) -> None:
        """Tell the run what went wrong, if it still listens."""
        if not self.kept.done():
            self.kept.set_exception(error)

    def moved_on(self, channels: Collection[int]) -> bool:
        """Tell the run that its rules have changed, if its channel is among these; whether it is."""
        channel_id = self.advance.portion.channel_id
        if channel_id in channels:
            self.failed(StaleRules(channel_id))
        return channel_id in channels

    def kept_if(self, held: bool) -> None:  # noqa: FBT001 - the answer itself
        """Tell the run that it is committed, or that its lease was lost; if it still listens."""
        if not held:
            self.failed(LeaseLost(LEASE_LOST))
        elif not self.kept.done():
            self.kept.set_result(None)


@define(kw_only=True, eq=False)
class Keeper:
    """Writes the pages of many runs together, and the next ones after that; what goes wrong with one run is its own."""

    pool: Pool
    clips: Clips
    lease_time: timedelta
    room: asyncio.Semaphore = field(factory=lambda: asyncio.Semaphore(IN_HAND), init=False)
    """One for each page in hand."""
    few: Few = field(default=Factory(lambda self: Few(self.pool, CONNECTIONS), takes_self=True), init=False)
    """The connections for a run's beginning, its end, and whatever else is rare."""
    _waiting: list[Handed] = field(factory=list, init=False)
    _first: list[Handed] = field(factory=list, init=False)
    """What goes before all that waits."""
    _hurry: asyncio.Event = field(factory=asyncio.Event, init=False)
    """Set when a run has nothing left to read: it doesn't wait for others to fill the next commit."""
    _writers: list[asyncio.Task[None]] = field(factory=list, init=False)

    async def keep(self, advance: Advance, *, first: bool = False) -> None:
        """Commit pages and how far they bring their run, ``first`` before what waits; a run has one of these in hand.

        LeaseLost: nothing was written, the run is another's. StaleRules: nothing was written, the rules have changed.
        """
        handed = Handed(advance, asyncio.get_running_loop().create_future())
        (self._first if first else self._waiting).append(handed)
        if first or not advance.todo:
            self._hurry.set()
        self._writers = [writer for writer in self._writers if not writer.done()]
        if len(self._writers) < WRITERS + first:
            self._writers.append(asyncio.create_task(self._keep_all(), name="keep pages"))
        await handed.kept

    async def _keep_all(self) -> None:
        while self._first or self._waiting:
            if self._first:
                handed, self._first = self._first, []
            else:
                handed, self._waiting = self._waiting, []
            self._hurry.clear()
            await self._commit([one for one in handed if not one.kept.done()])
            with suppress(TimeoutError):
                await asyncio.wait_for(self._hurry.wait(), PAUSE)

    async def _commit(self, handed: Sequence[Handed]) -> None:
        """Keep all of it in one transaction; what is in the way of the others is told so, and they go on without it."""
        try:
            held = await in_transaction(self.pool, partial(self._write, [one.advance for one in handed]))
        except StaleRules as stale:
            told = [one for one in handed if one.moved_on(stale.channels)]
            if rest := [one for one in handed if one not in told]:
                await self._commit(rest)
        except REFUSED as error:
            if len(handed) == 1:
                handed[0].failed(error)
            else:
                for one in handed:
                    await self._commit([one])
        except Exception as error:  # noqa: BLE001 - each run is told, and says what it makes of it
            for one in handed:
                one.failed(error)
        else:
            for one in handed:
                one.kept_if(one.advance.run_id in held)

    async def _write(self, advances: Sequence[Advance], conn: Connection) -> set[UUID]:
        """Write what those runs have read whose lease still holds; which runs those are."""
        rules = await store.update_scan_progress(conn, advances, lease=self.lease_time)
        held = [one for one in advances if one.run_id in rules]
        stale = {one.portion.channel_id for one in held if not one.settled_by(rules[one.run_id])}
        if stale:
            raise StaleRules(*stale)
        await self.clips.keep(conn, [one.portion for one in held])
        if marking := [one.run_id for one in held if one.marks_channel]:
            await store.mark_channels_scanned(conn, marking)
        return set(rules)
