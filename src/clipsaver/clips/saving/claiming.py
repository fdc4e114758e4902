"""How clips are claimed: whose turn it is, what of it is passed over and why, and room for what is fetched."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from enum import Enum, auto
from functools import partial
from typing import Final
from uuid import UUID

import structlog
from attrs import define, evolve, field

from clipsaver.clips.saving import store
from clipsaver.clips.saving.model import (
    MOST_ATTEMPTS,
    Ending,
    Job,
    Why,
    failed,
    largest_of,
    over_quota,
    quota_of,
    room_needed,
    too_large,
)
from clipsaver.clips.saving.places import Places, share
from clipsaver.clips.saving.room import Room
from clipsaver.postgres.few import Few
from clipsaver.postgres.pool import Connection

log = structlog.get_logger("clipsaver.saving")

MOST_GUILDS: Final = 50
MOST_TRIES: Final = 100
"""Servers that one claim looks at, and how often it looks at one, if all that it finds there is passed over."""


class Found(Enum):
    """What became of a look that brought nothing."""

    NOTHING = auto()
    """There is nothing for now in this server."""
    OTHERS = auto()
    """Those were not to be fetched: perhaps the next."""
    NO_ROOM = auto()
    """The storage has none."""


@define(kw_only=True)
class _Chosen:
    """What is taken together, as it is decided about."""

    room: Room
    reserved: int
    """Bytes of the storage that are spoken for."""
    quota: int | None = None
    """What the server's clips may take; of it, what is left by the stored ones, and by those in hand too."""
    left: int = 0
    free: int = 0
    jobs: dict[UUID, Job] = field(factory=dict)
    sizes: dict[UUID, int] = field(factory=dict)
    """What is to be reserved for each."""

    def fit(self, token: UUID, job: Job, largest: int | None) -> Found | Ending | None:
        """Find room for one beside the others; else what is to be said, of it or of those behind it."""
        needed = room_needed(job.size, largest)
        most = largest if largest is not None else max(needed, self.room.free // 2)
        limited_by = None
        if self.quota is not None:
            least = 1 if job.size is None else job.size
            if self.left < least:
                return over_quota(self.quota)
            if self.free < least:
                return Found.NOTHING  # those in hand may yet need less, or fail: it is their turn to tell
            if job.size is None and self.free < most:
                needed, most, limited_by = min(needed, self.free), self.free, self.quota
        if not self.room.fits(needed, self.reserved):
            return Found.NO_ROOM
        self.free -= needed
        self.reserved += needed
        self.jobs[token] = evolve(job, most=most, quota=limited_by)
        self.sizes[token] = needed
        return None


@define(kw_only=True, eq=False)
class Claiming:
    """Takes clips: first of the servers with the fewest in hand, and of each what is due first."""

    few: Few
    places: Places
    room: Room
    lease_time: timedelta

    async def __call__(self, tokens: Sequence[UUID]) -> Mapping[UUID, Job]:
        """Take clips of one server, with room for them, each under a token; none when there are none, or no room."""
        async with self.few.connection() as conn:
            if self.places.stale:
                await self.places.look(conn)
            in_hand = await store.in_hand(conn)
        turns = self.places.guilds(in_hand)[:MOST_GUILDS]
        reserved = sum(usage.bytes for usage in in_hand.values())
        halted = self.room.halted is not None  # then it is told when that ends, though nothing may wait any more
        if not (turns or halted) or not await self.room.takes(reserved):
            return {}
        for number, guild_id in enumerate(turns):
            own = tokens[: share(turns[number:], in_hand, len(tokens))]
            for _ in range(MOST_TRIES):
                found = await self.few.in_transaction(partial(self._take, guild_id, own, reserved))
                if not isinstance(found, Found):
                    self.room.go_on()
                    return found
                if found is Found.NO_ROOM:
                    return {}
                if found is Found.NOTHING:
                    self.places.forget(guild_id)
                    break
        self.room.go_on()
        return {}

    async def _take(
        self, guild_id: int, tokens: Sequence[UUID], reserved: int, conn: Connection
    ) -> Mapping[UUID, Job] | Found:
        """Take a server's next clips, and reserve what they need; whatever is not to be fetched is told why."""
        channels = self.places.channels(guild_id)
        taken = await store.take(conn, channels, tokens=tokens, lease=self.lease_time) if channels else None
        if taken is None:
            return Found.NOTHING
        jobs = await store.jobs(conn, taken)
        chosen = _Chosen(room=self.room, reserved=reserved)
        if jobs:
            await self._look_at_quota(conn, guild_id, next(iter(jobs.values())), taken, chosen)
        let_go = {token: clip_id for token, clip_id in taken.items() if token not in jobs}
        found = None
        for token, job in jobs.items():
            answer = found or self._judge(token, job, chosen)
            if isinstance(answer, Ending):
                await self._pass_over(conn, job, token, answer)
            elif answer is not None:
                let_go[token] = job.clip_id
                found = None if answer is Found.OTHERS else answer
        if let_go:
            await store.let_go(conn, let_go)
        if not chosen.jobs:
            return found or Found.OTHERS
        await store.reserve(conn, taken, chosen.sizes)
        return chosen.jobs

    async def _look_at_quota(
        self, conn: Connection, guild_id: int, job: Job, taken: Mapping[UUID, str], chosen: _Chosen
    ) -> None:
        """Find out how much a server's clips may still take, and let nobody else reserve of it meanwhile."""
        quota = quota_of(self.places.settings(job.guild_settings, {}))
        if quota is not None:
            chosen.quota, chosen.left = quota, quota - (await store.lock_usage(conn, guild_id)).bytes
            chosen.free = chosen.left - await store.reserved(conn, guild_id, but_for=list(taken.values()))

    def _judge(self, token: UUID, job: Job, chosen: _Chosen) -> Found | Ending | None:
        """Choose a clip to be fetched, or say why not."""
        settings = self.places.settings(job.guild_settings, job.settings)
        if not settings.save_bytes:
            self.places.forget(job.guild_id, channel_id=job.channel_id)
            return Found.OTHERS
        largest = largest_of(settings)
        if job.size is not None and largest is not None and job.size > largest:
            return too_large(job.size, largest)
        if job.attempts > MOST_ATTEMPTS:
            said = f"It was begun {MOST_ATTEMPTS} times, and each time the program ended before it could say why."
            return failed(Why.CRASHED, said)
        return chosen.fit(token, job, largest)

    async def _pass_over(self, conn: Connection, job: Job, token: UUID, ending: Ending) -> None:
        log.info("saving.passed_over", clip_id=job.clip_id, guild_id=str(job.guild_id), why=ending.why)
        if ending.why is Why.OVER_QUOTA:
            await store.set_lacks_room(conn, job.guild_id, lacks=True)
        await store.mark_ended(conn, job.clip_id, token=token, ending=ending)
