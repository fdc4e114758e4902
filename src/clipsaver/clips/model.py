"""What is found in messages: clips, reasons why others are none, and what could not be read. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from attrs import Factory, frozen

from clipsaver.discord.raw import RawMessage
from clipsaver.discord.snapshots import MessageSnapshot
from clipsaver.errors import ClipsaverError
from clipsaver.postgres.ranges import Ranges


class StaleRules(ClipsaverError):
    """Channels moved to other rules while they were looked through: nothing of theirs may be kept as it is."""

    def __init__(self, *channels: int) -> None:
        super().__init__("The channel's settings changed while it was read.")
        self.channels = frozenset(channels)


@frozen(kw_only=True)
class FoundClip:
    """One video at one place: a row of ``clips`` in the making."""

    clip_id: str
    """``<message>-<attachment>``, or ``<message>-e<index>`` for what is no attachment of its own."""
    message_id: int
    attachment_id: int | None
    filename: str
    title: str | None = None
    description: str | None = None
    content_type: str | None = None
    size: int | None = None
    """In bytes, as claimed."""
    url: str
    url_expires_at: datetime | None = None
    width: int | None = None
    height: int | None = None
    duration_seconds: float | None = None
    is_clip: bool = False
    """Whether it was made with Discord's own clip button."""
    is_spoiler: bool = False
    is_forward: bool = False
    game: str | None = None
    clip_created_at: datetime | None = None
    participants: tuple[int, ...] = ()


@frozen(kw_only=True)
class Found:
    """One message, the clips in it, and why others in it are none."""

    message: MessageSnapshot
    clips: tuple[FoundClip, ...] = ()
    skipped: tuple[str, ...] = ()
    """One key for each video that was left out."""
    content: str | None = None
    """The text to be stored with the message: None unless the rules ask for it."""


@frozen(kw_only=True)
class Odd:
    """A message that could not be understood."""

    message_id: int
    reason: str
    payload: Mapping[str, Any]
    """Redacted."""


@frozen(kw_only=True)
class Sifted:
    """A page, or several, as far as it can matter under whatever rules."""

    ids: tuple[int, ...] = ()
    """Every message but our own application's."""
    messages: tuple[RawMessage, ...] = ()
    """Those of them with media."""


@frozen(kw_only=True)
class Batch:
    """One page, or several, looked through under one set of rules."""

    found: tuple[Found, ...] = ()
    """Only messages with clips."""
    odd: tuple[Odd, ...] = ()
    ids: tuple[int, ...] = ()
    """Every message that was looked through, clips or not; our own application's never are."""
    matched: int = 0
    """Messages with clips."""
    skipped: Mapping[str, int] = Factory(dict)
    """How many videos were left out, by reason; ``odd`` counts messages that could not be understood."""

    @property
    def scanned(self) -> int:
        """How many messages were looked through."""
        return len(self.ids)

    @property
    def clips_found(self) -> int:
        """How many clips the messages hold."""
        return sum(len(found.clips) for found in self.found)

    @classmethod
    def joined(cls, batches: Sequence["Batch"]) -> "Batch":
        """Several pages as one, to be kept together; a message on two of them counts twice, as it was fetched twice."""
        skipped: Counter[str] = Counter()
        for batch in batches:
            skipped.update(batch.skipped)
        return cls(
            found=tuple(found for batch in batches for found in batch.found),
            odd=tuple(odd for batch in batches for odd in batch.odd),
            ids=tuple(message_id for batch in batches for message_id in batch.ids),
            matched=sum(batch.matched for batch in batches),
            skipped=dict(skipped),
        )


@frozen(kw_only=True)
class Portion:
    """What is kept of one channel in one go."""

    guild_id: int
    channel_id: int
    batch: Batch
    covers: Ranges = ()
    """The ids that were read; without any the channel's coverage and its rules are left alone."""
    rules_hash: str
    """Of the rules that the batch was looked through by."""
    seen_hash: str | None = None
    """The channel's ``rules_hash`` when those rules were settled."""
