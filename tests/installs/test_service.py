"""Tests of what is done about installs that nobody finished."""

from datetime import timedelta

from structlog.testing import capture_logs

from clipsaver.installs.service import Installs
from clipsaver.installs.store import purge_expired_install_intents
from clipsaver.postgres.pool import Pool


async def intents(pool: Pool, **minutes: int) -> None:
    """Write intents that expire so many minutes from now."""
    await pool.execute("insert into users (discord_user_id) values (1)")
    for state, offset in minutes.items():
        await pool.execute(
            "insert into install_intents (state, user_id, guild_id, expires_at) values ($1, 1, 2, now() + $2)",
            state,
            timedelta(minutes=offset),
        )


async def left(pool: Pool) -> list[str]:
    """The states that are still there."""
    return [row["state"] for row in await pool.fetch("select state from install_intents order by state")]


async def test_intents_are_purged_after_their_grace(pool: Pool) -> None:
    """Six minutes by default, and it is told how many."""
    await intents(pool, ahead=10, just=-5, over=-7, long=-600)
    with capture_logs() as logs:
        assert await Installs(pool=pool).purge() == {"deleted": 2, "grace_seconds": 360}
    assert await left(pool) == ["ahead", "just"]
    assert [(line["event"], line["deleted"], line["grace_seconds"]) for line in logs] == [
        ("purge_install_intents", 2, 360)
    ]


async def test_the_grace_is_the_callers(pool: Pool) -> None:
    """None at all is possible."""
    await intents(pool, ahead=10, just=-1)
    async with pool.acquire() as conn:
        assert await purge_expired_install_intents(conn, timedelta(0)) == 1
        assert await purge_expired_install_intents(conn, timedelta(0)) == 0
    assert await left(pool) == ["ahead"]
