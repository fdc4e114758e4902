"""The statements on a channel's coverage. ``snowflake`` is a domain: it is cast to bigint next to multiranges."""

from collections.abc import Sequence
from typing import Final

from clipsaver.channels.coverage.model import Coverage, Extended, Reading
from clipsaver.postgres.pool import Connection
from clipsaver.postgres.ranges import from_text, to_text

READ: Final = """
    select coverage::text as coverage, stale::text as stale, rules_hash, message_count
      from bot_channels
     where channel_id = $1
"""

# The rows are locked first, so that everything is worked out from what is in them when it is our turn.
EXTEND: Final = """
    with reading as (
        select channel_id, covers, rules_hash, seen_hash, message_ids
          from json_to_recordset($1::json) as reading (
                   channel_id bigint, covers int8multirange, rules_hash text, seen_hash text, message_ids bigint[]
               )
    ), before as materialized (
        select channel.channel_id, channel.coverage, channel.stale, channel.rules_hash as old_hash,
               reading.covers, reading.rules_hash, reading.message_ids,
               reading.covers - channel.coverage - channel.stale as fresh
          from bot_channels as channel
          join reading on reading.channel_id = channel.channel_id
         where channel.rules_hash = reading.rules_hash or channel.rules_hash is not distinct from reading.seen_hash
         order by channel.channel_id
           for no key update of channel
    ), counted as materialized (
        select before.channel_id,
               (select count(distinct id) from unnest(before.message_ids) as id where id <@ before.fresh) as messages
          from before
    )
    update bot_channels as channel
       set coverage = case when before.old_hash = before.rules_hash then before.coverage + before.covers
                           else before.covers end,
           stale = case when before.old_hash = before.rules_hash then before.stale - before.covers
                        else before.stale + before.coverage - before.covers end,
           rules_hash = before.rules_hash,
           message_count = channel.message_count + counted.messages
      from before join counted on counted.channel_id = before.channel_id
     where channel.channel_id = before.channel_id
 returning channel.channel_id,
           counted.messages as messages_new,
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
        covered=from_text(row["coverage"]),
        stale=from_text(row["stale"]),
        rules_hash=row["rules_hash"],
        message_count=row["message_count"],
    )


async def extend_coverage(conn: Connection, readings: Sequence[Reading]) -> list[Extended]:
    """Add what was read, each channel once; those are left out whose rules are neither the reading's nor ``seen_hash``.

    Where they are ``seen_hash``, what was covered under it is moved aside first. The rows stay locked until the
    transaction ends, so this comes last in it.
    """
    rows = await conn.fetch(
        EXTEND,
        [
            {
                "channel_id": one.channel_id,
                "covers": to_text(one.covers),
                "rules_hash": one.rules_hash,
                "seen_hash": one.seen_hash,
                "message_ids": one.message_ids,
            }
            for one in readings
        ],
    )
    return [Extended(**row) for row in rows]


async def trim_coverage(conn: Connection, *, channel_id: int, pieces: int) -> None:
    """Forget the smallest pieces beyond so many: claiming too little is safe."""
    await conn.execute(TRIM, channel_id, pieces)
