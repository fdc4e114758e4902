"""From the inbox to the database: batches, order, patience."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from itertools import groupby
from typing import Any, Final

import asyncpg
import structlog
from attrs import define, field

from clipsaver.channels.service import Channels
from clipsaver.discord.snapshots import GuildSnapshot
from clipsaver.discord.structuring import Mismatch, whole
from clipsaver.errors import ClipsaverError
from clipsaver.extensions.guilds.events import Event, GuildLeft, GuildOutage, GuildSeen, SessionReady, read
from clipsaver.extensions.guilds.inbox import Inbox
from clipsaver.extensions.guilds.writer import Writer
from clipsaver.guilds.model import Shard
from clipsaver.guilds.service import Guilds
from clipsaver.guilds.state import BotState

log = structlog.get_logger("clipsaver.extensions.guilds")

CAPACITY: Final = 200_000
"""Guilds, roles and channels that may wait for the database; beyond it a guild is read again later."""
BATCH: Final = 50
GATHER: Final = 0.1
"""Seconds in which guilds that come one after the other make one batch."""
SETTLE: Final = 15.0
"""Seconds without a guild after which those that were announced are taken to be in an outage."""
ACTIVITY_EVERY: Final = 5.0
"""Seconds between writes of when channels last had a message."""
MOST_ACTIVE: Final = 50_000
"""Channels whose activity may wait to be written."""
LONGEST_PAUSE: Final = 30.0
"""Seconds between attempts to write."""
REREAD_PAUSE: Final = 5.0
"""Seconds until a guild that could not be read again is tried again."""

PASSING: Final = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.TransactionRollbackError,
    asyncpg.ReadOnlySQLTransactionError,
)
"""What ends when the database is back; anything else is about what was to be written."""


@define(kw_only=True, eq=False)
class GuildEvents:
    """Takes raw events and writes what they say, in their order; a database that is away is waited for."""

    guilds: Guilds
    channels: Channels
    state: BotState
    reread: Callable[[int], Awaitable[GuildSnapshot | None]]
    """Reads a guild again, when events about it had to be dropped."""
    own_id: int = 0
    """Our own user: what it writes is no sign of life of a channel, as it is never scanned."""
    capacity: int = CAPACITY
    gather: float = GATHER
    settle: float = SETTLE
    activity_every: float = ACTIVITY_EVERY
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep
    missed: set[int] = field(factory=set, init=False)
    """Guilds that have to be read again."""
    _inbox: Inbox = field(init=False)
    _writer: Writer = field(init=False)
    _active: dict[int, int] = field(factory=dict, init=False)
    _last_guild: float = field(default=0.0, init=False)
    _reread_at: float = field(default=0.0, init=False)

    def __attrs_post_init__(self) -> None:
        self._inbox = Inbox(self.capacity)
        self._writer = Writer(guilds=self.guilds, channels=self.channels, state=self.state)

    def put(self, name: str, payload: Mapping[str, Any], *, shard: Shard | None = None) -> None:
        """Take a raw event; never waits, and never fails for what is in it."""
        if name == "MESSAGE_CREATE":
            self._note(payload)
            return
        shard = shard or Shard()
        said = read(name, payload, shard)
        for reason in said.odd[:5]:
            log.warning("guild_event.odd", name=name, shard=shard.id, reason=reason)
        for event in said.events:
            self._take(event)

    async def run(self) -> None:
        """Write what comes, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._consume(), name="guild events")
            group.create_task(self._keep_activity(), name="channel activity")

    async def idle(self) -> None:
        """Wait until everything that came so far is written."""
        await self._inbox.join()

    async def step(self) -> None:
        """Wait for events and write them, or give up on guilds that were announced and don't come."""
        await self._handle(await self._next_batch())

    async def flush_activity(self) -> None:
        """Write when channels last had a message."""
        if not self._active:
            return
        latest, self._active = self._active, {}
        try:
            await self.channels.activity(latest)
        except Exception as error:
            log.warning("channel_activity.not_written", channels=len(latest), exc_info=not _passes(error))
            if not _passes(error):
                return
            for channel_id, message_id in latest.items():
                self._active[channel_id] = max(message_id, self._active.get(channel_id, 0))

    async def _handle(self, batch: Sequence[Event]) -> None:
        """Write a batch; where nothing came in time, give up waiting; where there is room again, read again."""
        now = asyncio.get_running_loop().time
        for kind, same in groupby(batch, key=type):
            await self._persist(list(same))
            if kind in {SessionReady, GuildSeen}:
                self._last_guild = now()
        self._inbox.done()
        if not batch and self.state.expected and now() >= self._last_guild + self.settle:
            missing = self.state.settle()
            log.warning("guilds.not_come", guilds=len(missing), seconds=self.settle)
        if self.missed and not self._inbox and now() >= self._reread_at:
            await self._read_again()

    def _note(self, payload: Mapping[str, Any]) -> None:
        """Remember a guild channel's newest message."""
        if payload.get("guild_id") is None:
            return
        try:
            channel_id, message_id = whole(payload.get("channel_id")), whole(payload.get("id"))
        except Mismatch:
            return
        author = payload.get("author")
        if isinstance(author, Mapping) and str(author.get("id")) == str(self.own_id):
            return
        if channel_id in self._active or len(self._active) < MOST_ACTIVE:
            self._active[channel_id] = max(message_id, self._active.get(channel_id, 0))

    def _take(self, event: Event) -> None:
        """Put an event into the inbox; a guild whose event finds no room is read again when there is."""
        if isinstance(event, SessionReady | GuildOutage | GuildLeft):
            self._inbox.put(event, always=True)
        elif not self._inbox.put(event) and event.guild_id not in self.missed:
            self.missed.add(event.guild_id)
            log.warning("guild_events.overflow", guild_id=str(event.guild_id), waiting=len(self._inbox))

    async def _consume(self) -> None:
        while True:
            await self.step()

    async def _keep_activity(self) -> None:
        while True:
            await asyncio.sleep(self.activity_every)
            await self.flush_activity()

    async def _next_batch(self) -> list[Event]:
        """Wait for events; what is there already comes along, and guilds that follow closely do too."""
        loop = asyncio.get_running_loop()
        batch: list[Event] = []
        until = self._patience()
        while len(batch) < BATCH:
            event = self._inbox.get_nowait() or await self._next(until)
            if event is None:
                break
            if not batch:
                until = loop.time() + (self.gather if isinstance(event, GuildSeen) else 0.0)
            batch.append(event)
        return batch

    async def _next(self, until: float | None) -> Event | None:
        """Wait for an event, but not longer than until then."""
        if until is not None and until <= asyncio.get_running_loop().time():
            return None
        with suppress(TimeoutError):
            async with asyncio.timeout_at(until):
                return await self._inbox.get()
        return None

    def _patience(self) -> float | None:
        """When, by the loop's clock, there is something to do though nothing came; None for never."""
        due = []
        if self.missed:
            due.append(self._reread_at)
        if self.state.expected:
            due.append(self._last_guild + self.settle)
        return min(due, default=None)

    async def _persist(self, events: Sequence[Event]) -> None:
        """Write events of one kind; as long as the database is away, again. One that can't be written is left out."""
        attempt = 0
        while True:
            try:
                await self._writer.write(events)
            except Exception as error:
                if not _passes(error):
                    if len(events) == 1:
                        log.exception("guild_event.refused", **_about(events[0]))
                        return
                    break
                wait = min(LONGEST_PAUSE, 0.25 * 2**attempt) * random.uniform(0.5, 1)  # noqa: S311 - no secret
                attempt = min(attempt + 1, 10)
                log.warning("guild_events.waiting", reason=type(error).__name__, retry_in=round(wait, 2))
                await self.pause(wait)
            else:
                return
        for event in events:
            await self._persist([event])

    async def _read_again(self) -> None:
        """Read one guild again whose events were dropped; one that can't be read now is tried again later."""
        guild_id = self.missed.pop()
        try:
            guild = await self.reread(guild_id)
        except ClipsaverError as error:
            log.warning("guild.reread_failed", guild_id=str(guild_id), permanent=error.permanent)
            if not error.permanent:
                self.missed.add(guild_id)
                self._reread_at = asyncio.get_running_loop().time() + REREAD_PAUSE
            return
        if guild is None:
            log.warning("guild.unreadable", guild_id=str(guild_id))
            return
        await self._persist([GuildSeen(guild=guild, with_channels=True, complete=not guild.odd)])
        log.info("guild.reread", guild_id=str(guild_id))


def _passes(error: Exception) -> bool:
    """Whether the same write can succeed later. asyncpg's complaints about values are interface errors too."""
    return isinstance(error, PASSING) and not isinstance(error, ValueError)


def _about(event: Event) -> dict[str, str]:
    """What the log says of an event."""
    about = {"kind": type(event).__name__}
    if not isinstance(event, SessionReady):
        about["guild_id"] = str(event.guild_id)
    return about
