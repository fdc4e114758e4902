"""What is made of the moments that were measured."""

import pytest
from bench.answers import quantile
from bench.limited import ceiling, share


def test_the_ceiling_is_the_smaller_one() -> None:
    """One page a second in each channel, and 50 in all."""
    assert [ceiling(channels) for channels in (1, 10, 50, 500)] == [1, 10, 50, 50]


@pytest.mark.parametrize("offset", [0.0, 1.3, 2.5, 4.99])
def test_bursts_at_the_edge_do_not_decide(offset: float) -> None:
    """Five pages every five seconds are the whole ceiling of one channel, wherever the stretch begins."""
    pages = [burst * 5 + at * 0.1 for burst in range(20) for at in range(5)]
    assert share(pages, 20 + offset, 20, 1) == pytest.approx(1.0)


def test_steady_pages() -> None:
    """48 pages a second are 96 percent of 50."""
    pages = [at / 48 for at in range(48 * 60)]
    assert share(pages, 10.0, 20, 50) == pytest.approx(0.96, abs=0.001)


def test_nothing_outside_counts() -> None:
    """What came before the stretch, or after it, is not in it."""
    assert share([1.0, 9.99, 35.0, 50.0], 10.0, 20, 1) == 0


def test_quantiles() -> None:
    """The smallest value that so many do not exceed."""
    values = [float(one) for one in range(1, 201)]
    assert [quantile(values, part) for part in (0.5, 0.95, 0.99)] == [100, 190, 198]
    assert quantile([3.0], 0.99) == 3
