"""The budget of all processes on one token, as one row."""

from datetime import timedelta
from typing import Final

from clipsaver.postgres.pool import Connection

# The row is a virtual clock: the moment up to which requests are spoken for. It is only moved on if it isn't too far
# ahead; otherwise the second half tells by how much. Nothing legitimate is ever ten seconds ahead: such a row is from
# before someone set the server's clock back. No commit waits for the disk: a row lost in a crash comes back by itself.
TAKE: Final = """
with quick as materialized (
    select set_config('synchronous_commit', 'off', true)
), taken as (
    insert into budget as held (one, tat)
    select true, clock_timestamp() + $1::interval from quick
    on conflict (one) do update
        set tat = case
                when held.tat > clock_timestamp() + interval '10 seconds' then clock_timestamp()
                else greatest(held.tat, clock_timestamp())
            end + $1::interval
        where held.tat <= clock_timestamp() + $2::interval
            or held.tat > clock_timestamp() + interval '10 seconds'
    returning tat - $1::interval as turn
)
select true as granted, extract(epoch from turn - clock_timestamp())::float8 as seconds from taken
union all
select false, extract(epoch from tat - clock_timestamp() - $2::interval)::float8
from budget where not exists (select from taken)
"""


async def take(conn: Connection, *, increment: timedelta, ahead: timedelta) -> tuple[bool, float]:
    """Take one request from the budget; whether it was granted, and the seconds until it is due or to ask again."""
    row = await conn.fetchrow(TAKE, increment, ahead)
    if row is None:  # someone else's first request, too new for what this statement may see
        return False, 0.0
    return row["granted"], max(0.0, row["seconds"])
