"""A worker that stands still past its lease: another takes over, and what wakes later writes nothing."""

import os
import signal
from collections.abc import Mapping
from contextlib import AsyncExitStack

import pytest
from structlog.testing import capture_logs

from clipsaver.app.run import Role
from clipsaver.postgres.pool import Pool
from tests.app.programs import program, until
from tests.faults.launched import Order
from tests.faults.processes import state_of
from tests.flows.conftest import Build
from tests.flows.exactness import There, check_now, check_whole
from tests.flows.survival import (
    GOES_ON,
    METERED,
    PLAN,
    UNMETERED,
    at_rate,
    check_end,
    check_meter,
    scanned,
    slow_down,
    until_all_read,
)

LEASE = 2.5
POINTS = (("after a page arrived", UNMETERED), ("before a commit", UNMETERED), ("after a page arrived", METERED))
"""Where it stands still, and how many requests a second there are."""
NOTICED = ("worker.lease_lost", "scan.lease_lost")
"""What it says when it wakes: whichever comes first, the lease that can't be renewed or the page that can't be kept."""
SLEEPER, OTHER = "sleeper", "other"
"""The workers' names, for PostgreSQL too."""
WRITTEN = "select count(*) from written where by = $1"
AUDITED = ("clips", "messages", "users", "bot_channels", "bot_channel_scan_runs", "odd_payloads", "audit")
AUDIT = """
create table written (by text not null default session_user, what text not null);
create function note() returns trigger language plpgsql as $$
begin
    insert into written (what) values (tg_table_name);
    return null;
end
$$;
"""
# With a lease as short as this one the other can lose a run, too: whatever the sleeper writes is of its old leases only
# if it gets no new ones meanwhile.
RESTING = """
create table resting (by text not null);
create function keep_from_claiming() returns trigger language plpgsql as $$
begin
    if new.lease_token is distinct from old.lease_token and new.lease_token is not null
       and exists (select from resting where by = session_user) then
        return null;
    end if;
    return new;
end
$$;
create trigger keep_from_claiming before update on bot_channel_scan_runs
    for each row execute function keep_from_claiming();
"""
TRIGGER = "create trigger note after insert or update or delete on {} for each row execute function note()"
ROLE = """
do $$
begin
    create role {} superuser login;
exception when duplicate_object then null;
end
$$;
"""


async def audit(pool: Pool) -> None:
    """Have every row that is written noted, with who wrote it."""
    await pool.execute(AUDIT)
    await pool.execute(RESTING)
    for table in AUDITED:
        await pool.execute(TRIGGER.format(table))
    for name in (SLEEPER, OTHER):
        await pool.execute(ROLE.format(name))


def worker(name: str, settings: Mapping[str, str]) -> dict[str, str]:
    """The environment of a worker that PostgreSQL knows by its name."""
    return {
        **settings,
        "CLIPSAVER_DATABASE_URL": settings["CLIPSAVER_DATABASE_URL"].replace("//postgres@", f"//{name}@"),
        "CLIPSAVER_WEB_PORT": "0",
        "CLIPSAVER_SCANS_LEASE_SECONDS": str(LEASE),
    }


@pytest.mark.parametrize(("point", "rate"), POINTS)
async def test_a_worker_that_stands_still(build: Build, point: str, rate: str) -> None:
    """Wherever it stands still, in the middle of a transaction too, all goes on without it, and later with it again."""
    house = at_rate(await build(4, record=False, **PLAN), rate)
    slow_down(house)
    channels = scanned(house)
    theirs = {one.id: There.of(house.world, one.id) for one in channels}
    await audit(house.pool)
    asleep = Order(point=point, passes=3, signal=signal.SIGSTOP)
    async with AsyncExitStack() as stack:
        stack.enter_context(capture_logs())
        await stack.enter_async_context(house.open(role=Role.BOT))
        # The bytes of what was found by others are anybody's to save; this is about scans.
        await house.pool.execute("update guild_settings set settings = settings || '{\"save_bytes\": false}'")
        environ = worker(SLEEPER, house.settings)
        sleeper = await stack.enter_async_context(program("worker", environ, house.folder, launcher=asleep.command()))
        await sleeper.ready()
        for channel in channels:
            assert "has begun" in (await house.ask("/scan start", channel=channel)).text
        await until(lambda: state_of(sleeper.process.pid) == "T")
        await house.pool.execute("insert into resting values ($1)", SLEEPER)
        other = await stack.enter_async_context(program("worker", worker(OTHER, house.settings), house.folder))
        took = await until_all_read(house.pool)
        assert not await check_now(house.pool, theirs), "the scan was over too soon"
        before = await house.pool.fetchval(WRITTEN, SLEEPER)
        os.kill(sleeper.process.pid, signal.SIGCONT)
        await sleeper.hear(*NOTICED)
        await until_all_read(house.pool)
        assert not await check_now(house.pool, theirs), "the scan was over too soon"
        assert await house.pool.fetchval(WRITTEN, SLEEPER) == before
        await check_end(house)
        await check_meter(house, rate)
        assert await house.pool.fetchval(WRITTEN, SLEEPER) == before
        # The one who slept is as good as new.
        await house.pool.execute("delete from resting")
        assert await other.stop() == 0
        await house.ask("/scan start", channel=channels[0], rescan="update")
        await house.ended(channels[0])
        await check_whole(house.pool, house.world, channels)
        assert await house.pool.fetchval(WRITTEN, SLEEPER) > before
        assert await sleeper.stop() == 0
    print(f"stood still {point}: another went on after {took:.2f} s")  # noqa: T201 - a figure
    assert took < GOES_ON
    assert sleeper.critical == other.critical == []
