"""Under Discord's limits: what share of the ceiling is reached, and is it ever crossed."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from itertools import product
from pathlib import Path
from statistics import median
from typing import Any, Final

from attrs import frozen

from bench.database import Database, family_cpu
from bench.measuring import say
from bench.programs import Program, StandIn, family, program, settings_for, stand_in
from bench.report import table
from bench.stalls import Moments, around, fullest, longest, waits
from bench.stand_in import Held
from clipsaver.config import load
from clipsaver.simulator.limits import Window

EVERYWHERE: Final = 50.0
"""Requests a second that Discord allows a bot."""
CHANNEL: Final = 1.0
"""Pages a second that it allows in a channel, in the long run."""
WINDOW: Final = 5.0
"""Seconds of a channel's window: pages come in bursts, one burst a window."""
LATENCY: Final = 0.08
WINDOWS: Final[Sequence[Window]] = ("fixed", "sliding")
GOALS: Final = {1: 0.98, 10: 0.98, 50: 0.95, 100: 0.95, 500: 0.95}
AT_A_TIME: Final = load(None, {}, Path("/")).scans.concurrency
"""Channels that one process reads at the same time; the others wait until one of them ends."""
PATIENCE: Final = 60.0
"""Seconds that the processes may take to start."""
BEGIN_GOAL: Final = 5.0
"""Seconds in which 50 channels are to have begun."""
STAND_IN: Final = "discord_loop_late_ms"
WORKER: Final = "worker_waited_ms_of_100"
"""For a processor, the main thread; all the samples' moments are seconds, what is told of them milliseconds."""
POSTGRES: Final = "postgres_waited_ms_of_100"
NAMED: Final = {
    STAND_IN: "its Discord's loop was late by",
    WORKER: "of 100 ms, waited for a processor: a worker",
    POSTGRES: "PostgreSQL",
}

Shape = tuple[Window, int, int]
"""The windows, the channels, the processes."""


@frozen(kw_only=True)
class Form:
    """How much is measured."""

    repeats: int
    rounds: Sequence[Sequence[Shape]]
    """Those of one round are measured beside each other."""
    settle: float
    """Seconds from the last channel's first page on in which nothing is counted."""
    stretch: float
    """Seconds that are counted."""


def _rounds() -> Iterator[Sequence[Shape]]:
    """All there is; 500 channels are measured alone."""
    for window, processes in product(WINDOWS, (1, 3)):
        yield [(window, channels, processes) for channels in (1, 10, 50)]
        yield [(window, 500, processes)]


SHORT: Final = Form(
    repeats=1,
    rounds=([("fixed", 1, 1), ("sliding", 10, 1), ("sliding", 50, 3), ("fixed", 100, 1)],),
    settle=3,
    stretch=7,
)
FULL: Final = Form(repeats=3, rounds=tuple(_rounds()), settle=10, stretch=40)


def ceiling(channels: int) -> float:
    """Pages a second that the limits allow."""
    return min(channels * CHANNEL, EVERYWHERE)


def share(pages: Sequence[float], begin: float, stretch: float, channels: int) -> float:
    """The share of the ceiling in a stretch, as the mean of all stretches that begin within one window after `begin`.

    Each page counts by how many of these it is in: a burst at the edge doesn't decide.
    """
    weights = (
        max(0.0, min(at - begin, WINDOW) - max(0.0, at - begin - stretch)) / WINDOW
        for at in pages
        if begin <= at < begin + stretch + WINDOW
    )
    return sum(weights) / (stretch * ceiling(channels))


async def measure(database: Database, folder: Path, form: Form, shape: Shape, postgres: Moments) -> dict[str, Any]:
    """Scan so many channels with so many processes, for a while; PostgreSQL's waiting is noted by the caller."""
    window, channels, processes = shape
    held = Held(channels=channels, window=window, latency=LATENCY)
    async with AsyncExitStack() as stack:
        there = await stack.enter_async_context(stand_in(held))
        name = await database.begin(there.discord)
        stack.push_async_callback(database.drop, name)
        settings = settings_for(there.discord, database=database.url(name), metered=True)
        programs = [await stack.enter_async_context(program("worker", folder, settings)) for _ in range(processes)]
        pids = [one.pid for one in programs]
        noted = {POSTGRES: postgres, WORKER: await stack.enter_async_context(waits(lambda: pids))}
        result = await watch(there, programs, form, channels, noted)
        await database.check(name)
        return result


async def watch(
    there: StandIn, programs: Sequence[Program], form: Form, channels: int, noted: Mapping[str, Moments]
) -> dict[str, Any]:
    """Wait until all channels have begun that can be at work at the same time, then count.

    What the limits have counted and refused is told from the very first request on, and so is who was held up.
    """
    loop = asyncio.get_running_loop()
    patience = loop.time() + PATIENCE + 3 * channels / ceiling(channels)
    at_work = min(channels, len(programs) * AT_A_TIME)
    while len(firsts := begun(seen := await there.ask("seen"))) < at_work:
        for one in programs:
            one.alive()
        if loop.time() > patience:
            raise TimeoutError(f"{len(firsts)} of {at_work} channels have begun.\n{programs[0].tail()}")
        await asyncio.sleep(0.25)
    first, last = seen["asked"], max(firsts.values())
    begin, until = last + form.settle, last + form.settle + form.stretch + WINDOW
    used = [family_cpu(one.pid) for one in programs]
    since = loop.time()
    await asyncio.sleep(until + 0.2 - loop.time())
    used = [family_cpu(one.pid) - before for one, before in zip(programs, used, strict=True)]
    seen = await there.ask("seen")
    pages = [at for at, _ in seen["pages"]]
    stalls = {STAND_IN: seen["stalls"], **noted}
    counted = sum(begin <= at < begin + form.stretch for at in pages)
    return {
        "share": share(pages, begin, form.stretch, channels),
        "pages": counted,
        "begun": len(begun(seen)),
        "begun_seconds": last - first,
        "refused": sum(seen["throttled"].values()),
        "refused_by_scope": seen["throttled"],
        "fullest_second": fullest(seen["counted"]),
        "longest": {who: longest(moments, first, until) for who, moments in stalls.items()},
        "before_refusals": around(seen["refused"], stalls),
        "cpu_percent": sum(used) / (loop.time() - since) * 100,
    }


def begun(seen: Mapping[str, Any]) -> dict[int, float]:
    """When each channel had its first page."""
    firsts: dict[int, float] = {}
    for at, channel in seen["pages"]:
        firsts.setdefault(channel, at)
    return firsts


async def limited(database: Database, folder: Path, form: Form) -> dict[str, Any]:
    """Measure all shapes."""
    cells: dict[Shape, list[dict[str, Any]]] = {}
    for _, shapes in product(range(form.repeats), form.rounds):
        async with waits(lambda: family(database.server.pid)) as postgres, asyncio.TaskGroup() as group:
            tasks = {shape: group.create_task(measure(database, folder, form, shape, postgres)) for shape in shapes}
        for (window, channels, processes), task in tasks.items():
            cells.setdefault((window, channels, processes), []).append(one := task.result())
            say(
                f"limits: {window:8} {channels:3} channels {processes} processes {one['share']:6.1%}, "
                f"begun in {one['begun_seconds']:.1f} s, {one['refused']} refused, "
                f"{one['fullest_second']} in the fullest second; longest, ms: {held_up(one['longest'])}"
            )
            for refusal in one["before_refusals"]:
                say(f"limits: a refusal, and before it: {held_up(refusal)}")
    told = [
        {"window": window, "channels": channels, "processes": processes, **summary(runs, channels), "runs": runs}
        for (window, channels, processes), runs in sorted(cells.items())
    ]
    return {"latency_ms": LATENCY * 1000, "stretch_seconds": form.stretch, "repeats": form.repeats, "shapes": told}


def held_up(told: Mapping[str, float]) -> str:
    """Who was held up for how many milliseconds, for a person."""
    return ", ".join(f"{words} {told[who]:.0f}" for who, words in NAMED.items())


def summary(runs: Sequence[Mapping[str, Any]], channels: int) -> dict[str, Any]:
    """Medians, all refusals, and whether that is what is wanted."""
    told = {key: median(run[key] for run in runs) for key in ("share", "begun", "begun_seconds", "cpu_percent")}
    refused = sum(run["refused"] for run in runs)
    told["fullest_second"] = max(run["fullest_second"] for run in runs)
    late = channels == 50 and told["begun_seconds"] > BEGIN_GOAL  # noqa: PLR2004 - that one is promised
    return {**told, "refused": refused, "reached": told["share"] >= GOALS[channels] and not refused and not late}


def text(result: Mapping[str, Any]) -> str:
    """All of it, for a person."""
    rows = [
        [
            f"{one['channels']} channels, {one['processes']} processes",
            one["window"],
            f"{one['share']:.1%}",
            f"{GOALS[one['channels']]:.0%}",
            f"{one['begun_seconds']:.1f}",
            str(one["begun"]),
            str(one["refused"]),
            str(one["fullest_second"]),
            f"{one['cpu_percent']:.0f}",
            "yes" if one["reached"] else "no",
        ]
        for one in sorted(result["shapes"], key=lambda one: (one["channels"], one["processes"], one["window"]))
    ]
    head = ["limits on", "windows", "of the ceiling", "goal", "begun in s", "at work", "429s"]
    head += ["most in a second", "CPU %", "reached"]
    return table(head, rows)
