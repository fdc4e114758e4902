"""A channel of 1,000 messages: scanned alone, and beside one of two million."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any, Final

from attrs import frozen

from bench.database import Database
from bench.limited import LATENCY, begun
from bench.measuring import say
from bench.programs import Program, StandIn, program, settings_for, stand_in
from bench.report import table
from bench.stand_in import Held

LARGE: Final = 2_000_000
"""A million are read before all small ones have had their turn."""
SMALL: Final = 1_000
GOAL: Final = 2.0
LOOK: Final = 0.05
PATIENCE: Final = 120.0


@frozen(kw_only=True)
class Form:
    """How often each is measured, by whether there are limits."""

    off: int
    on: int


SHORT: Final = Form(off=2, on=1)
FULL: Final = Form(off=15, on=3)


async def small(database: Database, folder: Path, repeats: int, *, limits: bool) -> dict[str, Any]:
    """Measure without limits or with them."""
    lengths = (LARGE, SMALL)
    held = Held(
        channels=2 + 2 * repeats,
        lengths=lengths,
        window="fixed" if limits else None,
        latency=LATENCY if limits else 0.0,
    )
    async with stand_in(held) as there:
        name = await database.create()
        try:
            guild = there.discord.guild
            await database.add_channels(name, guild, there.discord.channels)
            settings = settings_for(there.discord, database=database.url(name), metered=limits)
            async with program("worker", folder, settings) as running:
                told = await Course(database, name, there, running).run(repeats, warm=not limits)
        finally:
            await database.drop(name)
    ratio = told["beside"]["took_seconds"] / told["alone"]["took_seconds"]
    say(f"small: limits {'on' if limits else 'off'}, {ratio:.2f} times as long beside a large one")
    return {**told, "ratio": ratio, "reached": ratio <= GOAL}


@frozen
class Course:
    """One worker, and the scans it is given."""

    database: Database
    name: str
    there: StandIn
    running: Program

    async def run(self, repeats: int, *, warm: bool) -> dict[str, Any]:
        """Scan small channels one after the other, then others while the large one is read."""
        large, first, *others = self.there.discord.channels
        if warm:
            await self.scan(first)  # connections, prepared statements
        alone = [await self.scan(one) for one in others[:repeats]]
        await self.database.queue(self.name, {large: self.there.discord.guild})
        async with asyncio.timeout(PATIENCE):
            while large not in begun(await self.there.ask("seen")):  # noqa: ASYNC110 - another process's state
                await asyncio.sleep(LOOK)
        beside = [await self.scan(one) for one in others[repeats:]]
        if await self.database.times(self.name, large) is not None:
            raise RuntimeError("The large scan ended before the small ones.")
        return {"alone": medians(alone), "beside": medians(beside), "runs": {"alone": alone, "beside": beside}}

    async def scan(self, channel: int) -> dict[str, float]:
        """Have a channel scanned; how long it waited for the worker, and how long it took."""
        await self.database.queue(self.name, {channel: self.there.discord.guild})
        async with asyncio.timeout(PATIENCE):
            while (times := await self.database.times(self.name, channel)) is None:
                self.running.alive()
                await asyncio.sleep(LOOK)
        return {"waited_seconds": times[0], "took_seconds": times[1]}


def medians(runs: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The median of each figure."""
    return {key: median(run[key] for run in runs) for key in runs[0]}


def text(result: Mapping[str, Any]) -> str:
    """All of it, for a person."""
    head = [f"{SMALL:,} messages, seconds from claim to end", "alone", f"beside {LARGE:,}", "ratio", "goal", "reached"]
    rows = [
        [
            f"limits {limits}",
            *(f"{one[how]['took_seconds']:.2f}" for how in ("alone", "beside")),
            f"{one['ratio']:.2f}",
            f"{GOAL:.0f}",
            "yes" if one["reached"] else "no",
        ]
        for limits, one in ((limits, result[limits]) for limits in ("off", "on"))
    ]
    return table(head, rows)
