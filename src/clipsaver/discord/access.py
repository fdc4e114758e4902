"""What the bot itself may do in a channel, found out from Discord before anything is asked that would be refused."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from datetime import datetime
from typing import Any, Final, TypeVar

from attrs import define, field, frozen

from clipsaver.discord.permissions import NONE, Permission, evaluate, may_read, missing, needed_to_read
from clipsaver.discord.rest import Forbidden, NotFound, Priority, Rest, Route
from clipsaver.discord.snapshots import (
    ChannelSnapshot,
    GuildSnapshot,
    OddPayload,
    structure_channel,
    structure_guild,
)
from clipsaver.discord.structuring import Mismatch, fields, items, moment, whole
from clipsaver.errors import NotThere

T = TypeVar("T")

TRUSTED: Final = 60.0
"""Seconds that what a guild says is believed."""
MOST: Final = 2_000
THREADS: Final = frozenset({10, 11, 12})
PRIVATE_THREAD: Final = 12


@frozen(kw_only=True)
class ChannelAccess:
    """A channel, and what the bot may do in it."""

    channel: ChannelSnapshot
    parent: ChannelSnapshot | None = None
    """Of a thread: the channel it is in, whose overwrites and age restriction count."""
    guild_id: int
    permissions: Permission
    nsfw: bool
    """Whether it is age-restricted; a thread is if its parent is."""
    date: datetime
    """Discord's clock when the channel was read; ours if it didn't say."""

    @property
    def base_type(self) -> int:
        """The type that decides what reading takes: the parent's of a thread."""
        return (self.parent or self.channel).type

    @property
    def needed_to_read(self) -> Permission:
        """What reading the channel's messages takes."""
        return needed_to_read(self.base_type)

    @property
    def may_read(self) -> bool:
        """Whether the bot may read the channel's messages."""
        return may_read(self.permissions, self.base_type)

    @property
    def missing_to_read(self) -> tuple[str, ...]:
        """The names of what the bot lacks to read the channel's messages."""
        return missing(self.permissions, self.needed_to_read)


@frozen(kw_only=True)
class Member:
    """The bot as a member of a guild."""

    roles: frozenset[int]
    timed_out_until: datetime | None


@frozen(kw_only=True)
class SeenChannel:
    """A channel as it was read."""

    channel: ChannelSnapshot
    joined: bool
    """Of a thread: whether the bot is known to be in it."""
    date: datetime


@frozen(kw_only=True, eq=False)
class Kept:
    """Something read from Discord or being read, and since when."""

    asked_at: float
    priority: Priority
    task: asyncio.Task[Any]

    def good_for(self, newest: float, priority: Priority) -> bool:
        """Whether it was asked for late enough, and comes as soon as if it were asked for again."""
        if self.asked_at < newest:
            return False
        if not self.task.done():
            return self.priority <= priority
        return not self.task.cancelled() and self.task.exception() is None


@define(kw_only=True)
class Access:
    """Asks Discord what the bot may do; what a guild says is kept for a minute and asked for once at a time."""

    rest: Rest
    bot_id: int
    """The bot's own user id."""
    clock: Callable[[], float] = time.monotonic
    _kept: dict[str, Kept] = field(factory=dict, init=False)

    async def of_bot(
        self, channel_id: int, *, fresh: bool = False, priority: Priority = Priority.SCAN
    ) -> ChannelAccess:
        """What the bot may do in a channel; ``fresh``: believing nothing that was read before this call.

        Raises Forbidden or NotFound when the bot can't see the channel at all, NotThere when it is in no guild.
        """
        newest = self.clock() if fresh else self.clock() - TRUSTED
        seen = await self._channel(channel_id, newest, priority)
        channel = seen.channel
        if channel.guild_id is None:
            raise NotThere("That channel is not in a server.")
        parent = None
        if channel.type in THREADS and channel.parent_id is not None:
            parent = (await self._channel(channel.parent_id, newest, priority)).channel
        guild, member = await self._guild(channel.guild_id, newest, priority)
        permissions = evaluate(
            member_id=self.bot_id,
            member_roles=member.roles,
            owner_id=guild.owner_id,
            roles=guild.roles,
            guild_id=guild.id,
            overwrites=(parent or channel).permission_overwrites,
            timed_out=member.timed_out_until is not None and member.timed_out_until > seen.date,
        )
        if channel.type == PRIVATE_THREAD and not await self._in_private_thread(seen, permissions, priority):
            permissions = NONE
        return ChannelAccess(
            channel=channel,
            parent=parent,
            guild_id=guild.id,
            permissions=permissions,
            nsfw=(parent or channel).nsfw,
            date=seen.date,
        )

    async def _in_private_thread(self, seen: SeenChannel, permissions: Permission, priority: Priority) -> bool:
        """Whether the bot is in a private thread, or may see it anyway."""
        if seen.joined or Permission.MANAGE_THREADS in permissions:
            return True
        ids = {"channel_id": seen.channel.id, "user_id": self.bot_id}
        route = Route("GET", "/channels/{channel_id}/thread-members/{user_id}", **ids)
        try:
            await self.rest.request(route, priority=priority)
        except (NotFound, Forbidden):
            return False
        return True

    async def _channel(self, channel_id: int, newest: float, priority: Priority) -> SeenChannel:
        async def fetch() -> SeenChannel:
            answer = await self.rest.request(
                Route("GET", "/channels/{channel_id}", channel_id=channel_id),
                priority=priority,
                check=_readable(structure_channel),
            )
            joined = answer.body.get("member") is not None
            return SeenChannel(channel=structure_channel(answer.body), joined=joined, date=answer.moment)

        return await self._shared(f"channel {channel_id}", newest, priority, fetch)

    async def _guild(self, guild_id: int, newest: float, priority: Priority) -> tuple[GuildSnapshot, Member]:
        async def fetch() -> tuple[GuildSnapshot, Member]:
            guild, member = await asyncio.gather(
                self.rest.request(
                    Route("GET", "/guilds/{guild_id}", guild_id=guild_id),
                    priority=priority,
                    check=_readable(structure_guild),
                ),
                self.rest.request(
                    Route("GET", "/guilds/{guild_id}/members/{user_id}", guild_id=guild_id, user_id=self.bot_id),
                    priority=priority,
                    check=_readable(_member),
                ),
            )
            return structure_guild(guild.body), _member(member.body)

        return await self._shared(f"guild {guild_id}", newest, priority, fetch)

    async def _shared(
        self, key: str, newest: float, priority: Priority, fetch: Callable[[], Coroutine[Any, Any, T]]
    ) -> T:
        """What is known and new enough, or on its way; asked for by one for all who want it meanwhile."""
        kept = self._kept.get(key)
        if kept is None or not kept.good_for(newest, priority):
            self._forget()
            kept = self._kept[key] = Kept(asked_at=self.clock(), priority=priority, task=asyncio.create_task(fetch()))
            kept.task.add_done_callback(_heed)
        result: T = await asyncio.shield(kept.task)
        return result

    def _forget(self) -> None:
        """Drop what is too old for anyone, once there is much of it."""
        if len(self._kept) >= MOST:
            newest = self.clock() - TRUSTED
            self._kept = {key: kept for key, kept in self._kept.items() if kept.asked_at >= newest}


def _heed(task: asyncio.Task[Any]) -> None:
    """Take note of an error that nobody waits for any more."""
    if not task.cancelled():
        task.exception()


def _member(body: Any) -> Member:
    """The bot's roles and time-out, from a member object."""
    try:
        payload = fields(body)
        until = payload.get("communication_disabled_until")
        return Member(
            roles=frozenset(whole(role) for role in items(payload.get("roles"))),
            timed_out_until=None if until is None else moment(until),
        )
    except Mismatch as problem:
        raise OddPayload("a member", problem.kind) from None


def _readable(structure: Callable[[Any], object]) -> Callable[[Any], bool]:
    """A check that a body can be structured."""

    def check(body: Any) -> bool:
        try:
            structure(body)
        except OddPayload:
            return False
        return True

    return check
