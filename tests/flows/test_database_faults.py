"""PostgreSQL in trouble in the middle of a scan: the scan goes on by itself and is exact, and nobody says otherwise."""

import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest
from attrs import evolve, frozen

from clipsaver.postgres.binaries import Binaries
from clipsaver.postgres.embedded import Embedded
from clipsaver.postgres.pool import open_pool
from clipsaver.postgres.schema import apply_schema
from clipsaver.postgres.server import Server
from tests.app.programs import postmaster, until
from tests.faults.database import Faulty
from tests.faults.processes import family, gone, send
from tests.fixtures.database import database_of, running
from tests.flows.conftest import Build
from tests.flows.survival import GOES_ON, LATENCY, LEASE, METERED, PLAN, UNMETERED, at_rate, check_meter, survive

LASTING = {
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "max_connections": "40",
    "deadlock_timeout": "500ms",
}
"""What was committed is there after any death, connections can run out, and a deadlock is there once looked for."""
DATABASE = "under_fault"
Strike = Callable[[Faulty], Awaitable[object]]
"""Returns when the fault is over: something true if it has happened."""


@frozen(kw_only=True)
class Trouble:
    """A fault, and what has to be seen of it from outside."""

    name: str
    strike: Strike
    missing: str = ""
    """A part that /ready has to miss meanwhile."""
    reason: str = ""
    """Why a transaction has to be tried again."""
    rate: str = UNMETERED
    """Requests a second."""


def lasting(fault: str, seconds: float) -> Strike:
    """A fault that lasts so long."""

    async def strike(faulty: Faulty) -> object:
        async with getattr(faulty, fault)(seconds=seconds):
            return True

    return strike


TROUBLES = (
    Trouble(name="killed", strike=lasting("killed", 4), missing="database"),
    Trouble(name="killed, metered", strike=lasting("killed", 2), missing="database", rate=METERED),
    Trouble(name="restarted", strike=lasting("restarted", 0.5)),
    Trouble(name="paused past the lease", strike=lasting("paused", LEASE + 2), missing="database"),
    Trouble(name="paused, metered", strike=lasting("paused", LEASE + 2), missing="database", rate=METERED),
    Trouble(name="a backend killed", strike=lambda one: one.crash()),
    Trouble(name="backends terminated", strike=lambda one: one.terminate(times=20, every=0.05)),
    Trouble(name="statements canceled", strike=lambda one: one.cancel(hits=4)),
    Trouble(name="deadlocks", strike=lambda one: one.deadlock(times=3), reason="DeadlockDetectedError"),
    Trouble(name="no connection left", strike=lasting("crowded", 4), missing="database"),
    Trouble(name="read-only", strike=lasting("read_only", 3), missing="worker"),
)


@pytest.fixture(scope="module")
def lasting_server() -> Iterator[Server]:
    """A server that may be killed."""
    with running(Binaries.of_wheel(), **LASTING) as started:
        yield started


@pytest.fixture
async def faulty(lasting_server: Server) -> AsyncIterator[Faulty]:
    """A fresh database on it, gone after the test."""
    async with _admin(lasting_server) as admin:
        await admin.execute(f"create database {DATABASE}")
    url = database_of(lasting_server.url, DATABASE)
    async with await open_pool(url, size=1) as pool:
        await apply_schema(pool)
    yield Faulty(server=lasting_server, url=url)
    async with _admin(lasting_server) as admin:
        await admin.execute(f"drop database {DATABASE} with (force)")


@asynccontextmanager
async def _admin(server: Server) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    conn = await asyncpg.connect(server.url)
    try:
        yield conn
    finally:
        await conn.close()


@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda one: one.name)
async def test_a_server_in_trouble(build: Build, faulty: Faulty, trouble: Trouble) -> None:
    """Whatever happens to the database of two scans, they go on, and are exact in the middle and in the end."""
    house = at_rate(await build(5, latency=LATENCY, record=False, **PLAN), trouble.rate)
    async with await open_pool(faulty.url, size=1, application_name="test") as pool:
        house = evolve(house, pool=pool, settings=house.settings | {"CLIPSAVER_DATABASE_URL": faulty.url})
        seen = await survive(house, lambda: trouble.strike(faulty))
        await check_meter(house, trouble.rate)
    print(f"{trouble.name}: went on after {seen.took:.2f} s; missing meanwhile: {sorted(seen.missing)}")  # noqa: T201 - figures
    assert seen.took < GOES_ON
    assert {trouble.missing} - {""} <= seen.missing
    assert {trouble.reason} - {""} <= seen.reasons


@pytest.mark.parametrize("fatal", [signal.SIGKILL, signal.SIGINT], ids=lambda one: one.name)
async def test_an_embedded_server_that_ends(build: Build, fatal: signal.Signals) -> None:
    """The program starts its server again, whether it was killed with all its processes or shut down by someone."""
    built = await build(6, latency=LATENCY, record=False, **PLAN)
    settings = built.settings | {"CLIPSAVER_DATABASE_URL": ""}
    data = Path(settings["CLIPSAVER_DATA_DIR"])

    async def strike() -> object:
        before = postmaster(built.folder)
        doomed = family(before)
        send(doomed if fatal is signal.SIGKILL else doomed[:1], fatal)
        await gone(doomed)
        return await until(lambda: postmaster(built.folder) not in {0, before})

    # Made beforehand, so that its address is known; the program starts it again.
    async with Embedded(data) as database:
        pool = await open_pool(database.url, size=1, application_name="test")
        await apply_schema(pool)
    async with pool:
        seen = await survive(evolve(built, pool=pool, settings=settings), strike)
    print(f"embedded, {fatal.name}: went on after {seen.took:.2f} s")  # noqa: T201 - a figure
    assert seen.took < GOES_ON
