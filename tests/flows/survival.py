"""A scan that a fault strikes in the middle, with somebody who looks on all along."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Self

import aiohttp
import asyncpg
from attrs import define, evolve, field, frozen
from structlog.testing import capture_logs

from clipsaver.postgres.pool import Pool
from clipsaver.simulator.entities import TEXT, Channel
from tests.discord.servers import watched
from tests.flows.exactness import FEWER_INVALID, There, check_now, check_whole
from tests.flows.house import House
from tests.flows.waiting import eventually

LEASE = 1.5
"""Seconds until a worker that is silent has lost its scan."""
GOES_ON = 30.0
"""Seconds after a fault in which a scan has to go on; what the machine held up comes on top."""
LATENCY = 0.01
"""Seconds of an answer of Discord's."""
PAGES = "GET /channels/*/messages"
SLOWLY = 0.1
"""Seconds more until a page comes, so that a scan lasts until all has happened, on a busy machine either."""
BEGUN = 1_000
"""Messages of each channel that are read before."""
BETWEEN = 0.05
"""Seconds between two looks at /ready."""
PLAN = {"channels": 2, "messages": 12_000, "videos_percent": 20}
UNMETERED, METERED = "0", "90"
"""Requests a second; of the latter, as many as that are remembered for a second, too."""
TAKEN = """
select exists (select from budget where turns <> '{}' and tat between clock_timestamp() - $1::interval
                                                              and clock_timestamp() + interval '10 seconds')
"""
LATELY = timedelta(minutes=5)
SCANNED = "select channel_id, messages_scanned from bot_channel_scan_runs"


@define(kw_only=True)
class Witness:
    """Looks at a program from outside all along."""

    url: str
    missing: set[str] = field(factory=set)
    """Parts that /ready missed at some time."""
    ready: bool = False
    """What it said last."""

    async def watch(self) -> None:
        """Ask again and again; an answer comes every time."""
        async with aiohttp.ClientSession() as session:
            while True:
                async with session.get(f"{self.url}/ready") as response:
                    said = await response.json()
                self.ready = response.status == 200
                assert self.ready == (said["missing"] == [])
                self.missing |= set(said["missing"])
                await asyncio.sleep(BETWEEN)

    @classmethod
    @asynccontextmanager
    async def of(cls, url: str) -> AsyncIterator[Self]:
        """Watch until the block ends."""
        witness = cls(url=url)
        watching = asyncio.create_task(witness.watch())
        try:
            yield witness
            assert not watching.done(), watching.exception()
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)


def scanned(house: House) -> list[Channel]:
    """The channels that are scanned."""
    return [one for one in house.world.channels_of(house.guild_id) if one.type == TEXT]


async def until_all_read(pool: Pool, *, more_than: int | None = None) -> float:
    """Wait until every scan has committed more than so much, or than now; the seconds it took, without stalls."""
    began = time.monotonic()
    known: dict[int, int] = {}

    async def look() -> bool:
        with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError):
            rows = await pool.fetch(SCANNED)
            for channel_id, read in rows:
                known.setdefault(channel_id, read if more_than is None else more_than)
            return bool(rows) and all(read > known[channel_id] for channel_id, read in rows)
        return False

    async with watched() as stalls:
        await eventually(look, every=0.005)
    return time.monotonic() - began - stalls.long


def slow_down(house: House) -> None:
    """Let pages come slowly until the end is looked at."""
    house.simulator.faults.add("delay", PAGES, seconds=SLOWLY)


def at_rate(house: House, rate: str) -> House:
    """The same, with so many requests a second."""
    return evolve(house, settings=house.settings | {"CLIPSAVER_DISCORD_REQUESTS_PER_SECOND": rate})


async def check_meter(house: House, rate: str) -> None:
    """Wait until requests are taken from what all processes share, and remembered, if they are metered."""

    async def look() -> bool:
        return bool(await house.pool.fetchval(TAKEN, LATELY)) == (rate != UNMETERED)

    await eventually(look, timeout=GOES_ON)


async def start_all(house: House) -> None:
    """Have every channel scanned, and wait until that is under way."""
    for channel in scanned(house):
        assert "has begun" in (await house.ask("/scan start", channel=channel)).text
    await until_all_read(house.pool, more_than=BEGUN)


async def check_end(house: House) -> None:
    """Let the scans come to their end, and look at everything."""
    house.simulator.latency = 0
    house.simulator.faults.clear()
    for channel in scanned(house):
        await house.ended(channel)
    await check_whole(house.pool, house.world, scanned(house))
    assert house.simulator.stats.invalid < FEWER_INVALID


@frozen(kw_only=True)
class Survived:
    """What was to be seen of a fault."""

    took: float
    """Seconds from its end until every scan had committed more."""
    missing: set[str]
    """Parts that /ready missed at some time."""
    reasons: set[str]
    """Why transactions were tried again."""


async def survive(house: House, strike: Callable[[], Awaitable[object]]) -> Survived:
    """Scan while a fault strikes, and look at everything."""
    theirs = {one.id: There.of(house.world, one.id) for one in scanned(house)}
    slow_down(house)
    # Captured, since showing an exception with all that is known about it takes longer than most faults.
    with capture_logs() as said:
        async with house.open(CLIPSAVER_SCANS_LEASE_SECONDS=str(LEASE)) as url, Witness.of(url) as witness:
            await start_all(house)
            assert await strike()
            took = await until_all_read(house.pool)
            assert not await check_now(house.pool, theirs), "the scan was over before the fault"
            await check_end(house)

            async def look() -> bool:
                return witness.ready

            await eventually(look)
    reasons = {line["reason"] for line in said if line["event"] == "postgres.transaction_retried"}
    return Survived(took=took, missing=witness.missing, reasons=reasons)
