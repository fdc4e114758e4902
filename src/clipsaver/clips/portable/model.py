"""What is written down of an exported clip and of where it was, and what came of an export or an import. Pure."""

from collections import Counter
from datetime import UTC, datetime
from typing import Final

from attrs import define, field, frozen

from clipsaver.clips.saving.model import ClipState

FORMAT: Final = "clipsaver-export"
VERSION: Final = 1
MOST_COMPLAINTS: Final = 50
"""Sentences that are kept; what is beyond is only counted."""


@frozen(kw_only=True)
class Place:
    """A channel with clips: the first line of its list."""

    guild_id: int
    guild_name: str
    guild_icon: str | None = None
    channel_id: int
    channel_name: str | None = None
    channel_type: str | None = None
    is_nsfw: bool = False
    parent_id: int | None = None
    parent_name: str | None = None
    """Of a thread, for its folder's name."""
    position: int = 0
    folder: str = ""
    """Where new files of it go: ``clips/<server>/<channel>``. The same for good, whatever is renamed."""


@frozen(kw_only=True)
class Clip:
    """A clip whose bytes are in a file: a line of its channel's list."""

    clip_id: str
    message_id: int
    attachment_id: int | None = None
    author_id: int | None = None
    author_username: str | None = None
    author_global_name: str | None = None
    author_avatar: str | None = None
    posted_at: datetime
    edited_at: datetime | None = None
    content: str | None = None
    """The message's text, where the server had it kept."""
    filename: str
    title: str | None = None
    description: str | None = None
    content_type: str | None = None
    size: int | None = None
    """As Discord said; ``bytes`` is what the file has."""
    url: str
    url_expires_at: datetime | None = None
    width: int | None = None
    height: int | None = None
    duration_seconds: float | None = None
    is_clip: bool = False
    is_spoiler: bool = False
    is_forward: bool = False
    game: str | None = None
    clip_created_at: datetime | None = None
    participants: tuple[int, ...] = ()
    sha256: bytes
    bytes: int
    media_type: str | None = None
    file: str = ""
    gone_since: datetime | None = None
    """When an export first found that the clip is not in the database any more."""

    @property
    def order(self) -> tuple[int, str]:
        """Where in its list it stands."""
        return self.message_id, self.clip_id

    @property
    def second(self) -> int:
        """The second that its message's id was made in, as its file's name begins with."""
        return (self.message_id >> 22) // 1000


@frozen(kw_only=True)
class Row:
    """A clip as the database has it."""

    clip_id: str
    message_id: int
    state: ClipState
    clip: Clip | None = None
    """None for one without bytes."""
    is_shared: bool = False
    """Whether another clip has the same bytes."""

    @property
    def second(self) -> int:
        """The second that its message's id was made in."""
        return (self.message_id >> 22) // 1000


@frozen(kw_only=True)
class Scope:
    """What is to be exported."""

    guild_id: int | None = None
    channel_id: int | None = None
    """With its threads."""
    since_id: int = 0
    """The smallest message id."""

    def holds(self, place: Place) -> bool:
        """Whether a channel is meant."""
        above = place.parent_id if (place.channel_type or "").endswith("thread") else None
        wanted = self.channel_id is None or self.channel_id in {place.channel_id, above}
        return wanted and self.guild_id in {None, place.guild_id}


@define(kw_only=True)
class Tally:
    """What came of it so far."""

    clips: int = 0
    """Looked at."""
    written: int = 0
    """Brought over, bytes and all."""
    linked: int = 0
    """Of an export: given another file's bytes, which are the same."""
    kept: int = 0
    """Right already."""
    bytes: int = 0
    """Of what was brought over."""
    unsaved: int = 0
    """Of an export: clips that have no bytes yet, or never will."""
    gone: int = 0
    """Clips that are in the list, and no more in the database they came from."""
    untouched: int = 0
    """Of an import: clips that were left out or erased here, and stay so."""
    left_out: Counter[str] = field(factory=Counter)
    """What could not be brought over, by reason."""
    complaints: list[str] = field(factory=list)
    """Sentences about that, the first few."""

    def complain(self, kind: str, sentence: str) -> None:
        """Note that something was left out."""
        self.left_out[kind] += 1
        if len(self.complaints) < MOST_COMPLAINTS:
            self.complaints.append(sentence)

    @property
    def untold(self) -> int:
        """How many complaints there were beyond those that are kept."""
        return self.left_out.total() - len(self.complaints)


def now() -> datetime:
    """The moment, to the second."""
    return datetime.now(UTC).replace(microsecond=0)
