"""What a run has to read, and what it asks for next."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipsaver.postgres import ranges
from clipsaver.postgres.ranges import IdRange, Ranges
from clipsaver.scans import plan
from clipsaver.scans.model import Direction, Rescan

SPAN = IdRange(10, 100)


@st.composite
def some_ranges(draw: st.DrawFn, most: int = 300) -> Ranges:
    """Any set of ids, as ranges."""
    cuts = sorted(draw(st.sets(st.integers(0, most), max_size=12)))
    return ranges.normalise(IdRange(a, b) for a, b in zip(cuts[::2], cuts[1::2], strict=False))


def answer(messages: Sequence[int], ask: plan.Ask, horizon: int) -> IdRange | None:
    """What Discord's answer proves, worked out from the documents on a plain list of ids."""
    if ask.before is not None:
        page = [i for i in messages if i < ask.before][-ask.limit :]
        low = page[0] if len(page) == ask.limit else 0
        return IdRange(low, min(ask.before, horizon))
    assert ask.after is not None
    page = [i for i in messages if i > ask.after][: ask.limit]
    stop = min(page[-1] + 1 if page else horizon, horizon)
    return IdRange(ask.after + 1, stop) if ask.after + 1 < stop else None


@pytest.mark.parametrize(
    ("rescan", "direction", "covered", "expected"),
    [
        (Rescan.CONTINUE, Direction.BACKWARD, (IdRange(20, 30),), (IdRange(10, 20), IdRange(30, 100))),
        (Rescan.UPDATE, Direction.BACKWARD, (IdRange(20, 30),), (SPAN,)),
        (Rescan.STOP, Direction.BACKWARD, (IdRange(20, 30),), (IdRange(30, 100),)),
        (Rescan.STOP, Direction.FORWARD, (IdRange(20, 30),), (IdRange(10, 20),)),
        (Rescan.STOP, Direction.BACKWARD, (IdRange(90, 200),), ()),
        (Rescan.STOP, Direction.FORWARD, (IdRange(0, 20),), ()),
        (Rescan.STOP, Direction.FORWARD, (IdRange(0, 200),), ()),
        (Rescan.CONTINUE, Direction.FORWARD, (IdRange(0, 200),), ()),
    ],
)
def test_what_was_read_before_decides_what_is_read(
    rescan: Rescan, direction: Direction, covered: Ranges, expected: Ranges
) -> None:
    """`stop` reads the gap where the scan starts, `continue` every gap, `update` everything."""
    assert expected == plan.at_start(SPAN, covered, direction=direction, rescan=rescan)


def test_no_span_leaves_nothing_to_read() -> None:
    """A run whose bounds cross has nothing to do."""
    assert plan.at_start(None, (), direction=Direction.BACKWARD, rescan=Rescan.UPDATE) == ()


def test_a_limit_bounds_the_page() -> None:
    """The last page of a limited run asks for no more than what is left."""
    todo = (IdRange(0, 100),)
    assert plan.Ask(before=100, limit=7) == plan.next_ask(todo, direction=Direction.BACKWARD, left=7)
    assert plan.Ask(after=0, limit=100) == plan.next_ask(todo, direction=Direction.FORWARD, left=700)
    assert plan.next_ask(todo, direction=Direction.BACKWARD, left=0) is None
    assert plan.next_ask((), direction=Direction.FORWARD, left=None) is None


@given(
    messages=st.sets(st.integers(1, 299), max_size=80),
    covered=some_ranges(),
    direction=st.sampled_from(Direction),
    rescan=st.sampled_from(Rescan),
    span=st.tuples(st.integers(0, 299), st.integers(1, 300)),
    limit=st.integers(1, 7),
)
def test_closing_gaps_ends_and_reads_what_was_asked(
    messages: set[int], covered: Ranges, direction: Direction, rescan: Rescan, span: tuple[int, int], limit: int
) -> None:
    """Whatever is there, asking goes on until nothing is left, in no more pages than messages and gaps."""
    posted = sorted(messages)
    horizon = span[1]
    whole = IdRange(*span) if span[0] < span[1] else None
    start = todo = plan.at_start(whole, covered, direction=direction, rescan=rescan)
    closed: Ranges = ()
    pages = 0
    while ask := plan.next_ask(todo, direction=direction, left=None):
        small = plan.Ask(before=ask.before, after=ask.after, limit=limit)
        proved = answer(posted, small, horizon)
        closes = plan.closes(small, proved, todo)
        assert closes, "every page closes something"
        todo, closed = ranges.subtract(todo, closes), ranges.add(closed, closes)
        pages += 1
    assert closed == start
    assert pages <= len(messages) + len(start) + 1
