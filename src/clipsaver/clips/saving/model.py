"""A clip on its way into the storage: what is known of it, how it may end, and when it is tried again. Pure."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from attrs import Factory, frozen

from clipsaver.guilds.settings import Settings

KIBIBYTE: Final = 1024
MEBIBYTE: Final = 1024 * KIBIBYTE
GIBIBYTE: Final = 1024 * MEBIBYTE

MOST_ATTEMPTS: Final = 10
"""Claims without progress after which a clip has failed until a person asks for another try."""
FIRST_DELAY: Final = timedelta(seconds=15)
LONGEST_DELAY: Final = timedelta(hours=2)
PROGRESS: Final = MEBIBYTE
"""Bytes that have come beyond what was there for an attempt not to count: a trickle must not go on for ever."""
ABOUT_TO_EXPIRE: Final = timedelta(minutes=1)
"""A link that dies sooner is not worth beginning with."""
UNKNOWN_SIZE: Final = 512 * MEBIBYTE
"""Room that is reserved for a file of which nobody says how large it is."""


class ClipState(StrEnum):
    """The ``clip_state`` enum."""

    PENDING = "pending"
    STORED = "stored"
    SKIPPED = "skipped"
    FAILED = "failed"
    GONE = "gone"
    DELETED = "deleted"


class Why(StrEnum):
    """``clips.reason_code``: what programs tell reasons apart by."""

    OVER_QUOTA = "over_quota"
    """Goes back to pending by itself once there is room."""
    TOO_LARGE = "too_large"
    WRONG_CONTENT = "wrong_content"
    REFUSED = "refused"
    GONE = "gone"
    LINK_DEAD = "link_dead"
    UNREADABLE = "unreadable"
    """The link is dead, and the bot may not read the message for another."""
    INTERRUPTED = "interrupted"
    NO_ROOM = "no_room"
    STORAGE = "storage"
    LOST = "lost"
    """It was stored, and its bytes were found missing or changed."""
    CRASHED = "crashed"


@frozen(kw_only=True)
class Job:
    """A clip that was claimed."""

    clip_id: str
    message_id: int
    channel_id: int
    guild_id: int
    filename: str
    content_type: str | None = None
    size: int | None = None
    """As the attachment says; None where nobody does."""
    url: str
    url_expires_at: datetime | None = None
    attempts: int
    """Claims since there was progress, this one included."""
    most: int = 0
    """Bytes that may come at most."""
    quota: int | None = None
    """The server's, where that is what limits ``most``."""
    guild_settings: Mapping[str, Any] = Factory(dict)
    settings: Mapping[str, Any] = Factory(dict)
    """The channel's overrides; a thread's lie over its parent's."""
    rules_hash: str | None = None

    def link_expires(self, now: datetime) -> bool:
        """Whether the link is dead by its own word, or is about to be."""
        return self.url_expires_at is not None and self.url_expires_at <= now + ABOUT_TO_EXPIRE


@frozen(kw_only=True)
class Place:
    """A channel with clips that wait."""

    channel_id: int
    guild_id: int
    due_at: datetime
    """When its first one is due."""
    guild_settings: Mapping[str, Any]
    settings: Mapping[str, Any]


@frozen(kw_only=True)
class Ending:
    """What is written about a clip that was not stored."""

    state: ClipState
    """Pending for one that is tried again."""
    why: Why
    reason: str
    """A sentence for people."""
    delay: timedelta | None = None
    """Until it is tried again."""
    counts: bool = True
    """Whether the attempt counts; what was nobody's fault, or brought progress, does not."""
    begins_anew: bool = False
    """Whether those before don't count any more either: only bytes that came show that the clip can be had."""


@frozen(kw_only=True)
class Usage:
    """What a server's stored clips take."""

    clips: int = 0
    bytes: int = 0


@frozen(kw_only=True)
class Saved:
    """How far a server, or one of its channels, is with saving."""

    states: Mapping[str, int]
    """Clips by state; those that are 0 may be missing."""
    bytes: int = 0
    """Of the stored ones."""
    reasons: Mapping[tuple[str, str], int] = Factory(dict)
    """Why clips are not stored, by state and ``reason_code``, and how many each concerns."""

    def of(self, *states: ClipState) -> int:
        """How many clips are in one of these states."""
        return sum(self.states.get(state, 0) for state in states)


class HaltKind(StrEnum):
    """``saving_halts.kind``: what keeps a worker from fetching anything."""

    FULL = "full"
    TROUBLE = "trouble"


@frozen(kw_only=True)
class Halt:
    """A worker that fetches nothing for now."""

    kind: HaltKind
    free: int
    """Bytes that may come in, as it last saw."""


@frozen(kw_only=True)
class Standing:
    """How a channel and its server stand with saving, for a person who asks."""

    channel: Saved
    guild: Saved
    wanted: bool
    """Whether the channel's settings want bytes stored."""
    quota: int | None = None
    """Bytes that the server's clips may take."""
    halt: Halt | None = None
    """Where nothing is fetched anywhere."""


def quota_of(settings: Settings) -> int | None:
    """How many bytes a server's clips may take; None: no limit."""
    return None if settings.storage_quota_gb is None else int(settings.storage_quota_gb * GIBIBYTE)


def largest_of(settings: Settings) -> int | None:
    """How many bytes one file may have; None: no limit."""
    return None if settings.max_file_size_mb is None else int(settings.max_file_size_mb * MEBIBYTE)


def backoff(attempts: int, chance: float) -> timedelta:
    """How long to wait after so many attempts: twice as long each time; ``chance`` between 0 and 1 spreads them."""
    doublings = min(max(attempts - 1, 0), 20)
    return min(FIRST_DELAY * (1 << doublings), LONGEST_DELAY) * (0.5 + chance / 2)


def room_needed(size: int | None, largest: int | None) -> int:
    """How many bytes to reserve for a file."""
    if size is not None:
        return size
    return UNKNOWN_SIZE if largest is None else min(largest, UNKNOWN_SIZE)


def shown_size(size: int) -> str:
    """A size as people read it."""
    for unit, name in ((GIBIBYTE, "GB"), (MEBIBYTE, "MB"), (KIBIBYTE, "KB")):
        if size >= unit:
            return f"{size / unit:,.1f}".removesuffix(".0") + f" {name}"
    return "1 byte" if size == 1 else f"{size} bytes"


def over_quota(quota: int) -> Ending:
    """Tell that the server's clips have all the room they may."""
    return Ending(
        state=ClipState.SKIPPED,
        why=Why.OVER_QUOTA,
        reason=f"It does not fit into the {shown_size(quota)} that this server's clips may take (`storage_quota_gb`).",
        counts=False,
    )


def too_large(size: int | None, largest: int) -> Ending:
    """Tell that a file is larger than the server wants."""
    has = "is larger" if size is None else f"has {shown_size(size)}, more"
    return Ending(
        state=ClipState.SKIPPED,
        why=Why.TOO_LARGE,
        reason=f"The file {has} than the {shown_size(largest)} allowed here (`max_file_size_mb`).",
        counts=False,
    )


def gone(reason: str) -> Ending:
    """Tell that there is nothing left to be saved."""
    return Ending(state=ClipState.GONE, why=Why.GONE, reason=reason, counts=False)


def failed(why: Why, reason: str) -> Ending:
    """Tell that trying again would change nothing."""
    return Ending(state=ClipState.FAILED, why=why, reason=reason)


def again(job: Job, why: Why, reason: str, *, chance: float, least: float = 0.0) -> Ending:
    """Try later, but not for ever; ``least`` are seconds that it has to wait in any case."""
    if job.attempts >= MOST_ATTEMPTS:
        return failed(why, f"{reason} It was tried {job.attempts} times.")
    delay = max(backoff(job.attempts, chance), timedelta(seconds=least))
    return Ending(state=ClipState.PENDING, why=why, reason=reason, delay=delay)


def later(why: Why, reason: str, *, seconds: float) -> Ending:
    """Try later, however often: the clip can't help it."""
    return Ending(state=ClipState.PENDING, why=why, reason=reason, delay=timedelta(seconds=seconds), counts=False)
