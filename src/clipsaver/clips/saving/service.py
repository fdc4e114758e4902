"""What people may ask of saved clips: how far it is, and another try."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

import structlog
from attrs import frozen

from clipsaver.clips.saving import store
from clipsaver.clips.saving.model import ClipState, Saved
from clipsaver.postgres.pool import Pool, in_transaction

log = structlog.get_logger("clipsaver.saving")

TRIED_AGAIN: Final = (ClipState.FAILED, ClipState.SKIPPED)
"""What another try can help; a clip that is gone may be named too, should Discord have been wrong."""
AT_ONCE: Final = 1_000
MOST: Final = 1_000


@frozen(kw_only=True)
class Saving:
    """The bytes of all servers' clips."""

    pool: Pool
    wake: Callable[[], None] = lambda: None
    """Tells a worker in this process that there is something to claim."""

    async def retry(
        self, guild_id: int, *, channel_id: int | None = None, states: Sequence[ClipState] = TRIED_AGAIN
    ) -> int:
        """Have clips of a server, or of one of its channels, tried again that were given up; how many."""
        wanted = [state for state in states if state not in {ClipState.PENDING, ClipState.STORED, ClipState.DELETED}]
        total = 0
        for _ in range(MOST):
            again = partial(store.retry, guild_id=guild_id, channel_id=channel_id, states=wanted, limit=AT_ONCE)
            tried = await in_transaction(self.pool, again)
            total += tried
            if tried < AT_ONCE:
                break
        log.info("saving.retried", guild_id=str(guild_id), clips=total)
        self.wake()
        return total

    async def of_all(self) -> Saved:
        """Count the clips of all servers by state, and the bytes of the stored ones."""
        async with self.pool.acquire() as conn:
            return await store.saved_of_all(conn)

    async def of_guild(self, guild_id: int) -> Saved:
        """Count a server's clips by state, with the reasons why some are not stored."""
        async with self.pool.acquire() as conn:
            return await store.saved_of_guild(conn, guild_id)

    async def of_channel(self, channel_id: int) -> Saved:
        """Count a channel's clips."""
        async with self.pool.acquire() as conn:
            return await store.saved_of_channel(conn, channel_id)
