"""What is made of the moments that were measured."""

import asyncio
import os
import time

import pytest
from bench.answers import quantile
from bench.limited import ceiling, share
from bench.stalls import around, fullest, waited, watch_own_loop


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


def test_the_fullest_second() -> None:
    """A second holds what came within less than a second of each other."""
    assert [fullest(pages) for pages in ([], [3.0], [0.0, 0.5, 1.0], [1.9, 0.0, 1.0, 1.5])] == [0, 1, 2, 3]


def test_what_was_held_up_before_a_refusal() -> None:
    """Only what was over within the second and the way before it, and not what came long after."""
    stalls = {"stand_in_ms": [(8.0, 0.5), (9.5, 0.02), (9.9, 0.01), (11.0, 0.7)], "worker_ms": []}
    (told,) = around([10.0], stalls)
    assert told == {"at": 10.0, "stand_in_ms": 20.0, "worker_ms": 0.0}


async def test_a_loop_that_is_held_up_is_noted() -> None:
    """With the time it was held up for; a calm one is not."""
    noted: list[tuple[float, float]] = []
    task = asyncio.create_task(watch_own_loop(noted))
    await asyncio.sleep(0)
    time.sleep(0.2)  # noqa: ASYNC251 - that is the stall
    while not noted:  # noqa: ASYNC110 - it has no event
        await asyncio.sleep(0)
    task.cancel()
    assert noted[0][1] >= 0.15


def test_waiting_for_a_processor_is_read_from_the_kernel() -> None:
    """Of a process that is there; one that has ended waits for nothing."""
    assert waited(os.getpid()) >= 0
    assert waited(2**22 + 1) == 0
