"""Databases of the bot's earlier versions become what a fresh one is, and keep every row."""

from datetime import UTC, datetime
from uuid import UUID

import pytest

from clipsaver.errors import StartFailed
from clipsaver.postgres.pool import Connection, Pool, open_pool
from clipsaver.postgres.schema import apply_schema
from tests.postgres.catalog import catalog
from tests.postgres.seeds import BY_HAND, BY_ORM, ROWS

RUN = "00000000-0000-4000-8000-00000000000"


@pytest.fixture
async def old(empty_database_url: str) -> Pool:
    """A pool on a database with nothing in it yet."""
    return await open_pool(empty_database_url, size=1)


@pytest.fixture
async def blank(blank_database_url: str) -> Pool:
    """The same on the main version only."""
    return await open_pool(blank_database_url, size=1)


async def fill(pool: Pool, *texts: str) -> None:
    """Execute one after the other."""
    for text in texts:
        await pool.execute(text)


async def converted_and_fresh(pool: Pool) -> tuple[object, object]:
    """The catalog after conversion, and that of a database made from nothing."""
    async with pool.acquire() as conn:
        await apply_schema(conn)
        left_over = ("functions",)  # an older trigger function may be someone's own
        converted = await catalog(conn, without=left_over)
        await conn.execute("drop schema public cascade; create schema public")
        await conn.reload_schema_state()
        await apply_schema(conn)
        return converted, await catalog(conn, without=left_over)


@pytest.mark.parametrize("tables", [BY_HAND, BY_ORM], ids=["by-hand", "by-orm"])
async def test_the_catalog_is_a_fresh_ones(old: Pool, tables: str) -> None:
    """Types, defaults, keys, indexes, triggers and names are those of schema.sql."""
    await old.execute(tables + ROWS)
    converted, fresh = await converted_and_fresh(old)
    assert fresh == converted
    await old.close()


@pytest.mark.parametrize("tables", [BY_HAND, BY_ORM], ids=["by-hand", "by-orm"])
async def test_every_row_is_kept(old: Pool, tables: str) -> None:
    """Ids become numbers, moments get their zone, everything else stays."""
    await old.execute(tables + ROWS)
    await apply_schema(old)
    async with old.acquire() as conn:
        await check_rows(conn)
    await old.close()


async def check_rows(conn: Connection) -> None:
    """Look for each row that was there."""
    assert [tuple(row) for row in await conn.fetch("select id, discord_user_id, username from users order by id")] == [
        (7, 111, "ann"),
        (9, 1119223372036854775, None),
    ]
    assert await conn.fetchval("insert into users (discord_user_id) values (5) returning id") == 10
    assert [
        tuple(row) for row in await conn.fetch("select guild_id, name, owner_user_id from bot_guilds order by 1")
    ] == [(500, "one", 111), (1000, "two", None)]
    assert [tuple(row) for row in await conn.fetch("select guild_id, settings from guild_settings order by 1")] == [
        (77, {}),
        (500, {"prefix": "!", "new_key": "value"}),
    ]
    assert [
        tuple(row)
        for row in await conn.fetch(
            "select channel_id, guild_id, is_reading, last_message_id, message_count, settings"
            " from bot_channels order by 1"
        )
    ] == [(9, 500, True, 12345, 7, {"scan_nsfw": True}), (10, 1000, False, None, 0, {})]
    assert await conn.fetchval("select updated_at from bot_channels where channel_id = 9") == datetime(
        2025, 5, 5, tzinfo=UTC
    )
    intent = await conn.fetchrow("select * from install_intents")
    assert intent is not None
    assert tuple(intent) == (
        "abc",
        111,
        500,
        datetime(2025, 1, 1, tzinfo=UTC),
        datetime(2025, 1, 1, 0, 10, tzinfo=UTC),
    )


@pytest.mark.parametrize("tables", [BY_HAND, BY_ORM], ids=["by-hand", "by-orm"])
async def test_one_active_run_a_channel(old: Pool, tables: str) -> None:
    """The newest goes on, the others are canceled and say why; each knows its guild."""
    await old.execute(tables + ROWS)
    await apply_schema(old)
    runs = await old.fetch("select id, guild_id, status, error_message, finished_at from bot_channel_scan_runs")
    found = {row["id"]: row for row in runs}
    states = {str(key)[-1]: (row["guild_id"], row["status"]) for key, row in found.items()}
    assert states == {"1": (500, "succeeded"), "2": (500, "canceled"), "3": (500, "queued"), "4": (1000, "queued")}
    canceled = found[UUID(RUN + "2")]
    assert canceled["error_message"] == "Canceled: a newer scan of this channel was waiting."
    assert canceled["finished_at"] is not None
    await old.close()


@pytest.mark.parametrize("wrong", ["abc", "-1", "007", "9223372036854775808", "1.5", " 9", "9" * 40])
async def test_what_is_no_id_stops_it(blank: Pool, wrong: str) -> None:
    """The sentence names table and count, and nothing was changed."""
    await blank.execute(BY_HAND + ROWS)
    await blank.execute("insert into guild_settings (guild_id) values ($1)", wrong)
    async with blank.acquire() as conn:
        before = await catalog(conn)
        with pytest.raises(StartFailed, match=r"table guild_settings .*: 1 value in guild_id .* Nothing was changed"):
            await apply_schema(conn)
        assert before == await catalog(conn)
        assert await conn.fetchval("select count(*) from guild_settings") == 3
    await blank.close()


async def test_several_wrong_values(blank: Pool) -> None:
    """They are counted."""
    await fill(blank, BY_HAND, "insert into users (discord_user_id) values ('a'), ('b'), ('')")
    with pytest.raises(StartFailed, match="The table users can't be converted: 3 values in discord_user_id"):
        await apply_schema(blank)
    await blank.close()


async def test_empty_texts_are_none(blank: Pool) -> None:
    """Where an id may be missing, an empty text means that it is."""
    await fill(blank, BY_HAND, ROWS, "update bot_channels set last_message_id = ''")
    await apply_schema(blank)
    assert await blank.fetchval("select count(*) from bot_channels where last_message_id is null") == 2
    await blank.close()


@pytest.mark.parametrize(
    "tables",
    [
        ("users",),
        ("guild_settings",),
        ("users", "bot_guilds"),
        ("users", "install_intents"),
        ("bot_guilds",),
        ("bot_channels",),
    ],
    ids="+".join,
)
async def test_only_some_tables(blank: Pool, tables: tuple[str, ...]) -> None:
    """Whatever subset there is, checked references or not, is converted; what it refers to gets a row."""
    await blank.execute(BY_HAND + ROWS)
    counts = {table: await blank.fetchval(f"select count(*) from {table}") for table in tables}  # noqa: S608 - names above
    gone = {"users", "bot_guilds", "guild_settings", "bot_channels", "bot_channel_scan_runs", "install_intents"}
    for table in gone - set(tables):
        await blank.execute(f"drop table {table} cascade")
    await apply_schema(blank)
    for table, count in counts.items():
        assert await blank.fetchval(f"select count(*) from {table}") == count  # noqa: S608 - names above
    await blank.close()


async def test_runs_of_no_channel(blank: Pool) -> None:
    """A run whose channel nobody knows can't be kept."""
    await fill(blank, BY_HAND, ROWS, "drop table bot_channels cascade")
    await apply_schema(blank)
    assert await blank.fetchval("select count(*) from bot_channel_scan_runs") == 0
    await blank.close()


async def test_numbers_already(blank: Pool) -> None:
    """Ids kept as bigint are converted as well."""
    await blank.execute(
        "create table guild_settings (guild_id bigint primary key, settings text, updated_at timestamp)"
    )
    await blank.execute("""insert into guild_settings values (5, '{"a": 1}', '2025-01-01'), (6, null, null)""")
    await apply_schema(blank)
    rows = await blank.fetch("select * from guild_settings order by guild_id")
    assert tuple(rows[0]) == (5, {"a": 1}, datetime(2025, 1, 1, tzinfo=UTC))
    assert tuple(rows[1])[:2] == (6, {})
    await blank.close()


async def test_a_column_of_someones_own(blank: Pool) -> None:
    """What was added to a table stays in it."""
    await fill(
        blank, BY_HAND, ROWS, "alter table bot_guilds add column note varchar(20); update bot_guilds set note = 'x'"
    )
    await apply_schema(blank)
    assert await blank.fetchval("select count(*) from bot_guilds where note = 'x'") == 2
    await blank.close()


async def test_another_enum_of_that_name(blank: Pool) -> None:
    """A status type with other values is replaced, when the values in use are ours."""
    await blank.execute((BY_HAND + ROWS).replace("'failed', 'canceled')", "'canceled', 'failed', 'paused')", 1))
    converted, fresh = await converted_and_fresh(blank)
    assert fresh == converted
    await blank.close()


async def test_a_status_that_is_none_of_ours(blank: Pool) -> None:
    """It can't be converted, and nothing was changed."""
    await fill(blank, BY_ORM, ROWS, "update bot_channel_scan_runs set status = 'paused'")
    with pytest.raises(StartFailed, match=r'scan_status: "paused"\. Nothing was changed'):
        await apply_schema(blank)
    assert await blank.fetchval("select guild_id from bot_guilds order by 1") == "1000"
    await blank.close()


async def test_something_else_depends_on_it(blank: Pool) -> None:
    """A view of someone's own is not dropped on the way: it is named."""
    await fill(blank, BY_HAND, ROWS, "create view mine as select guild_id from bot_guilds")
    with pytest.raises(StartFailed, match=r"something else depends on them: view mine .*Nothing was changed"):
        await apply_schema(blank)
    assert await blank.fetchval("select count(*) from mine") == 2
    await blank.close()
