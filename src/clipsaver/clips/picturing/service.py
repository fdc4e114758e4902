"""What people may ask of facts and pictures: how far they are, and another try."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

import structlog
from attrs import frozen

from clipsaver.clips.picturing import store
from clipsaver.clips.picturing.model import Pictured, Unmade
from clipsaver.guilds.store import add_audit
from clipsaver.postgres.pool import Pool, in_transaction

log = structlog.get_logger("clipsaver.pictures")

AT_ONCE: Final = 1_000
MOST: Final = 1_000
COUNTED: Final = 100_000
"""Videos without pictures, of each state, that are counted for the metrics."""
LOOKED_AT: Final = 2_000
"""Videos without pictures, of each state, that are looked at to count a channel's among them."""


@frozen(kw_only=True)
class Pictures:
    """Facts and pictures of the stored videos of all servers."""

    pool: Pool
    wake: Callable[[], None] = lambda: None
    """Tells a worker in this process that there is something to claim."""

    async def retry(
        self,
        *,
        clip_id: str | None = None,
        guild_id: int | None = None,
        channels: Sequence[int] | None = None,
        by: int | None = None,
    ) -> int:
        """Have videos looked at again that failed or wait for another attempt: a clip's, a server's, or all; how many.

        ``channels``: of a server, only of these. The same bytes have the same pictures, in whatever servers they are.
        """
        if clip_id is not None:
            total = await in_transaction(self.pool, partial(store.retry_clip, clip_id=clip_id))
        else:
            total = await self._retry_many(guild_id, None if channels is None else list(channels))
        log.info("pictures.retried", guild_id=None if guild_id is None else str(guild_id), videos=total)
        if total and guild_id is not None and by is not None:
            details: dict[str, Any] = {"videos": total}
            if channels is not None and len(channels) == 1:
                details["channel_id"] = str(channels[0])
            async with self.pool.acquire() as conn:
                await add_audit(conn, guild_id, by=by, action="pictures.retried", details=details)
        self.wake()
        return total

    async def _retry_many(self, guild_id: int | None, channels: Sequence[int] | None) -> int:
        total = 0
        chosen = partial(store.retry, guild_id=guild_id, channels=channels, limit=AT_ONCE)
        for _ in range(MOST):
            tried = await in_transaction(self.pool, chosen)
            total += tried
            if tried < AT_ONCE:
                break
        return total

    async def of_all(self) -> Pictured:
        """Count the stored videos that wait for their pictures, and those that have none for a reason; not for ever."""
        async with self.pool.acquire() as conn:
            return await store.pictured(conn, most=COUNTED)

    async def of_channel(self, channel_id: int) -> Unmade:
        """Count a channel's clips that wait for their pictures, and those that have none for a reason."""
        async with self.pool.acquire() as conn:
            return await store.unmade_of_channel(conn, channel_id, most=LOOKED_AT)
