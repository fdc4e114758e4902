"""Which ids a run has to read, and which page to ask for next. Pure: the laws are tested with plain values."""

from collections.abc import Sequence

from attrs import frozen

from clipsaver.postgres import ranges
from clipsaver.postgres.ranges import IdRange, Ranges
from clipsaver.scans.model import Direction, Rescan

PAGE_LIMIT = 100
"""Discord: Get Channel Messages, the most messages one answer holds."""


@frozen(kw_only=True)
class Ask:
    """The next page of a channel's history: exactly one of `before` and `after` is set, both exclusive."""

    before: int | None = None
    after: int | None = None
    limit: int = PAGE_LIMIT


def at_start(span: IdRange | None, coverage: Sequence[IdRange], *, direction: Direction, rescan: Rescan) -> Ranges:
    """Tell what a run over `span` has to read, given what has been read."""
    if span is None:
        return ()
    if rescan is Rescan.UPDATE:
        return (span,)
    gaps = ranges.subtract((span,), coverage)
    if rescan is Rescan.CONTINUE or not gaps:
        return gaps
    if direction is Direction.BACKWARD:
        return gaps[-1:] if gaps[-1].stop == span.stop else ()
    return gaps[:1] if gaps[0].start == span.start else ()


def next_ask(todo: Sequence[IdRange], *, direction: Direction, left: int | None) -> Ask | None:
    """Tell the page that closes more of `todo`; None when there is nothing left, or `left` messages are used up."""
    if not todo or (left is not None and left <= 0):
        return None
    limit = PAGE_LIMIT if left is None else min(PAGE_LIMIT, left)
    if direction is Direction.BACKWARD:
        return Ask(before=todo[-1].stop, limit=limit)
    # No message has id 0, so a range from 0 is read after 0.
    return Ask(after=max(todo[0].start - 1, 0), limit=limit)


def closes(ask: Ask, proved: IdRange | None, todo: Sequence[IdRange]) -> Ranges:
    """Tell which ids of `todo` a page proved; id 0, which no message has, comes with the page after 0."""
    proven = () if proved is None else (proved,)
    return ranges.intersect(todo, (*proven, IdRange(0, 1)) if ask.after == 0 else proven)
