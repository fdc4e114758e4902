"""The fixtures give a database with the schema."""

from clipsaver.postgres.pool import Pool


async def test_schema_is_there(pool: Pool) -> None:
    """A fresh database has the tables."""
    assert await pool.fetchval("select to_regclass('bot_channels')::text") == "bot_channels"


async def test_json_goes_both_ways(pool: Pool) -> None:
    """Python objects go in and come out."""
    assert await pool.fetchval("select $1::jsonb", {"a": [1, None]}) == {"a": [1, None]}
