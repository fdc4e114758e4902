"""A gateway in trouble while a scan reads: the scan goes on, the session comes back, and the bot answers as before."""

from collections.abc import Callable
from typing import Any

import aiohttp
import orjson
import pytest
from attrs import evolve

from clipsaver.app import watchdog
from clipsaver.app.gateway_troubles import FINAL
from clipsaver.scans.model import RunStatus
from clipsaver.simulator.entities import Channel
from clipsaver.simulator.gateway import Gateway
from tests.app.programs import program
from tests.flows.conftest import Build
from tests.flows.house import House
from tests.flows.ledger import Figures, expected, kept, recount
from tests.flows.midway import check_midway
from tests.flows.survival import slow_down, until_all_read
from tests.flows.waiting import eventually

MESSAGES = 20_000
FEWER_INVALID = 1_000
QUICK = evolve(watchdog.PATIENCE, look=0.05, first_pause=0.01, longest_pause=0.05, spacing=0.0, longest_question=0.05)


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> Callable[[watchdog.Patience], None]:
    """Let the programs of a test wait for longer or shorter."""

    def give(told: watchdog.Patience) -> None:
        monkeypatch.setattr(watchdog, "PATIENCE", told)

    give(QUICK)
    return give


async def begin(house: House) -> Channel:
    """Start a scan from another channel, where its progress is shown too, and wait until it is under way."""
    clips = house.channel("clips")
    lobby = house.world.create_channel(house.guild_id, "lobby")
    await house.ask("/scan start", where=lobby, channel=clips)
    await house.read(clips, 500)
    return clips


async def check_still_on(house: House) -> None:
    """The scan reads on now, is exact so far, and was not over before: what happened has hit it in its middle."""
    await until_all_read(house.pool)
    run = await check_midway(house, house.channel("clips"))
    assert run.status is RunStatus.RUNNING, "the scan was over before the trouble"


async def check_end(house: House) -> None:
    """The scan succeeded, and found and counted what there is, once; Discord was not asked for what it refuses."""
    house.simulator.latency = 0
    house.simulator.faults.clear()
    clips = house.channel("clips")
    run = await house.ended(clips)
    assert run.status is RunStatus.SUCCEEDED, run.error_message
    assert Figures.of(run) == recount(house.world, clips.id)
    async with house.pool.acquire() as conn:
        assert await kept(conn, clips.id) == expected(house.world, run)
    assert house.simulator.stats.invalid < FEWER_INVALID


async def missing(url: str) -> list[str]:
    """What /ready misses."""
    async with aiohttp.ClientSession() as session, session.get(f"{url}/ready") as response:
        told = orjson.loads(await response.read())
        assert (response.status == 200) == (not told["missing"])
        return list(told["missing"])


async def figure(url: str, reason: str) -> float:
    """How often the gateway was connected to again for a reason."""
    name = f'clipsaver_gateway_reconnects_total{{reason="{reason}"}} '
    async with aiohttp.ClientSession() as session, session.get(f"{url}/metrics") as response:
        lines = (await response.text()).splitlines()
    return next((float(line.removeprefix(name)) for line in lines if line.startswith(name)), 0.0)


async def check_back(house: House, url: str, reason: str) -> None:
    """The session comes back in the middle of the scan, for the reason that is expected, and commands are answered."""

    async def back() -> bool:
        return await figure(url, reason) >= 1 and not await missing(url)

    await eventually(back)
    asking: dict[str, Any] = {"where": house.channel("lobby"), "channel": house.channel("clips")}
    assert "100 % read" not in (await house.ask("/scan status", **asking)).text
    await check_still_on(house)
    await check_end(house)
    assert "100 % read, no gaps" in (await house.ask("/scan status", **asking)).text


def close_with(code: int) -> Callable[[Gateway], None]:
    """Close connections with a code."""
    return lambda gateway: gateway.close(code, "on demand")


def refuse_resumes(code: int) -> Callable[[Gateway], None]:
    """Cut the wire, and close every resume with a code."""

    def wrong(gateway: Gateway) -> None:
        gateway.resumes_closed_with = code
        gateway.drop()

    return wrong


def invalidate_always(gateway: Gateway) -> None:
    """Op 9, and once more at the Identify that follows."""
    gateway.refused = 1
    gateway.invalidate()


TROUBLES: dict[str, tuple[Callable[[Gateway], None], str]] = {
    **{str(code): (close_with(code), "dropped") for code in (1000, 1001, 4000, 4002, 4007, 4008, 4009)},
    **{str(code): (close_with(code), f"closed_{code}") for code in (4001, 4003, 4005)},
    "4006": (close_with(4006), "closed"),
    "cut": (Gateway.drop, "dropped"),
    "op 7": (Gateway.send_reconnect, "dropped"),
    "op 9, true": (lambda gateway: gateway.invalidate(resumable=True), "dropped"),
    "op 9, false": (Gateway.invalidate, "dropped"),
    "op 9, again": (invalidate_always, "dropped"),
    "no resume, 4007": (refuse_resumes(4007), "disconnected"),
    "no resume, 4009": (refuse_resumes(4009), "disconnected"),
    "nonsense": (Gateway.send_nonsense, "broken"),
}


@pytest.mark.parametrize("name", TROUBLES)
async def test_troubles_that_pass(build: Build, patience: Callable[[watchdog.Patience], None], name: str) -> None:
    """In the middle of a scan: it goes on, and all is as before."""
    wrong, reason = TROUBLES[name]
    patience(evolve(QUICK, away=1.5 if reason == "disconnected" else 30.0))
    house = await build(messages=MESSAGES, videos_percent=20, record=False)
    slow_down(house)
    async with house.open() as url:
        await begin(house)
        wrong(house.simulator.gateway)
        await check_still_on(house)
        await check_back(house, url, reason)


@pytest.mark.usefixtures("patience")
async def test_a_mute_gateway(build: Build) -> None:
    """It answers no heartbeat; that is noticed, and the session taken up."""
    house = await build(messages=MESSAGES, videos_percent=20, record=False)
    house.simulator.gateway.heartbeat_interval = 1_500
    slow_down(house)
    async with house.open() as url:
        await begin(house)
        house.simulator.gateway.mute()
        await check_back(house, url, "dropped")


async def test_reading_goes_on_without_a_gateway(build: Build, patience: Callable[[watchdog.Patience], None]) -> None:
    """For as long as it takes: what is missing is told, and the scan ends all the same."""
    patience(evolve(QUICK, first_pause=600.0, longest_pause=600.0))
    house = await build(messages=MESSAGES, videos_percent=20, record=False)
    slow_down(house)
    async with house.open() as url:
        await begin(house)
        house.simulator.gateway.close(4001)

        async def away() -> bool:
            return await missing(url) == ["gateway", "guilds"]

        await eventually(away)
        await check_still_on(house)
        await check_end(house)
        await eventually(away)
        assert house.simulator.gateway.connections == []


async def test_closes_that_are_final(build: Build) -> None:
    """Each ends the program with one sentence; after the next start the scan goes on where it was, and stays exact."""
    house = await build(messages=30_000, videos_percent=20, record=False, latency=0.05)
    clips, gateway = house.channel("clips"), house.simulator.gateway
    settings = house.settings | {"CLIPSAVER_WEB_PORT": "0"}
    for number, (code, sentence) in enumerate(sorted(FINAL.items())):
        async with program("run", settings, house.folder) as one:
            await one.ready()
            if number == 0:
                await begin(house)
            await house.read(clips, 1_000 * (number + 1))
            gateway.close(code, "on demand")
            assert await one.ended() == 1
            (said,) = one.critical
            assert (said["event"], said["reason"]) == ("start.failed", sentence)
        assert (await check_midway(house, clips)).status in {RunStatus.QUEUED, RunStatus.RUNNING}
    async with house.open():
        await check_end(house)


async def test_an_end_while_it_waits(build: Build) -> None:
    """SIGTERM between two sessions is obeyed at once, and the scan goes on later."""
    house = await build(messages=MESSAGES, videos_percent=20, record=False, latency=0.05)
    clips, gateway = house.channel("clips"), house.simulator.gateway
    async with program("run", house.settings | {"CLIPSAVER_WEB_PORT": "0"}, house.folder) as one:
        await one.ready()
        await begin(house)
        gateway.starts.total = 0
        gateway.close(4001)
        waits = await one.hear("gateway.no_sessions_left")
        assert waits["retry_in"] > 3_600
        status, body = await one.get("/ready")
        part = orjson.loads(body)["parts"]["gateway"]
        assert (status, part["ok"], part["trouble"]) == (503, False, "no_sessions_left")
        assert await one.stop() == 0
        assert one.critical == []
    assert (await check_midway(house, clips)).status in {RunStatus.QUEUED, RunStatus.RUNNING}
    gateway.starts.total = 1_000
    async with house.open():
        await check_end(house)
