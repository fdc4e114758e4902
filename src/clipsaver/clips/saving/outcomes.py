"""What an error on the way means for the clip: whether it is tried again, when, and what people read. Pure."""

from collections.abc import Mapping
from typing import Final

from clipsaver.clips.saving.model import Ending, Job, Why, again, failed, later, over_quota, too_large
from clipsaver.discord.rest import Halted, Refused, Unauthorized, Unavailable
from clipsaver.discord.structuring import OddPayload
from clipsaver.errors import ClipsaverError, NotAllowed
from clipsaver.media.fetching import errors as fetching
from clipsaver.media.storage.errors import StorageFull, StorageRefused, StorageUnavailable

PATIENCE: Final = 60.0
"""Seconds until what a clip can't help is looked at again."""
EXPIRED: Final = "Its link has expired, and for another its message has to be read."
KINDS: Final[Mapping[type[ClipsaverError], Why]] = {
    fetching.WrongContent: Why.WRONG_CONTENT,
    fetching.Refused: Why.REFUSED,
}


def ending_of(error: ClipsaverError, job: Job, *, chance: float) -> Ending:
    """Decide what is written about a clip; ``chance``, from 0 to 1, spreads those that failed together."""
    spread = 1 + chance / 2
    match error:
        case fetching.FetchFailed():
            return _of_fetching(error, job, chance)
        case StorageFull():
            return later(Why.NO_ROOM, error.message, seconds=PATIENCE / 2 * spread)
        case StorageRefused() | StorageUnavailable():
            return later(Why.STORAGE, error.message, seconds=PATIENCE / 2 * spread)
        case Unauthorized() | Halted() | Unavailable():
            return later(Why.LINK_DEAD, f"{EXPIRED} {error.message}", seconds=PATIENCE * spread)
        case Refused() | NotAllowed() | OddPayload():
            return again(job, Why.UNREADABLE, f"{EXPIRED} {error.message}", chance=chance, least=PATIENCE)
        case _:
            return again(job, Why.INTERRUPTED, error.message, chance=chance)


def _of_fetching(error: fetching.FetchFailed, job: Job, chance: float) -> Ending:
    match error:
        case fetching.TooLarge():
            return over_quota(job.quota) if job.quota is not None else too_large(error.size, error.largest)
        case fetching.Busy():
            return later(Why.INTERRUPTED, error.message, seconds=error.retry_after * (1 + chance / 2))
        case fetching.LinkDead():
            said = "Discord hands out a link to it, but there is nothing behind that."
            return again(job, Why.LINK_DEAD, said, chance=chance)
        case _:
            why = KINDS.get(type(error), Why.INTERRUPTED)
            return failed(why, error.message) if error.permanent else again(job, why, error.message, chance=chance)
