"""What a world is made of; plain values, changed only through :class:`~clipsaver.simulator.world.World`."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from attrs import define, field, frozen

EPOCH_MS: Final = 1_420_070_400_000
"""Discord's epoch: the first millisecond of 2015."""

TEXT, DM, VOICE, CATEGORY, ANNOUNCEMENT = 0, 1, 2, 4, 5
ANNOUNCEMENT_THREAD, PUBLIC_THREAD, PRIVATE_THREAD = 10, 11, 12
STAGE, DIRECTORY, FORUM, MEDIA = 13, 14, 15, 16
THREADS: Final = frozenset({ANNOUNCEMENT_THREAD, PUBLIC_THREAD, PRIVATE_THREAD})
VOICES: Final = frozenset({VOICE, STAGE})
FORUMS: Final = frozenset({FORUM, MEDIA})
WITHOUT_MESSAGES: Final = frozenset({CATEGORY, DIRECTORY, FORUM, MEDIA})

IS_CLIP, IS_THUMBNAIL, IS_REMIX, IS_SPOILER, IS_ANIMATED = 1, 2, 4, 8, 32
IS_COMPONENTS_V2: Final = 1 << 15
HAS_SNAPSHOT: Final = 1 << 14
EPHEMERAL: Final = 1 << 6


def snowflake_ms(snowflake: int) -> int:
    """The Unix millisecond a snowflake was made in."""
    return (snowflake >> 22) + EPOCH_MS


def created_at(snowflake: int) -> datetime:
    """The moment a snowflake was made."""
    return datetime.fromtimestamp(snowflake_ms(snowflake) / 1000, UTC)


def snowflake_at(moment: datetime) -> int:
    """The smallest snowflake of a moment's millisecond."""
    return (int(moment.timestamp() * 1000) - EPOCH_MS) << 22


@define(kw_only=True)
class User:
    """Someone on Discord: a person or a bot."""

    id: int
    username: str
    global_name: str | None = None
    avatar: str | None = None
    bot: bool = False
    discriminator: str = "0"
    public_flags: int = 0


@define(kw_only=True)
class Overwrite:
    """What one role (type 0) or one member (type 1) may do differently in one channel."""

    id: int
    type: int
    allow: int = 0
    deny: int = 0


@define(kw_only=True)
class Role:
    """A guild's role; the one with the guild's own id is @everyone."""

    id: int
    name: str
    permissions: int = 0
    position: int = 0
    color: int = 0
    hoist: bool = False
    managed: bool = False
    mentionable: bool = False
    bot_id: int | None = None


@define(kw_only=True)
class Member:
    """A user's place in one guild."""

    user_id: int
    joined_at: datetime
    roles: list[int] = field(factory=list)
    nick: str | None = None
    pending: bool = False
    timed_out_until: datetime | None = None


@define(kw_only=True)
class ThreadState:
    """What only threads have."""

    owner_id: int
    archived: bool = False
    archive_timestamp: datetime
    auto_archive_duration: int = 4320
    locked: bool = False
    invitable: bool = True
    members: dict[int, datetime] = field(factory=dict)
    """User id to the moment of joining."""
    applied_tags: list[int] = field(factory=list)


@define(kw_only=True)
class Channel:
    """A channel of any type, threads included."""

    id: int
    type: int = TEXT
    guild_id: int | None = None
    name: str = ""
    position: int = 0
    parent_id: int | None = None
    overwrites: dict[int, Overwrite] = field(factory=dict)
    nsfw: bool = False
    topic: str | None = None
    thread: ThreadState | None = None
    recipients: list[int] = field(factory=list)
    tags: list[tuple[int, str]] = field(factory=list)
    """A forum's available tags: id and name."""


@define(kw_only=True)
class Guild:
    """A guild with its roles and members; its channels are the world's."""

    id: int
    name: str
    owner_id: int
    icon: str | None = None
    unavailable: bool = False
    """Whether the guild has an outage: it is still the bot's, but nothing of it can be had."""
    features: list[str] = field(factory=list)
    roles: dict[int, Role] = field(factory=dict)
    members: dict[int, Member] = field(factory=dict)


@define(kw_only=True)
class Application:
    """The application whose bot lives in this world."""

    id: int
    name: str
    bot_id: int
    owner_id: int
    flags: int = 0
    """Discord's application flags; privileged intents show here."""
    verify_key: str = "0" * 64
    description: str = ""


@frozen(kw_only=True)
class Attachment:
    """A file on a message."""

    id: int
    channel_id: int
    """The channel the file was first sent to; part of its link, also when forwarded."""
    filename: str
    size: int
    kind: str
    """What the bytes really are: ``mp4``, ``webm``, ``mov``, ``mkv``, ``png``, ``ogg``, ``txt`` … or ``upload``."""
    file_id: int
    """Whose bytes these are; attachments of one file share it."""
    content_type: str | None = None
    title: str | None = None
    description: str | None = None
    width: int | None = None
    height: int | None = None
    duration_secs: float | None = None
    flags: int = 0
    clip_participants: tuple[int, ...] = ()
    clip_created_at: datetime | None = None
    game: str | None = None
    is_clip: bool = False
    """Whether a reader with default settings should keep it; known to whoever made it, never read off the payload."""


@frozen(kw_only=True)
class Media:
    """A file inside a message's components; ``attachment`` is None for one that lies elsewhere on the web."""

    id: int
    attachment: Attachment | None = None
    url: str | None = None
    content_type: str | None = None
    is_clip: bool = False


@define(kw_only=True)
class Message:
    """One message, generated or sent; never changed but replaced (not frozen: thousands are made a second)."""

    id: int
    channel_id: int
    author_id: int
    content: str = ""
    type: int = 0
    flags: int = 0
    attachments: tuple[Attachment, ...] = ()
    embeds: tuple[Mapping[str, Any], ...] = ()
    components: tuple[Mapping[str, Any], ...] = ()
    """Payloads; media items hold a :class:`Media` in place of Discord's unfurled media."""
    media: tuple[Media, ...] = ()
    """The media among the components, in order."""
    webhook_name: str | None = None
    """Set for a webhook's message; ``author_id`` is then the webhook's id."""
    application_id: int | None = None
    interaction_metadata: Mapping[str, Any] | None = None
    reference: Mapping[str, Any] | None = None
    """Discord's message_reference; type 1 is a forward."""
    forwarded: "Message | None" = None
    """What a forward carries: a snapshot of the message as it was."""
    mentions: tuple[int, ...] = ()
    mention_roles: tuple[int, ...] = ()
    mention_everyone: bool = False
    sticker_items: tuple[Mapping[str, Any], ...] = ()
    poll: Mapping[str, Any] | None = None
    pinned: bool = False
    tts: bool = False
    nonce: str | int | None = None
    edited_at: datetime | None = None

    @property
    def clips(self) -> tuple[str, ...]:
        """The clips that a reader with default settings should find here."""
        files = (*self.attachments, *(self.forwarded.attachments if self.forwarded else ()))
        media = (*self.media, *(self.forwarded.media if self.forwarded else ()))
        found = [f"{self.id}-{one.id}" for one in files if one.is_clip]
        found += [f"{self.id}-{one.attachment.id}" for one in media if one.attachment and one.attachment.is_clip]
        found += [f"{self.id}-e{place}" for place, one in enumerate(media) if one.attachment is None and one.is_clip]
        return tuple(found)
