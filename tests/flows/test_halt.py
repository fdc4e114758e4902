"""All reading stops, in the middle of a scan: everyone is told, nothing is asked, and nothing is lost."""

import aiohttp
import orjson
import pytest

from clipsaver.discord import breaker, pacing, store
from clipsaver.discord.breaker import EVERYTHING_STOPS, READING_STOPS
from clipsaver.scans.model import RunStatus
from tests.flows.conftest import Build
from tests.flows.house import House
from tests.flows.ledger import Figures, expected, kept, recount
from tests.flows.waiting import eventually

METERED = "100"
MESSAGES = 8_000


async def readiness(url: str) -> tuple[int, str]:
    """What /ready says of Discord."""
    async with aiohttp.ClientSession() as session, session.get(f"{url}/ready") as response:
        part = orjson.loads(await response.read())["parts"]["discord"]
        return response.status, str(part.get("halted", ""))


async def whole(house: House) -> None:
    """The scan ends, and everything there is was found once."""
    run = await house.ended(house.channel("clips"))
    assert run.status is RunStatus.SUCCEEDED, run.error_message
    assert Figures.of(run) == recount(house.world, run.channel_id)
    async with house.pool.acquire() as conn:
        found, there = await kept(conn, run.channel_id), expected(house.world, run)
    assert (found.clips, found.coverage) == (there.clips, there.coverage)


async def test_too_many_refusals_of_another_process(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    """The scan waits where it is, says until when, and goes on by itself."""
    monkeypatch.setattr(breaker, "BEAT", 0.2)
    monkeypatch.setattr(pacing, "LONGEST_SLEEP", 0.2)
    house = await build(messages=MESSAGES, videos_percent=20, record=False, latency=0.05)
    clips = house.channel("clips")
    async with house.open(CLIPSAVER_DISCORD_REQUESTS_PER_SECOND=METERED) as url:
        await house.ask("/scan start")
        await house.read(clips, 500)
        async with house.pool.acquire() as conn:
            await store.note_invalid(conn, 1_000, reading_stops=READING_STOPS, everything_stops=EVERYTHING_STOPS)

        async def waits() -> bool:
            run = await house.run(clips)
            return run is not None and run.waiting_until is not None

        await eventually(waits)
        asked = house.pages
        for command in ("/scan status", "/scan list"):
            assert "Reading rests until <t:" in (await house.ask(command)).text
        status, halted = await readiness(url)
        assert status == 503
        assert "Reading rests until" in halted
        run = await house.run(clips)
        assert run is not None
        assert run.status is RunStatus.RUNNING
        assert house.pages == asked
        house.simulator.latency = 0
        await house.pool.execute("update invalid_requests set at = at - interval '10 minutes 2 seconds'")
        await whole(house)
        assert (await readiness(url)) == (200, "")


async def test_a_token_that_is_refused(build: Build) -> None:
    """Nothing more is asked until the program is started again; then the scan goes on where it was."""
    house = await build(messages=MESSAGES, videos_percent=20, record=False)
    async with house.open(CLIPSAVER_DISCORD_REQUESTS_PER_SECOND=METERED) as url:
        await house.ask("/scan start")
        await house.read(house.channel("clips"), 500)
        house.simulator.faults.add("unauthorized", "GET /channels/*")

        async def told() -> bool:
            return "does not accept the bot token" in (await readiness(url))[1]

        await eventually(told)
        asked = house.pages
        assert "Nothing is read: Discord does not accept the bot's token" in (await house.ask("/scan status")).text
        assert house.simulator.stats.invalid <= 10
        assert house.pages == asked
    house.simulator.faults.clear()
    async with house.open(CLIPSAVER_DISCORD_REQUESTS_PER_SECOND=METERED):
        await whole(house)
