"""What people may ask of facts and pictures: how far they are, and another try."""

from functools import partial
from typing import Final

import structlog
from attrs import frozen

from clipsaver.clips.picturing import store
from clipsaver.clips.picturing.model import Pictured
from clipsaver.postgres.pool import Pool, in_transaction

log = structlog.get_logger("clipsaver.pictures")

AT_ONCE: Final = 1_000
MOST: Final = 1_000


@frozen(kw_only=True)
class Pictures:
    """Facts and pictures of the stored videos of all servers."""

    pool: Pool

    async def retry(self, *, clip_id: str | None = None, guild_id: int | None = None) -> int:
        """Have videos looked at again that failed or wait for another attempt: a clip's, a server's, or all; how many.

        The same bytes have the same pictures, in whatever servers they are.
        """
        if clip_id is not None:
            total = await in_transaction(self.pool, partial(store.retry_clip, clip_id=clip_id))
        else:
            total = await self._retry_many(guild_id)
        log.info("pictures.retried", guild_id=None if guild_id is None else str(guild_id), videos=total)
        return total

    async def _retry_many(self, guild_id: int | None) -> int:
        total = 0
        for _ in range(MOST):
            tried = await in_transaction(self.pool, partial(store.retry, guild_id=guild_id, limit=AT_ONCE))
            total += tried
            if tried < AT_ONCE:
                break
        return total

    async def of_all(self) -> Pictured:
        """Count the stored videos that wait for their pictures, and those that have none for a reason."""
        async with self.pool.acquire() as conn:
            return await store.pictured(conn)
