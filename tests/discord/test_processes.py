"""Processes of their own, with one token between them."""

import asyncio
import os
import sys
import time
from bisect import bisect_left
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from aiohttp import web

import clipsaver
from clipsaver.discord.breaker import READING_STOPS
from tests.discord.servers import Server, say, serve, watched
from tests.discord.taker import LANES

RATE = 48
"""The budget as it is shipped, below Discord's 50."""
SECONDS = 3.0
ROOT = Path(clipsaver.__file__).parents[1]

Start = Callable[[float], Awaitable[asyncio.subprocess.Process]]


@asynccontextmanager
async def taking(server: Server, database_url: str) -> AsyncIterator[Start]:
    """Start takers, given their rate; whatever happens they are gone afterwards."""
    async with AsyncExitStack() as stack:

        async def start(rate: float) -> asyncio.subprocess.Process:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "tests.discord.taker", database_url, server.url, str(rate)),
                cwd=Path(__file__).parents[2],
                env=os.environ | {"PYTHONPATH": str(ROOT)},
                stdout=asyncio.subprocess.DEVNULL,
            )
            stack.push_async_callback(_end, process)
            return process

        yield start


async def _end(process: asyncio.subprocess.Process) -> None:
    """Kill it as the machine would: without a word."""
    if process.returncode is None:
        process.kill()
        await process.wait()


async def slow_page(_: web.Request) -> web.StreamResponse:
    """An empty page, after the time that the way to Discord takes."""
    await asyncio.sleep(0.05)
    return web.json_response([])


def busiest(server: Server) -> int:
    """The most requests within any second."""
    times = sorted(asked.at for asked in server.asked)
    return max(bisect_left(times, start + 1) - index for index, start in enumerate(times))


async def counted(server: Server, seconds: float) -> float:
    """The requests a second from now on."""
    before, began = len(server.asked), time.monotonic()
    await asyncio.sleep(seconds)
    return (len(server.asked) - before) / (time.monotonic() - began)


async def test_three_reach_the_ceiling_and_never_cross_it(database_url: str) -> None:
    """95 % of the budget and never 50 in a second; two go on like that once one is killed in the middle.

    Only what the machine kept a process or its database waiting, as each measured for itself, comes on top when it
    goes on.
    """
    async with watched() as stalls, serve(slow_page) as server, taking(server, database_url) as start:
        processes = [await start(RATE) for _ in range(3)]
        await server.asked_for(2 * RATE)
        three = await counted(server, SECONDS)
        await _end(processes[0])
        two = await counted(server, SECONDS)
    worst = stalls.worst + max(float(asked.query["worst"]) for asked in server.asked)
    lost = stalls.long + max(float(asked.query["long"]) for asked in server.asked)
    assert busiest(server) <= 50 + RATE * max(0.0, worst - 1 / RATE)
    assert min(three, two) >= 0.95 * RATE * (1 - lost / SECONDS)


async def test_a_crash_loop_stays_below_the_bound(database_url: str) -> None:
    """Killed after every few hundred refusals and started again, the program is refused a thousand times in all."""
    refuse = say({"code": 50001}, 403)
    asked: list[int] = []
    rests = asyncio.Event()

    def handle(request: web.Request) -> Awaitable[web.StreamResponse] | web.StreamResponse:
        if request.path.endswith("/users/@me"):
            rests.set()
            return say({"id": "1"})(request)
        asked.append(1)
        return refuse(request)

    starts = 0
    async with serve(handle) as server, taking(server, database_url) as start, asyncio.timeout(120):
        while not rests.is_set():
            starts += 1
            process = await start(2000)
            before = len(server.asked)
            many = asyncio.create_task(server.asked_for(before + 300))
            stopped = asyncio.create_task(rests.wait())
            await asyncio.wait([many, stopped], return_when=asyncio.FIRST_COMPLETED)
            many.cancel()
            stopped.cancel()
            await _end(process)
    assert starts >= 4
    assert READING_STOPS - LANES <= len(asked) <= READING_STOPS + starts * 2 * LANES
