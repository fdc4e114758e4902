"""Applying ``schema.sql``: once, by however many processes start together."""

import asyncpg

from clipsaver.postgres.pool import Connection, Pool, in_transaction

LOCK = "select pg_advisory_xact_lock(hashtextextended('clipsaver schema', 0))"


def schema_text() -> str:
    """The whole of schema.sql."""
    try:
        from clipsaver.config import packaged  # noqa: PLC0415 - until it is there
    except ImportError:
        from pathlib import Path  # noqa: PLC0415

        return (Path(__file__).parents[3] / "schema.sql").read_text("utf-8")
    return packaged("schema.sql")


async def apply_schema(where: Pool | Connection) -> None:
    """Bring the database to what schema.sql describes; nothing happens when it already is."""
    text = schema_text()

    async def work(conn: Connection) -> None:
        await conn.execute(LOCK)
        await conn.execute("set local client_min_messages = warning")
        await conn.execute(text)

    if isinstance(where, asyncpg.Pool):
        await in_transaction(where, work)
    else:
        async with where.transaction():
            await work(where)
