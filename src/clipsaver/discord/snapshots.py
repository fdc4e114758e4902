"""What Discord said, frozen: one class per kind of payload, structured from the raw JSON.

Strict about the ids that rows are made of, tolerant about the rest: what is absent or null has a default, what is
unknown is ignored. A value of the wrong kind makes the payload odd; whoever reads pages goes on with the next message.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Final, TypeVar

from attrs import evolve, frozen
from cattrs import Converter
from cattrs.gen import override
from msgspec import Meta

from clipsaver.discord.media import EmbedSnapshot, MediaSnapshot, NamedSnapshot, VideoSnapshot, media_in
from clipsaver.discord.redaction import redact
from clipsaver.discord.snowflakes import Snowflake, created_at
from clipsaver.discord.structuring import Mismatch, OddPayload, Pixels, Structurer, fields, items, pixels, whole

__all__ = [
    "AttachmentSnapshot",
    "ChannelSnapshot",
    "EmbedSnapshot",
    "ForwardSnapshot",
    "GuildSnapshot",
    "MediaSnapshot",
    "MessageSnapshot",
    "NamedSnapshot",
    "OddPayload",
    "OverwriteSnapshot",
    "RoleSnapshot",
    "UserSnapshot",
    "VideoSnapshot",
    "redact",
    "structure_channel",
    "structure_guild",
    "structure_message",
    "structure_role",
    "structure_user",
]

T = TypeVar("T")
Seconds = Annotated[float, Meta(ge=0, le=10**9)]
Moment = Annotated[datetime, Meta(tz=True)]

ICONS: Final = "https://cdn.discordapp.com/icons"
FORWARD: Final = 1
"""The type of a message reference that carries snapshots of other messages."""


@frozen(kw_only=True)
class UserSnapshot:
    """A person, a bot, or the name a webhook writes under."""

    id: Snowflake
    username: str = ""
    global_name: str | None = None
    avatar: str | None = None
    bot: bool = False


@frozen(kw_only=True)
class RoleSnapshot:
    """A role of a guild; the one with the guild's own id is @everyone."""

    id: int
    name: str = ""
    permissions: int = 0
    position: int = 0


@frozen(kw_only=True)
class OverwriteSnapshot:
    """What a channel allows and denies one role (type 0) or member (type 1)."""

    id: int
    type: int
    allow: int = 0
    deny: int = 0


@frozen(kw_only=True)
class ChannelSnapshot:
    """A channel or thread."""

    id: int
    type: int
    guild_id: int | None = None
    name: str = ""
    nsfw: bool = False
    parent_id: int | None = None
    """The category of a channel, the channel of a thread."""
    position: int = 0
    permission_overwrites: tuple[OverwriteSnapshot, ...] = ()
    last_message_id: int | None = None


@frozen(kw_only=True)
class GuildSnapshot:
    """A guild as GUILD_CREATE or Get Guild tells it; only the former lists channels and threads."""

    id: int
    name: str = ""
    icon: str | None = None
    """The icon's hash; ``icon_url`` is what people can open."""
    owner_id: int | None = None
    unavailable: bool = False
    roles: tuple[RoleSnapshot, ...] = ()
    channels: tuple[ChannelSnapshot, ...] = ()
    threads: tuple[ChannelSnapshot, ...] = ()
    odd: tuple[str, ...] = ()
    """Where a role, channel or thread could not be read and was left out; empty for almost every guild."""

    @property
    def icon_url(self) -> str | None:
        """Where the icon is; animated ones are GIFs."""
        if self.icon is None:
            return None
        return f"{ICONS}/{self.id}/{self.icon}.{'gif' if self.icon.startswith('a_') else 'png'}"


@frozen(kw_only=True)
class AttachmentSnapshot:
    """A file of a message; type and size are claims of whoever sent it."""

    id: Snowflake
    filename: str
    url: str
    title: str | None = None
    description: str | None = None
    content_type: str | None = None
    size: Snowflake = 0
    proxy_url: str | None = None
    height: Pixels | None = None
    width: Pixels | None = None
    duration_secs: Seconds | None = None
    flags: Snowflake = 0
    clip_participants: tuple[UserSnapshot, ...] = ()
    clip_created_at: Moment | None = None
    application: NamedSnapshot | None = None
    """The game that a clip was recorded in."""


@frozen(kw_only=True)
class ForwardSnapshot:
    """A message inside a forward: a copy of its contents, without id and author."""

    content: str = ""
    timestamp: Moment | None = None
    edited_timestamp: Moment | None = None
    attachments: tuple[AttachmentSnapshot, ...] = ()
    embeds: tuple[EmbedSnapshot, ...] = ()
    media: tuple[MediaSnapshot, ...] = ()
    type: Snowflake = 0
    flags: Snowflake = 0


@frozen(kw_only=True)
class MessageSnapshot:
    """A message with everything in it that can be a clip."""

    id: Snowflake
    channel_id: Snowflake
    author: UserSnapshot | None = None
    content: str = ""
    timestamp: Moment | None = None
    edited_timestamp: Moment | None = None
    attachments: tuple[AttachmentSnapshot, ...] = ()
    embeds: tuple[EmbedSnapshot, ...] = ()
    media: tuple[MediaSnapshot, ...] = ()
    """What is in its ``components``, every nesting walked."""
    forwarded: tuple[ForwardSnapshot, ...] = ()
    """What is in its ``message_snapshots``."""
    application_id: Snowflake | None = None
    webhook_id: Snowflake | None = None
    type: Snowflake = 0
    flags: Snowflake = 0

    @property
    def posted_at(self) -> datetime:
        """When it was sent; what Discord left out is in the id."""
        return self.timestamp or created_at(self.id)


def structure_message(payload: object) -> MessageSnapshot:
    """Read a message; raises OddPayload."""
    return _STRUCTURER.read(payload, MessageSnapshot, "a message")


def structure_user(payload: object) -> UserSnapshot:
    """Read a user; raises OddPayload."""
    return _STRUCTURER.read(payload, UserSnapshot, "a user")


def structure_role(payload: object) -> RoleSnapshot:
    """Read a role; raises OddPayload."""
    return _STRUCTURER.read(payload, RoleSnapshot, "a role")


def structure_channel(payload: object) -> ChannelSnapshot:
    """Read a channel or thread; raises OddPayload."""
    return _STRUCTURER.read(payload, ChannelSnapshot, "a channel")


def structure_guild(payload: object) -> GuildSnapshot:
    """Read a guild; a role, channel or thread that can't be read is left out and told in ``odd``."""
    guild = _STRUCTURER.read(payload, GuildSnapshot, "a guild")
    raw = fields(payload)
    odd: list[str] = []
    roles = _each(raw, "roles", RoleSnapshot, odd)
    channels = _each(raw, "channels", ChannelSnapshot, odd)
    threads = _each(raw, "threads", ChannelSnapshot, odd)
    return evolve(
        guild,
        roles=roles,
        channels=tuple(evolve(channel, guild_id=guild.id) for channel in channels),
        threads=tuple(evolve(thread, guild_id=guild.id) for thread in threads),
        odd=tuple(odd),
    )


def _each(payload: Mapping[str, Any], key: str, cls: type[T], odd: list[str]) -> tuple[T, ...]:
    try:
        listed = items(payload.get(key))
    except Mismatch as problem:
        odd.append(f"{key}: {problem.kind}")
        return ()
    read: list[T] = []
    for index, entry in enumerate(listed):
        try:
            read.append(_STRUCTURER.read(entry, cls, key))
        except OddPayload as problem:
            odd.append(f"{key}[{index}].{problem.reason}")
    return tuple(read)


def _position(value: object, _: object) -> int:
    """A place in a list; Discord has had negative ones."""
    return 0 if isinstance(value, int) and value < 0 else whole(value)


def _placed(_: Converter) -> Mapping[str, Any]:
    return {"position": override(struct_hook=_position)}


def _attachment(_: Converter) -> Mapping[str, Any]:
    return {
        "width": override(struct_hook=pixels),
        "height": override(struct_hook=pixels),
    }


def _video(_: Converter) -> Mapping[str, Any]:
    return {"width": override(struct_hook=pixels), "height": override(struct_hook=pixels)}


def _guild(_: Converter) -> Mapping[str, Any]:
    return {name: override(omit=True) for name in ("roles", "channels", "threads", "odd")}


_MEDIA: Final = override(rename="components", struct_hook=media_in)


def _forward(_: Converter) -> Mapping[str, Any]:
    return {"media": _MEDIA}


def _message(converter: Converter) -> Mapping[str, Any]:
    def forwarded(value: object, _: object) -> tuple[ForwardSnapshot, ...]:
        """Take the messages out of their snapshots; an entry without one shows nothing."""
        inside = [fields(entry).get("message") for entry in items(value)]
        there = [message for message in inside if message is not None]
        return converter.structure(there, tuple[ForwardSnapshot, ...])

    return {
        "media": _MEDIA,
        "forwarded": override(rename="message_snapshots", struct_hook=forwarded),
    }


_STRUCTURER: Final = Structurer(
    {
        RoleSnapshot: _placed,
        ChannelSnapshot: _placed,
        AttachmentSnapshot: _attachment,
        VideoSnapshot: _video,
        GuildSnapshot: _guild,
        ForwardSnapshot: _forward,
        MessageSnapshot: _message,
    },
)
