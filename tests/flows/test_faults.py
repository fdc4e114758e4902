"""Scans of a Discord in trouble: everything is found all the same, or the scan says in a sentence why it is not."""

from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any, get_args

import aiohttp
import orjson
import pytest
from structlog.testing import capture_logs

from clipsaver.discord import rest
from clipsaver.scans.model import Run, RunStatus
from clipsaver.simulator.faults import Kind, Variant
from clipsaver.simulator.permissions import Permission
from tests.flows.conftest import Build
from tests.flows.house import House
from tests.flows.ledger import Figures, expected, kept, recount
from tests.flows.midway import check_midway
from tests.flows.waiting import eventually

BROKEN: dict[str, tuple[Kind, dict[str, Any]]] = {
    **{str(status): ("status", {"status": status}) for status in (500, 501, 502, 503, 504)},
    "a page with 502": ("page", {"status": 502}),
    "a page with 200": ("not_json", {}),
    "half of the JSON": ("half", {}),
    "truncated": ("truncate", {}),
    "reset": ("reset", {}),
    "late": ("delay", {"seconds": 0.3}),
    "stalled": ("stall", {"seconds": 0.3}),
}
PAGES = "GET /channels/*/messages"
DUE = "update bot_channel_scan_runs set due_at = clock_timestamp() + $1"
ODD = "select message_id, payload from odd_payloads where channel_id = $1"
MESSAGES = 20_000
FEWER_INVALID = 1_000
LOST = {"View Channel": Permission.VIEW_CHANNEL, "Read Message History": Permission.READ_MESSAGE_HISTORY}


async def check_rows(house: House, run: Run, *, odd: frozenset[int] = frozenset()) -> None:
    """All there is was found and counted, but for what nobody could read."""
    assert run.status is RunStatus.SUCCEEDED, run.error_message
    assert house.simulator.stats.invalid < FEWER_INVALID
    assert Figures.of(run) == recount(house.world, run.channel_id, without=odd)
    async with house.pool.acquire() as conn:
        assert await kept(conn, run.channel_id) == expected(house.world, run, without=odd)


async def scan(house: House) -> Run:
    """Scan #clips, and look at it in its middle; the scan once it has ended."""
    clips = house.channel("clips")
    await house.ask("/scan start")
    await house.read(clips, 500)
    assert (await check_midway(house, clips)).status in {RunStatus.QUEUED, RunStatus.RUNNING, RunStatus.SUCCEEDED}
    return await house.ended(clips)


@pytest.mark.parametrize("name", BROKEN)
async def test_answers_that_are_none(build: Build, name: str) -> None:
    """Errors, broken bodies, resets and delays: asked again, and nothing is missed."""
    kind, options = BROKEN[name]
    house = await build(messages=MESSAGES, videos_percent=20, record=False)
    async with house.open():
        fault = house.simulator.faults.add(kind, PAGES, count=2, probability=0.05, **options)
        run = await scan(house)
    assert fault.happened == 2
    await check_rows(house, run)


async def test_refusals_to_answer_yet(build: Build) -> None:
    """429s of every kind, amid errors: waited for, and nothing is missed."""
    house = await build(messages=MESSAGES, videos_percent=20, record=False)
    faults = house.simulator.faults
    refused = sorted(set(get_args(Variant)) - {"hour"})  # which has a test of its own
    async with house.open():
        for variant in refused:
            faults.add("throttle", PAGES, variant=variant, count=1, probability=0.05)
        faults.add("status", PAGES, status=502, count=2, probability=0.1)
        run = await scan(house)
    assert [fault.variant for fault in faults.faults if not fault.happened] == []
    assert house.simulator.stats.invalid == len(refused) - 1  # a shared one is nobody's fault
    await check_rows(house, run)


async def test_an_outage_that_lasts(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    """A scan that gets no answer however often it asks waits for its next turn, says why, and goes on after it."""
    monkeypatch.setattr(rest, "TRIES", 2)
    house = await build(messages=MESSAGES, videos_percent=20, record=False)
    clips = house.channel("clips")
    async with house.open():
        await house.ask("/scan start")
        await house.read(clips, 500)
        fault = house.simulator.faults.add("status", PAGES, status=503)

        async def waits() -> Run | None:
            run = await house.run(clips)
            return run if run is not None and run.status is RunStatus.QUEUED and run.error_message else None

        waiting = await eventually(waits)
        assert waiting is not None
        await house.pool.execute(DUE, timedelta(minutes=5))  # however long it takes to look at it
        assert waiting.error_message == "Discord gave no useful answer, though it was asked 2 times."
        assert "waiting for its turn" in (await house.ask("/scan status")).text
        assert (await check_midway(house, clips)).messages_scanned < MESSAGES
        assert fault.happened < 10
        house.simulator.faults.clear()
        await house.pool.execute(DUE, timedelta())
        run = await house.ended(clips)
    await check_rows(house, run)


@pytest.mark.parametrize("kind", ["omit", "null", "unknown"])
async def test_answers_with_less_or_more_in_them(build: Build, kind: Kind) -> None:
    """What may be absent is, what seldom is null is, and values nobody has heard of: no message is lost over it."""
    house = await build(messages=MESSAGES, videos_percent=20, record=False)
    async with house.open():
        fault = house.simulator.faults.add(kind, "GET /*", share=0.5)
        run = await scan(house)
        house.simulator.faults.clear()
    assert fault.happened >= MESSAGES // 100
    await check_rows(house, run)


async def test_messages_nobody_can_read(build: Build) -> None:
    """They are counted and kept aside, all others are found; once they can be read an update finds them too."""
    house = await build(messages=MESSAGES, videos_percent=20, record=False)
    world, clips = house.world, house.channel("clips")
    async with house.open():
        house.simulator.faults.add("null", PAGES, fields=frozenset({"filename"}), share=0.05)
        await house.ask("/scan start")
        run = await house.ended(clips)
        house.simulator.faults.clear()
        odd = {row["message_id"]: row["payload"] for row in await house.pool.fetch(ODD, clips.id)}
        assert odd
        assert run.skipped["odd"] == len(odd)
        assert odd.keys() <= set(world.histories[clips.id].ids())
        assert all(payload["content"] == "" for payload in odd.values())
        await check_rows(house, run, odd=frozenset(odd))
        last = await house.moderator.wait_for_message(clips, lambda one: "done" in one.text)
        assert f"{len(odd)} messages I couldn't understand" in last.text
        await house.ask("/scan start", rescan="update")
        await check_rows(house, await house.ended(clips))


@pytest.mark.parametrize("direction", ["backward", "forward"])
@pytest.mark.parametrize("lost", ["View Channel", "Read Message History"])
async def test_a_permission_that_is_lost(build: Build, direction: str, lost: str) -> None:
    """A scan whose bot may not read on has failed, and says so; with the permission back, the next one ends well."""
    house = await build(messages=MESSAGES, videos_percent=20, latency=0.05, record=False)
    world, clips = house.world, house.channel("clips")
    lobby = world.create_channel(house.guild_id, "lobby")
    asking: dict[str, Any] = {"where": lobby, "channel": clips}
    async with house.open():
        await house.ask("/scan start", direction=direction, **asking)
        await house.read(clips, 500)
        world.set_overwrite(clips.id, world.bot_id, deny=int(LOST[lost]), member=True)
        failed = await house.ended(clips)
        assert failed.status is RunStatus.FAILED
        sentence = failed.error_message or ""
        assert lost in sentence
        last = await house.moderator.wait_for_message(lobby, lambda one: "failed" in one.text)
        assert sentence in last.text
        assert sentence in (await house.ask("/scan status", **asking)).text
        assert (await check_midway(house, clips)).status is RunStatus.FAILED
        async with house.pool.acquire() as conn:
            before = await kept(conn, clips.id)
        assert before.message_count == failed.messages_scanned < MESSAGES
        assert before.has_gaps
        assert lost in (await house.ask("/scan start", direction=direction, **asking)).text
        world.delete_overwrite(clips.id, world.bot_id)
        house.simulator.latency = 0
        assert "has begun" in (await house.ask("/scan start", direction=direction, **asking)).text
        run = await house.ended(clips)
    assert run.status is RunStatus.SUCCEEDED, run.error_message
    assert failed.messages_scanned + run.messages_scanned == MESSAGES
    assert house.simulator.stats.invalid < FEWER_INVALID
    async with house.pool.acquire() as conn:
        assert await kept(conn, clips.id) == expected(world, run)


async def test_a_channel_that_is_refused(build: Build) -> None:
    """A 403 in the middle ends a scan with a sentence; once it is over, the next one reads the rest."""
    house = await build(messages=MESSAGES, videos_percent=20, record=False)
    clips = house.channel("clips")
    async with house.open():
        await house.ask("/scan start")
        await house.read(clips, 500)
        fault = house.simulator.faults.add("forbidden", PAGES)
        failed = await house.ended(clips)
        assert failed.status is RunStatus.FAILED
        assert "View Channel" in (failed.error_message or "")
        assert (await check_midway(house, clips)).messages_scanned < MESSAGES
        assert (fault.happened, house.simulator.stats.invalid) == (1, 1)
        house.simulator.faults.clear()
        await house.ask("/scan start")
        run = await house.ended(clips)
    assert run.status is RunStatus.SUCCEEDED, run.error_message
    assert failed.messages_scanned + run.messages_scanned == MESSAGES
    async with house.pool.acquire() as conn:
        assert await kept(conn, clips.id) == expected(house.world, run)


async def test_a_token_that_is_refused(build: Build) -> None:
    """Everything stops at once and says so; with a token that is good again the scan goes on where it was."""
    house = await build(messages=MESSAGES, videos_percent=20, channels=2, record=False)
    clips, other = house.channel("clips"), house.channel("highlights")
    stats = house.simulator.stats
    async with AsyncExitStack() as stack:
        said = stack.enter_context(capture_logs())
        url = await stack.enter_async_context(house.open())
        session = await stack.enter_async_context(aiohttp.ClientSession())
        for channel in (clips, other):
            await house.ask("/scan start", channel=channel)
        await house.read(clips, 500)
        house.simulator.faults.add("unauthorized", "GET /*")

        async def halted() -> str | None:
            async with session.get(f"{url}/ready") as response:
                told = orjson.loads(await response.read())
            assert response.status == (503 if told["missing"] else 200)
            return str(told["parts"]["discord"]["halted"]) if "discord" in told["missing"] else None

        assert "token" in (await eventually(halted) or "")
        asked = house.pages
        assert "does not accept the bot" in (await house.ask("/scan status")).text
        assert [line["event"] for line in said if line["log_level"] == "error"] == ["discord.unauthorized"]
        for channel in (clips, other):
            run = await check_midway(house, channel)
            assert run.status is not RunStatus.SUCCEEDED
        assert (house.pages, stats.invalid <= 4) == (asked, True)
    house.simulator.faults.clear()
    async with house.open():
        for channel in (clips, other):
            await check_rows(house, await house.ended(channel))


async def test_a_channel_that_is_deleted(build: Build) -> None:
    """Its scan goes with it, and nothing else minds."""
    house = await build(messages=MESSAGES, channels=2, latency=0.05, record=False)
    clips, other = house.channel("clips"), house.channel("highlights")
    async with house.open():
        for channel in (clips, other):
            await house.ask("/scan start", where=other, channel=channel)
        await house.read(clips, 500)
        house.world.delete_channel(clips.id)
        house.simulator.latency = 0
        run = await house.ended(other)
        await check_rows(house, run)
        assert await house.run(clips) is None


async def test_discord_makes_it_wait(build: Build) -> None:
    """A scan that has to wait for an hour says so, and can still be canceled."""
    house = await build(messages=MESSAGES, latency=0.02, record=False)
    clips = house.channel("clips")
    async with house.open():
        await house.ask("/scan start")
        await house.read(clips, 300)
        house.simulator.faults.add("throttle", PAGES, variant="hour", count=1)
        waiting = await house.moderator.wait_for_message(clips, lambda one: "Waiting for Discord until" in one.text)
        answer = await (await house.moderator.press(waiting, "Cancel")).wait_final()
        assert "I canceled the scan" in answer.text
        assert (await house.ended(clips)).status is RunStatus.CANCELED
