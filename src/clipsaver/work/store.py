"""The ticks of jobs: who runs which, and what became of it."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from clipsaver.postgres.pool import Connection, structure
from clipsaver.work.model import CronRun

GET_LAST_RUNS = """
select last.job, last.tick, last.started_at, last.finished_at, last.outcome, last.error
from unnest($1::text[]) as wanted (job)
cross join lateral (select * from cron_runs where job = wanted.job and tick < $2 order by tick desc limit 1) as last
"""

SET_BEGINNING = """
insert into cron_runs (job, tick, finished_at, outcome) values ($1, $2, clock_timestamp(), 'first_seen')
on conflict do nothing
"""

TAKE_TICK = """
insert into cron_runs (job, tick, started_at)
select $1, $2, clock_timestamp()
where not exists (
    select from cron_runs
    where job = $1 and tick < $4
        and (tick >= $2 or (finished_at is null and started_at > clock_timestamp() - $3::interval))
)
on conflict do nothing
returning started_at
"""

FINISH_RUN = """
update cron_runs set finished_at = clock_timestamp(), outcome = $3, error = $4 where job = $1 and tick = $2
"""

PURGE_RUNS = """
delete from cron_runs as old
where started_at < clock_timestamp() - $1::interval
    and exists (select from cron_runs as newer where newer.job = old.job and newer.tick > old.tick)
"""


async def get_last_runs(conn: Connection, jobs: Sequence[str], *, before: datetime) -> dict[str, CronRun]:
    """The newest tick before a time of each of these jobs that has any."""
    rows = await conn.fetch(GET_LAST_RUNS, jobs, before)
    return {row["job"]: structure(row, CronRun) for row in rows}


async def set_beginning(conn: Connection, job: str, tick: datetime) -> None:
    """Remember a tick of a job that was never seen before, so that a later one can be missed."""
    await conn.execute(SET_BEGINNING, job, tick)


async def take_tick(
    conn: Connection, job: str, tick: datetime, *, limit: timedelta, before: datetime
) -> datetime | None:
    """Take a tick for oneself; None if another has it or a later one, or is still busy with an earlier one.

    A run that took longer than the limit is given up; ticks from ``before`` on don't count.
    """
    started_at: datetime | None = await conn.fetchval(TAKE_TICK, job, tick, limit, before)
    return started_at


async def finish_run(conn: Connection, job: str, tick: datetime, *, outcome: str, error: str | None) -> None:
    """Write down how a run ended."""
    await conn.execute(FINISH_RUN, job, tick, outcome, error)


async def purge_runs(conn: Connection, *, keep: timedelta) -> int:
    """Delete what is older than this, but never a job's newest; how many were deleted."""
    return int((await conn.execute(PURGE_RUNS, keep)).rpartition(" ")[2])
