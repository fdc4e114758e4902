"""Buckets reach the ceiling of every kind of limiter and never cross it."""

import random
from collections.abc import Callable

import pytest
from attrs import define
from hypothesis import given
from hypothesis import strategies as st

from clipsaver.discord.heard import Heard
from clipsaver.discord.limits import FIRST_PENALTY, LARGEST_MARGIN, Bucket, Family, Shape
from tests.discord.buckets import STYLES, Limiter

START = 1000.0


@define
class Result:
    """How a simulated reader fared."""

    refused: int
    rate: float
    """Requests let through, after the first burst, of those possible."""
    family: Family


def read_on(
    limiter: Limiter, *, limit: int, window: float, seconds: float, latency: float, jitter: float, seed: int = 1
) -> Result:
    """Ask one page after the other, each as soon as the bucket lets it, with time made up."""
    rng = random.Random(seed)  # noqa: S311 - made-up latencies
    bucket = Bucket(Family())
    now, refused, passed = START, 0, []
    while now < START + seconds:
        ready = bucket.ready_at(now)
        assert ready is not None
        if ready > now:
            now = ready
            continue
        sent = now
        bucket.take(now)
        counted = sent + latency / 2 + jitter * rng.random()
        allowed, remaining, reset_after = limiter.hit(counted)
        now = counted + latency / 2 + jitter * rng.random()
        if allowed:
            passed.append(counted)
            heard = Heard(limit=limit, remaining=remaining, reset_after=round(reset_after, 3))
            bucket.answered(sent=sent, now=now, heard=heard)
        else:
            refused += 1
            bucket.refused(now=now, wait=reset_after, ours=True)
    settled = [at for at in passed if at >= START + 2 * window]
    whole_windows = (len(settled) - 1) // limit * limit
    spent = settled[whole_windows] - settled[0]
    rate = whole_windows / spent * window / limit if spent else 0.0
    return Result(refused, rate, bucket.family)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize(("latency", "jitter"), [(0.002, 0.0), (0.08, 0.0), (0.08, 0.01), (0.16, 0.02), (0.08, 0.05)])
def test_the_ceiling_is_reached_and_never_crossed(style: str, latency: float, jitter: float) -> None:
    """98 % of the limit in every style of window, without one refusal, the numbers unknown beforehand."""
    limiter = STYLES[style](5, 5.0)
    result = read_on(limiter, limit=5, window=5.0, seconds=120, latency=latency, jitter=jitter)
    assert result.refused == 0
    assert result.rate >= 0.98


@given(
    style=st.sampled_from(sorted(STYLES)),
    limit=st.integers(1, 12),
    window=st.floats(0.5, 20),
    line=st.tuples(st.floats(0.0, 0.3), st.floats(0.0, 0.1), st.integers(0, 99)),
)
def test_no_limiter_ever_refuses(style: str, limit: int, window: float, line: tuple[float, float, int]) -> None:
    """Whatever the numbers are and however unsteady the line, nothing is refused."""
    latency, jitter, seed = line
    limiter = STYLES[style](limit, window)
    result = read_on(limiter, limit=limit, window=window, seconds=6 * window, latency=latency, jitter=jitter, seed=seed)
    assert result.refused == 0


@pytest.mark.parametrize(
    ("style", "shape"),
    [("fixed", Shape.STANDING), ("sliding, newest told", Shape.SLIDING), ("leaky", Shape.LEAKING)],
)
def test_the_shape_shows_itself(style: str, shape: Shape) -> None:
    """How the reset moves tells what kind of limiter it is."""
    assert read_on(STYLES[style](5, 5.0), limit=5, window=5.0, seconds=30, latency=0.08, jitter=0).family.shape is shape


def told(remaining: int, reset_after: float = 5.0, limit: int = 5) -> Heard:
    """What an answer says."""
    return Heard(limit=limit, remaining=remaining, reset_after=reset_after)


def answer(bucket: Bucket, heard: Heard, *, sent: float = START, now: float = START) -> None:
    """Send a request and get its answer."""
    bucket.take(sent)
    bucket.answered(sent=sent, now=now, heard=heard)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize(("before", "after"), [((5, 5.0), (2, 5.0)), ((5, 5.0), (5, 10.0)), ((2, 5.0), (10, 5.0))])
def test_a_limit_that_changes_under_way(style: str, before: tuple[int, float], after: tuple[int, float]) -> None:
    """The new numbers are learned from the answers, at the price of two refusals at most, and then reached."""
    bucket, now, refused = Bucket(Family()), START, 0
    passed: list[float] = []
    for limit, window in (before, after):
        limiter, begun = STYLES[style](limit, window), now
        while now < begun + 24 * window:
            ready = bucket.ready_at(now)
            assert ready is not None
            now = max(now, ready)
            bucket.take(now)
            allowed, remaining, reset_after = limiter.hit(now + 0.04)
            if allowed:
                passed.append(now)
                bucket.answered(sent=now, now=now + 0.08, heard=told(remaining, reset_after, limit))
            else:
                refused += 1
                bucket.refused(now=now + 0.08, wait=reset_after, ours=True)
            now += 0.08
    assert refused <= 2
    assert len([at for at in passed if at >= now - 12 * after[1]]) >= 0.9 * 12 * after[0]


@pytest.mark.parametrize(
    ("remaining", "free"),
    [((4, 1), 1), ((1, 4), 4), ((4, 0), 0), ((0, 3), 3), ((3, 3), 3), ((2, 9), 9)],
)
def test_the_latest_count_is_believed(remaining: tuple[int, ...], free: int) -> None:
    """Others use a bucket too, or its count goes back up: what Discord said last is what is left."""
    bucket = Bucket(Family())
    for at, count in enumerate(remaining):
        answer(bucket, told(count), sent=START + at / 10, now=START + at / 10)
    taken = 0
    while bucket.ready_at(START + 0.2) == START + 0.2:
        bucket.take(START + 0.2)
        taken += 1
    assert taken == free


def test_the_unknown_is_asked_one_at_a_time() -> None:
    """Until an answer tells, only one is in flight; a line that tells nothing stays like that."""
    bucket = Bucket(Family())
    for _ in range(3):
        assert bucket.ready_at(START) == START
        bucket.take(START)
        assert bucket.ready_at(START) is None
        bucket.answered(sent=START, now=START, heard=Heard())


def test_as_many_at_once_as_remain() -> None:
    """Those in flight are taken off what remains."""
    bucket = Bucket(Family())
    answer(bucket, told(2))
    bucket.take(START)
    bucket.take(START)
    assert bucket.ready_at(START) is None
    bucket.answered(sent=START, now=START, heard=told(1))
    assert bucket.ready_at(START) is None
    bucket.answered(sent=START, now=START, heard=told(0))
    ready = bucket.ready_at(START)
    assert ready is not None
    assert START + 5.0 <= ready <= START + 5.1


def test_answers_out_of_order_do_not_raise_what_remains() -> None:
    """The smallest number of answers that overlapped counts."""
    bucket = Bucket(Family())
    answer(bucket, told(4))
    for _ in range(3):
        bucket.take(START)
    for remaining in (1, 3, 2):
        bucket.answered(sent=START, now=START, heard=told(remaining))
    bucket.take(START)
    assert bucket.ready_at(START) is None


def test_after_the_reset_one_goes_ahead() -> None:
    """What remains is known again only from the first answer of the new window."""
    bucket = Bucket(Family())
    answer(bucket, told(0))
    later = START + 6
    assert bucket.ready_at(later) == later
    bucket.take(later)
    assert bucket.ready_at(later) is None
    bucket.answered(sent=later, now=later, heard=told(4))
    assert bucket.ready_at(later) == later


def test_a_lost_request_may_have_counted() -> None:
    """What got no answer is taken off; what was never sent is not."""
    bucket = Bucket(Family())
    answer(bucket, told(2))
    bucket.take(START)
    bucket.lost(START)
    bucket.take(START)
    bucket.give_back()
    bucket.take(START)
    assert bucket.ready_at(START) is None


def test_refusals_wait_ever_longer() -> None:
    """However little Discord asks for, the least wait doubles; however much, it is obeyed."""
    bucket = Bucket(Family())
    now, waits = START, []
    for _ in range(4):
        bucket.take(now)
        until = bucket.refused(now=now, wait=0.0, ours=False)
        assert bucket.ready_at(now) == until
        waits.append(until - now)
        now = until
    assert waits == [FIRST_PENALTY * 2**n for n in range(4)]
    bucket.take(now)
    assert bucket.refused(now=now, wait=3600.0, ours=False) >= now + 3600
    assert not bucket.idle(now + 3000)
    assert bucket.idle(now + 3700)


def test_a_refusal_ends_the_trust_in_a_shape() -> None:
    """Once wrong about a shape, the reset is obeyed for good, with a larger margin that stays bounded."""
    family = read_on(STYLES["leaky"](5, 5.0), limit=5, window=5.0, seconds=30, latency=0.08, jitter=0).family
    for _ in range(20):
        family.contradicted()
    assert family.margin == LARGEST_MARGIN
    bucket = Bucket(family)
    for at, remaining, reset_after in ((0.0, 4, 1.0), (0.1, 3, 1.9), (0.2, 2, 2.8), (0.3, 1, 3.7), (0.4, 0, 4.6)):
        answer(bucket, told(remaining, reset_after), sent=START + at, now=START + at)
    assert family.shape is Shape.STANDING
    ready = bucket.ready_at(START + 0.4)
    assert ready is not None
    assert ready >= START + 5


def test_others_in_a_sliding_window_are_noticed() -> None:
    """If not all that counted was ours, the reset is obeyed."""
    family = Family(floor=0.0, shape=Shape.SLIDING, period=5.0)
    bucket = Bucket(family)
    answer(bucket, told(1), now=START)
    answer(bucket, told(0), sent=START + 1, now=START + 1)
    ready = bucket.ready_at(START + 1)
    assert ready is not None
    assert ready >= START + 6


@pytest.mark.parametrize("make", [lambda: told(3, limit=2000), lambda: told(5, limit=5)])
def test_odd_numbers_do_no_harm(make: Callable[[], Heard]) -> None:
    """A huge limit, or one of which nothing was used, is taken as it is."""
    bucket = Bucket(Family())
    for at in range(8):
        answer(bucket, make(), sent=START + at, now=START + at)
    assert bucket.ready_at(START + 8) == START + 8
