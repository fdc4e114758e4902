"""Installs, for the cron loop: what nobody finished goes away."""

from collections.abc import Mapping
from datetime import timedelta

import structlog
from attrs import frozen

from clipsaver.installs import store
from clipsaver.postgres.pool import Pool

log = structlog.get_logger("clipsaver.installs")


@frozen(kw_only=True)
class Installs:
    """OAuth install intents."""

    pool: Pool
    grace: timedelta = timedelta(seconds=360)
    """How long an expired intent is kept, so that a late answer can still be told from a forged one."""

    async def purge(self) -> Mapping[str, object]:
        """Delete intents that expired longer ago than the grace period; tell what the cron table shows."""
        async with self.pool.acquire() as conn:
            deleted = await store.purge_expired_install_intents(conn, self.grace)
        outcome = {"deleted": deleted, "grace_seconds": int(self.grace.total_seconds())}
        log.info("purge_install_intents", **outcome)
        return outcome
