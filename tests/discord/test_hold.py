"""A refusal of the whole bot that one process hears holds all of them back."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from clipsaver.discord import limits, pacing, store
from clipsaver.discord.budget import Budget, BudgetUnreachable, Priority, Turn
from clipsaver.discord.rest import Rest, Route, Unavailable
from clipsaver.postgres.pool import Pool
from tests.discord.servers import Handler, Server, one_by_one, say, serve

NONE = timedelta(0)
MUCH = timedelta(hours=1)
PAGE = Route("GET", "/channels/{channel_id}/messages", channel_id=1)
OTHER = Route("GET", "/channels/{channel_id}/messages", channel_id=2)


def everywhere(seconds: float) -> Handler:
    """A refusal for the whole bot."""
    return say({"retry_after": seconds, "global": True}, 429, X_RateLimit_Scope="global", X_RateLimit_Global="true")


class Counting(Budget):
    """A budget that counts how often it is asked."""

    def __init__(self, pool: Pool) -> None:
        super().__init__(pool=pool, requests_per_second=1000)
        self.asked = 0

    async def take(self, priority: Priority) -> Turn:
        """Ask."""
        self.asked += 1
        return await super().take(priority)


@asynccontextmanager
async def processes(server: Server, pool: Pool) -> AsyncIterator[tuple[Rest, Rest, Counting]]:
    """Two, and the budget of the second."""
    counting = Counting(pool)
    async with (
        Rest(token="t", url=server.url, budget=Budget(pool=pool, requests_per_second=1000)) as one,
        Rest(token="t", url=server.url, budget=counting) as two,
    ):
        yield one, two, counting


async def held(pool: Pool) -> store.Taken:
    """What the budget says now."""
    async with pool.acquire() as conn:
        return await store.take(conn, increment=NONE, ahead=MUCH)


async def is_noted(pool: Pool) -> bool:
    """Whether anybody was told to hold back, be that over by now or not."""
    return bool(await pool.fetchval("select held_until is not null from budget"))


async def set_held(pool: Pool, seconds: float) -> None:
    """Hold everyone back."""
    async with pool.acquire() as conn:
        await store.hold(conn, wait=timedelta(seconds=seconds))


@asynccontextmanager
async def heard_by_one(pool: Pool, seconds: float) -> AsyncIterator[tuple[Rest, Counting, Server]]:
    """Have one of two processes refused; the other one, its budget, and the server."""
    async with serve(one_by_one([everywhere(seconds), say([])])) as server, processes(server, pool) as made:
        one, two, counting = made
        refused = asyncio.create_task(one.request(PAGE))
        async with asyncio.timeout(30):
            while not await is_noted(pool):  # noqa: ASYNC110 - rows can't be waited for
                await asyncio.sleep(0.001)
        try:
            yield two, counting, server
        finally:
            refused.cancel()
            await asyncio.gather(refused, return_exceptions=True)


async def test_the_other_process_waits_too(pool: Pool) -> None:
    """It sends nothing, says until when, and asks the budget once, not a thousand times."""
    told: list[datetime | None] = []
    waiting = asyncio.Event()

    def on_wait(until: datetime | None) -> None:
        told.append(until)
        waiting.set()

    async with heard_by_one(pool, 300) as (two, counting, server):
        scans = [asyncio.create_task(two.request(OTHER, on_wait=on_wait)) for _ in range(20)]
        await waiting.wait()
        await asyncio.sleep(0.1)  # a busy loop would show
        assert counting.asked == 1
        assert told[0] is not None
        assert timedelta(seconds=290) < told[0] - datetime.now(UTC) < timedelta(seconds=301)
        assert len(server.asked) == 1
        for scan in scans:
            scan.cancel()
        await asyncio.gather(*scans, return_exceptions=True)


async def test_people_of_the_other_process_are_told_at_once(pool: Pool) -> None:
    """They don't wait for minutes, though they may book ahead."""
    async with heard_by_one(pool, 300) as (two, _, server):
        with pytest.raises(Unavailable, match="asks to wait until"):
            await two.request(OTHER, priority=Priority.PEOPLE)
        assert len(server.asked) == 1


@pytest.mark.parametrize("priority", Priority)
async def test_a_short_one_passes(pool: Pool, priority: Priority, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everybody waits as long as Discord said, and then goes on."""
    monkeypatch.setattr(limits, "FIRST_PENALTY", 0.01)
    async with heard_by_one(pool, 0.3) as (two, counting, server):
        await two.request(OTHER, priority=priority)
        assert server.asked[1].at - server.asked[0].at >= 0.3
        assert counting.asked <= 4


async def test_the_longest_hold_counts_and_is_bounded(pool: Pool) -> None:
    """A shorter one doesn't shorten it; an hour is an hour, and a year a day, after which someone asks again."""
    assert (await held(pool)).granted
    await set_held(pool, 60)
    await set_held(pool, 1)
    assert 50 < (await held(pool)).held <= 60
    for seconds, most in ((3_600, 3_600), (365 * 86_400, 86_400)):
        await set_held(pool, seconds)
        taken = await held(pool)
        assert not taken.granted
        assert most - 10 < taken.held <= most


async def test_a_hold_on_an_empty_budget(pool: Pool) -> None:
    """The row may be gone after a crash of the database."""
    await set_held(pool, 60)
    assert 50 < (await held(pool)).held <= 60
    await pool.execute("update budget set held_until = clock_timestamp() - interval '1 second'")
    assert (await held(pool)).granted


async def test_a_hold_from_the_future_is_not_believed(pool: Pool) -> None:
    """It is from before the server's clock was set back, and gives way to the next one."""
    await set_held(pool, 300)
    await pool.execute(
        "update budget set held_until = held_until + interval '1 hour', held_at = held_at + interval '1 hour'"
    )
    assert (await held(pool)).granted
    async with pool.acquire() as conn:
        taken = await store.take(conn, increment=NONE, ahead=-MUCH)
    assert (taken.granted, taken.held) == (False, 0.0)
    await set_held(pool, 60)
    assert 0 < (await held(pool)).held <= 60


async def test_a_hold_is_told_when_the_database_is_back(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Until then the process that heard it waits by itself."""
    monkeypatch.setattr(pacing, "OUTAGE_PAUSE", 0.001)
    budget = Budget(pool=pool, requests_per_second=1000)
    failures: list[Any] = []
    real = budget.hold

    class Unsteady(Counting):
        async def hold(self, seconds: float) -> None:
            """Fail twice."""
            if len(failures) < 2:
                failures.append(seconds)
                raise BudgetUnreachable("OSError")
            await real(seconds)

    async with (
        serve(one_by_one([everywhere(60), say([])])) as server,
        Rest(token="t", url=server.url, budget=Unsteady(pool)) as rest,
    ):
        refused = asyncio.create_task(rest.request(PAGE))
        async with asyncio.timeout(30):
            while not await is_noted(pool):  # noqa: ASYNC110 - rows can't be waited for
                await asyncio.sleep(0.001)
        refused.cancel()
        await asyncio.gather(refused, return_exceptions=True)
        assert len(failures) == 2
        assert len(server.asked) == 1
    await budget.close()


async def test_without_a_budget_only_this_process_waits(pool: Pool) -> None:
    """The row is not touched."""
    async with (
        serve(one_by_one([everywhere(60), say([])])) as server,
        Rest(token="t", url=server.url) as rest,
    ):
        waiting = asyncio.Event()
        refused = asyncio.create_task(rest.request(PAGE, on_wait=lambda _: waiting.set()))
        await waiting.wait()
        with pytest.raises(Unavailable, match="asks to wait"):
            await rest.request(OTHER, priority=Priority.PEOPLE)
        refused.cancel()
        await asyncio.gather(refused, return_exceptions=True)
    assert await pool.fetchval("select count(*) from budget") == 0
