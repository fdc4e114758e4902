"""From a message to its clip's bytes: through the whole program, over real sockets, and through its deaths."""

import asyncio
import hashlib
import random
import signal
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import aiohttp
import pytest
from attrs import frozen

from clipsaver.media.storage import blob_name
from clipsaver.postgres.pool import Pool
from clipsaver.simulator import videos
from clipsaver.simulator.entities import Attachment, Message
from clipsaver.simulator.person.shown import Shown
from clipsaver.simulator.world import World
from tests.app.programs import Program
from tests.faults.launched import Order
from tests.faults.points import SAVING
from tests.faults.processes import send, working_in
from tests.flows.conftest import Build, MakeVictim
from tests.flows.house import House
from tests.flows.victim import Victim
from tests.flows.waiting import eventually

DEATHS = 12
MANY = 100
FILE = "GET /attachments/{channel_id}/{attachment_id}/{filename}"
ELSEWHERE = "select count(*) from clips where state = 'failed' and reason_code = 'refused'"
"""What a message shows from somewhere else than Discord: nothing is fetched from there."""
LEFT = "select count(*) from clips where state = 'pending'"


def served(world: World, channel_id: int) -> dict[int, bytes]:
    """The SHA-256 of every video that the CDN has of a channel, by the id of its file."""
    found = {}
    for message_id in world.truth(channel_id):
        message = world.histories[channel_id].get(message_id)
        assert message is not None
        for file in _files(message):
            found[file.id] = hashlib.sha256(b"".join(videos.pieces(file))).digest()
    return found


def _files(message: Message) -> list[Attachment]:
    shown = [media.attachment for media in message.media if media.attachment is not None]
    return [one for one in (*message.attachments, *shown) if one.is_clip]


@frozen(kw_only=True)
class Stock:
    """What lies in a storage on disk."""

    folder: Path

    @property
    def blobs(self) -> dict[str, Path]:
        """Every file of it by its name in the storage."""
        root = self.folder / "storage"
        return {str(path.relative_to(root)): path for path in (root / "blobs").rglob("*") if path.is_file()}

    @property
    def unfinished(self) -> list[Path]:
        """What is still coming in, or was left behind."""
        return [path for path in self.folder.rglob("incoming/*") if path.is_file()]

    async def check(self, pool: Pool, truth: Mapping[int, bytes]) -> int:
        """No row without its bytes, none with others, each counted once; how many clips are stored."""
        rows = await pool.fetch("select clip_id, attachment_id, sha256 from clips where state = 'stored'")
        blobs = self.blobs
        for row in rows:
            if row["attachment_id"] is not None:
                assert truth[row["attachment_id"]] == row["sha256"], row["clip_id"]
            assert blob_name(row["sha256"]) in blobs, row["clip_id"]
        for name, path in blobs.items():
            assert hashlib.sha256(path.read_bytes()).hexdigest() == name[-64:]
        recorded = {row["sha256"] for row in await pool.fetch("select sha256 from blobs")}
        assert {row["sha256"] for row in rows} <= recorded
        used = await pool.fetchrow("select coalesce(sum(clips), 0), coalesce(sum(bytes), 0) from guild_usage")
        size = await pool.fetchval("select coalesce(sum(b.size), 0) from clips c join blobs b using (sha256)")
        assert used is not None
        assert tuple(used) == (len(rows), size)
        return len(rows)


async def saved(pool: Pool) -> None:
    """Wait until every clip has its bytes."""

    async def look() -> bool:
        return not await pool.fetchval(LEFT)

    await eventually(look, timeout=60)


async def told(house: House) -> dict[str, float]:
    """What /metrics says."""
    url = f"http://127.0.0.1:{house.settings['CLIPSAVER_WEB_PORT']}/metrics"
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        lines = [line for line in (await response.text()).splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


async def test_from_the_message_to_the_bytes(build: Build) -> None:
    """A scan finds clips, and each is stored as it was served; the figures say so."""
    house = await build(messages=600, videos_percent=20, saving=True)
    clips = house.channel("clips")
    stock = Stock(folder=Path(house.settings["CLIPSAVER_DATA_DIR"]))
    async with house.open():
        await house.ask("/scan start")
        run = await house.ended(clips)
        await saved(house.pool)
        figures = await told(house)
    there = await stock.check(house.pool, served(house.world, clips.id))
    elsewhere = await house.pool.fetchval(ELSEWHERE)
    assert there + elsewhere == run.clips_found > 100
    assert figures['clipsaver_clips{state="failed"}'] == elsewhere > 0
    assert stock.unfinished == []
    assert figures['clipsaver_clips{state="stored"}'] == there
    assert figures["clipsaver_clips_saved_total"] == there
    assert figures["clipsaver_stored_bytes"] == figures["clipsaver_bytes_saved_total"]
    assert figures["clipsaver_saving_halted"] == 0
    assert house.simulator.stats.requests[FILE] == there


async def test_where_bytes_are_not_wanted(build: Build) -> None:
    """With `save_bytes` off clips are found and nothing is fetched; switched on, they are."""
    house = await build(messages=300, videos_percent=20, saving=True)
    async with house.open():
        await house.ask("/settings set", key="save_bytes", value="no")
        await house.ask("/scan start")
        run = await house.ended(house.channel("clips"))
        assert house.simulator.stats.requests[FILE] == 0
        assert await house.pool.fetchval(LEFT) == run.clips_found > 0
        await house.ask("/settings set", key="save_bytes", value="yes")
        await saved(house.pool)


async def begin(victim: Victim, one: Program) -> None:
    """Have everything found before the first death."""
    await victim.begin(one)
    for channel in victim.channels:
        done = f"Scan of <#{channel.id}>: done"
        await victim.house.moderator.wait_for_message(victim.house.channel("clips"), partial(_says, done))


def _says(text: str, shown: Shown) -> bool:
    return text in shown.text


async def check_remains(victim: Victim, truth: Mapping[int, bytes]) -> int:
    """Look at what a dead program has left, in a copy."""
    async with victim.remains() as pool:
        return await Stock(folder=victim.data).check(pool, truth)


async def check_end(victim: Victim, truth: Mapping[int, bytes]) -> None:
    """Let a last program save what is left: all is there once, and nothing besides."""
    stock = Stock(folder=victim.data)
    async with victim.life() as one:
        await one.ready()
        async with victim.database() as pool:
            await saved(pool)
            stored = await stock.check(pool, truth)
            assert stored + await pool.fetchval(ELSEWHERE) == len(await pool.fetch("select from clips")) > MANY
            assert {blob_name(row["sha256"]) for row in await pool.fetch("select sha256 from blobs")} == set(
                stock.blobs
            )
            assert not await pool.fetchval("select count(*) from downloads")
        assert await one.stop() == 0
    assert stock.unfinished == []


@pytest.mark.timeout(300)
async def test_random_deaths(make_victim: MakeVictim) -> None:
    """Killed at random moments, alone or with its database: all stored, none twice, no row without bytes."""
    seed = random.randrange(1_000_000)  # noqa: S311 - drawn from pytest-randomly's seed, to be had again
    print(f"the moments come from seed {seed}")  # noqa: T201 - shown if this fails
    chance = random.Random(seed)  # noqa: S311 - likewise
    victim = await make_victim(seed, latency=0.0, saving=True, channels=1, messages=1_200, videos_percent=22)
    truth = served(victim.house.world, victim.channels[0].id)
    victim.house.settings["CLIPSAVER_SAVING_LEASE_SECONDS"] = "1"
    asked = victim.house.simulator.stats.requests
    for death in range(DEATHS):
        async with victim.life() as one:
            if death == 0:
                await begin(victim, one)
            victim.house.simulator.faults.add("delay", "GET /attachments/*", seconds=0.05)
            before = asked[FILE]

            async def some(more: int = before + chance.randrange(1, 20)) -> bool:
                return asked[FILE] >= more or one.process.returncode is not None

            await eventually(some, every=0.001)
            await asyncio.sleep(chance.uniform(0, 0.06))
            if chance.random() < 0.5:
                send(working_in(victim.data), signal.SIGKILL)
            one.process.kill()
            assert await one.process.wait() == -9
            victim.house.simulator.faults.clear()
        await check_remains(victim, truth)
    await check_end(victim, truth)


@pytest.mark.timeout(300)
async def test_numbered_points(make_victim: MakeVictim) -> None:
    """Killed at each point of saving a clip, in turn with its database and without it."""
    victim = await make_victim(5, latency=0.0, saving=True, channels=1, messages=600, videos_percent=22)
    victim.house.settings["CLIPSAVER_SAVING_LEASE_SECONDS"] = "1"
    truth = served(victim.house.world, victim.channels[0].id)
    for number, name in enumerate(SAVING):
        folder = str(victim.data) if number % 2 else ""
        async with victim.life(Order(point=name, passes=2 + number, with_folder=folder)) as one:
            beginning = asyncio.create_task(begin(victim, one)) if number == 0 else None
            assert await one.ended() == -signal.SIGKILL, f"{name} is never reached"
            if beginning is not None:
                beginning.cancel()
                await asyncio.gather(beginning, return_exceptions=True)
        await check_remains(victim, truth)
    async with victim.life() as one:
        await one.ready()
    await check_end(victim, truth)
