"""``kill -9``, again and again: nothing is lost, nothing is there twice, and nothing is claimed that isn't."""

import asyncio
import json
import random
import signal
from contextlib import suppress

import pytest

from clipsaver.simulator.entities import Channel
from clipsaver.simulator.person.shown import Shown
from tests.app.programs import Program
from tests.faults.launched import Order
from tests.faults.points import AFTER_STATEMENT, POINTS
from tests.faults.processes import send, working_in
from tests.flows.conftest import MakeVictim
from tests.flows.exactness import FEWER_INVALID, check_now, check_whole
from tests.flows.victim import GOES_ON, Victim
from tests.flows.waiting import PATIENCE, eventually

DEATHS = 25
LATENCY = 0.04
"""Seconds an answer of Discord's takes while the program is being killed."""
NEVER = 90.0
"""Seconds after which a point counts as never reached."""
PASSES = {"after a page arrived": 4, "before a commit": 2, "after a commit": 3}
"""How often these are passed first; all others come once in a life, or kill at once."""
AT_THE_END = ("before the end is written", "before the end is committed", "after the end")
NONE_ACTIVE = "select not exists (select from bot_channel_scan_runs where status in ('queued', 'running'))"


async def said_last(victim: Victim, channel: Channel) -> Shown:
    """Wait for the last word about a channel's scan."""

    def is_it(shown: Shown) -> bool:
        return f"Scan of <#{channel.id}>: done" in shown.text

    return await victim.house.moderator.wait_for_message(victim.house.channel("clips"), is_it, PATIENCE)


async def check_to_the_end(victim: Victim, one: Program) -> None:
    """Let a last program bring the scans to their end, and look at all there is."""
    house = victim.house
    house.simulator.latency = 0
    async with victim.database() as pool:

        async def ended() -> bool:
            return bool(await pool.fetchval(NONE_ACTIVE))

        await eventually(ended, every=0.1)
        await check_whole(pool, house.world, victim.channels)
    for channel in victim.channels:
        assert (await said_last(victim, channel)).content.endswith("100 % read, no gaps")
    assert await one.stop() == 0
    # However many deaths, one message a scan.
    assert len(house.said(house.channel("clips"))) == len(victim.channels)
    assert house.simulator.stats.invalid < FEWER_INVALID


@pytest.mark.timeout(900)
async def test_random_deaths(make_victim: MakeVictim) -> None:
    """Scans of several channels are killed at random moments, and find and count what is there all the same."""
    seed = random.randrange(1_000_000)  # noqa: S311 - drawn from pytest-randomly's seed, to be had again
    print(f"the moments come from seed {seed}")  # noqa: T201 - shown if this fails
    chance = random.Random(seed)  # noqa: S311 - likewise
    victim = await make_victim(seed, latency=LATENCY, channels=4, messages=10_000, videos_percent=20)
    house, waits = victim.house, []
    for death in range(DEATHS):
        before = house.pages
        async with victim.life() as one:
            if death == 0:
                await victim.begin(one)
            waits.append(await victim.asked(before + 1))
            await victim.asked(before + chance.randrange(1, 13))
            # Anywhere between two answers: while a page is on its way, while one is being committed.
            await asyncio.sleep(chance.uniform(0, LATENCY))
            if chance.random() < 0.5:
                # All at once; else the database hears of its owner's death a moment later, and ends by itself.
                send(working_in(victim.data), signal.SIGKILL)
            one.process.kill()
            assert await one.process.wait() == -9
        assert not await victim.look_at_remains()
    async with victim.life() as one:
        waits.append(await victim.asked(house.pages + 1))
        await check_to_the_end(victim, one)
    assert max(waits) < GOES_ON
    print(f"went on after {sorted(waits)[len(waits) // 2]:.1f} s (median), {max(waits):.1f} s (longest)")  # noqa: T201 - likewise


@pytest.mark.timeout(900)
async def test_numbered_points(make_victim: MakeVictim) -> None:
    """A scan's program is killed at each point there is, in turn with its database and without it; it stays exact."""
    victim = await make_victim(3, latency=0.01, messages=24_000, videos_percent=20)
    statements = victim.house.folder / "statements"
    begun = False

    async def die(name: str, passes: int, *, with_database: bool) -> None:
        nonlocal begun
        folder = str(victim.data) if with_database else ""
        order = Order(point=name, passes=passes, with_folder=folder, record=str(statements))
        async with victim.life(order) as one:
            # The first is told to begin, and may be dead before it could answer.
            beginning = [] if begun else [asyncio.create_task(victim.begin(one))]
            begun = True
            with suppress(TimeoutError):
                await one.ended(seconds=NEVER)
            for task in beginning:
                task.cancel()
            await asyncio.gather(*beginning, return_exceptions=True)
            assert one.process.returncode == -signal.SIGKILL, f"{name} is never reached"
        assert await victim.look_at_remains() == (name == "after the end"), name

    for number, name in enumerate(one for one in POINTS if one not in AT_THE_END):
        await die(name, PASSES.get(name, 1), with_database=bool(number % 2))
    between = json.loads(statements.read_text("utf-8"))
    assert between
    for number, known in enumerate(between):
        await die(f"{AFTER_STATEMENT}{known}", 1, with_database=bool(number % 2))
    victim.house.simulator.latency = 0
    for number, name in enumerate(AT_THE_END):
        await die(name, 1, with_database=bool(number % 2))
    async with victim.life() as one:
        await one.ready()
        await check_to_the_end(victim, one)


async def test_goes_on_within_half_a_minute(make_victim: MakeVictim) -> None:
    """With the lease as it is by default, a killed scan goes on in time; a last kill leaves no server behind."""
    victim = await make_victim(7, latency=0.08, lease=None, messages=20_000)
    async with victim.life() as one:
        await victim.begin(one)
        await victim.asked(5)
        one.process.kill()
    before = victim.house.pages
    async with victim.life() as one:
        assert await victim.asked(before + 1) < GOES_ON
        async with victim.database() as pool:
            assert not await check_now(pool, victim.there)
        one.process.kill()
    await victim.nobody_left()
