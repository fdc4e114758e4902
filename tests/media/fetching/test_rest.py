"""When an origin is left alone."""

from contextlib import suppress

import pytest

from clipsaver.errors import ClipsaverError
from clipsaver.media.fetching.errors import Busy, Interrupted, LinkDead, Refused, WrongContent
from clipsaver.media.fetching.limits import Limits
from clipsaver.media.fetching.rest import Rest

BROKEN = Interrupted("It broke.", cause="broken")


class Clock:
    """Stands still until it is moved."""

    now = 100.0

    def __call__(self) -> float:
        """What time it is."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """A clock of the test's own."""
    return Clock()


@pytest.fixture
def rest(clock: Clock) -> Rest:
    """An origin's breaker: 3 failures, then 10 seconds, at most 100."""
    return Rest(origin="https://x", limits=Limits(failures=3, first_rest=10.0, longest_rest=100.0), clock=clock)


def attempt(rest: Rest, error: BaseException | None = None) -> None:
    """A download that ends like this."""
    with suppress(Busy if error is None else type(error)), rest.attempt():
        if error is not None:
            raise error


def test_failures_in_a_row_bring_a_rest(rest: Rest) -> None:
    """With jitter; nobody gets through."""
    for _ in range(2):
        attempt(rest, BROKEN)
    assert rest.left == 0
    attempt(rest, BROKEN)
    assert 5.0 <= rest.left <= 10.0
    with pytest.raises(Busy) as busy, rest.attempt():
        pytest.fail("came through")
    assert busy.value.retry_after == rest.left
    assert "https://x" in busy.value.message


@pytest.mark.parametrize(
    "error", [None, LinkDead("x"), WrongContent("x", permanent=True), Refused("x", permanent=True)]
)
def test_a_real_answer_between_them_prevents_it(rest: Rest, error: ClipsaverError | None) -> None:
    """Also one that says no."""
    for _ in range(5):
        attempt(rest, BROKEN)
        attempt(rest, BROKEN)
        attempt(rest, error)
    assert rest.left == 0


@pytest.mark.parametrize("error", [WrongContent("x"), Refused("x")])
def test_error_pages_and_bad_names_count_as_failures(rest: Rest, error: ClipsaverError) -> None:
    """They are the origin's trouble."""
    for _ in range(3):
        attempt(rest, error)
    assert rest.left > 0


def test_other_trouble_does_not_count(rest: Rest) -> None:
    """A full disk, or the program's end."""
    for _ in range(9):
        attempt(rest, OSError("disk full"))
        attempt(rest, KeyboardInterrupt())
    assert rest.left == 0


def test_one_tries_first_after_a_rest(rest: Rest, clock: Clock) -> None:
    """The others wait for how it goes; then all may again."""
    for _ in range(3):
        attempt(rest, BROKEN)
    clock.now += 11
    assert rest.lets_begin == 1
    with rest.attempt():
        assert rest.lets_begin == 0
        with pytest.raises(Busy) as busy, rest.attempt():
            pytest.fail("came through")
    assert not busy.value.asked
    assert rest.lets_begin == rest.limits.connections
    with rest.attempt(), rest.attempt():
        pass


def test_whether_it_is_in_use(rest: Rest, clock: Clock) -> None:
    """It is if it was asked lately, and until it has shown that it is well."""
    told = [rest.in_use]
    attempt(rest)
    told.append(rest.in_use)
    clock.now += 100
    told.append(rest.in_use)
    for _ in range(3):
        attempt(rest, BROKEN)
    assert rest.lets_begin == 0
    clock.now += 1000
    told.append(rest.in_use)
    assert told == [False, True, False, True]


def test_rests_grow_until_it_is_well(rest: Rest, clock: Clock) -> None:
    """To a bound; a failure among the many that were under way adds nothing."""
    lengths = []
    for _ in range(3):
        attempt(rest, BROKEN)
    for _ in range(8):
        lengths.append(rest.left)
        clock.now += rest.left + 0.1
        attempt(rest, BROKEN)
    assert lengths[0] <= 10.0 < lengths[2]
    assert all(50.0 <= one <= 100.0 for one in lengths[4:])
    clock.now += rest.left + 0.1
    attempt(rest)
    for _ in range(3):
        attempt(rest, BROKEN)
    assert rest.left <= 10.0


def test_many_failures_at_once_are_one(rest: Rest) -> None:
    """They all were under way when it began."""
    with suppress(Interrupted), rest.attempt(), rest.attempt(), rest.attempt():
        for _ in range(3):
            attempt(rest, BROKEN)
        raise BROKEN
    assert rest.left <= 10.0


def test_an_origin_that_asks_for_it_is_left_alone(rest: Rest, clock: Clock) -> None:
    """For as long as the longest of what it says, and a little more."""
    with suppress(Busy), rest.attempt(), rest.attempt():
        attempt(rest, Busy("x", 30.0))
        assert 30.0 <= rest.left <= 33.0
        raise Busy("x", 60.0)
    assert 60.0 <= rest.left <= 66.0
    clock.now += 67
    attempt(rest)
    assert rest.left == 0
    assert rest.backoff() <= 10.0


def test_who_tries_first_and_is_cancelled_keeps_nobody_out(rest: Rest, clock: Clock) -> None:
    """The next one tries."""
    for _ in range(3):
        attempt(rest, BROKEN)
    clock.now += 11
    attempt(rest, KeyboardInterrupt())
    with rest.attempt():
        pass


def test_a_long_download_that_tries_first_keeps_nobody_out(rest: Rest, clock: Clock) -> None:
    """The next one tries as soon as the first has got something; one failure more, and it rests again."""
    for _ in range(3):
        attempt(rest, BROKEN)
    clock.now += 11
    with rest.attempt():
        rest.answered()
        attempt(rest, BROKEN)
        assert rest.left > 0
