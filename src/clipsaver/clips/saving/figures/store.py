"""The statements on ``clip_tallies`` and ``saving_halts``: nothing here goes through the clips."""

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import Final
from uuid import UUID

from asyncpg import Record

from clipsaver.clips.saving.model import Halt, HaltKind, Saved
from clipsaver.postgres.pool import Connection
from clipsaver.postgres.rows import structure

OF_ALL: Final = """
select state::text as state, reason_code, sum(clips)::bigint as clips, sum(bytes)::bigint as bytes
from clip_tallies group by state, reason_code
"""

OF_GUILD: Final = """
select state::text as state, reason_code, sum(clips)::bigint as clips, sum(bytes)::bigint as bytes
from clip_tallies where guild_id = $1 group by state, reason_code
"""

OF_CHANNEL: Final = """
select state::text as state, reason_code, sum(clips)::bigint as clips, sum(bytes)::bigint as bytes
from clip_tallies where guild_id = $1 and channel_id = $2 group by state, reason_code
"""

# Whatever was taken is put back as one row, so that two who fold at once, or one beside those who add, spoil nothing.
FOLD: Final = """
with several as (
    select guild_id, channel_id, state, reason_code from clip_tallies
    group by guild_id, channel_id, state, reason_code
    having count(*) > 1 or (sum(clips) = 0 and sum(bytes) = 0)
), taken as (
    delete from clip_tallies t using several s
    where (t.guild_id, t.channel_id, t.state, t.reason_code) = (s.guild_id, s.channel_id, s.state, s.reason_code)
    returning t.*
), folded as (
    insert into clip_tallies (guild_id, channel_id, state, reason_code, clips, bytes)
    select guild_id, channel_id, state, reason_code, sum(clips), sum(bytes) from taken
    group by guild_id, channel_id, state, reason_code having sum(clips) <> 0 or sum(bytes) <> 0
)
select count(*) from taken
"""

SET_HALT: Final = """
insert into saving_halts as h (worker, kind, free, seen_at) values ($1, $2, $3, clock_timestamp())
on conflict (worker) do update set kind = excluded.kind, free = excluded.free, seen_at = excluded.seen_at
"""

CLEAR_HALT: Final = """
delete from saving_halts where worker = $1 or seen_at < clock_timestamp() - interval '1 day'
"""

# A worker that is gone, or whose clock of the server was set back, says nothing any more.
HALTS: Final = """
select kind, free from saving_halts
where seen_at between clock_timestamp() - $1::interval and clock_timestamp() + $1::interval
order by kind, free limit 1
"""


async def of_all(conn: Connection) -> Saved:
    """Sum up the clips of all servers."""
    return _saved(await conn.fetch(OF_ALL))


async def of_guild(conn: Connection, guild_id: int) -> Saved:
    """Sum up a server's clips."""
    return _saved(await conn.fetch(OF_GUILD, guild_id))


async def of_channel(conn: Connection, guild_id: int, channel_id: int) -> Saved:
    """Sum up a channel's clips."""
    return _saved(await conn.fetch(OF_CHANNEL, guild_id, channel_id))


async def fold(conn: Connection) -> int:
    """Make one row of those of one kind; how many there were."""
    folded: int = await conn.fetchval(FOLD)
    return folded


async def set_halt(conn: Connection, worker: UUID, *, kind: HaltKind, free: int) -> None:
    """Write that a worker fetches nothing; that has to be said again before it is forgotten."""
    await conn.execute(SET_HALT, worker, kind, free)


async def clear_halt(conn: Connection, worker: UUID) -> None:
    """Write that a worker goes on; others that were heard of long ago are forgotten too."""
    await conn.execute(CLEAR_HALT, worker)


async def halt(conn: Connection, *, within: timedelta) -> Halt | None:
    """Find a worker that fetches nothing, the one with the least room first; None while all go on."""
    row = await conn.fetchrow(HALTS, within)
    return None if row is None else structure(row, Halt)


def _saved(rows: Sequence[Record]) -> Saved:
    states: Counter[str] = Counter()
    reasons: Counter[tuple[str, str]] = Counter()
    for row in rows:
        if row["clips"] > 0:
            states[row["state"]] += row["clips"]
            if row["reason_code"]:
                reasons[row["state"], row["reason_code"]] += row["clips"]
    taken = sum(row["bytes"] for row in rows if row["state"] == "stored")
    return Saved(states=dict(states), bytes=max(taken, 0), reasons=dict(reasons))
