"""What the gateway says about guilds, from raw payloads to frozen events. Pure.

Discord: Gateway Events; an odd part is named and left out, and never spoils what stands beside it.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from attrs import evolve, frozen

from clipsaver.discord.snapshots import (
    ChannelSnapshot,
    GuildSnapshot,
    OddPayload,
    RoleSnapshot,
    UserSnapshot,
    structure_channel,
    structure_guild,
    structure_role,
    structure_user,
)
from clipsaver.discord.structuring import Mismatch, fields, items, whole
from clipsaver.guilds.model import Shard


@frozen(kw_only=True)
class SessionReady:
    """READY: a session begins, and these guilds will come."""

    shard: Shard
    guild_ids: frozenset[int] | None
    """None if Discord did not tell: then nothing can be said to have vanished."""


@frozen(kw_only=True)
class GuildSeen:
    """GUILD_CREATE, with all of its channels, or GUILD_UPDATE, without any."""

    guild: GuildSnapshot
    owner: UserSnapshot | None = None
    """The owner, where the payload happens to name them."""
    with_channels: bool
    """Whether channels were told at all."""
    complete: bool = False
    """Whether they were all told, and could all be read."""

    @property
    def guild_id(self) -> int:
        """The guild this is about."""
        return self.guild.id


@frozen(kw_only=True)
class GuildOutage:
    """The guild is there, but Discord can't serve it now."""

    guild_id: int


@frozen(kw_only=True)
class GuildLeft:
    """The bot is no longer in the guild."""

    guild_id: int


@frozen(kw_only=True)
class ChannelSeen:
    """A channel or thread is new or has changed."""

    guild_id: int
    channel: ChannelSnapshot


@frozen(kw_only=True)
class ChannelGone:
    """A channel or thread was deleted."""

    guild_id: int
    channel_id: int


@frozen(kw_only=True)
class RoleSeen:
    """A role is new or has changed."""

    guild_id: int
    role: RoleSnapshot


@frozen(kw_only=True)
class RoleGone:
    """A role was deleted."""

    guild_id: int
    role_id: int


Event: TypeAlias = SessionReady | GuildSeen | GuildOutage | GuildLeft | ChannelSeen | ChannelGone | RoleSeen | RoleGone


@frozen(kw_only=True)
class Read:
    """What one payload said."""

    events: tuple[Event, ...] = ()
    odd: tuple[str, ...] = ()
    """What of it could not be read, by place and kind, never by content."""


def read(name: str, payload: Mapping[str, Any], shard: Shard) -> Read:
    """Make events of a payload; an event that is none of ours says nothing."""
    reader = _READERS.get(name)
    if reader is None:
        return Read()
    try:
        # hikari hands out a read-only view of the payload, and only its top is one.
        return reader(dict(payload), shard)
    except OddPayload as problem:
        return Read(odd=(problem.reason,))
    except Mismatch as problem:
        return Read(odd=(f"{problem.path}: {problem.kind}".removeprefix(": "),))


def _ready(payload: Mapping[str, Any], shard: Shard) -> Read:
    guilds = payload.get("guilds")
    if type(guilds) is not list:
        return Read(events=(SessionReady(shard=shard, guild_ids=None),), odd=("guilds: not a list",))
    try:
        ids = frozenset(_id(fields(guild), "id") for guild in guilds)
    except Mismatch as problem:
        return Read(events=(SessionReady(shard=shard, guild_ids=None),), odd=(f"guilds: {problem.kind}",))
    return Read(events=(SessionReady(shard=shard, guild_ids=ids),))


def _guild_create(payload: Mapping[str, Any], _: Shard) -> Read:
    if payload.get("unavailable") is True:
        return Read(events=(GuildOutage(guild_id=_id(payload, "id")),))
    guild = structure_guild(payload)
    told = type(payload.get("channels")) is list
    seen = GuildSeen(
        guild=guild,
        owner=_owner(payload, guild.owner_id),
        with_channels=True,
        complete=told and not guild.odd,
    )
    return Read(events=(seen,), odd=guild.odd)


def _guild_update(payload: Mapping[str, Any], _: Shard) -> Read:
    guild = structure_guild(payload)
    return Read(events=(GuildSeen(guild=guild, with_channels=False),), odd=guild.odd)


def _guild_delete(payload: Mapping[str, Any], _: Shard) -> Read:
    guild_id = _id(payload, "id")
    outage = payload.get("unavailable") is True
    return Read(events=(GuildOutage(guild_id=guild_id) if outage else GuildLeft(guild_id=guild_id),))


def _channel(payload: Mapping[str, Any], _: Shard) -> Read:
    channel = structure_channel(payload)
    if channel.guild_id is None:
        return Read()
    return Read(events=(ChannelSeen(guild_id=channel.guild_id, channel=channel),))


def _channel_delete(payload: Mapping[str, Any], _: Shard) -> Read:
    if payload.get("guild_id") is None:
        return Read()
    return Read(events=(ChannelGone(guild_id=_id(payload, "guild_id"), channel_id=_id(payload, "id")),))


def _thread_list(payload: Mapping[str, Any], _: Shard) -> Read:
    guild_id = _id(payload, "guild_id")
    events: list[Event] = []
    odd: list[str] = []
    for index, raw in enumerate(items(payload.get("threads"))):
        try:
            thread = evolve(structure_channel(raw), guild_id=guild_id)
        except OddPayload as problem:
            odd.append(f"threads[{index}].{problem.reason}")
        else:
            events.append(ChannelSeen(guild_id=guild_id, channel=thread))
    return Read(events=tuple(events), odd=tuple(odd))


def _role(payload: Mapping[str, Any], _: Shard) -> Read:
    role = structure_role(payload.get("role"))
    return Read(events=(RoleSeen(guild_id=_id(payload, "guild_id"), role=role),))


def _role_delete(payload: Mapping[str, Any], _: Shard) -> Read:
    return Read(events=(RoleGone(guild_id=_id(payload, "guild_id"), role_id=_id(payload, "role_id")),))


def _owner(payload: Mapping[str, Any], owner_id: int | None) -> UserSnapshot | None:
    """Find the owner among the members that came along; Discord sends few, and need not send this one."""
    members = payload.get("members")
    if owner_id is None or type(members) is not list:
        return None
    for member in members:
        user = member.get("user") if type(member) is dict else None
        if type(user) is dict and str(user.get("id")) == str(owner_id):
            try:
                return structure_user(user)
            except OddPayload:
                return None
    return None


def _id(payload: Mapping[str, Any], key: str) -> int:
    try:
        return whole(payload.get(key))
    except Mismatch as problem:
        raise problem.below(key) from None


_READERS: Final[Mapping[str, Callable[[Mapping[str, Any], Shard], Read]]] = MappingProxyType(
    {
        "READY": _ready,
        "GUILD_CREATE": _guild_create,
        "GUILD_UPDATE": _guild_update,
        "GUILD_DELETE": _guild_delete,
        "GUILD_ROLE_CREATE": _role,
        "GUILD_ROLE_UPDATE": _role,
        "GUILD_ROLE_DELETE": _role_delete,
        "CHANNEL_CREATE": _channel,
        "CHANNEL_UPDATE": _channel,
        "CHANNEL_DELETE": _channel_delete,
        "THREAD_CREATE": _channel,
        "THREAD_UPDATE": _channel,
        "THREAD_DELETE": _channel_delete,
        "THREAD_LIST_SYNC": _thread_list,
    },
)
