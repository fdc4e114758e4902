"""What all processes on one token share: the budget, and how often Discord refused them."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from clipsaver.discord.latecomers import Late
from clipsaver.postgres.pool import Connection

# The row is a virtual clock: the moment up to which requests are spoken for. It is only moved on if it isn't too far
# ahead, and not while a refusal holds everyone back; otherwise the second half tells for how long. Nothing legitimate
# is ever ten seconds ahead: such a row is from before someone set the server's clock back. No commit waits for the
# disk: a row lost in a crash comes back by itself.
TAKE: Final = """
with quick as materialized (
    select set_config('synchronous_commit', 'off', true)
), taken as (
    insert into budget as held (one, tat, turns)
    select true, clock_timestamp() + $1::interval, array[clock_timestamp()] from quick
    on conflict (one) do update
        set (tat, turns, late) = (
            select turn + $1::interval,
                   case when $3::integer is null then '{}'
                        else (held.turns || turn)[greatest(1, cardinality(held.turns) + 2 - $3::integer):] end,
                   case when held.late = '{}' then '{}'
                        else array(select one from unnest(held.late) as one where upper(one) > clock_timestamp()) end
            from next_turn(held.tat, held.turns, held.late, $3::integer) as turn
        )
        where next_turn(held.tat, held.turns, held.late, $3::integer) <= clock_timestamp() + $2::interval
            and coalesce(holds_until(held.held_until, held.held_at) <= clock_timestamp(), true)
    returning tat - $1::interval as turn
), halt as (
    select extract(epoch from max(at) + interval '601 seconds' - clock_timestamp())::float8 as seconds
    from invalid_requests
    where stops is not null and at > clock_timestamp() - interval '601 seconds'
        and at < clock_timestamp() + interval '10 seconds'
)
select true as granted, extract(epoch from turn - clock_timestamp())::float8 as seconds, 0.0::float8 as held,
       halt.seconds as halted, turn
from taken, halt
union all
select false,
       extract(epoch from next_turn(tat, turns, late, $3::integer) - clock_timestamp() - $2::interval)::float8,
       extract(epoch from holds_until(held_until, held_at) - clock_timestamp())::float8,
       halt.seconds, null
from budget, halt where not exists (select from taken)
"""

# What would take room for longer than ten seconds from now is from before the server's clock was set back.
LEAVE_ROOM: Final = """
with quick as materialized (
    select set_config('synchronous_commit', 'off', true)
)
update budget
set late = array(
    select one from (
        select unnest(late) as one
        union all
        select tstzrange(turn + begins * interval '1 second', turn + ends * interval '1 second')
        from unnest($1::timestamptz[], $2::float8[], $3::float8[]) as told (turn, begins, ends)
    ) as all_of_them
    where upper(one) between clock_timestamp() and clock_timestamp() + interval '10 seconds'
    order by upper(one) desc limit 200
)
from quick
"""

# Whoever hears that the whole bot has to wait tells the others, also those that start later; for a day at most.
HOLD: Final = """
with quick as materialized (
    select set_config('synchronous_commit', 'off', true)
)
insert into budget as held (one, tat, held_until, held_at)
select true, clock_timestamp(), clock_timestamp() + least($1::interval, interval '1 day'), clock_timestamp() from quick
on conflict (one) do update
    set held_until = greatest(holds_until(held.held_until, held.held_at), excluded.held_until),
        held_at = excluded.held_at
"""

# Once too many were refused within ten minutes, everything that is refused from then on keeps the halt going: it ends
# when ten minutes have passed without a refusal. The last second of the ten minutes counts whole.
NOTE_INVALID: Final = """
with recent as (
    select coalesce(sum(requests), 0) + $1::integer as requests,
           coalesce(bool_or(stops is not null), false) as halted,
           coalesce(bool_or(stops = 'everything'), false) as stopped
    from invalid_requests
    where at > clock_timestamp() - interval '601 seconds' and at < clock_timestamp() + interval '10 seconds'
)
insert into invalid_requests as held (at, requests, stops)
select date_trunc('second', clock_timestamp()), $1::integer,
       case when stopped or requests >= $3::integer then 'everything'
            when halted or requests >= $2::integer then 'reading' end
from recent
on conflict (at) do update
    set requests = held.requests + excluded.requests, stops = coalesce(excluded.stops, held.stops)
"""

LOOK_INVALID: Final = """
select coalesce(sum(requests), 0)::integer as requests,
       extract(epoch from max(at) filter (where stops is not null) + interval '601 seconds'
               - clock_timestamp())::float8 as reading,
       extract(epoch from max(at) filter (where stops = 'everything') + interval '601 seconds'
               - clock_timestamp())::float8 as everything
from invalid_requests
where at > clock_timestamp() - interval '601 seconds' and at < clock_timestamp() + interval '10 seconds'
"""

FORGET_INVALID: Final = """
delete from invalid_requests
where at < clock_timestamp() - interval '20 minutes' or at > clock_timestamp() + interval '10 seconds'
"""


class Taken(NamedTuple):
    """The budget's answer."""

    granted: bool
    seconds: float
    """Until the request is due, or if it wasn't granted until the budget may be asked again."""
    held: float = 0.0
    """For how long a refusal of the whole bot holds everyone back."""
    halted: float = 0.0
    """For how long nothing may be read because too many requests were refused."""
    turn: datetime | None = None
    """If it was granted: when it is due."""


class Invalid(NamedTuple):
    """How often Discord refused any of the processes, and for how long that stops them."""

    requests: int
    """Within ten minutes."""
    reading: float
    """Seconds until anything may be read; 0: now."""
    everything: float
    """Seconds until anything may be sent; 0: now."""


async def take(conn: Connection, *, increment: timedelta, ahead: timedelta, most: int | None = None) -> Taken:
    """Take one request from the budget; whether it was granted, and when it is due or when to ask again.

    ``most``: requests that any second has room for, those included that came late.
    """
    row = await conn.fetchrow(TAKE, increment, ahead, most)
    if row is None:  # someone else's first request, too new for what this statement may see
        return Taken(granted=False, seconds=0.0)
    seconds, held, halted = (max(0.0, row[name] or 0.0) for name in ("seconds", "held", "halted"))
    return Taken(row["granted"], seconds, held, halted, row["turn"])


async def leave_room(conn: Connection, late: Sequence[Late]) -> None:
    """Note when requests that came late take room."""
    await conn.execute(LEAVE_ROOM, *([getattr(one, name) for one in late] for name in Late._fields))


async def hold(conn: Connection, *, wait: timedelta) -> None:
    """Grant nobody anything for so long."""
    await conn.execute(HOLD, wait)


async def note_invalid(conn: Connection, requests: int, *, reading_stops: int, everything_stops: int) -> None:
    """Count refused requests; from the bounds on all processes stop."""
    await conn.execute(NOTE_INVALID, requests, reading_stops, everything_stops)
    await conn.execute(FORGET_INVALID)


async def look_invalid(conn: Connection) -> Invalid:
    """Look how often any process was refused, and what that stops."""
    row = await conn.fetchrow(LOOK_INVALID)
    if row is None:
        raise RuntimeError("An aggregate without grouping has one row.")
    return Invalid(row["requests"], max(0.0, row["reading"] or 0.0), max(0.0, row["everything"] or 0.0))
