"""Without limits: whole scans beside what others only fetch with, on the same pages, one client after the other."""

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import orjson
from attrs import frozen

from bench import report
from bench.database import Database, family_cpu
from bench.measuring import Discord, say

PATIENCE: Final = 600.0
"""Seconds one client may take."""


@frozen(kw_only=True)
class Form:
    """How much is measured."""

    messages: int
    repeats: int
    shapes: Sequence[int] = (1, 10, 50)
    """Numbers of channels that the messages are spread over."""
    flat_small: int
    flat_large: int
    flat_pairs: int
    """How often few and many messages are read, one after the other; whoever went first goes last the next time."""
    flat_channels: int = 10


SHORT: Final = Form(messages=15_000, repeats=2, shapes=(1, 50), flat_small=5_000, flat_large=30_000, flat_pairs=1)
FULL: Final = Form(messages=200_000, repeats=5, flat_small=100_000, flat_large=1_000_000, flat_pairs=7)


@frozen
class Bench:
    """Runs clients in processes of their own."""

    database: Database

    async def one(self, client: str, discord: Discord, pages: int) -> dict[str, Any]:
        """Run a client once; ``pages`` is the page server's pid."""
        served = family_cpu(pages)
        if client == "clipsaver":
            name = await self.database.begin(discord)
            before = await self.database.figures(name)
            result = await measure(client, discord, self.database.environ(name))
            after = await self.database.figures(name)
            result["postgres"] = {key: after[key] - before[key] for key in before}
            await self.database.end(name, discord)
        else:
            result = await measure(client, discord)
        result["server_cpu_seconds"] = family_cpu(pages) - served
        say(
            f"{client:12} {len(discord.channels):3} channels {result['messages'] / result['seconds']:10,.0f} messages/s"
        )
        return result

    async def shape(self, channels: int, form: Form) -> dict[str, Any]:
        """Run every client on so many channels, in turn, as often as the form says."""
        async with page_server(channels, form.messages) as (discord, pages):
            runs: dict[str, list[dict[str, Any]]] = {client: [] for client in report.CLIENTS}
            for _ in range(form.repeats):
                for client, taken in runs.items():
                    taken.append(await self.one(client, discord, pages))
        clients = {client: report.summary(taken) for client, taken in runs.items()}
        return {"clients": clients, "ratios": report.ratios(clients), "runs": runs}

    async def flat(self, form: Form) -> dict[str, Any]:
        """Run clipsaver alone on few messages and on many, in pairs."""
        runs: dict[str, list[dict[str, Any]]] = {"small": [], "large": []}
        async with (
            page_server(form.flat_channels, form.flat_small) as few,
            page_server(form.flat_channels, form.flat_large) as many,
        ):
            turns = [("small", *few), ("large", *many)]
            for _ in range(form.flat_pairs):
                for size, discord, pages in turns:
                    runs[size].append(await self.one("clipsaver", discord, pages))
                turns.reverse()
        told = {size: report.summary(taken) for size, taken in runs.items()}
        return {"channels": form.flat_channels, **told, **report.flatness(**runs), "runs": runs}


@asynccontextmanager
async def page_server(channels: int, messages: int) -> AsyncIterator[tuple[Discord, int]]:
    """Serve a world's pages from a process of their own: what there is, and its pid."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.pages", str(channels), str(messages)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=2**20,
    )
    if process.stdin is None or process.stdout is None:
        raise RuntimeError("a process without its pipes")
    try:
        told = orjson.loads(await process.stdout.readline())
        yield Discord(**told), process.pid
    finally:
        process.stdin.close()
        await process.wait()


async def measure(client: str, discord: Discord, environ: dict[str, str] | None = None) -> dict[str, Any]:
    """Run a client, and take what it says."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", f"bench.client_{client}", discord.told()),
        stdout=asyncio.subprocess.PIPE,
        env=environ,
    )
    try:
        out, _ = await asyncio.wait_for(process.communicate(), PATIENCE)
    except TimeoutError:
        process.kill()
        raise
    if process.returncode:
        raise RuntimeError(f"{client} ended with {process.returncode}.")
    result: dict[str, Any] = orjson.loads(out)
    return result


async def speed(database: Database, form: Form) -> dict[str, Any]:
    """Measure all shapes, and whether ten times as much goes as fast."""
    bench = Bench(database)
    shapes = {str(channels): await bench.shape(channels, form) for channels in form.shapes}
    return {
        "messages": form.messages,
        "repeats": form.repeats,
        "channels": shapes,
        "flat": await bench.flat(form),
    }
