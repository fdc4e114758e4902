"""The statements on ``install_intents``."""

from datetime import timedelta
from typing import Final

from clipsaver.postgres.pool import Connection

PURGE: Final = """
    with gone as (
        delete from install_intents where expires_at < clock_timestamp() - $1::interval returning 1
    )
    select count(*) from gone
"""


async def purge_expired_install_intents(conn: Connection, grace: timedelta) -> int:
    """Delete what expired longer ago than the grace period; tell how many."""
    deleted: int = await conn.fetchval(PURGE, grace)
    return deleted
