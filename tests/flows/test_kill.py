"""``kill -9``, again and again: nothing is lost, nothing is there twice, and nothing is claimed that isn't."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from attrs import evolve, field, frozen

import clipsaver
from clipsaver.app.demo.program import Program, program
from clipsaver.postgres import ranges
from clipsaver.postgres.embedded import Embedded
from clipsaver.postgres.pool import Connection, Pool, open_pool
from clipsaver.scans import store
from clipsaver.scans.model import RunStatus
from clipsaver.simulator.entities import TEXT, Channel
from tests.flows.conftest import Build
from tests.flows.house import House
from tests.flows.ledger import Figures, expected, kept, recount
from tests.flows.waiting import eventually

DEATHS = 10
LATENCY = 0.08
"""Seconds an answer of Discord's takes while the program is being killed."""
ALMOST_STILL = 1.0
"""Seconds it takes while the test looks around."""
GOES_ON = 30.0
"""Seconds after a restart in which a scan has to go on."""
LEASE = 1.5
"""Seconds until a dead worker's scans are another's; the default is in a test of its own."""
NONE_ACTIVE = "select not exists (select from bot_channel_scan_runs where status in ('queued', 'running'))"

Make = Callable[..., Awaitable["Victim"]]
"""``await make(seed, lease=…, **plan)``: a victim on a Discord drawn from a seed."""


@frozen(kw_only=True)
class There:
    """What a channel holds, counted once from the world."""

    ids: tuple[int, ...]
    clips: Mapping[int, tuple[str, ...]]


@frozen(kw_only=True)
class Victim:
    """A house whose program lives in a process of its own, with its own database, and is killed."""

    house: House
    there: Mapping[int, There] = field()
    """By channel."""

    @there.default
    def _count(self) -> Mapping[int, There]:
        histories = self.house.world.histories
        return {
            one.id: There(ids=tuple(histories[one.id].ids()), clips=dict(histories[one.id].clips()))
            for one in self.channels
        }

    @property
    def data(self) -> Path:
        """The program's data directory."""
        return Path(self.house.settings["CLIPSAVER_DATA_DIR"])

    @property
    def channels(self) -> list[Channel]:
        """The channels that are scanned."""
        return [one for one in self.house.world.channels_of(self.house.guild_id) if one.type == TEXT]

    @asynccontextmanager
    async def life(self) -> AsyncIterator[Program]:
        """Run the program; it is killed at the end, if it still lives."""
        port = int(self.house.settings["CLIPSAVER_WEB_PORT"])
        async with program(self.house.folder, self.house.settings, config=None, port=port) as one:
            yield one

    async def begin(self, one: Program) -> None:
        """Have every channel scanned."""
        await one.ready()
        for channel in self.channels:
            assert "has begun" in (await self.house.ask("/scan start", channel=channel)).text

    @asynccontextmanager
    async def database(self) -> AsyncIterator[Pool]:
        """Look into the program's database while it lives."""
        async with Embedded(self.data) as database, await open_pool(database.url, size=1) as pool:
            yield pool

    async def asked(self, pages: int) -> float:
        """Wait until so many pages were asked for since the beginning: the seconds it took."""

        async def look() -> bool:
            return self.house.pages >= pages

        began = asyncio.get_running_loop().time()
        await eventually(look, timeout=GOES_ON, every=0.001)
        return asyncio.get_running_loop().time() - began

    def processes(self) -> list[int]:
        """Every process that works in the database's folder."""
        found = []
        for entry in Path("/proc").iterdir():
            with suppress(OSError):
                if entry.name.isdigit() and (entry / "cwd").readlink().is_relative_to(self.data.resolve()):
                    found.append(int(entry.name))
        return found

    async def nobody_left(self) -> None:
        """Wait until no server is left on the database's folder."""

        async def look() -> bool:
            return not self.processes()

        await eventually(look, timeout=20)


async def check_committed(conn: Connection, channel_id: int, there: There) -> bool:
    """Look at a channel in the middle of its scan: its rows are those of what it says is read; whether it is whole."""
    run = await store.latest_run(conn, channel_id)
    assert run is not None
    ledger = await kept(conn, channel_id)
    read = {one for one in there.ids if ranges.contains(ledger.coverage, one)}
    clips = [clip for message_id, found in there.clips.items() if message_id in read for clip in found]
    assert ledger.clips == Counter(clips)
    assert set(ledger.messages) == read & there.clips.keys()
    assert ledger.message_count == len(read) == run.messages_scanned
    assert (run.messages_matched, run.clips_found) == (len(ledger.messages), len(clips))
    if run.horizon is not None:
        assert run.todo == ranges.subtract(ranges.between(0, run.horizon), ledger.coverage)
    return run.status is RunStatus.SUCCEEDED


async def check_whole(victim: Victim, pool: Pool) -> None:
    """In the end all there is has been found, once, and counted, once."""
    world = victim.house.world
    async with pool.acquire() as conn:
        for channel in victim.channels:
            run = await store.latest_run(conn, channel.id)
            assert run is not None
            assert run.status is RunStatus.SUCCEEDED, run.error_message
            assert Figures.of(run) == recount(world, channel.id)
            assert await kept(conn, channel.id) == expected(world, run)


async def look_in(victim: Victim) -> bool:
    """Look at all channels in one moment of a program at work; whether all scans are done."""
    victim.house.simulator.latency = ALMOST_STILL
    async with victim.database() as pool, pool.acquire() as conn, conn.transaction(isolation="repeatable_read"):
        done = [await check_committed(conn, channel_id, there) for channel_id, there in victim.there.items()]
    victim.house.simulator.latency = LATENCY
    return all(done)


@pytest.fixture
async def make(build: Build) -> AsyncIterator[Make]:
    """Build victims; in the end no server is left of them."""
    made: list[Victim] = []

    async def victim(seed: int, *, lease: float | None, **plan: int) -> Victim:
        house = await build(seed, latency=LATENCY, record=False, **plan)
        settings = house.settings | {
            "CLIPSAVER_DATABASE_URL": "",
            "CLIPSAVER_LOG_FORMAT": "json",
            "PYTHONPATH": str(Path(clipsaver.__file__).parents[1]),
        }
        if lease is not None:
            settings["CLIPSAVER_SCANS_LEASE_SECONDS"] = str(lease)
        made.append(Victim(house=evolve(house, settings=settings)))
        return made[-1]

    yield victim
    for one in made:
        await one.nobody_left()


@pytest.mark.timeout(300)
async def test_ten_deaths(make: Make) -> None:
    """Scans of several channels are killed at ten moments, and find and count what is there all the same."""
    seed = random.randrange(1_000_000)  # noqa: S311 - drawn from pytest-randomly's seed, to be had again
    print(f"the moments come from seed {seed}")  # noqa: T201 - shown if this fails
    chance = random.Random(seed)  # noqa: S311 - likewise
    victim = await make(seed, lease=LEASE, channels=4, messages=6_000, videos_percent=20)
    house, waits = victim.house, []
    for death in range(DEATHS):
        before = house.pages
        async with victim.life() as one:
            if death == 0:
                await victim.begin(one)
            waits.append(await victim.asked(before + 1))
            assert not await look_in(victim)
            await victim.asked(house.pages + chance.randrange(1, 16))
            # Anywhere between two answers: while a page is on its way, while one is being committed.
            await asyncio.sleep(chance.uniform(0, LATENCY))
            one.process.kill()
            assert await one.process.wait() == -9
    house.simulator.latency = 0
    async with victim.life() as one:
        waits.append(await victim.asked(house.pages + 1))
        async with victim.database() as pool:

            async def ended() -> bool:
                return bool(await pool.fetchval(NONE_ACTIVE))

            await eventually(ended, timeout=60, every=0.1)
            await check_whole(victim, pool)
        last = await house.moderator.wait_for_message(
            house.channel("clips"), lambda shown: f"Scan of <#{victim.channels[-1].id}>: done" in shown.text, 20
        )
        assert await one.stop() == 0
    assert last.content.endswith("100 % read, no gaps")
    assert max(waits) < GOES_ON
    # Ten deaths, and still one message a scan.
    assert len(house.said(house.channel("clips"))) == len(victim.channels)


async def test_goes_on_within_half_a_minute(make: Make) -> None:
    """With the lease as it is by default, a killed scan goes on in time; a last kill leaves no server behind."""
    victim = await make(7, lease=None, messages=2_000)
    async with victim.life() as one:
        await victim.begin(one)
        await victim.asked(5)
        one.process.kill()
    before = victim.house.pages
    async with victim.life() as one:
        assert await victim.asked(before + 1) < GOES_ON
        assert not await look_in(victim)
        one.process.kill()
    await victim.nobody_left()
