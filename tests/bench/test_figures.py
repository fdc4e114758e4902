"""What is made of the moments that were measured."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from bench.answers import quantile
from bench.limited import ceiling, held_up, share
from bench.measuring import Discord
from bench.programs import family
from bench.stalls import around, fullest, longest, waited, waits, watch_own_loop

from bench import limited, many_report, report, speed, stalls


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
    noted = {limited.STAND_IN: [(8.0, 0.5), (9.5, 0.02), (9.9, 0.01), (11.0, 0.7)]}
    (told,) = around([10.0], noted | {limited.WORKER: [], limited.POSTGRES: [(9.0, 0.03)]})
    assert told == {
        "at": 10.0,
        "discord_loop_late_ms": 20.0,
        "worker_waited_ms_of_100": 0.0,
        "postgres_waited_ms_of_100": 30.0,
    }
    said = "its Discord's loop was late by 20, of 100 ms, waited for a processor: a worker 0, PostgreSQL 30"
    assert held_up(told) == said


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


async def test_processes_are_looked_up_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that came later is watched too, from what it had waited for when it came; one that ended does no harm."""
    there = [[11], [11, 12], [12]]
    clock = {11: iter([0.0, *[0.06] * 3]), 12: _growing(5.0, 0.07)}
    calls: list[list[int]] = []

    def processes() -> list[int]:
        calls.append(there[min(len(calls), 2)])
        return calls[-1]

    monkeypatch.setattr(stalls, "SAMPLE", 0.0001)
    monkeypatch.setattr(stalls, "ANEW", 1)
    monkeypatch.setattr(stalls, "waited", lambda pid: next(clock[pid], 0.0))
    monkeypatch.setattr(stalls, "STALL", 0.0)
    async with waits(processes) as noted:
        while len(noted) < 4:  # noqa: ASYNC110 - it has no event
            await asyncio.sleep(0)
    assert calls[:3] == there
    assert noted[0][1] <= 0.06
    assert max(most for _, most in noted) <= 0.07
    many = len(noted)
    await asyncio.sleep(0)
    assert len(noted) == many


def _growing(first: float, step: float) -> Iterator[float]:
    while True:
        yield first
        first += step


async def test_watching_ends_when_what_is_watched_fails() -> None:
    """Nothing goes on in the background."""
    before = asyncio.all_tasks()

    async def fail() -> None:
        async with waits(lambda: [os.getpid()]):
            assert len(asyncio.all_tasks() - before) == 1
            raise TimeoutError

    with pytest.raises(TimeoutError):
        await fail()
    assert asyncio.all_tasks() == before


async def test_a_family_is_a_process_and_all_below_it() -> None:
    """Children are in it while they run; its parent is not."""
    child = await asyncio.create_subprocess_exec("sleep", "60")
    try:
        found = family(os.getpid())
    finally:
        child.kill()
        await child.wait()
    assert {os.getpid(), child.pid} <= set(found)
    assert os.getppid() not in found
    assert child.pid not in family(os.getpid())


def test_the_longest_is_in_milliseconds() -> None:
    """Of those that were over in that time."""
    assert [longest([(1.0, 0.5), (2.0, 0.03)], begin, 3.0) for begin in (1.5, 2.5)] == [30.0, 0.0]


def test_one_full_second_is_told_of_all_runs() -> None:
    """The fullest one: a median would hide it."""
    runs = [
        {"share": 0.99, "begun": 1, "begun_seconds": 0.2, "cpu_percent": 5, "fullest_second": most, "refused": 0}
        for most in (48, 51, 47)
    ]
    told = limited.summary(runs, 1)
    assert (told["fullest_second"], told["reached"]) == (51, True)
    shape = {"window": "fixed", "channels": 1, "processes": 1, **told}
    assert " 51 |" in limited.text({"shapes": [shape]})


POSTGRES_FIGURES = ("ms_per_page", "commits_per_page", "wal_kb_per_page", "cpu_seconds_per_100k")


def _read(messages: int, seconds: float, memory: float) -> dict[str, Any]:
    return {"messages": messages, "seconds": seconds, "most_memory_mb": memory}


@pytest.mark.parametrize(
    ("seconds", "memory", "flat"),
    [(11.0, 88.0, True), (11.5, 80.0, False), (10.0, 89.0, False), (5.0, 40.0, True)],
)
def test_flat_is_what_does_not_get_worse(seconds: float, memory: float, flat: bool) -> None:  # noqa: FBT001 - a case
    """Ten times as much goes as fast and takes as much memory but for a tenth."""
    told = report.flatness([_read(100, 1.0, 80.0)], [_read(1000, seconds, memory)])
    assert told["reached"] is flat
    assert told["ratios"] == {"messages_per_second": pytest.approx(10 / seconds), "most_memory_mb": memory / 80}


def test_one_odd_pair_does_not_decide() -> None:
    """The ratios are each pair's, and the one in the middle counts."""
    small = [_read(100, seconds, 80.0) for seconds in (1.0, 2.0, 1.0)]
    large = [_read(1000, seconds, 80.0) for seconds in (10.0, 20.0, 30.0)]
    told = report.flatness(small, large)
    assert [pair["messages_per_second"] for pair in told["pairs"]] == pytest.approx([1.0, 1.0, 1 / 3])
    assert told["ratios"]["messages_per_second"] == 1.0
    assert told["reached"]


async def test_the_pairs_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever went first goes last the next time, and the table says whether it is flat."""
    went: list[int] = []

    @asynccontextmanager
    async def page_server(_: int, messages: int) -> AsyncIterator[tuple[Discord, int]]:
        yield Discord(url="", token="", guild=1, channels=(), messages=messages, clips=0), messages

    async def one(_: speed.Bench, client: str, discord: Discord, pages: int) -> dict[str, Any]:
        assert (client, pages) == ("clipsaver", discord.messages)
        went.append(discord.messages)
        used = {"cpu_seconds": 1.0, "server_cpu_seconds": 0.1}
        return _read(discord.messages, discord.messages / 1e5, 80.0) | used

    monkeypatch.setattr(speed, "page_server", page_server)
    monkeypatch.setattr(speed.Bench, "one", one)
    form = speed.Form(messages=0, repeats=0, flat_small=100, flat_large=1_000, flat_pairs=3)
    told = await speed.Bench(None).flat(form)  # type: ignore[arg-type]  # nothing is kept
    assert went == [100, 1_000, 1_000, 100, 100, 1_000]
    assert told["reached"]
    assert [len(told["runs"][size]) for size in ("small", "large")] == [3, 3]
    shape = {
        "ratios": {"discord_py": 1.6, "hikari": 1.5, "floor": 0.5},
        "clients": {
            client: told["small"] | {"postgres": dict.fromkeys(POSTGRES_FIGURES, 0.1)} for client in report.CLIENTS
        },
    }
    shown = report.text({"messages": 1, "repeats": 1, "channels": {"1": shape}, "flat": told})
    assert "| at most 10% worse" in shown
    assert "1.5 is reached. With 10 times the messages the speed is flat, the memory flat." in shown
    assert (speed.FULL.flat_pairs, speed.SHORT.flat_pairs) == (7, 1)


def test_what_was_saved_meanwhile_is_told() -> None:
    """The figure with PostgreSQL is worth something only with clips stored and pictured beside it."""
    state = {"ready_seconds": 1.0, "start_seconds": 2.0, "cpu_seconds": 3.0, "now_mb": 100.0, "most_mb": 110.0}
    more = {"together_mb": 300.0, "pages_per_second": 450.0, "stored": 900, "pictured": 200, "troubled": 0, "failed": 0}
    told = many_report.text(
        {"channels": 1, "guilds": 1, "empty": state, "full": state, "scanning": state | more, "reached": True}
    )
    assert "450 pages a second were read without limits, 900 clips stored and 200 of them pictured; 0 met" in told
