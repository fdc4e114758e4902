"""The budget of all processes on one token."""

import asyncio
import time
from bisect import bisect_left
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
from aiohttp import web
from structlog.testing import capture_logs

from clipsaver.discord import budget as budget_module
from clipsaver.discord import pacing, store
from clipsaver.discord.budget import Budget, BudgetUnreachable, Priority
from clipsaver.discord.latecomers import STEADY, Late
from clipsaver.discord.rest import Rest, Route, Unavailable
from clipsaver.postgres.pool import Pool, open_pool
from tests.discord.servers import Server, say, serve, watched
from tests.discord.taker import Timed

INCREMENT = timedelta(milliseconds=20)
MUCH = timedelta(hours=1)
LATE_OF = "select taken from budget, unnest(late) as taken where lower(taken) = $1::timestamptz + interval '1 second'"


def channel(number: int) -> Route:
    """A channel of its own, so that only the budget holds back."""
    return Route("GET", "/channels/{channel_id}/messages", channel_id=number)


def late(*ranges: tuple[float, float]) -> list[Late]:
    """Requests that take room then, in seconds from now."""
    return [Late(datetime.now(UTC), begin, end) for begin, end in ranges]


def busiest(server: Server, seconds: float) -> int:
    """The most requests within any such time."""
    times = sorted(asked.at for asked in server.asked)
    return max(bisect_left(times, start + seconds) - index for index, start in enumerate(times))


async def test_the_row_is_a_clock(pool: Pool) -> None:
    """Each grant is due an increment after the one before, up to as far ahead as is allowed."""
    began = time.monotonic()
    increment, ahead = timedelta(seconds=4.9), timedelta(seconds=5)
    async with pool.acquire() as conn:
        first, second, third = [await store.take(conn, increment=increment, ahead=ahead) for _ in range(3)]
    spent = time.monotonic() - began + 0.1
    assert (first.granted, first.seconds) == (True, 0.0)
    assert second.granted
    assert 4.9 - spent < second.seconds <= 4.9
    assert not third.granted
    assert 4.8 - spent < third.seconds <= 4.8


async def test_the_row_stays_where_it_is(pool: Pool) -> None:
    """However often it is taken from, it takes one page, and no index is written."""
    async with pool.acquire() as conn:
        for _ in range(2_000):
            await store.take(conn, increment=timedelta(0), ahead=MUCH, most=49)
            await store.leave_room(conn, late((-0.5, 0.0001)) * 9)
            await store.hold(conn, wait=timedelta(0))
        await conn.execute("select pg_stat_force_next_flush()" if conn.get_server_version().major >= 15 else "select 1")
        figures = await conn.fetchrow(
            "select n_tup_upd, n_tup_hot_upd from pg_stat_user_tables where relname = 'budget'"
        )
        assert figures is not None
        assert figures["n_tup_upd"] == figures["n_tup_hot_upd"]
        assert await conn.fetchval("select pg_relation_size('budget')") == 8192


async def test_no_commit_waits_for_the_disk_and_no_session_is_changed(pool: Pool) -> None:
    """The setting lasts for the statement's own transaction only."""
    async with pool.acquire() as conn:
        await conn.execute("set synchronous_commit = on")
        await store.take(conn, increment=INCREMENT, ahead=INCREMENT)
        assert await conn.fetchval("show synchronous_commit") == "on"


async def test_no_second_has_more_than_its_room(pool: Pool) -> None:
    """Three turns at once; the fourth is a second after the first, and the seventh another one later."""
    async with pool.acquire() as conn:
        due = []
        for _ in range(7):
            taken = await store.take(conn, increment=timedelta(0), ahead=MUCH, most=3)
            assert taken.granted
            due.append(time.monotonic() + taken.seconds)
        spent = due[2] - due[0] + 0.1
        assert [pytest.approx(later, abs=spent) for later in (1, 2)] == [due[3] - due[0], due[6] - due[0]]
        assert not (await store.take(conn, increment=timedelta(0), ahead=timedelta(seconds=1), most=3)).granted
        assert (await store.take(conn, increment=timedelta(0), ahead=MUCH)).granted


async def test_turns_make_way_for_what_came_late(pool: Pool) -> None:
    """Where two take room already, a third has to wait until the first of them is gone."""
    async with pool.acquire() as conn:
        one = {"increment": timedelta(seconds=4), "ahead": MUCH, "most": 2}
        await store.take(conn, **one)  # type: ignore[arg-type]
        began = time.monotonic()
        await store.leave_room(conn, late((3.9, 4.5), (3.8, 4.3), (0.0, 3.0), (4.4, 8.0)))
        second, third = [await store.take(conn, **one) for _ in range(2)]  # type: ignore[arg-type]
        spent = time.monotonic() - began + 0.1
        assert second.seconds == pytest.approx(4.3, abs=spent)
        assert third.seconds == pytest.approx(8.3, abs=spent)


async def test_an_answer_that_was_held_up_is_told(pool: Pool) -> None:
    """Whoever takes a turn next, of any process, finds the room taken: from a second after its turn on."""
    hold = asyncio.Event()

    async def handle(request: web.Request) -> web.StreamResponse:
        if request.path == f"/api/v10{channel(99).path}":
            await hold.wait()
        return web.json_response([])

    budget = Budget(pool=pool, requests_per_second=90)
    async with serve(handle) as server, Rest(token="t", url=server.url, budget=budget) as rest:
        for number in range(STEADY + 1):
            await rest.request(channel(number))
        slow = asyncio.create_task(rest.request(channel(99)))
        await server.asked_for(STEADY + 2)
        await asyncio.sleep(0.5)  # that is what holds it up
        hold.set()
        await slow
        turn = await pool.fetchval("select turns[cardinality(turns)] from budget")
        async with asyncio.timeout(30):
            while (late := await pool.fetchval(LATE_OF, turn)) is None:  # noqa: ASYNC110 - rows can't be waited for
                await asyncio.sleep(0.001)
        assert late.lower == turn + timedelta(seconds=1)
        assert late.upper - late.lower >= timedelta(seconds=0.4)


async def test_only_what_takes_room_is_remembered(pool: Pool) -> None:
    """Not what is over, nor what can't be; and of turns no more than a second has room for."""
    async with pool.acquire() as conn:
        for _ in range(5):
            await store.take(conn, increment=timedelta(seconds=2), ahead=MUCH, most=3)
        for _ in range(3):
            await store.leave_room(conn, late((-2.0, -1.0), (0.0, 20.0), (0.0, 3600.0)))
        assert await conn.fetchval("select late from budget") == []
        await store.leave_room(conn, late((0.0, 0.2)) * 10 + late((0.0, 9.0)) * 300)
        await store.leave_room(conn, late((0.0, 9.5)))
        assert await conn.fetchval("select cardinality(turns) from budget") == 3
        assert await conn.fetchval("select cardinality(late) from budget") == 200
        await conn.execute("update budget set late = array(select tstzrange(now(), now()) from generate_series(1, 9))")
        await store.take(conn, increment=INCREMENT, ahead=MUCH)
        assert await conn.fetchval("select cardinality(turns) from budget") == 0
        assert await conn.fetchval("select cardinality(late) from budget") == 0


@pytest.mark.parametrize(("rate", "most"), [(48.0, 49), (0.5, 49), (50.0, 49), (51.0, 52), (96.0, 99), (500.0, None)])
def test_the_room_of_a_second(pool: Pool, rate: float, most: int | None) -> None:
    """One less than Discord allows everyone; more only at a higher rate, and at a very high one nobody counts."""
    assert most == Budget(pool=pool, requests_per_second=rate).most


async def test_a_clock_set_back_does_not_stop_everyone(pool: Pool) -> None:
    """A row from the future is from before the server's clock was set; a row that is gone comes back."""
    async with pool.acquire() as conn:
        await conn.execute("insert into budget (tat) values (clock_timestamp() + interval '1 hour')")
        assert (await store.take(conn, increment=INCREMENT, ahead=INCREMENT, most=3)).granted
        await conn.execute(
            "update budget set tat = clock_timestamp() + interval '1 hour', "
            "turns = array(select clock_timestamp() + interval '1 hour' from generate_series(1, 3)), "
            "late = array(select tstzrange(now() + interval '1 hour', now() + interval '2 hours') "
            "from generate_series(1, 3))"
        )
        for _ in range(3):
            assert (await store.take(conn, increment=INCREMENT, ahead=MUCH, most=3)).seconds < 0.1
        await conn.execute("delete from budget")
        assert (await store.take(conn, increment=INCREMENT, ahead=INCREMENT)).granted


async def test_a_row_not_yet_seen_is_asked_for_again() -> None:
    """Someone else's first request, committed while ours ran, tells nothing about when."""

    class Blind:
        async def fetchrow(self, *_: object) -> None:
            return None

    assert await store.take(Blind(), increment=INCREMENT, ahead=INCREMENT) == (False, 0.0, 0.0, 0.0, None)  # type: ignore[arg-type]


async def test_several_processes_keep_the_rate_together(database_url: str) -> None:
    """Three with a pool each, as fast as they can: never more than the rate within any half second.

    What the machine held up meanwhile, here or in the database, comes on top when it goes on.
    """
    rate = 100
    budgets: list[Timed] = []
    async with watched() as stalls, serve(say([])) as server:

        async def process(number: int) -> None:
            pool = await open_pool(database_url, size=1)
            budgets.append(budget := Timed(pool=pool, requests_per_second=rate))
            async with Rest(token="t", url=server.url, budget=budget) as rest:
                lanes = (rest.request(channel(100 * number + n)) for n in range(40))
                await asyncio.gather(*lanes)
            await pool.close()

        began = time.monotonic()
        await asyncio.gather(*(process(number) for number in range(3)))
        spent = time.monotonic() - began
    held_up = stalls.long + max(budget.slow.worst for budget in budgets)
    assert len(server.asked) == 120
    assert busiest(server, 0.5) <= rate * (0.5 + held_up) + 5
    assert spent >= 120 / rate - 0.1


async def test_people_before_scans_of_every_process(pool: Pool) -> None:
    """With a hundred scans waiting, a person of another process is served within the next few.

    Those that are sent while the machine holds that person up, here or in the database, come on top.
    """
    async with watched() as stalls, serve(say([])) as server:

        def rest(budget: Budget) -> Rest:
            return Rest(token="t", url=server.url, budget=budget)

        timed = Timed(pool=pool, requests_per_second=50)
        async with rest(Budget(pool=pool, requests_per_second=50)) as busy, rest(timed) as other:
            await other.request(channel(998))
            scans = [asyncio.create_task(busy.request(channel(n))) for n in range(100)]
            await server.asked_for(6)
            person = channel(999)
            await other.request(person, priority=Priority.PEOPLE)
            asked = [path.removeprefix("/api/v10") for path in server.paths].index(person.path)
            for scan in scans:
                scan.cancel()
            await asyncio.gather(*scans, return_exceptions=True)
    assert asked < 40 + 50 * (stalls.long + timed.slow.worst)


async def test_a_person_overtakes_the_scans_of_this_process(pool: Pool) -> None:
    """Who comes last is next."""
    async with (
        serve(say([])) as server,
        Rest(token="t", url=server.url, budget=Budget(pool=pool, requests_per_second=20)) as rest,
    ):
        scans = [asyncio.create_task(rest.request(channel(n))) for n in range(10)]
        await server.asked_for(2)
        person = channel(999)
        await rest.request(person, priority=Priority.PEOPLE)
        assert [path.removeprefix("/api/v10") for path in server.paths].index(person.path) <= 4
        await asyncio.gather(*scans)


async def test_a_cancelled_turn_costs_nothing_but_itself(pool: Pool) -> None:
    """Whoever gives up while the budget says wait leaves no one stuck."""
    async with (
        serve(say([])) as server,
        Rest(token="t", url=server.url, budget=Budget(pool=pool, requests_per_second=20)) as rest,
    ):
        for ticks in range(0, 40, 4):
            task = asyncio.create_task(rest.request(channel(2), priority=Priority.PEOPLE))
            for _ in range(ticks):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        assert (await rest.request(channel(2))).body == []


async def test_without_the_database_nothing_is_sent(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Scans wait, then say so; nothing is ever sent unmetered."""
    monkeypatch.setattr(pacing, "OUTAGE_PAUSE", 0.01)
    monkeypatch.setattr(pacing, "DATABASE_PATIENCE", {Priority.PEOPLE: 0.02, Priority.SCAN: 0.05})
    pool.terminate()
    with capture_logs() as logs:
        async with (
            serve(say([])) as server,
            Rest(token="t", url=server.url, budget=Budget(pool=pool)) as rest,
        ):
            for priority in Priority:
                with pytest.raises(Unavailable, match="database can't be reached"):
                    await rest.request(channel(1), priority=priority)
    assert server.asked == []
    assert {entry["event"] for entry in logs} == {"discord.budget_unreachable"}


async def test_a_broken_connection_is_replaced(pool: Pool, database_url: str) -> None:
    """When the server ends the budget's connection, the next request takes another one."""
    budget = Budget(pool=pool, requests_per_second=1000)
    assert (await budget.take(Priority.SCAN)).granted
    admin = await asyncpg.connect(database_url)
    await admin.execute(
        "select pg_terminate_backend(pid, 5000) from pg_stat_activity "
        "where datname = current_database() and pid <> pg_backend_pid()"
    )
    await admin.close()
    with pytest.raises(BudgetUnreachable):
        await budget.take(Priority.SCAN)
    assert (await budget.take(Priority.SCAN)).granted
    await budget.close()
    await budget.close()


async def test_a_silent_database_is_given_up_on(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A row that is locked does not hold everything for ever; a cancelled taker leaves its connection clean."""
    monkeypatch.setattr(budget_module, "PATIENCE", 60)
    budget = Budget(pool=pool, requests_per_second=1000)
    assert (await budget.take(Priority.PEOPLE)).granted
    async with pool.acquire() as conn, conn.transaction():
        await conn.execute("select * from budget for update")
        monkeypatch.setattr(budget_module, "PATIENCE", 0.1)
        with pytest.raises(BudgetUnreachable, match="TimeoutError"):
            await budget.take(Priority.PEOPLE)
        monkeypatch.setattr(budget_module, "PATIENCE", 60)
        taking = asyncio.create_task(budget.take(Priority.PEOPLE))
        await asyncio.sleep(0.01)
        taking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await taking
    assert (await budget.take(Priority.PEOPLE)).granted
    await budget.close()


async def test_closing_never_fails(pool: Pool) -> None:
    """Giving back a connection that died meanwhile is no error."""
    budget = Budget(pool=pool)
    await budget.take(Priority.SCAN)
    assert budget._held is not None
    await budget._held.execute("begin")
    async with pool.acquire() as conn:
        await conn.execute("select pg_terminate_backend($1, 5000)", budget._held.get_server_pid())
    await budget.close()
    assert budget._held is None
