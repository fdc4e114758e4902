"""Saving as work: how a worker claims clips, has their bytes stored, and writes down why some were not."""

import asyncio
import random
from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import Any, Final
from uuid import UUID

import structlog
from attrs import Factory, define, evolve, field

from clipsaver import logs
from clipsaver.clips.saving import store
from clipsaver.clips.saving.claiming import Claiming
from clipsaver.clips.saving.figures.telling import Telling
from clipsaver.clips.saving.model import (
    PROGRESS,
    UNKNOWN_SIZE,
    ClipState,
    Ending,
    Job,
    Why,
    again,
    quota_of,
)
from clipsaver.clips.saving.outcomes import ending_of
from clipsaver.clips.saving.partials import Partials
from clipsaver.clips.saving.places import Places
from clipsaver.clips.saving.readable import Readable
from clipsaver.clips.saving.room import Room
from clipsaver.clips.saving.steps import LEASE_LOST, Ended, Save
from clipsaver.clips.service import Clips
from clipsaver.discord.access import Access
from clipsaver.discord.messages import Messages
from clipsaver.errors import ClipsaverError, LeaseLost
from clipsaver.media.fetching.errors import Busy
from clipsaver.media.fetching.fetcher import Fetcher
from clipsaver.media.storage.base import Storage
from clipsaver.media.storage.errors import StorageFull, StorageRefused, StorageUnavailable
from clipsaver.postgres.few import Few
from clipsaver.postgres.pool import Connection, Pool
from clipsaver.work.draining import unless_draining
from clipsaver.work.worker import Lease, Station

log = structlog.get_logger("clipsaver.saving")

HEAL_EVERY: Final = 10.0
HEAL_AT_ONCE: Final = 500
CONNECTIONS: Final = 2
"""Of the pool's, how many saving takes at the same time."""
ENDLESS: Final = 2**62


@define
class Tally:
    """What this process has stored since it began, for metrics."""

    clips: int = 0
    bytes: int = 0
    """As they came, each clip's."""


@define(kw_only=True, eq=False)
class SavingWork:
    """What a worker needs to save clips."""

    pool: Pool
    fetcher: Fetcher
    storage: Storage
    messages: Messages
    access: Access
    clips: Clips
    defaults: Mapping[str, Any]
    lease_time: timedelta
    tally: Tally = field(factory=Tally)
    room: Room = field(default=Factory(lambda self: Room(storage=self.storage), takes_self=True), init=False)
    places: Places = field(default=Factory(lambda self: Places(defaults=self.defaults), takes_self=True), init=False)
    _readable: Readable = field(default=Factory(lambda self: Readable(access=self.access), takes_self=True), init=False)
    _partials: Partials = field(factory=Partials, init=False)
    _few: Few = field(default=Factory(lambda self: Few(self.pool, CONNECTIONS), takes_self=True), init=False)
    _telling: Telling = field(
        default=Factory(lambda self: Telling(few=self._few, room=self.room), takes_self=True), init=False
    )
    _claiming: Claiming = field(
        default=Factory(
            lambda self: Claiming(few=self._few, places=self.places, room=self.room, lease_time=self.lease_time),
            takes_self=True,
        ),
        init=False,
    )
    _heal_at: float = field(default=0.0, init=False)

    def station(self, *, concurrency: int, poll: timedelta) -> Station[Job]:
        """Describe this work to a worker."""
        return Station(
            name="saving",
            claim=self.claim,
            work=self.work,
            renew=self.renew,
            release=self.release,
            concurrency=concurrency,
            lease=self.lease_time,
            poll=poll,
            at_once=concurrency,
        )

    # ── claiming ──

    async def claim(self, tokens: Sequence[UUID]) -> Mapping[UUID, Job]:
        """Take clips whose turn it is, with room for them; none when there are none, no room, or the hosts rest."""
        if self.places.stale:
            await self._heal()
        await self._telling()
        chosen = tokens[: self.fetcher.lets_begin()]
        return await self._claiming(chosen) if chosen else {}

    async def _heal(self) -> None:
        """Let clips wait again that were left out for want of room, where there is room now."""
        now = asyncio.get_running_loop().time()
        if now < self._heal_at:
            return
        self._heal_at = now + HEAL_EVERY
        async with self._few.connection() as conn:
            await store.forget_downloads(conn)
            lacking = await store.lacking_room(conn)
        for guild_id, settings in lacking.items():
            quota = quota_of(self.places.settings(settings, {}))
            healed = await self._few.in_transaction(partial(self._heal_guild, guild_id, quota))
            if healed:
                log.info("saving.room_again", guild_id=str(guild_id), clips=healed)

    async def _heal_guild(self, guild_id: int, quota: int | None, conn: Connection) -> int:
        used = (await store.lock_usage(conn, guild_id)).bytes
        room = ENDLESS if quota is None else quota - used - await store.reserved(conn, guild_id)
        if room <= 0:
            return 0
        healed, found = await store.heal(conn, guild_id, room=room, limit=HEAL_AT_ONCE, unknown=UNKNOWN_SIZE)
        if healed == found < HEAL_AT_ONCE:
            await store.set_lacks_room(conn, guild_id, lacks=False)
        return healed

    # ── working ──

    async def renew(self, job: Job, token: UUID) -> bool:
        """Keep the clip; False when it is another's."""
        async with self._few.connection() as conn:
            return await store.renew(conn, job.clip_id, token=token, lease=self.lease_time)

    async def release(self, job: Job, token: UUID) -> None:
        """Hand the clip back as if it had not been claimed."""
        async with self._few.connection() as conn:
            await store.let_go(conn, {token: job.clip_id})

    async def work(self, job: Job, lease: Lease) -> None:
        """Save a clip; what is in the way is written to its row, for a person to read and a worker to try again."""
        with structlog.contextvars.bound_contextvars(
            guild_id=str(job.guild_id), channel_id=str(job.channel_id), clip_id=job.clip_id
        ):
            save = Save(
                few=self._few,
                fetcher=self.fetcher,
                storage=self.storage,
                messages=self.messages,
                readable=self._readable,
                clips=self.clips,
                partials=self._partials,
                defaults=self.defaults,
                job=job,
                token=lease.token,
            )
            try:
                size = await unless_draining(save(), lease.draining)
            except (LeaseLost, asyncio.CancelledError):
                raise
            except Exception as error:  # noqa: BLE001 - each has its place on the row
                if isinstance(error, Busy) and not error.asked and not self.fetcher.lets_begin():
                    await self._hand_back(job, lease)  # nothing is claimed until the rest is over: it keeps its turn
                else:
                    await self._end(save, self._ending(save, error), lease.token)
            else:
                if size is None:
                    await self._hand_back(job, lease)
                    return
                self.room.well()
                self.tally.clips += 1
                self.tally.bytes += size
                log.debug("saving.stored", bytes=size)

    async def _hand_back(self, job: Job, lease: Lease) -> None:
        log.info("saving.handed_back")
        await self.release(job, lease.token)

    def _ending(self, save: Save, error: Exception) -> Ending:
        """Decide what is written about a clip; with progress the waits are short again, as after a first attempt."""
        chance = random.random()  # noqa: S311 - spreads the load, guards nothing
        job = save.job if save.came < PROGRESS else evolve(save.job, attempts=1)
        if isinstance(error, Ended):
            return error.ending
        if isinstance(error, StorageFull | StorageRefused | StorageUnavailable):
            self.room.failed(error)
        if isinstance(error, ClipsaverError):
            return ending_of(error, job, chance=chance)
        shown = logs.reference()
        log.error("saving.crashed", reference=shown, exc_info=error)
        return again(job, Why.CRASHED, f"Something went wrong while it was saved (reference {shown}).", chance=chance)

    async def _end(self, save: Save, ending: Ending, token: UUID) -> None:
        """Write what became of a clip; what brought progress is no attempt, and those before are forgotten."""
        if ending.counts and ending.state is ClipState.PENDING and save.came >= PROGRESS:
            ending = evolve(ending, counts=False, begins_anew=True)
        log.info("saving.not_stored", state=ending.state, why=ending.why, attempts=save.job.attempts)
        async with self._few.connection() as conn:
            held = await store.mark_ended(conn, save.job.clip_id, token=token, ending=ending)
            if held and ending.why is Why.OVER_QUOTA:
                await store.set_lacks_room(conn, save.job.guild_id, lacks=True)
        if not held:
            raise LeaseLost(LEASE_LOST)
