"""What is known of requests that counted later than in their turn."""

import random

import pytest

from clipsaver.discord.latecomers import EDGE, MOST, WORTH, Latecomers
from clipsaver.discord.limits import STEADY, Family


def test_only_what_is_worth_it_is_told() -> None:
    """From the end of its turn's second to a second after it counted, and a little more at either end."""
    late = Latecomers()
    assert not late.note(due=10.0, counted=10.0 + WORTH / 2, doubt=0.0)
    assert late.note(due=10.0, counted=10.25, doubt=0.125)
    ((begin, end),) = late.untold(10.5)
    assert begin == pytest.approx(0.375 - EDGE)
    assert end == pytest.approx(0.75 + EDGE)


def test_what_is_over_is_forgotten() -> None:
    """It takes no room any more; and of many only the latest are told."""
    late = Latecomers()
    late.note(due=10.0, counted=10.25, doubt=0.0)
    assert late.untold(11.5) == []
    for at in range(MOST + 100):
        late.note(due=20.0, counted=21.0 + at / 1000, doubt=0.0)
    told = late.untold(21.0)
    assert len(told) == MOST
    assert told[0][1] == pytest.approx(1.0 + 0.1 + EDGE)


def test_what_came_while_others_were_told_is_next() -> None:
    """Nothing is told twice, and nothing is left out."""
    late = Latecomers()
    late.note(due=10.0, counted=10.25, doubt=0.0)
    told = len(late.untold(10.5))
    late.note(due=10.0, counted=10.5, doubt=0.0)
    late.told(told)
    assert [pytest.approx(1.0 + EDGE)] == [end for _, end in late.untold(10.5)]


def test_a_round_trip_that_is_held_up() -> None:
    """All it took beyond the shortest one; nothing before a few were seen, and nothing of what varies all the time."""
    family = Family()
    for at in range(5 * STEADY):
        assert at >= STEADY or family.held_up(9.0) == 0
        family.measured(0.0805 if at else 0.08)
    assert family.held_up(0.0815) == 0
    assert family.held_up(0.13) == pytest.approx(0.05)
    for _ in range(30):
        family.measured(0.4)
    assert family.held_up(0.13) == pytest.approx(0.05)


def test_an_unsteady_line_holds_nobody_up() -> None:
    """Where round trips take 80 to 300 ms, 300 are as usual, and ten seconds are not."""
    family, rng = Family(), random.Random(1)  # noqa: S311 - made-up latencies
    for _ in range(200):
        family.measured(rng.uniform(0.08, 0.3))
    assert family.held_up(0.3) == 0
    assert family.held_up(10.0) == pytest.approx(9.92, abs=0.01)


def test_a_line_that_has_become_slower_is_as_usual_soon() -> None:
    """After a few hundred requests, a few seconds at full speed."""
    family = Family()
    for _ in range(100):
        family.measured(0.08)
    for _ in range(400):
        family.measured(0.2)
    assert family.held_up(0.2) == 0
