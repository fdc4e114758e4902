"""What is known of requests that counted later than in their turn."""

import random
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from clipsaver.discord.latecomers import EDGE, LOOK, MOST, OVERDUE, STEADY, WORTH, Flight, Late, Latecomers, Trips

ROUTE = "GET /x"
TURN = datetime(2026, 1, 1, tzinfo=UTC)
TRIP = 0.125


@pytest.fixture
def latecomers() -> Latecomers:
    """A line whose round trips all take as long."""
    made = Latecomers()
    for at in range(STEADY):
        made.came(leave(made, sent=float(at), due=float(at)), took=TRIP, answered=True)
    assert not made.waiting
    return made


def leave(latecomers: Latecomers, *, sent: float, due: float) -> Flight:
    """Send a request."""
    return latecomers.left(ROUTE, turn=TURN, due=due, sent=sent)


def shown(told: Sequence[Late]) -> list[list[float]]:
    """From when until when each takes room, after its turn."""
    assert all(one.turn == TURN for one in told)
    return [[one.begin, one.end] for one in told]


def test_only_what_is_worth_it_is_told(latecomers: Latecomers) -> None:
    """What was sent late, and what took longer, from the end of its turn's second to a second after it counted."""
    latecomers.came(leave(latecomers, sent=50 + WORTH / 2, due=50.0), took=TRIP, answered=True)
    assert latecomers.untold(51.0) == []
    latecomers.came(leave(latecomers, sent=50.5, due=50.0), took=2 * TRIP, answered=True)
    assert latecomers.waiting
    assert shown(latecomers.untold(51.0)) == [[1.0, pytest.approx(1.0 + 0.5 + TRIP + EDGE)]]
    assert latecomers.untold(51.0) == []


def test_a_request_that_was_never_sent(latecomers: Latecomers) -> None:
    """It takes no room, however late."""
    latecomers.unsent(leave(latecomers, sent=51.0, due=50.0))
    assert latecomers.untold(52.0) == []


def test_what_has_no_answer_keeps_its_room(latecomers: Latecomers) -> None:
    """Told of before its turn's second is over, again and again, each time from where it was told of before."""
    flight = leave(latecomers, sent=50.0, due=50.0)
    assert latecomers.untold(50 + OVERDUE - 0.1) == []
    ends = [1.0]
    for at in range(4):
        (late,) = latecomers.untold(now := 50 + OVERDUE + 0.2 + at * LOOK)
        assert shown([late]) == [[ends[-1], pytest.approx(now - 50 + 1 + 2 * LOOK)]]
        ends.append(late.end)
    latecomers.came(flight, took=OVERDUE + 0.2 + 3 * LOOK, answered=False)
    assert not latecomers.waiting
    flight = leave(latecomers, sent=60.0, due=60.0)
    latecomers.came(flight, took=5.0, answered=True)
    assert shown(latecomers.untold(65.0)) == [[1.0, pytest.approx(1.0 + 5.0 - TRIP + EDGE)]]


def test_one_looks_more_often_while_something_is_on_its_way(latecomers: Latecomers) -> None:
    """And sleeps as long as one likes otherwise."""
    assert latecomers.look_within(5.0) == 5.0
    flight = leave(latecomers, sent=50.0, due=50.0)
    assert latecomers.look_within(5.0) == LOOK
    assert latecomers.look_within(0.01) == 0.01
    latecomers.came(flight, took=TRIP, answered=True)
    assert latecomers.look_within(5.0) == 5.0


def test_what_could_not_be_told_is_told_later(latecomers: Latecomers) -> None:
    """Before what came since; and of very many only the latest."""
    for at in (1, 2):
        latecomers.came(leave(latecomers, sent=50.0 + at, due=50.0), took=TRIP, answered=True)
        latecomers.give_back(latecomers.untold(53.0))
    assert [int(one.end) for one in latecomers.untold(53.0)] == [2, 3]
    for at in range(MOST + 1):
        latecomers.came(leave(latecomers, sent=60.0 + at, due=60.0), took=TRIP, answered=True)
    assert [int(one.end) for one in latecomers.untold(60.0)] == [1 + at for at in range(1, MOST + 1)]


def test_a_round_trip_that_is_held_up() -> None:
    """All it took beyond the shortest one; nothing before a few were seen."""
    trips = Trips()
    for at in range(5 * STEADY):
        assert at >= STEADY or trips.held_up(9.0) == 0
        trips.measured(0.0805 if at else 0.08)
    assert trips.held_up(0.0815) == 0
    assert trips.held_up(0.13) == pytest.approx(0.05)
    for _ in range(100):
        trips.measured(0.4)
    assert trips.held_up(0.13) == pytest.approx(0.05)


def test_an_unsteady_line_holds_nobody_up() -> None:
    """Where round trips take 80 to 300 ms, 300 are as usual, and ten seconds are not."""
    trips, rng = Trips(), random.Random(1)  # noqa: S311 - made-up latencies
    for _ in range(200):
        trips.measured(rng.uniform(0.08, 0.3))
    assert trips.held_up(0.3) == 0
    assert trips.held_up(10.0) == pytest.approx(9.92, abs=0.01)


def test_a_line_that_has_become_slower_is_as_usual_soon() -> None:
    """After a thousand requests, half a minute at full speed."""
    trips = Trips()
    for _ in range(100):
        trips.measured(0.08)
    for _ in range(1_000):
        trips.measured(0.2)
    assert trips.held_up(0.2) == 0
