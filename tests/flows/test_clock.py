"""Clocks that jump in the middle of a scan: the machine's, and the database's."""

from datetime import UTC, datetime, timedelta

import orjson
import pytest
from structlog.testing import capture_logs

from tests.app.programs import Program, program
from tests.faults.clock import Clock
from tests.faults.launched import Order
from tests.flows.conftest import Build
from tests.flows.exactness import There, check_now
from tests.flows.house import House
from tests.flows.survival import (
    GOES_ON,
    LEASE,
    METERED,
    PLAN,
    UNMETERED,
    at_rate,
    check_end,
    check_meter,
    scanned,
    slow_down,
    start_all,
    until_all_read,
)

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
HALF_AN_HOUR = timedelta(minutes=31)
"""A job of every half an hour comes within."""
SHIFT = "update bot_channel_scan_runs set lease_until = lease_until - $1::interval, due_at = due_at - $1::interval"
FULL = """
update budget set
    tat = clock_timestamp() + interval '5 seconds' - $1::interval,
    turns = array(
        select clock_timestamp() + one * interval '10 milliseconds' - $1::interval from generate_series(1, 100) as one
    ),
    late = array(
        select tstzrange(clock_timestamp() - $1::interval, clock_timestamp() + interval '5 seconds' - $1::interval)
        from generate_series(1, 100)
    ),
    held_until = clock_timestamp() + interval '5 minutes' - $1::interval,
    held_at = clock_timestamp() - $1::interval
"""
"""What all processes share has no room left when the clock moves, and everyone had been told to wait before."""
HALTED = """
insert into invalid_requests (at, requests, stops)
values (date_trunc('second', clock_timestamp()) - $1::interval, 5000, 'everything') on conflict do nothing
"""
LEFT_BEHIND = """
update bot_channel_scan_runs
set status = 'running', lease_token = gen_random_uuid(), lease_until = clock_timestamp()
where status = 'queued' and channel_id = $1
"""
RUNS = "select count(*) from bot_channel_scan_runs"


async def check_clock(one: Program, off: timedelta) -> None:
    """The program is ready, and goes by the moved clock: its next job is due within half an hour of that."""
    await one.ready()
    asked = datetime.now(UTC)
    _, body = await one.get("/ready")
    due = datetime.fromisoformat(orjson.loads(body)["parts"]["jobs"]["jobs"]["purge_install_intents"]["next"])
    assert timedelta() < due - (asked + off) < HALF_AN_HOUR


async def test_the_clock_of_the_machine(build: Build) -> None:
    """An hour and a day, forwards and backwards, and right again: nothing waits for a time of day."""
    house = await build(8, record=False, **PLAN)
    slow_down(house)
    theirs = {one.id: There.of(house.world, one.id) for one in scanned(house)}
    clock = Clock(house.folder / "clock")
    clock.set(0)
    environ = house.settings | {"CLIPSAVER_WEB_PORT": "0", "CLIPSAVER_SCANS_LEASE_SECONDS": str(LEASE)}
    launcher = Order(clock=str(clock.file)).command()
    async with program("run", environ, house.folder, launcher=launcher) as one:
        await one.ready()
        await start_all(house)
        for off in (HOUR, -HOUR, DAY, -DAY, timedelta()):
            clock.set(off.total_seconds())
            await goes_on(house, f"clock {off}")
            await check_clock(one, off)
            assert not await check_now(house.pool, theirs), "the scan was over too soon"
        clock.set(-DAY.total_seconds())
        await check_end(house)
        assert await one.stop() == 0
    assert one.critical == []


async def move(house: House, jump: timedelta) -> None:
    """Move the database's clock, at a moment at which nothing might be asked for."""
    async with house.pool.acquire() as conn, conn.transaction():
        for statement in (SHIFT, FULL, HALTED):
            await conn.execute(statement, jump)


@pytest.mark.parametrize("rate", [UNMETERED, METERED])
async def test_the_clock_of_the_database(build: Build, rate: str) -> None:
    """Leases that suddenly ran out long ago, or seem to last for ever: scans go on, also those of the dead.

    Everything in the database is measured with its own clock, so its moving by an hour is the same as all that it has
    written down moving by an hour the other way.
    """
    house = at_rate(await build(9, record=False, **PLAN), rate)
    slow_down(house)
    theirs = {one.id: There.of(house.world, one.id) for one in scanned(house)}
    dead = scanned(house)[0].id
    with capture_logs():
        async with house.open(CLIPSAVER_SCANS_LEASE_SECONDS=str(LEASE)):
            await start_all(house)
            for jump in (HOUR, DAY, -HOUR, -DAY):
                await move(house, jump)
                await check_meter(house, rate)  # what was asked for before is not what goes on
                await goes_on(house, f"database's clock {jump}")
                assert not await check_now(house.pool, theirs), "the scan was over too soon"
        for jump in (HOUR, -HOUR, -DAY):
            # All runs were handed back; one of them has to look as if its program had died instead.
            await house.pool.execute(LEFT_BEHIND, dead)
            await move(house, jump)
            async with house.open(CLIPSAVER_SCANS_LEASE_SECONDS=str(LEASE)):
                await check_meter(house, rate)
                await goes_on(house, f"database's clock {jump} and a restart")
                assert not await check_now(house.pool, theirs), "the scan was over too soon"
        async with house.open(CLIPSAVER_SCANS_LEASE_SECONDS=str(LEASE)):
            await check_end(house)
        assert await house.pool.fetchval(RUNS) == len(theirs)


async def goes_on(house: House, name: str) -> None:
    """Wait until all scans have committed more."""
    took = await until_all_read(house.pool)
    print(f"{name}: went on after {took:.2f} s")  # noqa: T201 - a figure
    assert took < GOES_ON
