"""The breaker: too many refusals and all reading rests, in every process, over every restart."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
from structlog.testing import capture_logs

from clipsaver.discord import breaker as module
from clipsaver.discord import store
from clipsaver.discord.breaker import EVERYTHING_STOPS, READING_STOPS, WINDOW, Breaker
from clipsaver.discord.budget import Budget, Priority, Turn
from clipsaver.discord.refusals import Forbidden, Halted, Unauthorized
from clipsaver.discord.rest import Rest, Route
from clipsaver.postgres.pool import Pool
from tests.discord.servers import Server, by_path, say, serve

REFUSED = Route("GET", "/channels/{channel_id}", channel_id=1)
FINE = Route("GET", "/channels/{channel_id}", channel_id=2)
HANDLERS = {"/channels/1": say({"code": 50001}, 403), "/channels/2": say({"id": "2"})}


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """Tell the time."""
        return self.now


def rests(breaker: Breaker) -> tuple[bool, bool]:
    """Whether reading rests, and whether everything does."""
    return breaker.rests(Priority.SCAN) > 0, breaker.rests(Priority.PEOPLE) > 0


def refuse(breaker: Breaker, times: int) -> None:
    """Count so many."""
    for _ in range(times):
        breaker.refused()


async def refused_before(pool: Pool, requests: int, *, seconds: float = 0) -> None:
    """Have other processes been refused so often, so long ago."""
    async with pool.acquire() as conn:
        await store.note_invalid(conn, requests, reading_stops=READING_STOPS, everything_stops=EVERYTHING_STOPS)
    await pool.execute("update invalid_requests set at = at - $1::interval", timedelta(seconds=seconds))


async def looked(pool: Pool) -> store.Invalid:
    """What all processes know."""
    async with pool.acquire() as conn:
        return await store.look_invalid(conn)


@asynccontextmanager
async def process(server: Server, pool: Pool, *, metered: bool = True) -> AsyncIterator[Rest]:
    """A client as every process has one."""
    budget = Budget(pool=pool, requests_per_second=1000) if metered else None
    async with Rest(token="t", url=server.url, budget=budget, breaker=Breaker(pool=pool)) as rest:
        yield rest


# ── in memory ──


def test_it_trips_at_the_bounds() -> None:
    """A thousand stop reading, five thousand everything, and not one less."""
    breaker = Breaker(clock=Clock())
    refuse(breaker, READING_STOPS - 1)
    assert rests(breaker) == (False, False)
    refuse(breaker, 1)
    assert rests(breaker) == (True, False)
    refuse(breaker, EVERYTHING_STOPS - READING_STOPS - 1)
    assert rests(breaker) == (True, False)
    refuse(breaker, 1)
    assert rests(breaker) == (True, True)


def test_what_is_long_ago_does_not_count() -> None:
    """A thousand in eleven minutes are fine."""
    breaker = Breaker(clock=(clock := Clock()))
    refuse(breaker, READING_STOPS - 1)
    clock.now += WINDOW + 1
    refuse(breaker, READING_STOPS - 1)
    assert rests(breaker) == (False, False)
    assert breaker.recent == READING_STOPS - 1


def test_it_rests_until_nothing_was_refused_for_ten_minutes() -> None:
    """Once tripped, each further refusal begins the ten minutes anew; after them all is well, and both is logged."""
    breaker = Breaker(clock=(clock := Clock()))
    with capture_logs() as logs:
        refuse(breaker, READING_STOPS)
        clock.now += WINDOW - 1
        breaker.refused()
        clock.now += WINDOW - 1
        assert breaker.rests(Priority.SCAN) == 1
        clock.now += 1
        assert rests(breaker) == (False, False)
        breaker._notice()
        breaker._notice()
    assert [(entry["event"], entry["log_level"]) for entry in logs] == [
        ("discord.reading_halted", "error"),
        ("discord.reading_resumed", "info"),
    ]
    assert breaker.halts == 1


# ── in the database ──


async def test_all_processes_count_together(pool: Pool) -> None:
    """Three that were each refused a third stop together, and a fourth one that was never refused with them."""
    breakers = [Breaker(pool=pool) for _ in range(4)]
    for breaker in breakers[:3]:
        refuse(breaker, READING_STOPS // 3 + 1)
        assert rests(breaker) == (False, False)
        await breaker.look()
    for breaker in breakers:
        await breaker.look()
        assert rests(breaker) == (True, False)
    assert (await looked(pool)).requests == 3 * (READING_STOPS // 3 + 1)


async def test_at_the_higher_bound_everything_stops(pool: Pool) -> None:
    """For all processes."""
    await refused_before(pool, EVERYTHING_STOPS)
    breaker = Breaker(pool=pool)
    await breaker.look()
    assert rests(breaker) == (True, True)


async def test_ten_minutes_without_a_refusal_end_it(pool: Pool) -> None:
    """A refusal in the meantime keeps it going, though there are fewer than a thousand by then."""
    await refused_before(pool, READING_STOPS, seconds=400)
    assert 190 < (await looked(pool)).reading <= 202
    await refused_before(pool, 1, seconds=300)
    invalid = await looked(pool)
    assert invalid.requests == 1
    assert 290 < invalid.reading <= 302
    await pool.execute("update invalid_requests set at = at - interval '302 seconds'")
    assert await looked(pool) == (0, 0.0, 0.0)
    await refused_before(pool, 1)
    assert (await looked(pool)).reading == 0


async def test_what_is_old_is_deleted_and_a_future_is_not_believed(pool: Pool) -> None:
    """The table stays small; rows from before the server's clock was set back stop nobody."""
    await refused_before(pool, READING_STOPS, seconds=-3600)
    assert await looked(pool) == (0, 0.0, 0.0)
    async with pool.acquire() as conn:
        await store.take(conn, increment=timedelta(0), ahead=timedelta(1))
        assert (await store.take(conn, increment=timedelta(0), ahead=timedelta(1))).halted == 0
    await refused_before(pool, 1, seconds=1300)
    await refused_before(pool, 1)
    assert await pool.fetchval("select count(*) from invalid_requests") == 1


async def test_a_database_that_is_away(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was refused meanwhile counts here, and is written when it is back; it is said once."""
    breaker = Breaker(pool=pool)
    with capture_logs() as logs, monkeypatch.context() as patched:
        patched.setattr(store, "look_invalid", _away)
        patched.setattr(store, "note_invalid", _away)
        refuse(breaker, READING_STOPS)
        await breaker.look()
        await breaker.look()
        assert rests(breaker) == (True, False)
    assert [entry["event"] for entry in logs] == ["discord.reading_halted", "discord.breaker_unreachable"]
    await breaker.close()
    await breaker.close()
    assert (await looked(pool)).requests == READING_STOPS


async def _away(*_: object, **__: object) -> None:
    raise OSError


async def test_it_asks_again_after_an_outage(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    """At its beat, not at once."""
    monkeypatch.setattr(module, "BEAT", 0.01)
    breaker = Breaker(pool=pool)
    breaker.refused()
    with monkeypatch.context() as patched:
        patched.setattr(store, "note_invalid", _away)
        await breaker.look()
    running = asyncio.create_task(breaker.run())
    async with asyncio.timeout(30):
        while not (await looked(pool)).requests:  # noqa: ASYNC110 - rows can't be waited for
            await asyncio.sleep(0.01)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert (await looked(pool)).requests == 1


# ── on the way to Discord ──


async def test_one_refusal_too_many_stops_all_reading(pool: Pool) -> None:
    """Scans wait and say until when, people go on, and another process stops with its next turn."""
    told: list[datetime | None] = []
    waiting = asyncio.Event()

    def on_wait(until: datetime | None) -> None:
        told.append(until)
        waiting.set()

    await refused_before(pool, READING_STOPS - 1)
    async with serve(by_path(HANDLERS)) as server, process(server, pool) as rest, process(server, pool) as other:
        await other.request(FINE)
        with pytest.raises(Forbidden):
            await rest.request(REFUSED)
        async with asyncio.timeout(30):
            while not (await looked(pool)).reading:  # noqa: ASYNC110 - rows can't be waited for
                await asyncio.sleep(0.01)
        asked = len(server.asked)
        scans = [
            asyncio.create_task(rest.request(FINE, on_wait=on_wait)),
            asyncio.create_task(other.request(FINE, on_wait=on_wait)),
        ]
        async with asyncio.timeout(30):
            while len(told) < 2:
                waiting.clear()
                await waiting.wait()
        assert all(at is not None and timedelta(minutes=9) < at - datetime.now(UTC) for at in told)
        assert len(server.asked) == asked
        for one in (rest, other):
            assert one.halted is not None
            assert "Reading rests until" in one.halted
            await one.request(FINE, priority=Priority.PEOPLE)
        assert len(server.asked) == asked + 2
        for scan in scans:
            scan.cancel()
        await asyncio.gather(*scans, return_exceptions=True)


@pytest.mark.parametrize("metered", [True, False])
async def test_a_new_start_does_not_begin_anew(pool: Pool, *, metered: bool) -> None:
    """Whoever starts while reading rests doesn't read, and asks nobody to find that out; later it reads by itself."""
    await refused_before(pool, READING_STOPS)
    waiting = asyncio.Event()
    async with serve(by_path(HANDLERS)) as server, process(server, pool, metered=metered) as rest:
        scan = asyncio.create_task(rest.request(FINE, on_wait=lambda _: waiting.set()))
        await waiting.wait()
        assert server.asked == []
        await pool.execute("delete from invalid_requests")
        await rest.breaker.look()
        rest._pacer._wake.set()
        assert (await scan).body == {"id": "2"}
        assert rest.halted is None


async def test_every_refusal_is_known_to_the_next_start(pool: Pool) -> None:
    """A program that is refused, ends and starts again comes to its bound all the same; a 401 counts, too."""
    async with serve(say({"message": "401: Unauthorized"}, 401)) as server:
        for _ in range(3):
            async with process(server, pool, metered=False) as rest:
                with pytest.raises(Unauthorized):
                    await rest.request(FINE, priority=Priority.PEOPLE)
                assert rest.unauthorized
    assert (await looked(pool)).requests == 3


async def test_people_are_told_when_everything_stops(pool: Pool) -> None:
    """Nothing at all is sent any more."""
    await refused_before(pool, EVERYTHING_STOPS)
    async with serve(by_path(HANDLERS)) as server, process(server, pool) as rest:
        with pytest.raises(Halted, match="Nothing is asked until") as caught:
            await rest.request(FINE, priority=Priority.PEOPLE)
        assert timedelta(minutes=9) < caught.value.until - datetime.now(UTC) < timedelta(minutes=11)
    assert server.asked == []


class Grants(Budget):
    """Grants everything for a moment later, and has reading stopped before that moment comes."""

    breaker: Breaker

    async def take(self, priority: Priority) -> Turn:
        """Grant it."""
        asyncio.get_running_loop().call_soon(self.breaker.told, 600.0 if priority is Priority.SCAN else 0.0)
        return Turn(granted=True, seconds=0.01)

    async def close(self) -> None:
        """Nothing is held."""


async def test_a_turn_in_hand_is_not_used_any_more() -> None:
    """Who has its turn and waits for its moment when reading is stopped sends nothing, and leaves its bucket free."""
    waiting = asyncio.Event()
    budget = Grants(pool=None)  # type: ignore[arg-type]
    budget.breaker = Breaker()
    async with (
        serve(by_path(HANDLERS)) as server,
        Rest(token="t", url=server.url, budget=budget, breaker=budget.breaker) as rest,
    ):
        scan = asyncio.create_task(rest.request(FINE, on_wait=lambda _: waiting.set()))
        await waiting.wait()
        assert rest._pacer.lanes.bucket(rest._pacer.lanes.lane(FINE, 0.0)).in_flight == 0
        assert server.asked == []
        scan.cancel()
        await asyncio.gather(scan, return_exceptions=True)
