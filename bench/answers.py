"""How long a person waits for the first sign of an answer while 50 channels are scanned."""

import asyncio
from collections.abc import Mapping, Sequence
from math import ceil
from pathlib import Path
from statistics import median
from typing import Any, Final

from attrs import frozen

from bench.database import Database
from bench.limited import LATENCY, begun
from bench.measuring import say
from bench.programs import StandIn, free_port, program, settings_for, stand_in
from bench.report import table
from bench.stand_in import Held

CHANNELS: Final = 50
LINES: Final = ("/scan status", "/scan list", "/read list", "/settings view")
GOAL: Final = 250.0
"""Milliseconds that 99 of 100 answers may take."""
PATIENCE: Final = 60.0


@frozen(kw_only=True)
class Form:
    """How much is measured."""

    repeats: int
    times: int
    """Commands that are used each time."""
    every: float
    """Seconds from one to the next, whether that was answered or not."""
    idle: int
    """Commands that are used before the scans begin."""


SHORT: Final = Form(repeats=1, times=60, every=0.035, idle=10)
FULL: Final = Form(repeats=3, times=600, every=0.05, idle=200)


async def answers(database: Database, folder: Path, form: Form) -> dict[str, Any]:
    """Measure without limits and with them."""
    told: dict[str, Any] = {"channels": CHANNELS, "times": form.times, "every_ms": form.every * 1000}
    for limits in ("off", "on"):
        runs = [await measure(database, folder, form, limits=limits == "on") for _ in range(form.repeats)]
        told[limits] = {**summary(runs), "runs": runs}
        say(f"answers: limits {limits}, {told[limits]['p99']:.0f} ms for 99 of 100")
    return told


async def measure(database: Database, folder: Path, form: Form, *, limits: bool) -> dict[str, Any]:
    """Use commands of a `clipsaver run`, at rest and while it scans."""
    held = Held(channels=CHANNELS, window="fixed" if limits else None, latency=LATENCY if limits else 0.0)
    async with stand_in(held) as there:
        name = await database.create()
        try:
            settings = settings_for(there.discord, database=database.url(name), metered=limits)
            async with program("run", folder, settings, port=free_port()) as running:
                await running.ready()
                idle = await there.ask("talk", lines=LINES, times=form.idle, every=form.every)
                await database.queue(name, dict.fromkeys(there.discord.channels, there.discord.guild))
                await all_begun(there)
                before = len((await there.ask("seen"))["pages"])
                since = asyncio.get_running_loop().time()
                busy = await there.ask("talk", lines=LINES, times=form.times, every=form.every)
                seconds = asyncio.get_running_loop().time() - since
                seen = await there.ask("seen")
                await database.check(name)
        finally:
            await database.drop(name)
    return {
        "idle": idle,
        "busy": busy,
        "pages_per_second": (len(seen["pages"]) - before) / seconds,
        "refused": sum(seen["throttled"].values()),
    }


async def all_begun(there: StandIn) -> None:
    """Wait until every channel has had a page."""
    async with asyncio.timeout(PATIENCE):
        while len(begun(await there.ask("seen"))) < CHANNELS:  # noqa: ASYNC110 - another process's state
            await asyncio.sleep(0.1)


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest value that so many of all don't exceed."""
    return sorted(values)[max(0, ceil(share * len(values)) - 1)]


def summary(runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Medians of each run's quantiles, and all that failed."""
    busy = [[one for taken in run["busy"]["ms"].values() for one in taken] for run in runs]
    idle = [[one for taken in run["idle"]["ms"].values() for one in taken] for run in runs]
    told: dict[str, Any] = {
        f"p{share}": median(quantile(taken, share / 100) for taken in busy) for share in (50, 95, 99)
    }
    told |= {
        "longest": max(map(max, busy)),
        "idle_p50": median(quantile(taken, 0.5) for taken in idle),
        "idle_p99": median(quantile(taken, 0.99) for taken in idle),
        "pages_per_second": median(run["pages_per_second"] for run in runs),
        "answered": sum(map(len, busy)),
        "failed": sum(run["busy"]["failed"] + run["idle"]["failed"] for run in runs),
        "refused": sum(run["refused"] for run in runs),
    }
    return told | {"reached": told["p99"] < GOAL and not told["failed"]}


def text(result: Mapping[str, Any]) -> str:
    """All of it, for a person."""
    head = [
        f"ms to an answer, {CHANNELS} channels",
        "p50",
        "p95",
        "p99",
        "longest",
        "at rest",
        "pages/s",
        "lost",
        "reached",
    ]
    rows = [
        [
            f"limits {limits}",
            *(f"{one[key]:.0f}" for key in ("p50", "p95", "p99", "longest", "idle_p50", "pages_per_second", "failed")),
            "yes" if one["reached"] else "no",
        ]
        for limits, one in ((limits, result[limits]) for limits in ("off", "on"))
    ]
    return table(head, rows)
