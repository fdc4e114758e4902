"""``/scan start``, from the door to the rows."""

import asyncio

import pytest

from clipsaver.scans.model import Run, RunStatus
from clipsaver.simulator.entities import (
    ANNOUNCEMENT,
    FORUMS,
    STAGE,
    TEXT,
    THREADS,
    VOICE,
    WITHOUT_MESSAGES,
    Channel,
)
from clipsaver.simulator.permissions import Permission
from clipsaver.simulator.person.refusals import PersonRefused
from tests.discord.servers import watched
from tests.flows.conftest import Build
from tests.flows.house import House
from tests.flows.ledger import Figures, expected, kept, recount

ANSWER = 3.0
"""Seconds in which Discord wants a sign of life; what the machine held up comes on top."""
PAGES = "GET /channels/*/messages"
SLOW = 0.1
"""Seconds an answer of Discord's takes while a scan is to be watched."""


async def check_rows(house: House, run: Run) -> None:
    """A scan that read all of its channel found and counted what is there, and nothing else."""
    assert run.status is RunStatus.SUCCEEDED, run.error_message
    assert Figures.of(run) == recount(house.world, run.channel_id)
    async with house.pool.acquire() as conn:
        assert await kept(conn, run.channel_id) == expected(house.world, run)


async def scan(house: House, channel: Channel) -> Run:
    """Scan a channel to the end, as the owner."""
    reply = await house.ask("/scan start", by=house.owner, channel=channel)
    assert "has begun" in reply.text
    return await house.ended(channel)


async def test_from_the_command_to_the_rows(build: Build) -> None:
    """A moderator asks, is answered in time, and in the end the rows say what is there."""
    house = await build(messages=1200, videos_percent=20)
    clips = house.channel("clips")
    async with house.open():
        async with watched() as stalls:
            asked = asyncio.get_running_loop().time()
            reply = await house.ask("/scan start")
            took = asyncio.get_running_loop().time() - asked - stalls.long
        assert reply.text == f"The scan of <#{clips.id}> has begun.\nA message in this channel shows how far it is."
        run = await house.ended(clips)
        last = await house.moderator.wait_for_message(clips, lambda one: "done" in one.text)
    assert took < ANSWER
    assert reply.ephemeral
    await check_rows(house, run)
    counted = recount(house.world, clips.id)
    title, figures, left_out, took_text, coverage = last.text.splitlines()
    assert title == f"**Scan of <#{clips.id}>: done**"
    assert figures == f"1,200 messages read · {counted.clips_found:,} clips found"
    assert left_out == f"Left out: {counted.skipped['too_large']} files that are too large"
    assert took_text.startswith("Took ")
    assert coverage == "100 % read, no gaps"
    assert len(house.said(clips)) == 1


async def test_progress_and_the_button_outlive_a_restart(build: Build) -> None:
    """One ordinary message tells all along; its button ends the scan of a program that was started since."""
    house = await build(messages=20_000, latency=SLOW, record=False)
    clips = house.channel("clips")

    async with house.open():
        await house.ask("/scan start")
        first = await house.moderator.wait_for_message(clips, lambda one: "Scanning" in one.text)
        later = await house.moderator.wait_for_message(
            clips, lambda one: one.id == first.id and one.edited and "left" in one.text
        )
    stopped = await house.run(clips)
    assert stopped is not None
    assert stopped.status.active
    async with house.open():
        await house.read(clips, stopped.messages_scanned + 300)
        async with watched() as stalls:
            asked = asyncio.get_running_loop().time()
            answer = await (await house.moderator.press(later, "Cancel")).wait_final()
            assert asyncio.get_running_loop().time() - asked - stalls.long < ANSWER
        assert answer.text == f"I canceled the scan of <#{clips.id}>. What was read stays read."
        run = await house.ended(clips)
        over = await house.moderator.wait_for_message(clips, lambda one: one.id == first.id and "canceled" in one.text)
        assert run.status is RunStatus.CANCELED
        assert over.buttons == ()
        assert f"{run.messages_scanned:,} messages read" in over.text
        house.simulator.latency = 0
        again = await scan(house, clips)
        await house.moderator.wait_for_message(clips, lambda one: one.id != first.id and "done" in one.text)
    assert run.messages_scanned + again.messages_scanned == 20_000
    assert house.said(clips)[0].id == first.id
    assert len(house.said(clips)) == 2
    async with house.pool.acquire() as conn:
        assert await kept(conn, clips.id) == expected(house.world, again)


async def test_every_type_of_channel(build: Build) -> None:
    """Voice, stage, announcement, threads of all kinds, of forums and media channels too: all the same to a scan."""
    house = await build(messages=150, extras=True, videos_percent=25)
    world = house.world
    everywhere = world.channels_of(house.guild_id) + world.channels_of(house.guild_id, threads=True)
    wanted = Permission.VIEW_CHANNEL | Permission.READ_MESSAGE_HISTORY
    holding = [one for one in everywhere if one.type not in WITHOUT_MESSAGES and not world.is_nsfw(one.id)]
    readable = [one for one in holding if world.can(world.bot_id, one.id, wanted)]
    async with house.open():
        runs = [await scan(house, channel) for channel in readable]
        for channel in (one for one in holding if one not in readable):
            reply = await house.ask("/scan start", by=house.owner, channel=channel)
            assert reply.text == f"I can't read <#{channel.id}>: I need View Channel and Read Message History there."
            assert await house.run(channel) is None
    assert {one.type for one in readable} == {TEXT, VOICE, ANNOUNCEMENT, STAGE} | THREADS
    assert {world.channels[one.parent_id or 0].type for one in readable if one.type in THREADS} >= FORUMS
    for run in runs:
        await check_rows(house, run)


@pytest.mark.parametrize("name", ["thread 6", "Lounge", "thread 2"], ids=["forum thread", "voice", "archived thread"])
async def test_in_its_own_place(build: Build, name: str) -> None:
    """A scan that is asked for in the place itself is of that place, and its message is there too."""
    house = await build(messages=50, extras=True, extra_messages=400)
    place = house.channel(name)
    async with house.open():
        reply = await house.ask("/scan start", where=place)
        assert reply.text.startswith(f"The scan of <#{place.id}> has begun.")
        run = await house.ended(place)
        last = await house.moderator.wait_for_message(place, lambda one: "done" in one.text)
    assert "400 messages read" in last.text
    await check_rows(house, run)


async def test_a_forum_is_no_place_for_messages(build: Build) -> None:
    """A forum itself or a category can't be chosen: what is in a forum lies in its threads."""
    house = await build(messages=50, extras=True)
    async with house.open():
        for name in ("questions", "gallery", "Talk"):
            with pytest.raises(PersonRefused):
                await house.ask("/scan start", channel=house.channel(name))


async def test_a_second_scan_fetches_almost_nothing(build: Build) -> None:
    """What is covered is not read again, in either direction: three pages at most."""
    house = await build(messages=1500)
    clips = house.channel("clips")
    async with house.open():
        await check_rows(house, await scan(house, clips))
        for direction in ("backward", "forward"):
            before = house.pages
            reply = await house.ask("/scan start", direction=direction)
            assert "has begun" in reply.text
            run = await house.ended(clips)
            assert run.status is RunStatus.SUCCEEDED
            assert house.pages - before <= 3
            assert run.messages_scanned == 0
            async with house.pool.acquire() as conn:
                assert await kept(conn, clips.id) == expected(house.world, run)


async def test_an_age_restricted_channel(build: Build) -> None:
    """It is refused with a sentence and left untouched, until the server's settings say otherwise."""
    house = await build(messages=50, extras=True, extra_messages=250)
    dark = house.channel("after-dark")
    async with house.open():
        reply = await house.ask("/scan start", channel=dark)
        assert reply.text == (
            f"<#{dark.id}> is age-restricted, and I leave such channels alone. "
            "`/settings set scan_nsfw yes` changes that."
        )
        assert await house.run(dark) is None
        async with house.pool.acquire() as conn:
            assert (await kept(conn, dark.id)).coverage == ()
        await house.ask("/settings set", key="scan_nsfw", value="yes")
        await check_rows(house, await scan(house, dark))


async def test_a_channel_the_bot_cannot_read(build: Build) -> None:
    """What the bot lacks is said by its name, and nothing is queued."""
    house = await build(messages=50, extras=True)
    news, world = house.channel("news"), house.world
    world.set_overwrite(news.id, world.bot_id, deny=int(Permission.READ_MESSAGE_HISTORY), member=True)
    async with house.open():
        reply = await house.ask("/scan start", channel=news)
        assert reply.text == f"I can't read <#{news.id}>: I need Read Message History there."
        assert await house.run(news) is None
        with pytest.raises(PersonRefused):
            await house.ask("/scan start", channel=house.channel("staff"))


async def test_settings_changed_while_it_reads(build: Build) -> None:
    """A scan whose server changes what a clip is reads again what it read, and counts it once."""
    house = await build(messages=4000, videos_percent=20, latency=SLOW)
    clips = house.channel("clips")
    async with house.open():
        await house.ask("/settings set", key="include_bots", value="no")
        await house.ask("/scan start")
        under_way = await house.read(clips, 800)
        assert under_way.skipped["from_bot"] > 0
        await house.ask("/settings set", key="include_bots", value="yes")
        house.simulator.latency = 0
        await check_rows(house, await house.ended(clips))


async def test_where_the_bot_may_not_write(build: Build) -> None:
    """No message there and no attempt at one: /scan status tells, and that alone."""
    house = await build(messages=2000, latency=SLOW)
    house.simulator.faults.add("delay", PAGES, seconds=2 * SLOW)
    clips, world = house.channel("clips"), house.world
    world.set_overwrite(clips.id, world.bot_id, deny=int(Permission.SEND_MESSAGES), member=True)
    async with house.open():
        reply = await house.ask("/scan start")
        assert reply.text.endswith("I may not write in this channel; `/scan status` tells how far it is.")
        await house.read(clips, 300)
        status = await house.ask("/scan status")
        assert f"Scanning <#{clips.id}>" in status.text
        assert "messages read" in status.text
        house.simulator.latency = 0
        house.simulator.faults.clear()
        run = await house.ended(clips)
        status = await house.ask("/scan status")
    assert f"**Scan of <#{clips.id}>: done**" in status.text
    assert "2,000 messages read" in status.text
    assert "100 % read, no gaps" in status.text
    assert house.said(clips) == []
    assert house.simulator.stats.requests["POST /channels/{channel_id}/messages"] == 0
    await check_rows(house, run)
