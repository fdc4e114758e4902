"""Who goes first, counted on a machine whose time is made up."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any

import pytest

from clipsaver.discord.access import Access
from clipsaver.discord.budget import AHEAD, Priority
from clipsaver.discord.rest import Rest, Route
from tests.discord.virtual import DATABASE, EVERYWHERE, LATENCY, MadeUpDiscord, Shared, hold_up, now, run

BOT, GUILD = 9, 1
PAGES = "GET /channels/{channel_id}/messages"
CLAIM = 0.004
"""Seconds that a worker takes to claim one more run."""
RATE = Shared().rate


def body(route: Route) -> Any:
    """A guild with any number of channels, all with a long past."""
    ids = dict(route.ids)
    if route.template == "/channels/{channel_id}":
        return {"id": str(ids["channel_id"]), "guild_id": str(GUILD), "type": 0, "name": "c"}
    if route.template == "/guilds/{guild_id}":
        return {"id": str(GUILD), "name": "g", "owner_id": str(BOT), "roles": []}
    if "members" in route.template:
        return {"roles": []}
    return []


def page(channel_id: int) -> Route:
    """A channel's messages."""
    return Route("GET", "/channels/{channel_id}/messages", channel_id=channel_id)


async def scan(rest: Rest, access: Access, channel_id: int, pages: int) -> float:
    """Read a channel as a run does: look whether that is allowed, then page after page; how long it took."""
    began = now()
    await access.of_bot(channel_id, fresh=True)
    for _ in range(pages):
        await rest.request(page(channel_id))
    await access.of_bot(channel_id, fresh=True)
    return now() - began


@asynccontextmanager
async def scanning(
    discord: MadeUpDiscord,
    large: Sequence[range],
    distances: Sequence[float] = (),
    shared: Shared | None = None,
) -> AsyncIterator[list[tuple[Rest, Access]]]:
    """Have processes scan channels of a million messages, each its own, and so far from the database."""
    shared, made = shared or Shared(), []
    async with AsyncExitStack() as stack:
        tasks = []
        for channels, distance in zip(large, distances or [DATABASE] * len(large), strict=True):
            rest = await stack.enter_async_context(discord.client(shared, distance))
            access = Access(rest=rest, bot_id=BOT, clock=now)
            made.append((rest, access))

            async def work(rest: Rest, access: Access, channels: range) -> None:
                async with asyncio.TaskGroup() as group:
                    for channel_id in channels:
                        group.create_task(scan(rest, access, channel_id, 10_000))
                        await asyncio.sleep(CLAIM)

            tasks.append(asyncio.create_task(work(rest, access, channels)))
        yield made
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task


THREE = [range(100, 117), range(117, 134), range(134, 150)]
PROCESSES = {"one process": [range(100, 150)], "three processes": THREE}


@pytest.mark.parametrize("processes", PROCESSES.values(), ids=PROCESSES)
def test_fifty_begin_together(processes: Sequence[range]) -> None:
    """All have their first page within five seconds, for one request more a channel and a few more a process."""

    async def main() -> None:
        discord = MadeUpDiscord(body)
        async with scanning(discord, processes):
            await asyncio.sleep(5)
        firsts = discord.firsts(PAGES)
        assert len(firsts) == 50
        before = discord.asked[: max(firsts.values()) + 1]
        looks = [asked for asked in before if asked.route != PAGES]
        pages = len(before) - len(looks)
        assert len(looks) <= 50 + 2 * 3 * len(processes)
        assert pages <= 2 * 50
        assert len(before) <= 4 * RATE
        assert discord.refused == 0

    run(main())


@pytest.mark.parametrize("style", ["fixed", "sliding, oldest told", "sliding, newest told"])
@pytest.mark.parametrize(
    ("processes", "share"),
    [([range(100, 101)], 0.98), ([range(100, 104), range(104, 107), range(107, 110)], 0.98), (THREE, 0.95)],
    ids=["1 channel", "10 channels, 3 processes", "50 channels, 3 processes"],
)
def test_the_ceiling_is_reached(style: str, processes: Sequence[range], share: float) -> None:
    """One page a second in each channel and fifty everywhere, or nearly that, and nothing is ever refused."""

    async def main() -> float:
        discord = MadeUpDiscord(body, style=style)
        async with scanning(discord, processes):
            await asyncio.sleep(25)
            begin = now()
            await asyncio.sleep(45)
        assert discord.refused == 0
        # The pages come in bursts of one window: each stretch of 40 seconds that begins within one counts the same.
        stretches = [[*discord.between(begin + n / 10, begin + n / 10 + 40)] for n in range(50)]
        return sum(asked.route == PAGES for stretch in stretches for asked in stretch) / len(stretches) / 40

    channels = sum(map(len, processes))
    assert run(main()) >= share * min(channels, EVERYWHERE)


FIRST, EVERY, TIMES = 20.0, 2.713, 20
"""When something is held up, how often, and how many times."""


@pytest.mark.parametrize("processes", PROCESSES.values(), ids=PROCESSES)
@pytest.mark.parametrize("seconds", [0.06, 0.3, 1.1])
@pytest.mark.parametrize("where", ["the way to Discord", "this machine", "the way to the database", "the way back"])
def test_what_is_held_up_together_is_not_refused(where: str, processes: Sequence[range], seconds: float) -> None:
    """Nothing goes on there for a while, again and again, then all at once: what follows leaves room for it."""

    async def main() -> int:
        begins = [now() + FIRST + EVERY * at for at in range(TIMES)]
        standstills = [(begin, begin + seconds) for begin in begins]
        discord, shared = MadeUpDiscord(body, style="sliding, newest told"), Shared()
        match where:
            case "the way to Discord":
                discord.standstills = standstills
            case "the way to the database":
                shared.slow_there = standstills
            case "the way back":
                shared.slow_back = standstills
            case _:
                for begin in begins:
                    asyncio.get_running_loop().call_at(begin, hold_up, seconds)
        end = begins[-1] + EVERY
        async with scanning(discord, processes, shared=shared):
            await asyncio.sleep(end - now())
        assert discord.refused == 0
        return len([*discord.between(begins[0], end)])

    # What can't be sent meanwhile is lost, and as much again in which room is left.
    assert run(main()) >= 0.95 * EVERYWHERE * TIMES * (EVERY - 2 * seconds)


def test_a_small_scan_beside_a_large_one() -> None:
    """It takes no longer than alone, give or take a few turns."""

    async def main(large: int) -> float:
        discord = MadeUpDiscord(body)
        async with scanning(discord, [range(100, 100 + large)]) as ((rest, access),):
            await asyncio.sleep(30)
            spent = await scan(rest, access, 1, 12)
        assert discord.refused == 0
        return spent

    alone = run(main(0))
    assert run(main(1)) <= alone + 12 / RATE


@pytest.mark.parametrize("processes", PROCESSES.values(), ids=PROCESSES)
def test_a_small_scan_beside_fifty_large_ones(processes: Sequence[range]) -> None:
    """It begins within five seconds, and each of its requests waits for one of everyone else's at most."""

    async def main() -> None:
        discord = MadeUpDiscord(body)
        async with scanning(discord, processes) as made:
            await asyncio.sleep(30)
            before, (rest, access) = len(discord.asked), made[-1]
            began = now()
            await scan(rest, access, 1, 5)
            asked = discord.asked[before:]
        mine = [asked for asked in asked if asked.major == "channel_id=1"]
        assert mine[0].at - began < 5
        first = next(asked for asked in mine if asked.route == PAGES)
        assert first.at - began < 5
        turns = len(mine) + 2  # the guild and the member beside each other, twice
        assert len(asked) <= turns * 52
        assert discord.refused == 0

    run(main())


@pytest.mark.parametrize("processes", PROCESSES.values(), ids=PROCESSES)
def test_the_ceiling_is_shared_evenly(processes: Sequence[range]) -> None:
    """Fifty channels at a budget for forty-eight: all of it is used, and nobody gets much less than another."""

    async def main() -> None:
        discord = MadeUpDiscord(body)
        async with scanning(discord, processes):
            await asyncio.sleep(20)
            begin = now()
            await asyncio.sleep(60)
            counted = list(discord.between(begin, now()))
        by_channel = [sum(asked.major == f"channel_id={n}" for asked in counted) for n in range(100, 150)]
        assert len(counted) >= 0.98 * RATE * 60
        assert min(by_channel) >= 0.85 * max(by_channel)
        assert discord.refused == 0

    run(main())


@pytest.mark.parametrize("distances", [(0.0002, 0.001, 0.003), (0.001, 0.008, 0.001), (0.03, 0.03, 0.03)])
def test_a_process_far_from_the_database_gets_its_share(distances: Sequence[float]) -> None:
    """Whoever is nearest to the budget doesn't take all of it, and none of it is lost on the way."""

    async def main() -> list[int]:
        discord = MadeUpDiscord(body)
        places = [range(100, 200), range(200, 300), range(300, 400)]
        async with scanning(discord, places, distances) as made:
            await asyncio.sleep(60)
            return [sum(rest.stats.requests.values()) for rest, _ in made]

    requests = run(main())
    assert sum(requests) >= 0.98 * 60 * RATE
    assert min(requests) >= 0.25 * sum(requests)


@pytest.mark.parametrize("processes", PROCESSES.values(), ids=PROCESSES)
def test_a_person_waits_for_less_than_a_turn(processes: Sequence[range]) -> None:
    """While the budget is spent by scans, whoever comes is next: only what was granted before goes first."""

    async def main() -> list[tuple[float, int]]:
        discord = MadeUpDiscord(body)
        waits = []
        async with scanning(discord, processes) as made:
            await asyncio.sleep(30)
            for n in range(100):
                rest, _ = made[n % len(made)]
                await asyncio.sleep(0.1 + n / 977)
                began, before = now(), len(discord.asked)
                await rest.request(Route("GET", "/guilds/{guild_id}", guild_id=2), priority=Priority.PEOPLE)
                arrived = next(index for index, asked in enumerate(discord.asked) if asked.major == "guild_id=2")
                waits.append((discord.asked[arrived].at - LATENCY / 2 - began, arrived - before))
                discord.asked.clear()
        assert discord.refused == 0
        return waits

    slot, ahead = 1 / RATE, AHEAD[Priority.SCAN].total_seconds()
    waits = run(main())
    assert max(seconds for seconds, _ in waits) <= slot + ahead + 0.003
    underway = LATENCY / 2 / slot  # requests that were on their way already when it came
    assert max(turns for _, turns in waits) <= underway + 3


def test_people_do_not_crowd_each_other_out() -> None:
    """A dozen at once are served one a turn, before every scan, and the ceiling is not crossed."""

    async def main() -> None:
        discord = MadeUpDiscord(body)
        async with scanning(discord, [range(100, 150)]) as ((rest, _),):
            await asyncio.sleep(30)
            began = now()
            await asyncio.gather(
                *(
                    rest.request(Route("GET", "/guilds/{guild_id}", guild_id=n), priority=Priority.PEOPLE)
                    for n in range(200, 212)
                )
            )
            people = [asked for asked in discord.asked if asked.major.startswith("guild_id=2")]
        assert people[-1].at - began <= 14 / RATE + LATENCY / 2
        assert discord.refused == 0

    run(main())
