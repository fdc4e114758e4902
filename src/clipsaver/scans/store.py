"""The runs' rows. Every write of a worker is fenced by its lease token: no row returned, nothing written."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from asyncpg import Record

from clipsaver.postgres import ranges
from clipsaver.postgres.pool import Connection
from clipsaver.postgres.ranges import IdRange
from clipsaver.postgres.rows import columns, structure
from clipsaver.scans.model import Advance, ChannelRules, Run

RUN = columns(Run)
RUN_CLAIMED = columns(Run, of="r")

# What decides how a channel's messages are read: a thread takes its parent's settings along.
RULES = """coalesce(g.settings, '{}') as guild_settings,
       case when c.type like '%thread' then coalesce(p.settings, '{}') || c.settings else c.settings end as settings,
       c.rules_hash"""
SETTINGS_AROUND = """left join guild_settings g on g.guild_id = c.guild_id
     left join bot_channels p on p.channel_id = c.parent_id"""

ENQUEUE_SCAN_RUN = f"""
insert into bot_channel_scan_runs (channel_id, guild_id, direction, rescan, message_limit, after_message_id,
                                   before_message_id, requested_by, progress_channel_id)
select c.channel_id, c.guild_id, $2, $3, $4, $5, $6, $7, $8 from bot_channels c where c.channel_id = $1
on conflict (channel_id) where status in ('queued', 'running') do nothing
returning {RUN}
"""  # noqa: S608 - our own words

ACTIVE_RUN = f"""
select {RUN} from bot_channel_scan_runs where channel_id = $1 and status in ('queued', 'running')
"""  # noqa: S608 - our own words

RUN_OF_GUILD = f"""
select {RUN} from bot_channel_scan_runs where id = $1 and guild_id = $2
"""  # noqa: S608 - our own words

LATEST_RUN = f"""
select {RUN} from bot_channel_scan_runs where channel_id = $1 order by created_at desc limit 1
"""  # noqa: S608 - our own words

LATEST_RUNS = f"""
select distinct on (channel_id) {RUN} from bot_channel_scan_runs
where guild_id = $1 order by channel_id, created_at desc
"""  # noqa: S608 - our own words

# The guild with the fewest scans in hand comes first, then whoever has waited longest. Nobody is told to wait for ten
# minutes, or holds a run for that much longer than a lease: such a row is from before the server's clock was set back.
CLAIM = f"""
with in_hand as (
    select guild_id, count(*) as runs from bot_channel_scan_runs
    where status in ('queued', 'running') and lease_until >= clock_timestamp() group by guild_id
), candidate as (
    select r.id from bot_channel_scan_runs r left join in_hand h on h.guild_id = r.guild_id
    where r.status in ('queued', 'running')
      and (r.due_at <= clock_timestamp() or r.due_at > clock_timestamp() + interval '10 minutes')
      and (r.lease_until is null or r.lease_until < clock_timestamp()
           or r.lease_until > clock_timestamp() + $2::interval + interval '10 minutes')
    order by coalesce(h.runs, 0), r.due_at, r.id
    limit 1 for update of r skip locked
)
update bot_channel_scan_runs r
set status = 'running', lease_token = $1, lease_until = clock_timestamp() + $2::interval, attempts = attempts + 1,
    started_at = coalesce(started_at, clock_timestamp())
from candidate where r.id = candidate.id
returning {RUN_CLAIMED}
"""  # noqa: S608 - our own words

RENEW = """
update bot_channel_scan_runs set lease_until = clock_timestamp() + $3::interval
where id = $1 and lease_token = $2 returning true
"""

MARK_SCAN_STARTED = f"""
update bot_channel_scan_runs set horizon = $3, todo = $4::text::int8multirange
where id = $1 and lease_token = $2 returning {RUN}
"""  # noqa: S608 - our own words

# The figures are absolute: whoever holds the lease knows them all, and writing them twice changes nothing. What comes
# back is what decides about clips now, for whoever looked through these messages a moment ago.
UPDATE_SCAN_PROGRESS = f"""
update bot_channel_scan_runs r
set todo = a.todo::int8multirange, messages_scanned = a.scanned, messages_matched = a.matched, clips_found = a.clips,
    skipped = a.skipped, lease_until = clock_timestamp() + $2::interval, last_page_at = clock_timestamp(),
    waiting_until = a.waiting_until, attempts = 0, error_message = null,
    newest_message_id = greatest(r.newest_message_id, a.newest)
from json_to_recordset($1::json) as a (
         id uuid, token uuid, todo int8multirange, scanned bigint, matched bigint, clips bigint, skipped jsonb,
         waiting_until timestamptz, newest bigint
     ),
     bot_channels c {SETTINGS_AROUND}
where r.id = a.id and r.lease_token = a.token and c.channel_id = r.channel_id
returning r.id, {RULES}
"""  # noqa: S608 - our own words

SET_WAITING = """
update bot_channel_scan_runs set waiting_until = $3 where id = $1 and lease_token = $2
"""

MARK_SCAN_FINISHED = f"""
update bot_channel_scan_runs
set status = $3::text::scan_status, error_message = $4, finished_at = clock_timestamp(), waiting_until = null,
    lease_token = null, lease_until = null
where id = $1 and lease_token = $2 returning {RUN}
"""  # noqa: S608 - our own words

POSTPONE = """
update bot_channel_scan_runs
set status = 'queued', error_message = $3, due_at = clock_timestamp() + $4::interval, waiting_until = null,
    lease_token = null, lease_until = null
where id = $1 and lease_token = $2
"""

RELEASE = """
update bot_channel_scan_runs
set status = 'queued', due_at = clock_timestamp(), attempts = greatest(attempts - 1, 0), waiting_until = null,
    lease_token = null, lease_until = null
where id = $1 and lease_token = $2
"""

CANCEL = f"""
update bot_channel_scan_runs
set status = 'canceled', cancel_requested_at = clock_timestamp(), finished_at = clock_timestamp(),
    waiting_until = null, lease_token = null, lease_until = null
where id = $1 and status in ('queued', 'running') returning {RUN}
"""  # noqa: S608 - our own words

RULES_OF_CHANNEL = f"""
select {RULES}, c.coverage::text as coverage from bot_channels c {SETTINGS_AROUND} where c.channel_id = $1
"""  # noqa: S608 - our own words

# Indexed columns: written at a run's end or every half minute, never with each page.
MARK_CHANNELS_SCANNED = """
update bot_channels c
set last_message_id = greatest(c.last_message_id, r.newest_message_id), last_scanned_at = clock_timestamp(),
    has_gaps = not c.coverage @> int8range(0, r.horizon)
from bot_channel_scan_runs r
where r.id = any($1::text[]::uuid[]) and r.horizon is not null and c.channel_id = r.channel_id
"""

RUNS_TO_SHOW = f"""
select {RUN} from bot_channel_scan_runs
where not progress_final and progress_channel_id is not null
  and (progress_shown_at is null or progress_shown_at < clock_timestamp() - $2::interval
       or progress_shown_at > clock_timestamp()
       or status not in ('queued', 'running'))
order by status in ('queued', 'running'), progress_shown_at nulls first limit $1
"""  # noqa: S608 - our own words

SHOWN = """
update bot_channel_scan_runs
set progress_message_id = coalesce($2, progress_message_id), progress_shown_at = clock_timestamp(), progress_final = $3
where id = $1
"""

UNSHOWABLE = """
update bot_channel_scan_runs set progress_final = true where id = $1
"""

IS_PROGRESS_MESSAGE = """
select exists (
    select from bot_channel_scan_runs
    where guild_id = $1 and progress_channel_id = $2 and progress_message_id >= $3 and progress_message_id < $4
)
"""

PURGE_SCAN_RUNS = """
delete from bot_channel_scan_runs where finished_at < now() - $1::interval returning id
"""

RUNS_BY_STATUS = """
select status::text as status, count(*) as runs from bot_channel_scan_runs group by status
"""


async def enqueue_scan_run(
    conn: Connection,
    channel_id: int,
    *,
    direction: str,
    rescan: str,
    message_limit: int | None,
    after_message_id: int | None,
    before_message_id: int | None,
    requested_by: int | None,
    progress_channel_id: int | None,
) -> Run | None:
    """Queue a run; None when the channel has an active one, or is unknown."""
    row = await conn.fetchrow(
        ENQUEUE_SCAN_RUN,
        channel_id,
        direction,
        rescan,
        message_limit,
        after_message_id,
        before_message_id,
        requested_by,
        progress_channel_id,
    )
    return _run(row)


async def active_run(conn: Connection, channel_id: int) -> Run | None:
    """Find the run that is queued or running in a channel."""
    return _run(await conn.fetchrow(ACTIVE_RUN, channel_id))


async def run_of_guild(conn: Connection, run_id: UUID, guild_id: int) -> Run | None:
    """Find a run by its id, in its own server only."""
    return _run(await conn.fetchrow(RUN_OF_GUILD, run_id, guild_id))


async def latest_run(conn: Connection, channel_id: int) -> Run | None:
    """Find a channel's newest run, whatever became of it."""
    return _run(await conn.fetchrow(LATEST_RUN, channel_id))


async def latest_runs(conn: Connection, guild_id: int) -> Mapping[int, Run]:
    """Find every channel's newest run, by channel id."""
    runs = [structure(row, Run) for row in await conn.fetch(LATEST_RUNS, guild_id)]
    return {run.channel_id: run for run in runs}


async def claim(conn: Connection, *, token: UUID, lease: timedelta) -> Run | None:
    """Take the run whose server has the fewest in hand; None when there is nothing to do."""
    return _run(await conn.fetchrow(CLAIM, token, lease))


async def renew(conn: Connection, run_id: UUID, *, token: UUID, lease: timedelta) -> bool:
    """Keep the lease; False when it is another's now, or the run has ended."""
    return await conn.fetchval(RENEW, run_id, token, lease) is True


async def mark_scan_started(
    conn: Connection, run_id: UUID, *, token: UUID, horizon: int, todo: Sequence[IdRange]
) -> Run | None:
    """Fix a run's horizon and what it has to read; None when the lease is lost."""
    return _run(await conn.fetchrow(MARK_SCAN_STARTED, run_id, token, horizon, ranges.to_text(todo)))


async def update_scan_progress(
    conn: Connection, advances: Sequence[Advance], *, lease: timedelta
) -> Mapping[UUID, ChannelRules]:
    """Write how far runs are, and lock them until the transaction ends; the rules of those whose lease still holds."""
    told = [
        {
            "id": str(one.run_id),
            "token": str(one.token),
            "todo": ranges.to_text(one.todo),
            "scanned": one.figures.messages_scanned,
            "matched": one.figures.messages_matched,
            "clips": one.figures.clips_found,
            "skipped": one.figures.skipped,
            "waiting_until": one.waiting_until,
            "newest": one.newest,
        }
        for one in advances
    ]
    rows = await conn.fetch(UPDATE_SCAN_PROGRESS, told, lease)
    return {row["id"]: structure(row, ChannelRules) for row in rows}


async def set_waiting(conn: Connection, run_id: UUID, *, token: UUID, until: datetime | None) -> None:
    """Write until when Discord makes the run wait, for people to see."""
    await conn.execute(SET_WAITING, run_id, token, until)


async def mark_scan_finished(
    conn: Connection, run_id: UUID, *, token: UUID, status: str, error: str | None = None
) -> Run | None:
    """End a run; None when the lease is lost."""
    return _run(await conn.fetchrow(MARK_SCAN_FINISHED, run_id, token, status, error))


async def postpone(conn: Connection, run_id: UUID, *, token: UUID, error: str, delay: timedelta) -> None:
    """Put a run back after trouble, to be tried again later."""
    await conn.execute(POSTPONE, run_id, token, error, delay)


async def release(conn: Connection, run_id: UUID, *, token: UUID) -> None:
    """Hand a run back as if it had not been claimed."""
    await conn.execute(RELEASE, run_id, token)


async def cancel(conn: Connection, run_id: UUID) -> Run | None:
    """Cancel an active run; its worker's next write finds the lease gone."""
    return _run(await conn.fetchrow(CANCEL, run_id))


async def rules_of_channel(conn: Connection, channel_id: int) -> ChannelRules | None:
    """Read a channel's settings and what has been read under which rules; None when the channel is gone."""
    row = await conn.fetchrow(RULES_OF_CHANNEL, channel_id)
    return None if row is None else structure(row, ChannelRules)


async def mark_channels_scanned(conn: Connection, runs: Sequence[UUID]) -> None:
    """Write what runs know of their channels into the columns that are indexed; nothing of one that has not begun."""
    await conn.execute(MARK_CHANNELS_SCANNED, [str(run) for run in runs])


async def runs_to_show(conn: Connection, *, limit: int, every: timedelta) -> list[Run]:
    """List runs whose message is due: shown longest ago first."""
    return [structure(row, Run) for row in await conn.fetch(RUNS_TO_SHOW, limit, every)]


async def shown(conn: Connection, run_id: UUID, *, message_id: int | None, final: bool) -> None:
    """Remember that a run's message was written."""
    await conn.execute(SHOWN, run_id, message_id, final)


async def unshowable(conn: Connection, run_id: UUID) -> None:
    """Give up on a run's message: it can't be written where it should be."""
    await conn.execute(UNSHOWABLE, run_id)


async def is_progress_message(conn: Connection, guild_id: int, channel_id: int, ids: IdRange) -> bool:
    """Tell whether one of these ids is a message of a channel that shows a run's progress."""
    return await conn.fetchval(IS_PROGRESS_MESSAGE, guild_id, channel_id, ids.start, ids.stop) is True


async def purge_scan_runs(conn: Connection, older_than: timedelta) -> int:
    """Delete runs that ended longer ago than that; tell how many."""
    return len(await conn.fetch(PURGE_SCAN_RUNS, older_than))


async def runs_by_status(conn: Connection) -> Mapping[str, int]:
    """Count the runs by status, for the metrics."""
    return {row["status"]: row["runs"] for row in await conn.fetch(RUNS_BY_STATUS)}


def _run(row: Record | None) -> Run | None:
    return None if row is None else structure(row, Run)
