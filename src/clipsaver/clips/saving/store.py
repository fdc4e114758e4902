"""The statements on clips without bytes, on blobs, and on what servers use.

Whoever works on a clip holds its row in ``downloads``: every write goes through that row and its token. Nothing
returned, nothing written.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final
from uuid import UUID

from asyncpg import Record

from clipsaver.clips.saving.model import Ending, Job, Place, Usage
from clipsaver.postgres.pool import Connection
from clipsaver.postgres.rows import structure

# A thread takes its parent's settings along.
SETTINGS: Final = """coalesce(g.settings, '{}') as guild_settings,
       case when ch.type like '%thread' then coalesce(p.settings, '{}') || ch.settings else ch.settings end as settings,
       ch.rules_hash"""
SETTINGS_AROUND: Final = """left join guild_settings g on g.guild_id = ch.guild_id
     left join bot_channels p on p.channel_id = ch.parent_id"""

# From channel to channel along the index, the first clip of each: the number of clips makes no difference.
WAITING_PLACES: Final = f"""
with recursive waiting as (
    (select channel_id, due_at from clips
     where state = 'pending' and channel_id > $1 order by channel_id, due_at limit 1)
    union all
    select next.channel_id, next.due_at from waiting w cross join lateral (
        select channel_id, due_at from clips
        where state = 'pending' and channel_id > w.channel_id order by channel_id, due_at limit 1
    ) next
), found as (
    select channel_id, due_at from waiting limit $2
)
select w.channel_id, ch.guild_id, w.due_at, {SETTINGS}
from found w join bot_channels ch on ch.channel_id = w.channel_id {SETTINGS_AROUND}
order by w.channel_id
"""  # noqa: S608 - our own words

IN_HAND: Final = """
select guild_id, count(*) as clips, coalesce(sum(bytes), 0)::bigint as bytes
from downloads where lease_until >= clock_timestamp() group by guild_id
"""

# The first ones of each channel that are due and in nobody's hand, and of these those that are due first. A lease that
# reaches further than a lease can is from before the server's clock was set back, and so is a clip that is due later
# than any is told to wait: it is taken when nothing else of its channel is due. The number is written down so that
# PostgreSQL, which plans this once for all, reads no more than that of a channel's index.
TAKE: Final = """
with moment as materialized (
    select clock_timestamp() as now
), first as (
    select c.clip_id, c.guild_id, c.attempts, row_number() over (order by c.due_at, c.clip_id) as number
    from unnest($3::bigint[]) as place (channel_id) cross join lateral (
        select w.clip_id, w.guild_id, w.attempts, w.due_at from (
            (select * from clips
             where state = 'pending' and channel_id = place.channel_id and due_at <= (select now from moment)
             order by due_at)
            union all
            (select * from clips
             where state = 'pending' and channel_id = place.channel_id
               and due_at > (select now from moment) + interval '48 hours'
             order by due_at)
        ) w
        where not exists (
            select from downloads d where d.clip_id = w.clip_id
               and d.lease_until between (select now from moment)
                                     and (select now from moment) + $2::interval + interval '10 minutes'
        )
        limit 8
    ) c
), chosen as (
    select f.clip_id, f.guild_id, f.attempts, t.token
    from first f join unnest($1::uuid[]) with ordinality as t (token, number) using (number)
    order by number
), taken as (
    insert into downloads as d (clip_id, guild_id, attempts, lease_token, lease_until)
    select clip_id, guild_id, attempts + 1, token, clock_timestamp() + $2::interval from chosen
    on conflict (clip_id) do update
       set attempts = greatest(d.attempts + 1, excluded.attempts), bytes = 0,
           lease_token = excluded.lease_token, lease_until = excluded.lease_until
     where d.lease_until not between clock_timestamp() and excluded.lease_until + interval '10 minutes'
    returning clip_id, lease_token
)
select c.clip_id, t.lease_token from chosen c left join taken t using (clip_id)
"""

JOBS: Final = f"""
select d.lease_token, c.clip_id, c.message_id, c.channel_id, c.guild_id, c.filename, c.content_type, c.size, c.url,
       c.url_expires_at, d.attempts, {SETTINGS}
from unnest($1::text[], $2::uuid[]) as taken (clip_id, token)
     join downloads d on d.clip_id = taken.clip_id and d.lease_token = taken.token
     join clips c on c.clip_id = d.clip_id join bot_channels ch on ch.channel_id = c.channel_id
     {SETTINGS_AROUND}
where c.state = 'pending' order by c.due_at, c.clip_id
"""  # noqa: S608 - our own words

# Whoever wants room in a server that has a limit waits here for those who want some too.
LOCK_USAGE: Final = """
insert into guild_usage as u (guild_id) values ($1)
on conflict (guild_id) do update set clips = u.clips
returning clips, bytes
"""

RESERVED: Final = """
select coalesce(sum(bytes), 0)::bigint from downloads
where guild_id = $1 and clip_id <> all($2::text[]) and lease_until >= clock_timestamp()
"""

RESERVE: Final = """
update downloads d set bytes = taken.bytes
from unnest($1::text[], $2::uuid[], $3::bigint[]) as taken (clip_id, token, bytes)
where d.clip_id = taken.clip_id and d.lease_token = taken.token
"""

RENEW: Final = """
update downloads set lease_until = clock_timestamp() + $3::interval where clip_id = $1 and lease_token = $2
returning true
"""

# Of clips that are gone, or that nobody has come back to.
FORGET_DOWNLOADS: Final = """
delete from downloads where lease_until < clock_timestamp() - interval '1 day'
"""

HOLD: Final = """
select true from downloads where clip_id = $1 and lease_token = $2 for update
"""

LET_GO: Final = """
delete from downloads d using unnest($1::text[], $2::uuid[]) as taken (clip_id, token)
where d.clip_id = taken.clip_id and d.lease_token = taken.token
"""

LOCK_BLOB: Final = "select pg_advisory_xact_lock($1::bigint)"

# The lock was taken before: nobody else adds the row meanwhile.
INSERT_BLOB: Final = """
with added as (
    insert into blobs (sha256, size, media_type) values ($1, $2, $3) on conflict (sha256) do nothing
)
select coalesce((select deleting_at is null from blobs where sha256 = $1), true)
"""

# Whoever made a mark that is so old has died over it, or the server's clock was set back. Nobody removes bytes under a
# mark that is not there any more.
TAKE_MARK_OFF: Final = """
update blobs set deleting_at = null
where sha256 = $1
  and deleting_at not between clock_timestamp() - interval '10 minutes' and clock_timestamp() + interval '10 minutes'
"""

# The same bytes may have been looked at before: what Discord does not say of the clip is known then. Where that brought
# no pictures they are looked at again: whoever posts them finds what the first one found, and not how it ended there.
MARK_STORED: Final = """
with held as (
    delete from downloads where clip_id = $1 and lease_token = $2 returning true
), stored as (
    update clips set state = 'stored', sha256 = $3, reason = null, reason_code = null, attempts = 0,
        (width, height, duration_seconds) = (
            select coalesce(clips.width, t.width), coalesce(clips.height, t.height),
                   coalesce(clips.duration_seconds, t.duration_seconds)
            from (values (1)) as always left join thumbnails t on t.sha256 = $3
        )
    from held where clip_id = $1 and state = 'pending' returning true
), looked_at_again as (
    update thumbnails t
    set state = 'pending', reason = null, reason_code = null, attempts = 0, due_at = clock_timestamp()
    from stored where t.sha256 = $3 and t.state = 'failed'
)
select exists (select from stored) from held
"""

MARK_ENDED: Final = """
with held as (
    delete from downloads where clip_id = $1 and lease_token = $2 returning attempts
), written as (
    update clips c
    set state = $3, reason_code = $4, reason = $5,
        attempts = case when $8::boolean then 0 when $7::boolean then held.attempts
                        else greatest(held.attempts - 1, 0) end,
        due_at = case when $6::interval is null then c.due_at else clock_timestamp() + $6::interval end
    from held where c.clip_id = $1 and c.state = 'pending'
)
select true from held
"""

SET_LACKS_ROOM: Final = """
update guild_usage set lacks_room = $2 where guild_id = $1
"""

LACKING_ROOM: Final = """
select u.guild_id, coalesce(g.settings, '{}') as settings
from guild_usage u left join guild_settings g on g.guild_id = u.guild_id where u.lacks_room
"""

# The smallest first, as many as fit in together: what does not fit stays where it is.
HEAL: Final = """
with fitting as (
    select c.clip_id, sum(coalesce(c.size, $4)) over (order by coalesce(c.size, $4), c.clip_id) as together
    from bot_channels ch join clips c on c.channel_id = ch.channel_id
    where ch.guild_id = $1 and c.state = 'skipped' and c.reason_code = 'over_quota'
    order by coalesce(c.size, $4), c.clip_id limit $3
), healed as (
    update clips c
    set state = 'pending', reason = null, reason_code = null, attempts = 0, due_at = clock_timestamp()
    from fitting f where c.clip_id = f.clip_id and f.together <= $2 and c.state = 'skipped'
    returning c.clip_id
)
select (select count(*) from healed) as healed, (select count(*) from fitting) as found
"""

RETRY: Final = """
with chosen as (
    select c.clip_id from bot_channels ch join clips c on c.channel_id = ch.channel_id
    where ch.guild_id = $1 and ($2::bigint[] is null or ch.channel_id = any($2)) and c.state = any($3::clip_state[])
      and ($4::text[] is null or c.reason_code = any($4))
    limit $5
)
update clips c
set state = 'pending', reason = null, reason_code = null, attempts = 0, due_at = clock_timestamp()
from chosen where c.clip_id = chosen.clip_id and c.state = any($3::clip_state[])
returning true
"""


async def waiting_places(conn: Connection, *, after: int, limit: int) -> Sequence[Place]:
    """List channels with clips that wait, in order of their ids, from behind one on."""
    return [structure(row, Place) for row in await conn.fetch(WAITING_PLACES, after, limit)]


async def in_hand(conn: Connection) -> Mapping[int, Usage]:
    """What all workers have in hand, by server: how many clips, and how much room is reserved for them."""
    return {row["guild_id"]: structure(row, Usage) for row in await conn.fetch(IN_HAND)}


async def take(
    conn: Connection, channels: Sequence[int], *, tokens: Sequence[UUID], lease: timedelta
) -> Mapping[UUID, str] | None:
    """Take the clips of these channels that are due first, each under a token; None when there are none.

    Those that others take at the same moment are missing: there may be more behind them.
    """
    found = await conn.fetch(TAKE, tokens, lease, list(channels))
    return {row["lease_token"]: row["clip_id"] for row in found if row["lease_token"] is not None} if found else None


async def jobs(conn: Connection, taken: Mapping[UUID, str]) -> Mapping[UUID, Job]:
    """Read clips that were taken; those that are not waiting any more are missing."""
    found = await conn.fetch(JOBS, list(taken.values()), list(taken))
    return {row["lease_token"]: structure(row, Job) for row in found}


async def lock_usage(conn: Connection, guild_id: int) -> Usage:
    """Read what a server's clips take, and keep others from reserving room there until the transaction ends."""
    return _usage(await conn.fetchrow(LOCK_USAGE, guild_id))


async def reserved(conn: Connection, guild_id: int, *, but_for: Sequence[str] = ()) -> int:
    """How much room is reserved for a server's other clips that are in hand."""
    amount: int = await conn.fetchval(RESERVED, guild_id, but_for)
    return amount


async def reserve(conn: Connection, taken: Mapping[UUID, str], sizes: Mapping[UUID, int]) -> None:
    """Hold so much room for clips for as long as they are in hand."""
    await conn.execute(RESERVE, [taken[token] for token in sizes], list(sizes), list(sizes.values()))


async def renew(conn: Connection, clip_id: str, *, token: UUID, lease: timedelta) -> bool:
    """Keep the lease; False when it is another's now. Locks it until the transaction ends."""
    return await conn.fetchval(RENEW, clip_id, token, lease) is True


async def forget_downloads(conn: Connection) -> None:
    """Forget leases that ended long ago; a clip that still waits is taken like any other."""
    await conn.execute(FORGET_DOWNLOADS)


async def hold(conn: Connection, clip_id: str, *, token: UUID) -> bool:
    """Lock the lease until the transaction ends; False when it is another's."""
    return await conn.fetchval(HOLD, clip_id, token) is True


async def let_go(conn: Connection, taken: Mapping[UUID, str]) -> None:
    """Give up leases, and nothing else; those that are others' are left alone."""
    await conn.execute(LET_GO, list(taken.values()), list(taken))


async def lock_blob(conn: Connection, sha256: bytes) -> None:
    """Keep others from storing or removing these bytes until the transaction ends."""
    await conn.execute(LOCK_BLOB, int.from_bytes(sha256[:8], "big", signed=True))


async def insert_blob(conn: Connection, sha256: bytes, *, size: int, media_type: str | None) -> bool:
    """Have a row for bytes that are in the storage; False when they are being removed, or were to be long ago."""
    if await conn.fetchval(INSERT_BLOB, sha256, size, media_type) is True:
        return True
    await conn.execute(TAKE_MARK_OFF, sha256)
    return False


async def mark_stored(conn: Connection, clip_id: str, sha256: bytes, *, token: UUID) -> bool | None:
    """Write that a clip has its bytes, and give up the lease; None when that is another's.

    False when the clip is gone, or was decided about otherwise meanwhile.
    """
    stored: bool | None = await conn.fetchval(MARK_STORED, clip_id, token, sha256)
    return stored


async def mark_ended(conn: Connection, clip_id: str, *, token: UUID, ending: Ending) -> bool:
    """Write why a clip was not stored, and give up the lease; False when that is another's."""
    return (
        await conn.fetchval(
            MARK_ENDED,
            clip_id,
            token,
            ending.state,
            ending.why,
            ending.reason,
            ending.delay,
            ending.counts,
            ending.begins_anew,
        )
        is True
    )


async def set_lacks_room(conn: Connection, guild_id: int, *, lacks: bool) -> None:
    """Remember whether a server has clips that were left out for want of room."""
    await conn.execute(SET_LACKS_ROOM, guild_id, lacks)


async def lacking_room(conn: Connection) -> Mapping[int, Mapping[str, object]]:
    """The servers with clips that were left out for want of room, and their settings."""
    return {row["guild_id"]: row["settings"] for row in await conn.fetch(LACKING_ROOM)}


async def heal(conn: Connection, guild_id: int, *, room: int, limit: int, unknown: int) -> tuple[int, int]:
    """Let clips wait again that were left out for want of room and fit now: how many, and how many were looked at."""
    row = await conn.fetchrow(HEAL, guild_id, room, limit, unknown)
    return (0, 0) if row is None else (row["healed"], row["found"])


async def retry(
    conn: Connection,
    guild_id: int,
    *,
    channels: Sequence[int] | None,
    states: Sequence[str],
    reasons: Sequence[str] | None,
    limit: int,
) -> int:
    """Let clips wait again that have ended in one of these states, in any channel, for any reason if None; how many."""
    return len(await conn.fetch(RETRY, guild_id, channels, states, reasons, limit))


def _usage(row: Record | None) -> Usage:
    """A row of usage; nothing where there is none."""
    return Usage() if row is None else structure(row, Usage)
