"""``kill -9`` while clips are saved and shown: all are stored, all are shown, none twice, and nothing lies about."""

import asyncio
import random
import signal
from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from typing import Final

import pytest

from clipsaver.clips.storehouse.model import CollectRules
from clipsaver.clips.storehouse.service import Storehouse
from clipsaver.media.storage import blob_name, open_storage, picture_name
from clipsaver.postgres.pool import Pool
from clipsaver.simulator.person.shown import Shown
from tests.app.programs import Program
from tests.faults.launched import Order
from tests.faults.points import PICTURING, SAVING
from tests.faults.processes import send, working_in
from tests.flows.conftest import MakeVictim
from tests.flows.stock import SHOWN, Stock, pictured, saved, served
from tests.flows.victim import Victim
from tests.flows.waiting import eventually

DEATHS: Final = 50
MANY: Final = 300
LOOK_EVERY: Final = 10
"""Deaths after which what is left is looked at, in a copy."""
SLOWLY: Final = 0.1
AT_ONCE: Final = "3"
"""Seconds until the first byte of a file, and how many are fetched together: some are on their way at any moment."""
NEVER: Final = 240.0
"""Seconds after which a point counts as never reached."""
FILE: Final = "GET /attachments/{channel_id}/{attachment_id}/{filename}"
OTHERS: Final = "select state::text, reason_code, count(*) from clips where state <> 'stored' group by 1, 2"
"""What a message shows from somewhere else than Discord is refused: nothing is fetched from there."""


async def begin(victim: Victim, one: Program) -> None:
    """Have everything found before the first death."""
    await victim.begin(one)
    for channel in victim.channels:
        done = f"Scan of <#{channel.id}>: done"
        await victim.house.moderator.wait_for_message(victim.house.channel("clips"), partial(_says, done))


def _says(text: str, shown: Shown) -> bool:
    return text in shown.text


async def check_remains(victim: Victim, truth: Mapping[int, bytes]) -> None:
    """Look at what a dead program has left, in a copy."""
    stock = Stock(folder=victim.data)
    async with victim.remains() as pool:
        await stock.check(pool, truth)
        await stock.check_pictures(pool)


async def check_end(victim: Victim, truth: Mapping[int, bytes]) -> None:
    """Let a last program do what is left: all is there once, and nothing besides."""
    stock = Stock(folder=victim.data)
    async with victim.life() as one:
        await one.ready()
        async with victim.database() as pool:
            await saved(pool)
            await pictured(pool, timeout=400)
        assert await one.stop() == 0
    assert stock.unfinished == []
    async with victim.remains() as pool:
        await check_all_there(victim, pool, truth)
        # Looked at with the rows as they are, and what lies there itself: nothing is left that needs no row.
        async with await open_storage("", data_dir=victim.data) as storage:
            rules = CollectRules(grace=timedelta(), most=1.0)
            done = await Storehouse(pool=pool, storage=storage).collect(rules)
        assert not any(done.values()), done
        await check_all_there(victim, pool, truth)


async def check_all_there(victim: Victim, pool: Pool, truth: Mapping[int, bytes]) -> None:
    """Every clip has its bytes and every video its pictures; each lies there once, and nothing else does."""
    stock = Stock(folder=victim.data)
    stored = await stock.check(pool, truth)
    others = [tuple(row) for row in await pool.fetch(OTHERS)]
    assert [one[:2] for one in others] == [("failed", "refused")], others
    assert stored >= MANY
    blobs = {row["sha256"] for row in await pool.fetch("select sha256 from blobs")}
    assert {blob_name(sha256) for sha256 in blobs} == set(stock.blobs)
    assert await stock.check_pictures(pool) == len(blobs)
    shown = {picture_name(row["sha256"], what) for row in await pool.fetch(SHOWN) for what in row["names"]}
    assert shown == set(stock.pictures)
    assert not await pool.fetchval("select count(*) from downloads")
    assert not await pool.fetchval("select count(*) from thumbnails where lease_token is not null")


@pytest.mark.timeout(1200)
async def test_deaths(make_victim: MakeVictim) -> None:
    """Killed at each point of saving and showing a clip, then at random moments; with its database or without it."""
    seed = random.randrange(1_000_000)  # noqa: S311 - drawn from pytest-randomly's seed, to be had again
    print(f"the moments come from seed {seed}")  # noqa: T201 - shown if this fails
    chance = random.Random(seed)  # noqa: S311 - likewise
    victim = await make_victim(seed, latency=0.0, saving=True, channels=1, messages=2_000, videos_percent=22)
    truth = served(victim.house.world, victim.channels[0].id)
    for station in ("SAVING", "MEDIA"):
        victim.house.settings[f"CLIPSAVER_{station}_LEASE_SECONDS"] = "1"
    victim.house.settings.update(CLIPSAVER_SAVING_CONCURRENCY=AT_ONCE, CLIPSAVER_MEDIA_CHILDREN="2")
    victim.house.simulator.faults.add("delay", "GET /attachments/*", seconds=SLOWLY)
    async with victim.life() as one:
        await begin(victim, one)
    await die_at_points(victim, truth)
    for death in range(DEATHS):
        await die_at_random(victim, chance)
        if death % LOOK_EVERY == 0:
            await check_remains(victim, truth)
    victim.house.simulator.faults.clear()
    await check_end(victim, truth)


async def die_at_points(victim: Victim, truth: Mapping[int, bytes]) -> None:
    """Once at each."""
    for number, name in enumerate([*SAVING, *PICTURING]):
        folder = str(victim.data) if number % 2 else ""
        async with victim.life(Order(point=name, passes=2 + number % len(SAVING), with_folder=folder)) as one:
            assert await one.ended(seconds=NEVER) == -signal.SIGKILL, f"{name} is never reached"
        await check_remains(victim, truth)


async def die_at_random(victim: Victim, chance: random.Random) -> None:
    """A little after some bytes came, or some pictures were made."""
    stock, asked = Stock(folder=victim.data), victim.house.simulator.stats.requests
    async with victim.life() as one:
        enough = asked[FILE] + len(stock.pictures) + chance.randrange(1, 8)

        async def some() -> bool:
            return asked[FILE] + len(stock.pictures) >= enough

        await eventually(some)
        await asyncio.sleep(chance.uniform(0, 0.3))
        if chance.random() < 0.5:
            send(working_in(victim.data), signal.SIGKILL)
        one.process.kill()
        assert await one.process.wait() == -signal.SIGKILL
