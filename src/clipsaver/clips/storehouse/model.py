"""What is looked at in the storehouse, and when a finding is too odd to be acted upon. Pure."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from attrs import Factory, define, frozen

from clipsaver.errors import ClipsaverError
from clipsaver.media.storage.base import Stored

FEW: Final = 3
"""So many blobs may be missing from any storage."""
FEW_UNKNOWN: Final = 100
"""So many files that no row knows may lie in any storage: a death can leave some."""
MARK_STALE: Final = timedelta(minutes=10)
"""A mark that is older was left by someone who died; no removal takes that long."""


class Damage(StrEnum):
    """What is wrong with a blob."""

    MISSING = "missing"
    CHANGED = "changed"


class WrongStorage(ClipsaverError):
    """What lies in the storage does not look like what the database knows: nothing may be concluded from it."""

    def __init__(self, message: str) -> None:
        super().__init__(message, permanent=True)


@frozen(kw_only=True)
class Blob:
    """Bytes that should be there."""

    sha256: bytes
    size: int


@frozen(kw_only=True)
class Claimed(Blob):
    """A blob that is being read by us."""

    checking_until: datetime
    """Until then it is ours, and what we have to show for it."""


@frozen(kw_only=True)
class Marked(Blob):
    """A blob that nobody serves or stores a clip on, for as long as the mark is this one."""

    deleting_at: datetime


@frozen(kw_only=True)
class Row(Blob):
    """A blob's row beside what lies in the storage."""

    old: bool
    """Whether it is older than the grace period."""
    marked: bool
    stale: bool
    """Whether whoever marked it is gone."""
    used: bool
    """Whether a clip has these bytes."""


@frozen(kw_only=True)
class Differences:
    """A stretch of the storage beside the rows about it."""

    files: int
    rows: int
    unknown: Sequence[Stored] = ()
    """Files that no row knows."""
    missing: Sequence[Blob] = ()
    """Rows whose bytes are not there."""
    unused: Sequence[bytes] = ()
    """Rows that no clip needs."""
    abandoned: Sequence[bytes] = ()
    """Rows that clips need, marked by someone who is gone."""


@frozen(kw_only=True)
class VerifyRules:
    """How the stored bytes are read again."""

    share: float
    """Of all blobs, in one run."""
    bytes_per_second: float
    """0: as fast as they come."""
    patience: timedelta
    """How long one run goes on."""
    most: float
    """The share of all blobs that may be missing before it is taken for another storage; 1: whatever is."""


@frozen(kw_only=True)
class CollectRules:
    """How what nobody needs is removed."""

    grace: timedelta
    """How old it must be."""
    most: float
    """The share that may be missing, or unknown, before it is taken for another storage or database; 1: whatever."""


@define
class Tally:
    """What this process has seen and done since it began, for metrics."""

    verified: int = 0
    verified_bytes: int = 0
    lost: dict[str, int] = Factory(lambda: dict.fromkeys(Damage, 0))
    removed: dict[str, int] = Factory(lambda: dict.fromkeys(("blob", "picture"), 0))
    removed_bytes: int = 0


def too_many(found: int, of: int, most: float, *, few: int = FEW) -> bool:
    """Whether so many can't be an accident."""
    return most < 1 and found > max(few, most * of)


def shown(damage: Damage, clips: int) -> str:
    """What people read about bytes that were lost."""
    whose = "a clip" if clips == 1 else f"{clips} clips"
    how = "are not in the storage any more" if damage is Damage.MISSING else "have changed in the storage"
    return f"The bytes of {whose} {how}; they are fetched again if Discord still has them."


def reason(damage: Damage) -> str:
    """What people read about a clip whose bytes were lost, until it has them again."""
    how = "was not in the storage any more" if damage is Damage.MISSING else "had changed in the storage"
    return f"Its file {how}, and is to be fetched again."
