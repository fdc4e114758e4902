"""The statements on a channel's coverage. ``snowflake`` is a domain: it is cast to bigint next to multiranges."""

from collections.abc import Iterable
from typing import Final

from clipsaver.channels.coverage.model import Coverage, Extended
from clipsaver.postgres.pool import Connection
from clipsaver.postgres.ranges import IdRange, from_db, to_db

READ: Final = """
    select coverage, stale, rules_hash, message_count
      from bot_channels
     where channel_id = $1
"""

# The row is locked first, so that everything is worked out from what is in it when it is our turn.
EXTEND: Final = """
    with before as materialized (
        select channel_id, coverage, stale, rules_hash
          from bot_channels
         where channel_id = $1
           and (rules_hash = $4 or rules_hash is not distinct from $5)
           for no key update
    ), fresh as materialized (
        select $2::int8multirange - coverage - stale as ids from before
    ), counted as (
        select count(*) as messages from unnest($3::bigint[]) as message_id, fresh where message_id <@ fresh.ids
    )
    update bot_channels as channel
       set coverage = case when before.rules_hash = $4 then before.coverage + $2 else $2 end,
           stale = case when before.rules_hash = $4 then before.stale - $2
                        else before.stale + before.coverage - $2 end,
           rules_hash = $4,
           message_count = channel.message_count + counted.messages
      from before, counted
     where channel.channel_id = before.channel_id
 returning counted.messages as messages_new,
           (select count(*) from unnest(channel.coverage)) as pieces,
           (select count(*) from unnest(channel.stale)) as stale_pieces
"""

TRIM: Final = """
    update bot_channels
       set coverage = (
               select coalesce(range_agg(piece), '{}')
                 from (select piece from unnest(coverage) as piece
                        order by upper(piece) - lower(piece) desc, piece desc limit $2) as largest
           ),
           stale = (
               select coalesce(range_agg(piece), '{}')
                 from (select piece from unnest(stale) as piece
                        order by upper(piece) - lower(piece) desc, piece desc limit $2) as largest
           )
     where channel_id = $1
"""


async def get_coverage(conn: Connection, channel_id: int) -> Coverage | None:
    """What of a channel has been read; None if the channel is not known."""
    row = await conn.fetchrow(READ, channel_id)
    if row is None:
        return None
    return Coverage(
        covered=from_db(row["coverage"]),
        stale=from_db(row["stale"]),
        rules_hash=row["rules_hash"],
        message_count=row["message_count"],
    )


async def extend_coverage(
    conn: Connection,
    *,
    channel_id: int,
    covers: Iterable[IdRange],
    message_ids: Iterable[int],
    rules_hash: str,
    seen_hash: str | None,
) -> Extended | None:
    """Add what was read under ``rules_hash``; None if the channel's rules are neither these nor ``seen_hash``.

    Where they are ``seen_hash``, what was covered under it is moved aside first. The row stays locked until the
    transaction ends, so this comes last in it.
    """
    row = await conn.fetchrow(EXTEND, channel_id, to_db(covers), list(set(message_ids)), rules_hash, seen_hash)
    return None if row is None else Extended(**row)


async def trim_coverage(conn: Connection, *, channel_id: int, pieces: int) -> None:
    """Forget the smallest pieces beyond so many: claiming too little is safe."""
    await conn.execute(TRIM, channel_id, pieces)
