"""All reading stops, in the middle of a scan: everyone is told, nothing is asked, and nothing is lost."""

from collections.abc import MutableMapping
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import orjson
import pytest
from structlog.testing import capture_logs

from clipsaver.discord import breaker, pacing, store
from clipsaver.discord.breaker import EVERYTHING_STOPS, READING_STOPS
from clipsaver.scans.model import RunStatus
from tests.flows.conftest import Build
from tests.flows.house import House
from tests.flows.ledger import Figures, expected, kept, recount
from tests.flows.midway import check_midway
from tests.flows.waiting import eventually

METERED = "90"
"""Requests a second; as many as that are remembered for a second, too."""
MESSAGES = 20_000


async def readiness(url: str) -> tuple[int, str]:
    """What /ready says of Discord."""
    async with aiohttp.ClientSession() as session, session.get(f"{url}/ready") as response:
        part = orjson.loads(await response.read())["parts"]["discord"]
        return response.status, str(part.get("halted", ""))


def of_discord(said: list[MutableMapping[str, Any]]) -> list[str]:
    """The log's events about what stops all reading, in their order."""
    about = ("discord.unauthorized", "discord.reading_halted", "discord.reading_resumed")
    return [line["event"] for line in said if line["event"] in about]


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
    async with AsyncExitStack() as stack:
        said = stack.enter_context(capture_logs())
        url = await stack.enter_async_context(house.open(CLIPSAVER_DISCORD_REQUESTS_PER_SECOND=METERED))
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
        assert of_discord(said) == ["discord.reading_halted"]
        assert (await check_midway(house, clips)).status is RunStatus.RUNNING
        assert house.pages == asked
        house.simulator.latency = 0
        await house.pool.execute("update invalid_requests set at = at - interval '10 minutes 2 seconds'")
        await whole(house)
        assert (await readiness(url)) == (200, "")
        assert of_discord(said) == ["discord.reading_halted", "discord.reading_resumed"]


async def test_a_token_that_is_refused(build: Build) -> None:
    """Nothing more is asked until the program is started again; then the scan goes on where it was."""
    house = await build(messages=MESSAGES, videos_percent=20, record=False)
    async with AsyncExitStack() as stack:
        said = stack.enter_context(capture_logs())
        url = await stack.enter_async_context(house.open(CLIPSAVER_DISCORD_REQUESTS_PER_SECOND=METERED))
        await house.ask("/scan start")
        await house.read(house.channel("clips"), 500)
        house.simulator.faults.add("unauthorized", "GET /channels/*")

        async def told() -> bool:
            return "does not accept the bot token" in (await readiness(url))[1]

        await eventually(told)
        assert (await readiness(url))[0] == 503
        asked = house.pages
        assert "Nothing is read: Discord does not accept the bot's token" in (await house.ask("/scan status")).text
        assert of_discord(said) == ["discord.unauthorized"]
        assert (await check_midway(house, house.channel("clips"))).status in {RunStatus.QUEUED, RunStatus.RUNNING}
        assert house.simulator.stats.invalid <= 10
        assert house.pages == asked
    house.simulator.faults.clear()
    with capture_logs() as said:
        async with house.open(CLIPSAVER_DISCORD_REQUESTS_PER_SECOND=METERED):
            await whole(house)
    assert of_discord(said) == []
