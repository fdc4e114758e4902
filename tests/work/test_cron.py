"""Jobs by the clock, on a real database."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from attrs import define, field
from structlog.testing import capture_logs

from clipsaver.errors import ClipsaverError
from clipsaver.postgres.pool import Pool
from clipsaver.work import cron as module
from clipsaver.work import store
from clipsaver.work.cron import Cron, Job, utc_now

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
HALF_HOUR = timedelta(minutes=30)


@define
class Clock:
    """A clock that is set by hand."""

    now: datetime = NOON

    def __call__(self) -> datetime:
        """Tell the time."""
        return self.now


@define
class Purge:
    """A job that counts its runs."""

    runs: int = 0
    started: asyncio.Event = field(factory=asyncio.Event)
    error: Exception | None = None
    gate: asyncio.Event | None = None

    def job(self, name: str = "purge", cron: str = "*/30 * * * *", **changes: Any) -> Job:
        """Describe this to the clock."""
        return Job(name=name, cron=cron, run=self.run, **changes)

    async def run(self) -> Mapping[str, object]:
        """Count, wait, fail, as prepared."""
        self.runs += 1
        self.started.set()
        if self.gate is not None:
            await self.gate.wait()
        if self.error is not None:
            raise self.error
        return {"deleted": 3}


async def rows(pool: Pool) -> list[asyncpg.Record]:
    """All ticks."""
    return await pool.fetch("select * from cron_runs order by job, tick")


async def look(cron: Cron) -> None:
    """Look once, and wait for what that began."""
    await cron.look()
    await cron.settled()


async def test_a_new_job_waits_for_its_next_tick(pool: Pool) -> None:
    """Nothing was missed, because nobody knew it."""
    clock, purge = Clock(NOON + timedelta(minutes=1)), Purge()
    cron = Cron(pool, [purge.job()], now=clock)

    await look(cron)
    assert (purge.runs, [(row["tick"], row["outcome"]) for row in await rows(pool)]) == (0, [(NOON, "first_seen")])

    clock.now = NOON + HALF_HOUR
    await look(cron)
    assert purge.runs == 1


async def test_a_tick_is_run_once_over_all_processes(pool: Pool) -> None:
    """However many look, and however often."""
    clock, purge = Clock(), Purge()
    crons = [Cron(pool, [purge.job()], now=clock) for _ in range(4)]
    await asyncio.gather(*map(look, crons))

    clock.now += HALF_HOUR
    await asyncio.gather(*map(look, crons))
    await asyncio.gather(*map(look, crons))

    assert purge.runs == 1


async def test_what_became_of_it_is_written_down(pool: Pool) -> None:
    """With its times, and what it said in the log."""
    clock, purge = Clock(), Purge()
    cron = Cron(pool, [purge.job()], now=clock)
    await look(cron)
    clock.now += HALF_HOUR

    with capture_logs() as logs:
        await look(cron)

    _, row = await rows(pool)
    assert (row["job"], row["tick"], row["outcome"], row["error"]) == ("purge", clock.now, "succeeded", None)
    assert row["started_at"] <= row["finished_at"]
    assert [(line["event"], line["result"]) for line in logs] == [("cron.succeeded", {"deleted": 3})]


async def test_missed_ticks_are_made_up_for_once(pool: Pool) -> None:
    """After a day away the latest tick is run, the others are not."""
    clock, purge = Clock(), Purge()
    await look(Cron(pool, [purge.job()], now=clock))
    clock.now += timedelta(days=1, minutes=10)

    later = Cron(pool, [purge.job()], now=clock)
    await look(later)
    await look(later)

    assert purge.runs == 1
    assert (await rows(pool))[-1]["tick"] == NOON + timedelta(days=1)


async def test_a_clock_that_is_put_back_repeats_nothing(pool: Pool) -> None:
    """Ticks that were run stay run."""
    clock, purge = Clock(), Purge()
    cron = Cron(pool, [purge.job()], now=clock)
    await look(cron)
    clock.now += HALF_HOUR
    await look(cron)

    clock.now = NOON + timedelta(minutes=29)
    await look(cron)
    clock.now = NOON + timedelta(minutes=31)
    await look(cron)

    assert purge.runs == 1


async def test_a_clock_that_was_years_ahead_does_not_stop_a_job(pool: Pool) -> None:
    """What it wrote does not count once it is right again."""
    clock, purge = Clock(), Purge()
    cron = Cron(pool, [purge.job()], now=clock)
    await look(cron)
    clock.now = NOON + timedelta(days=1000)
    await look(cron)

    clock.now = NOON + HALF_HOUR
    await look(Cron(pool, [purge.job()], now=clock))

    assert purge.runs == 2


@pytest.mark.parametrize(
    ("error", "written"), [(ValueError("secret"), "ValueError ("), (ClipsaverError("No room."), "No room. (")]
)
async def test_a_failing_job_runs_again_at_its_next_tick(pool: Pool, error: Exception, written: str) -> None:
    """It is logged under a reference, which is in its row."""
    clock, purge = Clock(), Purge(error=error)
    cron = Cron(pool, [purge.job()], now=clock)
    await look(cron)
    clock.now += HALF_HOUR

    with capture_logs() as logs:
        await look(cron)
        await look(cron)
    purge.error = None
    clock.now += HALF_HOUR
    await look(cron)

    (line,) = [line for line in logs if line["event"] == "cron.failed"]
    assert [(row["outcome"], row["error"]) for row in (await rows(pool))[1:]] == [
        ("failed", f"{written}{line['reference']})"),
        ("succeeded", None),
    ]


async def test_a_job_that_takes_too_long_has_failed(pool: Pool) -> None:
    """It is cancelled at its limit."""
    clock, purge = Clock(), Purge(gate=asyncio.Event())
    cron = Cron(pool, [purge.job(limit=timedelta(milliseconds=10))], now=clock)
    await look(cron)
    clock.now += HALF_HOUR
    await look(cron)

    assert (await rows(pool))[-1]["error"].startswith("TimeoutError")


async def test_a_job_never_runs_twice_at_the_same_time(pool: Pool) -> None:
    """Neither here nor elsewhere; the tick that came meanwhile is run afterwards."""
    gate = asyncio.Event()
    clock, purge = Clock(), Purge(gate=gate)
    here, elsewhere = (Cron(pool, [purge.job()], now=clock) for _ in range(2))
    await here.look()
    clock.now += HALF_HOUR
    await here.look()
    clock.now += HALF_HOUR
    await here.look()
    await elsewhere.look()
    assert (purge.runs, here.status()["purge"].running, elsewhere.status()["purge"].running) == (1, True, False)

    gate.set()
    await here.settled()
    await look(elsewhere)

    assert purge.runs == 2


async def test_a_run_whose_process_died_is_given_up(pool: Pool) -> None:
    """After its limit it holds up the next tick no longer."""
    clock, purge = Clock(), Purge()
    cron = Cron(pool, [purge.job()], now=clock)
    await look(cron)
    clock.now += HALF_HOUR
    await pool.execute("insert into cron_runs (job, tick, started_at) values ('purge', $1, now())", clock.now)
    clock.now += HALF_HOUR
    await look(cron)
    assert purge.runs == 0

    await pool.execute("update cron_runs set started_at = now() - interval '11 minutes' where outcome is null")
    await look(cron)

    assert purge.runs == 1


async def test_status_tells_last_and_next(pool: Pool) -> None:
    """Of whichever process ran it."""
    clock, purge, other = Clock(), Purge(), Purge()
    first = Cron(pool, [purge.job(), other.job(name="daily", cron="@daily")], now=clock)
    second = Cron(pool, [purge.job()], now=clock)
    assert first.status()["purge"].as_json() == {
        "cron": "*/30 * * * *",
        "next": "2026-03-01T12:30:00+00:00",
        "running": False,
    }
    await look(first)
    clock.now += HALF_HOUR
    await look(second)
    await look(first)

    status = first.status()["purge"]

    assert status.last is not None
    assert (status.last.tick, status.last.outcome, status.running) == (clock.now, "succeeded", False)
    assert (status.cron, status.next_tick) == ("*/30 * * * *", clock.now + HALF_HOUR)
    assert first.status()["daily"].cron == "0 0 * * *"
    assert status.as_json() == {
        "cron": "*/30 * * * *",
        "next": "2026-03-01T13:00:00+00:00",
        "running": False,
        "last": "2026-03-01T12:30:00+00:00",
        "outcome": "succeeded",
    }


async def test_old_ticks_are_forgotten_but_never_the_newest(pool: Pool) -> None:
    """Otherwise a rare job would look as if it had never been seen."""
    await pool.execute(
        "insert into cron_runs (job, tick, started_at) select job, tick, tick from "
        "(values ('rare', now() - interval '90 days'), ('rare', now() - interval '60 days'), "
        "('often', now() - interval '40 days'), ('often', now() - interval '1 day')) as old (job, tick)"
    )
    clock = Clock()
    cron = Cron(pool, [], now=clock)

    await cron.look()
    await pool.execute("insert into cron_runs (job, tick, started_at) values ('rare', 'epoch', 'epoch')")
    await cron.look()

    assert [row["job"] for row in await rows(pool)] == ["often", "rare", "rare"]
    clock.now += timedelta(days=1)
    await cron.look()
    assert [row["job"] for row in await rows(pool)] == ["often", "rare"]


async def test_the_loop_runs_what_comes_due(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    """It looks at the clock again and again, and ends when it is told to."""
    monkeypatch.setattr(module, "LONGEST_WAIT", 0.05)
    clock, purge = Clock(NOON + HALF_HOUR), Purge()
    await look(Cron(pool, [purge.job()], now=lambda: NOON))
    cron = Cron(pool, [purge.job()], now=clock)

    task = asyncio.create_task(cron.run())
    await purge.started.wait()
    purge.started.clear()
    clock.now += HALF_HOUR
    await purge.started.wait()
    cron.stop()
    await task

    assert purge.runs == 2


async def test_the_loop_wakes_at_the_tick(pool: Pool) -> None:
    """Not seconds later."""
    purge = Purge()
    offset = NOON - timedelta(milliseconds=200) - utc_now()
    await look(Cron(pool, [purge.job()], now=lambda: NOON - HALF_HOUR))
    cron = Cron(pool, [purge.job()], now=lambda: utc_now() + offset)

    task = asyncio.create_task(cron.run())
    async with asyncio.timeout(10):
        await purge.started.wait()
    cron.stop()
    await task

    assert [row["tick"] for row in await rows(pool)] == [NOON - HALF_HOUR, NOON]


async def test_stopping_waits_for_the_running_job(pool: Pool) -> None:
    """What was begun is brought to its end."""
    gate = asyncio.Event()
    clock, purge = Clock(NOON + HALF_HOUR), Purge(gate=gate)
    await look(Cron(pool, [purge.job()], now=lambda: NOON))
    cron = Cron(pool, [purge.job()], now=clock)

    task = asyncio.create_task(cron.run())
    await purge.started.wait()
    cron.stop()
    gate.set()
    await task

    assert (await rows(pool))[-1]["outcome"] == "succeeded"


async def test_stopping_does_not_wait_for_ever(pool: Pool) -> None:
    """A job that won't end is cancelled, and that is written down."""
    clock, purge = Clock(NOON + HALF_HOUR), Purge(gate=asyncio.Event())
    await look(Cron(pool, [purge.job()], now=lambda: NOON))
    cron = Cron(pool, [purge.job()], now=clock, drain=timedelta(milliseconds=10))

    task = asyncio.create_task(cron.run())
    await purge.started.wait()
    with capture_logs() as logs:
        cron.stop()
        await task

    assert [line["event"] for line in logs] == ["cron.cancelled"]
    row = (await rows(pool))[-1]
    assert (row["outcome"], row["error"]) == ("failed", "The program ended before the job did.")


async def test_a_database_that_is_away_is_said_once(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The loop goes on, and runs what was due when the database is back."""
    monkeypatch.setattr(module, "LONGEST_WAIT", 0.05)
    purge = Purge()
    await look(Cron(pool, [purge.job()], now=lambda: NOON))
    looks = 0

    class Flaky(Cron):
        async def look(self) -> None:
            nonlocal looks
            looks += 1
            if looks <= 3:
                raise OSError
            await super().look()

    cron = Flaky(pool, [purge.job()], now=Clock(NOON + HALF_HOUR))
    with capture_logs() as logs:
        task = asyncio.create_task(cron.run())
        await purge.started.wait()
        cron.stop()
        await task

    assert [line["event"] for line in logs] == ["cron.look_failed", "cron.succeeded"]


async def test_a_result_that_cannot_be_written_is_said(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The job itself has run."""
    clock, purge = Clock(), Purge()
    cron = Cron(pool, [purge.job()], now=clock)
    await look(cron)
    clock.now += HALF_HOUR

    async def fail(*_: object, **__: object) -> None:
        raise OSError

    monkeypatch.setattr(store, "finish_run", fail)
    with capture_logs() as logs:
        await look(cron)

    assert [line["event"] for line in logs] == ["cron.succeeded", "cron.not_recorded"]


async def test_without_jobs_the_loop_only_waits(pool: Pool) -> None:
    """A role may have none."""
    cron = Cron(pool, [])
    task = asyncio.create_task(cron.run())
    cron.stop()
    await task

    assert cron.status() == {}
