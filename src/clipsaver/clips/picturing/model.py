"""A stored video on its way to its facts and pictures: how that may end, and when it is tried again. Pure."""

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from typing import Final

from attrs import Factory, frozen

from clipsaver.media.probe.model import Facts, Failed

DELAYS: Final = tuple(timedelta(minutes=minutes) for minutes in (5, 15, 60, 240, 720, 1440))
"""Until it is tried again, after the first attempt, the second …"""
MOST_ATTEMPTS: Final = len(DELAYS) + 1
PATIENCE: Final = timedelta(minutes=5)
"""Until what a video can't help is looked at again."""


class PictureState(StrEnum):
    """The ``picture_state`` enum."""

    PENDING = "pending"
    MADE = "made"
    """Looked at; files that hold only sound have facts and no pictures."""
    FAILED = "failed"


class Why(StrEnum):
    """``thumbnails.reason_code`` where it is not one of the probe's reasons."""

    MISSING = "missing"
    """The bytes are not in the storage, or not those that were stored."""
    STORAGE = "storage"
    NO_ROOM = "no_room"
    """For a copy, where the bytes lie in a bucket."""
    INTERRUPTED = "interrupted"
    """The program ended with the video in hand, again and again."""
    CRASHED = "crashed"


@frozen(kw_only=True)
class Job:
    """A stored video that was claimed."""

    sha256: bytes
    size: int
    attempts: int
    """Claims since it was last asked for, this one included."""


@frozen(kw_only=True)
class Ending:
    """What is written about a video of which there are no pictures."""

    state: PictureState
    """Pending for one that is tried again."""
    why: str
    reason: str
    """A sentence for people."""
    delay: timedelta | None = None
    """Until it is tried again."""
    counts: bool = True
    """Whether the attempt counts."""
    facts: Facts | None = None
    """What was found out all the same."""


@frozen(kw_only=True)
class Pictured:
    """How far the pictures of all stored videos are; very large numbers are only known to be as large."""

    waiting: int = 0
    failed: int = 0
    reasons: Mapping[str, int] = Factory(dict)
    """Sentences about those that failed, and how many each concerns."""


@frozen(kw_only=True)
class Unmade:
    """The videos of a channel's clips that have no pictures."""

    waiting: int = 0
    failed: int = 0
    reasons: Mapping[str, int] = Factory(dict)
    """Sentences about those that failed, and how many each concerns."""
    at_least: bool = False
    """Whether so many videos of all servers have none that not all of them were looked at."""


def failed(why: str, reason: str, facts: Facts | None = None) -> Ending:
    """Tell that it is not tried again unless somebody asks for it."""
    return Ending(state=PictureState.FAILED, why=why, reason=reason, facts=facts)


def again(job: Job, why: str, reason: str, facts: Facts | None = None) -> Ending:
    """Try later, but not for ever."""
    if job.attempts >= MOST_ATTEMPTS:
        return failed(why, f"{reason} It was tried {job.attempts} times.", facts)
    delay = DELAYS[max(job.attempts - 1, 0)]
    return Ending(state=PictureState.PENDING, why=why, reason=reason, delay=delay, facts=facts)


def later(why: str, reason: str) -> Ending:
    """Try later, however often: the video can't help it."""
    return Ending(state=PictureState.PENDING, why=why, reason=reason, delay=PATIENCE, counts=False)


def of_probe(error: Failed, job: Job) -> Ending:
    """Decide about a video that could not be looked at.

    What else is the file's fault can as well be that of a disk that was read badly, or of bytes that are mended later.
    """
    if error.certain:
        return failed(error.reason.value, error.message, error.facts)
    return again(job, error.reason.value, error.message, error.facts)


def died_each_time() -> Ending:
    """Tell that whoever began with a video never came back."""
    said = f"It was begun {MOST_ATTEMPTS} times, and each time the program ended before it could say why."
    return failed(Why.INTERRUPTED, said)
