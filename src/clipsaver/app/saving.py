"""What saving clips stands on: the storage, and the way to Discord's files."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta

import structlog

from clipsaver.app.ground import Ground
from clipsaver.clips.saving.model import GIBIBYTE
from clipsaver.clips.saving.station import SavingWork
from clipsaver.clips.storehouse.service import Storehouse
from clipsaver.discord.messages import Messages
from clipsaver.errors import ClipsaverError
from clipsaver.media.fetching.fetcher import Fetcher
from clipsaver.media.fetching.limits import Limits
from clipsaver.media.storage import Storage, open_storage

log = structlog.get_logger("clipsaver.app")


@asynccontextmanager
async def saving_work(below: Ground) -> AsyncIterator[SavingWork]:
    """Open the storage and the way to the files; StartFailed when the storage can't be used as it is set up."""
    config = below.config
    async with AsyncExitStack() as stack:
        storage = await stack.enter_async_context(
            await open_storage(
                config.storage.url, data_dir=config.data_dir, reserve=int(config.storage.reserve_gb * GIBIBYTE)
            )
        )
        await _sweep(storage)
        at_once = config.saving.concurrency
        fetcher = await stack.enter_async_context(
            Fetcher(config.discord.media_origins, limits=Limits(connections=2 * at_once, per_origin=at_once))
        )
        yield SavingWork(
            pool=below.pool,
            fetcher=fetcher,
            storage=storage,
            messages=Messages(rest=below.rest),
            access=below.access,
            clips=below.clips,
            defaults=below.defaults,
            lease_time=timedelta(seconds=config.saving.lease_seconds),
        )


async def kept_in_order(below: Ground, storage: Storage) -> Storehouse:
    """The storage as what is kept in order; a person is told at once if it isn't the database's."""
    storehouse = Storehouse(pool=below.pool, storage=storage)
    await storehouse.settle()
    return storehouse


async def _sweep(storage: Storage) -> None:
    """Remove what downloads of dead processes have left; what a living one writes is not touched."""
    try:
        swept = await storage.sweep(older_than=datetime.now(UTC))
    except ClipsaverError as error:
        log.warning("storage.not_swept", reason=str(error))
    else:
        log.info("storage.swept", files=swept)
