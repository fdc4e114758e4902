"""Pictures as work: how a worker claims stored videos, has them looked at, and writes down why some have none."""

import asyncio
from datetime import timedelta
from functools import partial
from typing import Final
from uuid import UUID

import structlog
from attrs import Factory, define, field

from clipsaver import logs
from clipsaver.clips.picturing import store
from clipsaver.clips.picturing.model import (
    MOST_ATTEMPTS,
    Ending,
    Job,
    Why,
    again,
    died_each_time,
    later,
    of_probe,
)
from clipsaver.clips.picturing.pause import Pause
from clipsaver.clips.picturing.steps import LEASE_LOST, Leaving, NoRoomForCopy, Picture
from clipsaver.errors import LeaseLost
from clipsaver.media.probe.model import Failed
from clipsaver.media.probe.studio import Studio
from clipsaver.media.storage.base import Storage
from clipsaver.media.storage.errors import NotStored, StorageFull, StorageRefused, StorageUnavailable, StoredDiffers
from clipsaver.postgres.few import Few
from clipsaver.postgres.pool import Connection, Pool
from clipsaver.work.draining import unless_draining
from clipsaver.work.worker import Lease, Station, one_at_a_time

log = structlog.get_logger("clipsaver.pictures")

MOST_PASSED_OVER: Final = 100
"""Videos that one claim gives up, because whoever began with them never came back."""
CONNECTIONS: Final = 1
"""Of the pool's, how many pictures take at the same time."""


@define
class Tally:
    """What this process has done since it began, for metrics."""

    made: int = 0
    """Videos that were looked at and have their pictures, if they have any."""
    not_made: int = 0
    """Attempts that brought none."""


@define(kw_only=True, eq=False)
class PicturingWork:
    """What a worker needs to find out about stored videos and to show them."""

    pool: Pool
    storage: Storage
    studio: Studio
    lease_time: timedelta
    tally: Tally = field(factory=Tally)
    pause: Pause = field(factory=Pause)
    _few: Few = field(default=Factory(lambda self: Few(self.pool, CONNECTIONS), takes_self=True), init=False)

    def station(self, *, poll: timedelta) -> Station[Job]:
        """Describe this work to a worker."""
        return Station(
            name="pictures",
            claim=one_at_a_time(self.claim),
            work=self.work,
            renew=self.renew,
            release=self.release,
            concurrency=self.studio.children,
            lease=self.lease_time,
            poll=poll,
        )

    async def claim(self, token: UUID) -> Job | None:
        """Take the video that is due first; None when there is none, or none can be looked at just now."""
        if self.pause.is_on():
            return None
        for _ in range(MOST_PASSED_OVER):
            job = await self._few.in_transaction(partial(store.claim, token=token, lease=self.lease_time))
            if job is None or job.attempts <= MOST_ATTEMPTS:
                return job
            await self._few.in_transaction(partial(self._give_up, job, token))
        return None

    async def _give_up(self, job: Job, token: UUID, conn: Connection) -> None:
        log.warning("pictures.given_up", sha256=job.sha256.hex(), attempts=job.attempts - 1)
        await store.mark_ended(conn, job.sha256, token=token, ending=died_each_time())

    async def renew(self, job: Job, token: UUID) -> bool:
        """Keep the video; False when it is another's."""
        async with self._few.connection() as conn:
            return await store.renew(conn, job.sha256, token=token, lease=self.lease_time)

    async def release(self, job: Job, token: UUID) -> None:
        """Hand the video back as if it had not been claimed."""
        async with self._few.connection() as conn:
            await store.release(conn, job.sha256, token=token)

    async def work(self, job: Job, lease: Lease) -> None:
        """Look at a video; what is in the way is written to its row, for a person to read and a worker to try again."""
        with structlog.contextvars.bound_contextvars(sha256=job.sha256.hex()):
            picture = Picture(few=self._few, storage=self.storage, studio=self.studio, job=job, token=lease.token)
            try:
                examined = await unless_draining(picture(), lease.draining)
            except (LeaseLost, asyncio.CancelledError):
                raise
            except Leaving:
                log.info("pictures.left_alone")
                await self.release(job, lease.token)
            except Exception as error:  # noqa: BLE001 - each has its place on the row
                await self._end(job, lease.token, self._ending(job, error))
            else:
                if examined is None:
                    log.info("pictures.handed_back")
                    await self.release(job, lease.token)
                    return
                self.pause.well()
                self.tally.made += 1
                log.debug("pictures.made", pictures=len(examined.pictures))

    def _ending(self, job: Job, error: Exception) -> Ending:
        """Decide what is written, and whether others are spared for a while."""
        match error:
            case Failed():
                if error.is_ours:
                    self.pause.begin(error.message)
                else:
                    self.pause.well()
                return of_probe(error, job)
            case NoRoomForCopy():
                return later(Why.NO_ROOM, error.message)
            case StorageFull() | StorageRefused() | StorageUnavailable():
                self.pause.begin(error.message)
                return later(Why.STORAGE, error.message)
            case NotStored():
                return again(job, Why.MISSING, "The stored file is missing.")
            case StoredDiffers():
                return again(job, Why.MISSING, error.message)
            case _:
                shown = logs.reference()
                log.error("pictures.crashed", reference=shown, exc_info=error)
                return again(job, Why.CRASHED, f"Something went wrong with its pictures (reference {shown}).")

    async def _end(self, job: Job, token: UUID, ending: Ending) -> None:
        """Write what became of a video."""
        log.info("pictures.not_made", state=ending.state, why=ending.why, attempts=job.attempts)
        self.tally.not_made += 1
        held = await self._few.in_transaction(partial(store.mark_ended, sha256=job.sha256, token=token, ending=ending))
        if not held:
            raise LeaseLost(LEASE_LOST)
