"""Sets of message ids as half-open ranges: what ``int8multirange`` is, in Python."""

import re
from collections.abc import Iterable, Sequence
from typing import Final

from attrs import field, frozen

HIGHEST: Final = 2**63 - 1
"""The largest bigint; a range without an upper end stops here."""
_WRITTEN: Final = re.compile(r"[\[(](-?\d*),(-?\d*)\)")
"""One range, as PostgreSQL writes those of whole numbers: half-open."""


@frozen(order=True)
class IdRange:
    """The ids from ``start`` up to, and without, ``stop``; never empty."""

    start: int
    stop: int = field()

    @stop.validator
    def _not_empty(self, _attribute: object, stop: int) -> None:
        if stop <= self.start:
            raise ValueError(f"the range [{self.start}, {stop}) holds nothing")

    def __len__(self) -> int:
        return self.stop - self.start

    def __contains__(self, value: int) -> bool:
        return self.start <= value < self.stop


Ranges = tuple[IdRange, ...]
"""Sorted, apart from each other, none empty; every function below returns this form."""


def between(start: int, stop: int) -> Ranges:
    """The ids from ``start`` up to ``stop``; nothing when they cross."""
    return (IdRange(start, stop),) if start < stop else ()


def normalise(ranges: Iterable[IdRange]) -> Ranges:
    """Sort, and join what overlaps or touches."""
    joined: list[IdRange] = []
    for one in sorted(ranges):
        if joined and one.start <= joined[-1].stop:
            if one.stop > joined[-1].stop:
                joined[-1] = IdRange(joined[-1].start, one.stop)
        else:
            joined.append(one)
    return tuple(joined)


def add(left: Iterable[IdRange], right: Iterable[IdRange]) -> Ranges:
    """The ids that are in either."""
    return normalise((*left, *right))


def intersect(left: Iterable[IdRange], right: Iterable[IdRange]) -> Ranges:
    """The ids that are in both."""
    ours, theirs = normalise(left), normalise(right)
    common: list[IdRange] = []
    i = j = 0
    while i < len(ours) and j < len(theirs):
        start, stop = max(ours[i].start, theirs[j].start), min(ours[i].stop, theirs[j].stop)
        if start < stop:
            common.append(IdRange(start, stop))
        if ours[i].stop < theirs[j].stop:
            i += 1
        else:
            j += 1
    return tuple(common)


def subtract(left: Iterable[IdRange], right: Iterable[IdRange]) -> Ranges:
    """The ids of ``left`` that are not in ``right``."""
    holes = normalise(right)
    rest: list[IdRange] = []
    j = 0
    for one in normalise(left):
        start = one.start
        while j < len(holes) and holes[j].stop <= start:
            j += 1
        k = j
        while k < len(holes) and holes[k].start < one.stop:
            if start < holes[k].start:
                rest.append(IdRange(start, holes[k].start))
            start = max(start, holes[k].stop)
            k += 1
        if start < one.stop:
            rest.append(IdRange(start, one.stop))
    return tuple(rest)


def size(ranges: Iterable[IdRange]) -> int:
    """How many ids there are, each counted once."""
    return sum(len(one) for one in normalise(ranges))


def contains(ranges: Iterable[IdRange], value: int) -> bool:
    """Whether the id is in one of the ranges."""
    return any(value in one for one in ranges)


def covers(ranges: Ranges, values: Sequence[int]) -> bool:
    """Whether sorted ids are all in one of the ranges."""
    return not values or any(values[0] in one and values[-1] in one for one in ranges)


def to_text(ranges: Iterable[IdRange]) -> str:
    """As PostgreSQL reads an ``int8multirange``."""
    return "{" + ",".join(f"[{one.start},{one.stop})" for one in ranges) + "}"


def from_text(value: str | None) -> Ranges:
    """From an ``int8multirange`` as PostgreSQL writes it; null is no ids at all.

    An end that is open is 0 or the largest bigint.
    """
    return tuple(IdRange(int(start or 0), int(stop or HIGHEST)) for start, stop in _WRITTEN.findall(value or ""))
