"""What an answer's headers and body say about limits, read with suspicion: nothing in them may break or hurry us."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Any, Final

from attrs import frozen

LONGEST: Final = 86_400.0
"""Seconds; a longer wait is taken for a day."""
MOST: Final = 1_000_000
TEXT: Final = 100


@frozen(kw_only=True)
class Heard:
    """The limits as one answer tells them; None where it doesn't, or says something that can't be."""

    limit: int | None = None
    remaining: int | None = None
    reset_after: float | None = None
    """Seconds from when the answer was made until the bucket is full again."""
    bucket: str | None = None
    retry_after: float | None = None
    """Seconds a refused request should wait; the larger of header and body."""
    scope: str | None = None
    """Of a 429: ``user``, ``global`` or ``shared``."""
    date: datetime | None = None
    """Discord's clock."""

    @property
    def counted(self) -> bool:
        """Whether the answer tells how much of its bucket is left."""
        return self.limit is not None and self.remaining is not None and self.reset_after is not None


def hear(headers: Mapping[str, str], body: object = None) -> Heard:
    """Read an answer's limits; header names must be looked up without regard to case."""
    date = _date(headers.get("Date"))
    retry = [_retry_after(headers.get("Retry-After"), date)]
    everywhere = headers.get("X-RateLimit-Global", "").lower() == "true"
    if isinstance(body, dict):
        retry.append(_seconds(body.get("retry_after")))
        everywhere = everywhere or body.get("global") is True
    limit = _count(headers.get("X-RateLimit-Limit"))
    return Heard(
        limit=limit or None,
        remaining=_count(headers.get("X-RateLimit-Remaining")),
        reset_after=_reset_after(headers, date),
        bucket=(headers.get("X-RateLimit-Bucket") or "")[:TEXT] or None,
        retry_after=max((seconds for seconds in retry if seconds is not None), default=None),
        scope="global" if everywhere else (headers.get("X-RateLimit-Scope") or "")[:TEXT].lower() or None,
        date=date or _clock(headers),
    )


def _retry_after(value: str | None, date: datetime | None) -> float | None:
    """Seconds from a header that may also be a date (RFC 9110); how far off that is, only Discord's clock tells."""
    until = _date(value) if _number(value) is None else None
    if until is None or date is None:
        return _seconds(value)
    return min(max(0.0, (until - date).total_seconds()), LONGEST)


def _reset_after(headers: Mapping[str, str], date: datetime | None) -> float | None:
    """Seconds until the reset; from the absolute moment only on Discord's own clock, never on ours."""
    after = _seconds(headers.get("X-RateLimit-Reset-After"))
    if after is not None or date is None:
        return after
    reset = _number(headers.get("X-RateLimit-Reset"))
    return None if reset is None else min(max(0.0, reset - date.timestamp()), LONGEST)


def _clock(headers: Mapping[str, str]) -> datetime | None:
    """Discord's clock without its Date header: the reset's moment less the time until then."""
    reset, after = _number(headers.get("X-RateLimit-Reset")), _number(headers.get("X-RateLimit-Reset-After"))
    if reset is None or after is None or not 0 <= after < reset:
        return None
    try:
        return datetime.fromtimestamp(reset - after, UTC)
    except (ValueError, OverflowError, OSError):
        return None


@lru_cache(maxsize=4)
def _date(value: str | None) -> datetime | None:
    if value is None:
        return None
    try:
        date = parsedate_to_datetime(value)
    except (ValueError, TypeError, OverflowError):
        return None
    return date.replace(tzinfo=UTC) if date.tzinfo is None else date.astimezone(UTC)


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _seconds(value: Any) -> float | None:
    number = _number(value)
    return None if number is None or number < 0 else min(number, LONGEST)


def _count(value: Any) -> int | None:
    number = _number(value)
    return None if number is None or number < 0 else int(min(number, MOST))
