"""What an answer's headers say of the file: which bytes come, how many there are, what tells it from another. Pure."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from attrs import frozen

OK, PARTIAL, NOT_SATISFIABLE = 200, 206, 416
REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
DEAD: Final = frozenset({400, 401, 403, 404, 410, 451})
"""Statuses of a link that no longer gives its file."""
BUSY: Final = frozenset({429, 503})
LONGEST_REST: Final = 3_600.0
"""Seconds; a host that asks for more is asked again then."""
_RANGE: Final = re.compile(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18})")
_LENGTH: Final = re.compile(r"[0-9]{1,18}")


@frozen(kw_only=True)
class Part:
    """Which bytes of a file an answer holds: half-open."""

    start: int = 0
    stop: int | None = None
    """None where the answer doesn't say how long it is."""
    total: int | None = None
    """The whole file's length, if said."""


def part_of(status: int, headers: Mapping[str, str]) -> Part | None:
    """What a 200 or a 206 holds; None where its headers don't fit together, or it is several ranges at once."""
    length = _length(headers)
    if status == OK:
        return Part(stop=length, total=length)
    found = _RANGE.fullmatch(headers.get("Content-Range", "").strip())
    if found is None:
        return None
    start, stop, total = int(found[1]), int(found[2]) + 1, int(found[3])
    if not start < stop <= total or length not in {None, stop - start}:
        return None
    return Part(start=start, stop=stop, total=total)


def validator_of(headers: Mapping[str, str]) -> str | None:
    """What a later request for the rest can name to get it only of the same file: a strong ETag, else its date.

    RFC 9110, 8.8.2.2: a date is good for this only if the file was at least a second old.
    """
    if headers.get("Accept-Ranges", "bytes").strip().lower() == "none":
        return None
    tag = headers.get("ETag", "").strip()
    if tag:
        return tag if tag.startswith('"') and tag.endswith('"') and 2 < len(tag) <= 256 else None  # noqa: PLR2004 - quotes
    modified, sent = _moment(headers.get("Last-Modified")), _moment(headers.get("Date"))
    if modified is None or sent is None or (sent - modified).total_seconds() < 1:
        return None
    return headers["Last-Modified"].strip()


def same_file(validator: str, headers: Mapping[str, str]) -> bool:
    """Whether an answer is of the file that the validator was taken from, as far as it says."""
    tag = headers.get("ETag" if validator.startswith('"') else "Last-Modified")
    return tag is None or tag.strip() == validator


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds that an answer asks to wait, as a number or a date; None if it does not say."""
    said = headers.get("Retry-After", "").strip()
    moment = _moment(said)
    try:
        seconds = float(said) if moment is None else (moment - now).total_seconds()
    except ValueError:
        return None
    return min(seconds, LONGEST_REST) if seconds >= 0 else None


def is_encoded(headers: Mapping[str, str]) -> bool:
    """Whether the bytes on the way are not the file's own."""
    return headers.get("Content-Encoding", "").strip().lower() not in {"", "identity"}


def media_type(headers: Mapping[str, str]) -> str | None:
    """The type the answer claims, without parameters."""
    return headers.get("Content-Type", "").partition(";")[0].strip().lower()[:128] or None


def _length(headers: Mapping[str, str]) -> int | None:
    said = headers.get("Content-Length", "")
    return int(said) if _LENGTH.fullmatch(said) else None


def _moment(said: str | None) -> datetime | None:
    """A moment as HTTP writes it."""
    try:
        moment = parsedate_to_datetime(said or "")
    except (ValueError, TypeError):
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
