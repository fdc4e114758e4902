"""A channel as the database knows it, and what each of Discord's channel types can do. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from attrs import frozen

from clipsaver.postgres.ranges import IdRange

TYPE_NAMES: Final[Mapping[int, str]] = MappingProxyType(
    {
        0: "text",
        1: "dm",
        2: "voice",
        3: "group_dm",
        4: "category",
        5: "announcement",
        10: "announcement_thread",
        11: "public_thread",
        12: "private_thread",
        13: "stage",
        14: "directory",
        15: "forum",
        16: "media",
    },
)
"""Discord's channel types (Channel object, Channel Types) by the names stored here."""
THREAD_TYPES: Final = frozenset({"announcement_thread", "public_thread", "private_thread"})
"""Channels inside a channel; who sees them, and whether they are read, follows their parent."""
THREAD_ONLY_TYPES: Final = frozenset({"forum", "media"})
"""Channels whose messages all lie in threads."""
READABLE_TYPES: Final = frozenset({"text", "announcement", "voice", "stage"}) | THREAD_ONLY_TYPES
"""Channels of a server that can be switched on for reading by themselves."""
VOICE_TYPES: Final = frozenset({"voice", "stage"})
"""Channels that need Connect before their messages can be read."""


def type_name(number: int) -> str:
    """Name a channel type; one that Discord added since is kept by its number."""
    return TYPE_NAMES.get(number, f"type_{number}")


def is_thread_type(number: int) -> bool:
    """Whether a channel of this type lies inside another."""
    return TYPE_NAMES.get(number) in THREAD_TYPES


@frozen(kw_only=True)
class Channel:
    """A row of ``bot_channels``."""

    channel_id: int
    guild_id: int
    name: str | None = None
    type: str | None = None
    is_nsfw: bool | None = False
    is_reading: bool = False
    last_message_id: int | None = None
    """The newest message a scan has read; not Discord's field of that name."""
    last_scanned_at: datetime | None = None
    last_activity_at: datetime | None = None
    message_count: int = 0
    settings: Mapping[str, Any]
    """Overrides of the server's settings."""
    created_at: datetime
    updated_at: datetime
    parent_id: int | None = None
    """The category; of a thread, the channel it lies in."""
    position: int = 0
    coverage: tuple[IdRange, ...] = ()
    """Message ids read under ``rules_hash``."""
    stale: tuple[IdRange, ...] = ()
    """Message ids read under earlier rules."""
    rules_hash: str | None = None
    has_gaps: bool = True

    @property
    def is_thread(self) -> bool:
        """Whether it lies inside another channel."""
        return self.type in THREAD_TYPES

    @property
    def can_be_read(self) -> bool:
        """Whether messages can be in it, or in threads in it: no categories, no directories."""
        return self.type in READABLE_TYPES or self.is_thread

    @property
    def holds_messages(self) -> bool:
        """Whether messages lie in it directly, as they do not in a forum."""
        return self.can_be_read and self.type not in THREAD_ONLY_TYPES

    @property
    def label(self) -> str:
        """What to call it in a sentence."""
        return f"#{self.name}" if self.name else f"channel {self.channel_id}"


@frozen(kw_only=True)
class SettingsLayers:
    """What is stored about how a channel is read."""

    guild_id: int
    guild: Mapping[str, Any]
    """The server's settings."""
    channel: Mapping[str, Any]
    """The channel's overrides; a thread's lie over those of the channel it is in."""
    own: Mapping[str, Any]
    """The channel's own overrides alone."""


def in_order(channels: Iterable[Channel]) -> Sequence[Channel]:
    """Sort channels as people see them in Discord: by category, text before voice, threads under their channel."""
    listed = list(channels)
    known = {channel.channel_id for channel in listed}
    below: dict[int | None, list[Channel]] = {}
    for channel in sorted(listed, key=_among_siblings):
        below.setdefault(channel.parent_id if channel.parent_id in known else None, []).append(channel)
    ordered: list[Channel] = []
    waiting = below.pop(None, [])[::-1]
    while waiting:
        channel = waiting.pop()
        ordered.append(channel)
        waiting.extend(below.pop(channel.channel_id, [])[::-1])
    # What lies in itself, by way of others, is nowhere in the tree; it is shown all the same.
    return ordered + [channel for rest in below.values() for channel in rest]


def _among_siblings(channel: Channel) -> tuple[int, int, int, int]:
    return (
        0 if channel.is_thread else 1,
        2 if channel.type == "category" else 1 if channel.type in VOICE_TYPES else 0,
        0 if channel.is_thread else channel.position,
        channel.channel_id,
    )
