"""The statements on blobs that are looked after: read again, marked, removed, and compared with what lies there."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from clipsaver.clips.storehouse.model import MARK_STALE, Blob, Claimed, Marked, Row
from clipsaver.postgres.pool import Connection
from clipsaver.postgres.rows import structure

GET_LABEL: Final = "select label from storage_label"
SET_LABEL: Final = """
insert into storage_label (label) values ($1) on conflict (one) do update set label = excluded.label
"""
COUNT_BLOBS: Final = "select count(*) from blobs where deleting_at is null"
NOW: Final = "select clock_timestamp()"

# One behind each of these points, which are drawn at random.
SAMPLE: Final = """
select distinct b.sha256, b.size from unnest($1::bytea[]) as point (sha256) cross join lateral (
    select sha256, size from blobs where sha256 >= point.sha256 and deleting_at is null order by sha256 limit 1
) b
"""

# A claim that reaches further than a day is from before the server's clock was set back.
CLAIM_OLDEST: Final = """
with oldest as (
    select sha256 from blobs
    where deleting_at is null and coalesce(verified_at, stored_at) < $1
      and (checking_until is null
           or checking_until not between clock_timestamp() and clock_timestamp() + interval '1 day')
    order by coalesce(verified_at, stored_at) limit 1 for update skip locked
)
update blobs b
set checking_until = clock_timestamp()
                   + least($2::interval + make_interval(secs => b.size * $3::float8), interval '1 day')
from oldest where b.sha256 = oldest.sha256
returning b.sha256, b.size, b.checking_until
"""

SET_VERIFIED: Final = """
update blobs set verified_at = clock_timestamp(), checking_until = null
where sha256 = $1 and checking_until = $2 and deleting_at is null
"""

LET_BE: Final = """
update blobs set checking_until = null where sha256 = $1 and checking_until = $2
"""

MARK_LOST: Final = """
update blobs set deleting_at = clock_timestamp()
where sha256 = $1
  and (deleting_at is null
       or deleting_at not between clock_timestamp() - $2::interval and clock_timestamp() + $2::interval)
returning sha256, size, deleting_at
"""

MARK_UNUSED: Final = """
update blobs b set deleting_at = clock_timestamp()
where sha256 = any($1::bytea[])
  and (deleting_at is null
       or deleting_at not between clock_timestamp() - $2::interval and clock_timestamp() + $2::interval)
  and not exists (select from clips c where c.sha256 = b.sha256 and c.state = 'stored')
returning sha256, size, deleting_at
"""

# Files that no row knows get one, marked from the start: whoever stores a clip on these bytes now notices.
MARK_UNKNOWN: Final = """
insert into blobs (sha256, size, deleting_at)
select sha256, size, clock_timestamp() from unnest($1::bytea[], $2::bigint[]) as file (sha256, size)
on conflict (sha256) do nothing returning sha256, size, deleting_at
"""

UNMARK: Final = """
update blobs set deleting_at = null where sha256 = $1 and deleting_at = $2
"""

UNMARK_STALE: Final = """
update blobs set deleting_at = null
where sha256 = any($1::bytea[])
  and deleting_at not between clock_timestamp() - $2::interval and clock_timestamp() + $2::interval
"""

IS_MARKED: Final = """
select true from blobs where sha256 = $1 and deleting_at = $2 for update
"""

IS_USED: Final = """
select exists (select from clips where sha256 = $1 and state = 'stored')
"""

RELEASE_CLIPS: Final = """
with chosen as (
    select clip_id from clips where sha256 = $1 and state = 'stored' order by clip_id limit $4 for update
)
update clips c
set state = 'pending', sha256 = null, reason_code = $2, reason = $3, attempts = 0, due_at = clock_timestamp()
from chosen where c.clip_id = chosen.clip_id
returning true
"""

DELETE_BLOB: Final = """
delete from blobs where sha256 = $1
"""

KNOWN: Final = """
select sha256 from blobs where sha256 = any($1::bytea[])
"""

ROWS_BETWEEN: Final = """
with stretch as materialized (
    select sha256, size, stored_at, deleting_at from blobs
    where sha256 > $1 and sha256 <= $2 order by sha256 limit $3
)
select b.sha256, b.size, b.stored_at < $4 as old, b.deleting_at is not null as marked,
       b.deleting_at is not null and b.deleting_at
           not between clock_timestamp() - $5::interval and clock_timestamp() + $5::interval as stale,
       clip.* is not null as used
from stretch b
left join lateral (select 1 from clips c where c.sha256 = b.sha256 and c.state = 'stored' limit 1) clip on true
order by b.sha256
"""


async def get_label(conn: Connection) -> str | None:
    """Which storage the database knows."""
    label: str | None = await conn.fetchval(GET_LABEL)
    return label


async def set_label(conn: Connection, label: str) -> None:
    """Remember which storage it is."""
    await conn.execute(SET_LABEL, label)


async def count_blobs(conn: Connection) -> int:
    """How many blobs there are, without those that go."""
    count: int = await conn.fetchval(COUNT_BLOBS)
    return count


async def now(conn: Connection) -> datetime:
    """The server's time."""
    moment: datetime = await conn.fetchval(NOW)
    return moment


async def sample(conn: Connection, points: Sequence[bytes]) -> Sequence[Blob]:
    """The blobs that come next from each of these points on, each once."""
    return [structure(row, Blob) for row in await conn.fetch(SAMPLE, list(points))]


async def claim_oldest(
    conn: Connection, *, before: datetime, lease: timedelta, seconds_per_byte: float
) -> Claimed | None:
    """Take the blob that was not read for longest, if that was before then and nobody reads it."""
    row = await conn.fetchrow(CLAIM_OLDEST, before, lease, seconds_per_byte)
    return None if row is None else structure(row, Claimed)


async def set_verified(conn: Connection, claimed: Claimed) -> None:
    """Write that a blob is as it should be."""
    await conn.execute(SET_VERIFIED, claimed.sha256, claimed.checking_until)


async def let_be(conn: Connection, claimed: Claimed) -> None:
    """Give a blob back as if it had not been claimed."""
    await conn.execute(LET_BE, claimed.sha256, claimed.checking_until)


async def mark_lost(conn: Connection, sha256: bytes) -> Marked | None:
    """Keep everyone from serving a blob, or storing clips on it; None when another has marked it, or it is gone."""
    row = await conn.fetchrow(MARK_LOST, sha256, MARK_STALE)
    return None if row is None else structure(row, Marked)


async def mark_unused(conn: Connection, hashes: Sequence[bytes]) -> Sequence[Marked]:
    """Mark those of these blobs that no clip needs."""
    return [structure(row, Marked) for row in await conn.fetch(MARK_UNUSED, list(hashes), MARK_STALE)]


async def mark_unknown(conn: Connection, files: Sequence[Blob]) -> Sequence[Marked]:
    """Mark files that no row knows; those that one knows by now are left out."""
    hashes, sizes = [file.sha256 for file in files], [file.size for file in files]
    return [structure(row, Marked) for row in await conn.fetch(MARK_UNKNOWN, hashes, sizes)]


async def unmark(conn: Connection, marked: Marked) -> None:
    """Take our mark off."""
    await conn.execute(UNMARK, marked.sha256, marked.deleting_at)


async def unmark_stale(conn: Connection, hashes: Sequence[bytes]) -> None:
    """Take marks off that were left by those who are gone."""
    await conn.execute(UNMARK_STALE, list(hashes), MARK_STALE)


async def is_marked(conn: Connection, marked: Marked) -> bool:
    """Whether our mark is still there; it stays until the transaction ends."""
    return await conn.fetchval(IS_MARKED, marked.sha256, marked.deleting_at) is True


async def is_used(conn: Connection, sha256: bytes) -> bool:
    """Whether a clip needs these bytes."""
    return await conn.fetchval(IS_USED, sha256) is True


async def release_clips(conn: Connection, sha256: bytes, *, why: str, reason: str, limit: int) -> int:
    """Let clips wait again that have these bytes; how many."""
    return len(await conn.fetch(RELEASE_CLIPS, sha256, why, reason, limit))


async def delete_blob(conn: Connection, sha256: bytes) -> None:
    """Remove a blob's row."""
    await conn.execute(DELETE_BLOB, sha256)


async def known(conn: Connection, hashes: Sequence[bytes]) -> set[bytes]:
    """Those of these hashes that have a row."""
    return {row["sha256"] for row in await conn.fetch(KNOWN, list(hashes))}


async def rows_between(conn: Connection, after: bytes, until: bytes, *, limit: int, before: datetime) -> Sequence[Row]:
    """List rows in order of their hashes; ``before`` divides old ones from young ones."""
    rows = await conn.fetch(ROWS_BETWEEN, after, until, limit, before, MARK_STALE)
    return [structure(row, Row) for row in rows]
