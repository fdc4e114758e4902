"""What people may ask of saved clips: how far it is, and another try."""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import Any, Final

import structlog
from attrs import Factory, frozen

from clipsaver.channels import store as channels_store
from clipsaver.clips.saving import store
from clipsaver.clips.saving.figures import store as figures
from clipsaver.clips.saving.model import ClipState, Saved, Standing, Why, quota_of
from clipsaver.errors import NotThere
from clipsaver.guilds.settings import resolve
from clipsaver.guilds.store import add_audit
from clipsaver.postgres.pool import Connection, Pool, in_transaction

log = structlog.get_logger("clipsaver.saving")

TRIED_AGAIN: Final = (ClipState.FAILED, ClipState.SKIPPED)
"""What another try can help; a clip that is gone may be named too, should Discord have been wrong."""
NEVER: Final = frozenset({ClipState.PENDING, ClipState.STORED, ClipState.DELETED})
AT_ONCE: Final = 1_000
AT_ONCE_OF_SOME: Final = 10_000
"""Where only some are chosen: each time, those that are not are passed over again."""
MOST: Final = 1_000
HEARD_OF: Final = timedelta(minutes=1)
"""For how long a worker is believed that it fetches nothing."""


@frozen(kw_only=True)
class Saving:
    """The bytes of all servers' clips."""

    pool: Pool
    defaults: Mapping[str, Any] = Factory(dict)
    """``guild_defaults`` of the configuration."""
    wake: Callable[[], None] = lambda: None
    """Tells a worker in this process that there is something to claim."""

    async def retry(
        self,
        guild_id: int,
        *,
        by: int | None = None,
        channels: Sequence[int] | None = None,
        states: Sequence[ClipState] = TRIED_AGAIN,
        reasons: Sequence[Why] | None = None,
    ) -> int:
        """Have clips of a server tried again that were given up; how many.

        ``channels``: only of these. ``reasons``: only what was given up for one of these.
        """
        limit = AT_ONCE if reasons is None else AT_ONCE_OF_SOME
        chosen = partial(
            store.retry,
            guild_id=guild_id,
            channels=None if channels is None else list(channels),
            states=[state for state in states if state not in NEVER],
            reasons=None if reasons is None else list(reasons),
            limit=limit,
        )
        total = 0

        async def work(conn: Connection) -> int:
            tried = await chosen(conn)
            if tried < limit and total + tried:
                details = {"clips": total + tried, "states": list(states)}
                if channels is not None and len(channels) == 1:
                    details["channel_id"] = str(channels[0])
                if reasons is not None:
                    details["reasons"] = list(reasons)
                await add_audit(conn, guild_id, by=by, action="clips.retried", details=details)
            return tried

        for _ in range(MOST):
            tried = await in_transaction(self.pool, work)
            total += tried
            if tried < limit:
                break
        log.info("saving.retried", guild_id=str(guild_id), clips=total, by=None if by is None else str(by))
        self.wake()
        return total

    async def standing(self, guild_id: int, channel_id: int) -> Standing:
        """Tell how a channel and its server stand; NotThere for a channel that is not known."""
        async with self.pool.acquire() as conn:
            layers = await channels_store.get_channel_settings(conn, channel_id)
            if layers is None or layers.guild_id != guild_id:
                raise NotThere("I don't know that channel.")
            return Standing(
                channel=await figures.of_channel(conn, guild_id, channel_id),
                guild=await figures.of_guild(conn, guild_id),
                wanted=resolve(self.defaults, layers.guild, layers.channel).save_bytes,
                quota=quota_of(resolve(self.defaults, layers.guild, {})),
                halt=await figures.halt(conn, within=HEARD_OF),
            )

    async def of_all(self) -> Saved:
        """Count the clips of all servers by state, and the bytes of the stored ones."""
        async with self.pool.acquire() as conn:
            return await figures.of_all(conn)

    async def of_guild(self, guild_id: int) -> Saved:
        """Count a server's clips by state and reason."""
        async with self.pool.acquire() as conn:
            return await figures.of_guild(conn, guild_id)

    async def of_channel(self, guild_id: int, channel_id: int) -> Saved:
        """Count a channel's clips."""
        async with self.pool.acquire() as conn:
            return await figures.of_channel(conn, guild_id, channel_id)
