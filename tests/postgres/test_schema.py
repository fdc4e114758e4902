"""Applying the schema: once, twice, by many at once, and where it can't be."""

import asyncio

import asyncpg
import pytest

from clipsaver.config import packaged
from clipsaver.errors import StartFailed
from clipsaver.postgres import schema
from clipsaver.postgres.pool import Connection, open_pool
from clipsaver.postgres.schema import VERSION, apply_schema
from tests.postgres.catalog import catalog
from tests.postgres.seeds import BY_HAND


async def test_twice_changes_nothing(empty_database_url: str) -> None:
    """Applying the whole text again gives the same catalog, and so does the quick way."""
    async with await open_pool(empty_database_url) as pool:
        await apply_schema(pool)
        async with pool.acquire() as conn:
            once = await catalog(conn)
            await apply_schema(conn)
            assert once == await catalog(conn)
            await conn.execute(packaged("schema.sql"))
            assert once == await catalog(conn)
            await conn.execute("update schema_versions set digest = null")
            await apply_schema(conn)
            assert once == await catalog(conn)


async def test_nothing_is_executed_when_it_was_applied(
    empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second start finds its own text and leaves it at that."""
    async with await open_pool(empty_database_url) as pool:
        await apply_schema(pool)
        monkeypatch.setattr(schema, "LOCK", "select never")
        await apply_schema(pool)


async def test_many_at_once(empty_database_url: str) -> None:
    """However many processes start together, each finds the schema there."""
    pools = await asyncio.gather(*(open_pool(empty_database_url, size=2) for _ in range(8)))
    await asyncio.gather(*(apply_schema(pool) for pool in pools))
    for pool in pools:
        assert await pool.fetchval("select count(*) from bot_channels") == 0
        await pool.close()


async def test_the_version_is_the_texts(empty_database_url: str) -> None:
    """The number in schema.sql is the one that the program knows."""
    async with await open_pool(empty_database_url) as pool:
        await apply_schema(pool)
        assert await pool.fetchval("select max(version) from schema_versions") == VERSION


async def test_a_later_releases_schema_is_left_alone(empty_database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Going back to an older release does not put older definitions over newer ones."""
    async with await open_pool(empty_database_url) as pool:
        await apply_schema(pool)
        await pool.execute("insert into schema_versions (version, digest) values ($1, 'later')", VERSION + 1)
        monkeypatch.setattr(schema, "LOCK", "select never")
        await apply_schema(pool)


async def test_versions_without_a_row(blank_database_url: str) -> None:
    """An emptied version table means applying again."""
    async with await open_pool(blank_database_url) as pool:
        await apply_schema(pool)
        await pool.execute("delete from schema_versions")
        await apply_schema(pool)
        assert await pool.fetchval("select version from schema_versions") == VERSION


async def test_a_user_without_rights(blank_database_url: str) -> None:
    """Who may not make tables is told so."""
    async with await open_pool(blank_database_url) as pool:
        await pool.execute("revoke create on schema public from public")
        await pool.execute("create role someone; grant usage on schema public to someone")
        try:
            async with pool.acquire() as conn:
                await conn.execute("set role someone")
                with pytest.raises(StartFailed, match="may not make or change tables"):
                    await apply_schema(conn)
                await conn.execute("reset role")
        finally:
            await pool.execute("drop owned by someone; drop role someone")


async def test_a_table_of_someone_elses(blank_database_url: str) -> None:
    """A table by one of our names but with other columns is named, and left as it was."""
    async with await open_pool(blank_database_url) as pool:
        await pool.execute("create table clips (something text)")
        async with pool.acquire() as conn:
            before = await catalog(conn)
            with pytest.raises(
                StartFailed, match=r"can't be brought up to date: .*does not exist.* Nothing was changed"
            ):
                await apply_schema(conn)
            assert before == await catalog(conn)


class TestSeedsQueries:
    """The queries in the earlier versions' own guide, on a database with their rows."""

    @pytest.fixture
    async def conn(self, pool: asyncpg.Pool) -> Connection:
        """A connection with a guild, its settings and a channel."""
        conn = await pool.acquire()
        await conn.execute("insert into bot_guilds (guild_id, name) values ('123', 'x'), ('123456789', 'y')")
        await conn.execute("insert into guild_settings (guild_id) values ('123456789')")
        await conn.execute("insert into bot_channels (channel_id, guild_id, name) values ('9', '123', 'nine')")
        return conn

    async def test_settings(self, conn: Connection) -> None:
        """Viewed, merged, replaced."""
        await conn.execute(
            """UPDATE guild_settings
            SET settings = settings || '{"new_key": "value"}'::jsonb
            WHERE guild_id = '123456789';"""
        )
        view = "SELECT guild_id, settings FROM guild_settings WHERE guild_id = '123456789';"
        assert tuple(await conn.fetchrow(view) or ()) == (123456789, {"new_key": "value"})
        await conn.execute(
            """UPDATE guild_settings
            SET settings = '{"prefix": "!", "auto_scan": false}'::jsonb
            WHERE guild_id = '123456789';"""
        )
        assert tuple(await conn.fetchrow(view) or ()) == (123456789, {"prefix": "!", "auto_scan": False})

    @pytest.mark.parametrize(
        "query",
        [
            "SELECT 1;",
            "SELECT COUNT(*) FROM bot_guilds;",
            "SELECT guild_id, name FROM bot_guilds;",
            "SELECT channel_id, name FROM bot_channels WHERE guild_id = '123';",
            """SELECT
                schemaname,
                tablename,
                pg_size_pretty(pg_total_relation_size(schemaname||'.'||tablename)) AS size
            FROM pg_tables
            WHERE schemaname = 'public'
            ORDER BY pg_total_relation_size(schemaname||'.'||tablename) DESC;""",
            "EXPLAIN ANALYZE SELECT * FROM bot_channels WHERE guild_id = '123';",
            "SELECT * FROM pg_stat_database WHERE datname = current_database();",
        ],
    )
    async def test_looking(self, conn: Connection, query: str) -> None:
        """Each finds something."""
        assert await conn.fetch(query)

    @pytest.mark.parametrize(
        "statement",
        [
            "VACUUM ANALYZE;",
            "VACUUM ANALYZE bot_channels;",
            "REINDEX INDEX idx_bot_channels_work;",
            "DELETE FROM bot_channel_scan_runs WHERE channel_id NOT IN (SELECT channel_id FROM bot_channels);",
            "DELETE FROM bot_channel_scan_runs WHERE created_at < NOW() - INTERVAL '30 days';",
        ],
    )
    async def test_keeping_house(self, conn: Connection, statement: str) -> None:
        """Each runs unchanged."""
        await conn.execute(statement)


async def test_an_error_of_ours_is_no_sentence(blank_database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A schema that can't be read as SQL says where."""
    monkeypatch.setattr(schema, "packaged", lambda _name: "create tabel x ()")
    async with await open_pool(blank_database_url) as pool:
        with pytest.raises(StartFailed, match='syntax error at or near "tabel"'):
            await apply_schema(pool)


async def test_many_at_once_convert(blank_database_url: str) -> None:
    """An earlier version's database is converted once, by whoever comes first."""
    pools = await asyncio.gather(*(open_pool(blank_database_url, size=1) for _ in range(4)))
    await pools[0].execute(BY_HAND)
    await asyncio.gather(*(apply_schema(pool) for pool in pools))
    for pool in pools:
        await pool.close()
