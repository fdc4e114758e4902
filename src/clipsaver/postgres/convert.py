"""Taking over a database made for the bot's earlier versions, whose ids are text.

Their tables are moved aside, schema.sql makes its own, and every row is copied over; all in the schema's transaction,
so that what can't be converted leaves everything as it was. What the old tables' constraints and indexes were called,
whether they were made by hand or by an ORM, and which of them there are, makes no difference.

The queries whose names end in ``_STATEMENTS`` look into the catalog and write the statements that are then executed.
"""

from collections.abc import Sequence
from typing import Final

import structlog

from clipsaver.errors import StartFailed
from clipsaver.postgres.pool import Connection

log = structlog.get_logger("clipsaver.postgres")

IDS: Final = (
    ("users", "discord_user_id"),
    ("bot_guilds", "guild_id"),
    ("bot_guilds", "owner_user_id"),
    ("guild_settings", "guild_id"),
    ("bot_channels", "channel_id"),
    ("bot_channels", "guild_id"),
    ("bot_channels", "last_message_id"),
    ("bot_channel_scan_runs", "channel_id"),
    ("bot_channel_scan_runs", "after_message_id"),
    ("bot_channel_scan_runs", "before_message_id"),
    ("install_intents", "user_id"),
    ("install_intents", "guild_id"),
)
"""Every column of the old tables that holds an id from Discord, tables in the order of their references."""

FIND_OLD: Final = """
select ids.tab, ids.col
from unnest($1::text[], $2::text[]) with ordinality as ids (tab, col, place)
join pg_class c on c.relname = ids.tab and c.relkind = 'r' and c.relnamespace = current_schema()::regnamespace
join pg_attribute a on a.attrelid = c.oid and a.attname = ids.col and not a.attisdropped
join pg_type t on t.oid = a.atttypid
where t.typname <> 'snowflake'
order by ids.place
"""

# An empty text stands for none where there may be none.
COUNT_WRONG_STATEMENTS: Final = """
select ids.tab, ids.col, format(
    'select count(*) from %1$I where (%2$I::text <> '''' or %3$L)
        and (%2$I::text !~ ''^(0|[1-9][0-9]{0,18})$'' or %2$I::text::numeric > 9223372036854775807)',
    ids.tab, ids.col, a.attnotnull) as statement
from unnest($1::text[], $2::text[]) as ids (tab, col)
join pg_attribute a on a.attrelid = to_regclass(quote_ident(ids.tab)) and a.attname = ids.col
"""

MAKE_ASIDE: Final = "create schema clipsaver_before"
MOVE_STATEMENTS: Final = """
select format('alter table %I set schema clipsaver_before', tab) from unnest($1::text[]) as old (tab)
"""
# A type of that name with other values would be kept by schema.sql.
MOVE_TYPE_STATEMENTS: Final = """
select format('alter type %I set schema clipsaver_before', t.typname)
from pg_type t join pg_enum e on e.enumtypid = t.oid
where t.typname = 'scan_status' and t.typnamespace = current_schema()::regnamespace
group by t.typname
having array_agg(e.enumlabel::text order by e.enumsortorder)
    <> array['queued', 'running', 'succeeded', 'failed', 'canceled']
"""

SETTLE_ACTIVE_RUNS: Final = """
update clipsaver_before.bot_channel_scan_runs
set status = 'canceled', finished_at = now(), error_message = 'Canceled: a newer scan of this channel was waiting.'
where id in (
    select id from (
        select id, row_number() over (partition by channel_id order by created_at desc, id desc) as place
        from clipsaver_before.bot_channel_scan_runs where status::text in ('queued', 'running')
    ) as active where place > 1
)
"""

# What someone added to a table stays.
ADD_COLUMN_STATEMENTS: Final = """
select format('alter table %I add column %I %s', c.relname, a.attname, format_type(a.atttypid, a.atttypmod))
from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
where c.relnamespace = 'clipsaver_before'::regnamespace and c.relkind = 'r' and not exists (
    select from pg_attribute n
    where n.attrelid = to_regclass(quote_ident(c.relname)) and n.attname = a.attname and not n.attisdropped
)
order by c.relname, a.attnum
"""

# Rows that are only referred to: not every database checked its references.
ADD_OWNERS: Final = """
insert into users (discord_user_id)
select distinct owner_user_id::text::bigint from clipsaver_before.bot_guilds
where owner_user_id::text <> '' and owner_user_id::text::bigint not in (select discord_user_id from users)
"""
ADD_GUILDS: Final = """
insert into bot_guilds (guild_id, name)
select distinct guild_id::text::bigint, guild_id::text from clipsaver_before.bot_channels
on conflict do nothing
"""
ADD_INSTALLERS: Final = """
insert into users (discord_user_id)
select distinct user_id::text::bigint from clipsaver_before.install_intents
where user_id::text::bigint not in (select discord_user_id from users)
"""
FORGET_STRAY_RUNS: Final = """
delete from clipsaver_before.bot_channel_scan_runs
where channel_id::text::bigint not in (select channel_id from bot_channels)
"""
BEFORE_COPYING: Final = {
    "bot_guilds": ADD_OWNERS,
    "bot_channels": ADD_GUILDS,
    "install_intents": ADD_INSTALLERS,
    "bot_channel_scan_runs": FORGET_STRAY_RUNS,
}

COPY_STATEMENTS: Final = """
select format('insert into %I (%s) select %s from clipsaver_before.%I', $1::text,
    string_agg(quote_ident(a.attname), ', ' order by a.attnum),
    string_agg(
        case when a.attnotnull and d.adbin is not null
            then format('coalesce(%s, %s)', source.expression, pg_get_expr(d.adbin, d.adrelid))
            else source.expression end,
        ', ' order by a.attnum),
    $1::text)
from pg_attribute a
join pg_attribute o on o.attrelid = to_regclass(format('clipsaver_before.%I', $1::text))
    and o.attname = a.attname and not o.attisdropped
left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
cross join lateral (
    select case
        when a.atttypid = o.atttypid then quote_ident(a.attname)
        when format_type(a.atttypid, null) = 'snowflake' then format('nullif(%I::text, '''')::bigint', a.attname)
        when a.atttypid = 'timestamptz'::regtype and o.atttypid = 'timestamp'::regtype
            then format('%I at time zone ''UTC''', a.attname)
        else format('%I::text::%s', a.attname, format_type(a.atttypid, a.atttypmod))
    end as expression
) as source
where a.attrelid = to_regclass(quote_ident($1::text)) and a.attnum > 0 and not a.attisdropped
"""

GO_ON_COUNTING: Final = """
select setval(pg_get_serial_sequence('users', 'id'), coalesce(max(id), 1), count(*) > 0) from users
"""
NAME_GUILDS_OF_RUNS: Final = """
update bot_channel_scan_runs r set guild_id = c.guild_id
from bot_channels c where c.channel_id = r.channel_id and r.guild_id is null
"""

# All at once, since they refer to each other; whatever else depends on them stops it.
DROP_STATEMENTS: Final = """
select format('drop table %s', string_agg(format('clipsaver_before.%I', tab), ', '))
from unnest($1::text[]) as old (tab)
"""
DROP_TYPE: Final = "drop type if exists clipsaver_before.scan_status"
DROP_ASIDE: Final = "drop schema clipsaver_before"


async def move_aside(conn: Connection) -> tuple[str, ...]:
    """Check and move the old tables, if there are any; returns their names, in the order of their references."""
    old = [(row["tab"], row["col"]) for row in await conn.fetch(FIND_OLD, *_split(IDS))]
    if not old:
        return ()
    for row in await conn.fetch(COUNT_WRONG_STATEMENTS, *_split(old)):
        wrong = await conn.fetchval(row["statement"])
        if wrong:
            raise StartFailed(
                f"The table {row['tab']} can't be converted: {wrong} {'value' if wrong == 1 else 'values'} in "
                f"{row['col']} can't be a Discord id. Nothing was changed."
            )
    tables = tuple(dict.fromkeys(table for table, _ in old))
    await conn.execute(MAKE_ASIDE)
    await _execute_each(conn, MOVE_STATEMENTS, tables)
    if "bot_channel_scan_runs" in tables:
        await conn.execute(SETTLE_ACTIVE_RUNS)
    await _execute_each(conn, MOVE_TYPE_STATEMENTS)
    return tables


async def copy_back(conn: Connection, tables: Sequence[str]) -> None:
    """Copy what was moved aside into the tables that are there by now, and drop it."""
    await _execute_each(conn, ADD_COLUMN_STATEMENTS)
    for table in tables:
        if table in BEFORE_COPYING:
            await conn.execute(BEFORE_COPYING[table])
        copied = [await conn.execute(row[0]) for row in await conn.fetch(COPY_STATEMENTS, table)]
        log.info("postgres.table_converted", table=table, rows=int(copied[0].split()[-1]))
        if table == "users":
            await conn.execute(GO_ON_COUNTING)
    await conn.execute(NAME_GUILDS_OF_RUNS)
    await _execute_each(conn, DROP_STATEMENTS, tables)
    await conn.execute(DROP_TYPE)
    await conn.execute(DROP_ASIDE)


async def _execute_each(conn: Connection, query: str, *arguments: object) -> None:
    """Execute the statements that a query over the catalog writes."""
    for row in await conn.fetch(query, *arguments):
        await conn.execute(row[0])


def _split(ids: Sequence[tuple[str, str]]) -> tuple[list[str], list[str]]:
    """Tables and columns as two parameters."""
    return [table for table, _ in ids], [column for _, column in ids]
