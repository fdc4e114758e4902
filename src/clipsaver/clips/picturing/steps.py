"""One claimed video, from the storage to its facts and pictures: looked at, these kept, and only then written down."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Final
from uuid import UUID

from attrs import define

from clipsaver.clips.picturing import store
from clipsaver.clips.picturing.model import Job
from clipsaver.clips.saving.store import lock_blob
from clipsaver.errors import ClipsaverError, LeaseLost
from clipsaver.media.probe.model import Examined
from clipsaver.media.probe.studio import Studio
from clipsaver.media.storage.base import Storage
from clipsaver.media.storage.errors import NotStored, StoredDiffers
from clipsaver.media.storage.names import blob_name, picture_name
from clipsaver.postgres.few import Few
from clipsaver.postgres.pool import Connection

LEASE_LOST: Final = "Another worker looks at this video now, or it is gone."
CLIPS_AT_ONCE: Final = 1_000
"""Clips of the same bytes that are written in one transaction."""


class NoRoomForCopy(ClipsaverError):
    """The video lies in a bucket, and the disk has no room for a copy to be looked at."""


class Leaving(ClipsaverError):
    """The bytes are being removed from the storage."""


@define(kw_only=True, eq=False)
class Picture:
    """Finds out about one video; everything it writes is fenced by the lease."""

    few: Few
    storage: Storage
    studio: Studio
    job: Job
    token: UUID

    async def __call__(self) -> Examined:
        """Look at it. Failed, or an error of the storage's, says why that can't be."""
        async with self._file() as path:
            examined = await self.studio.examine(path)
        await self._check_lease()
        for picture in examined.pictures:
            await self.storage.put_picture(picture_name(self.job.sha256, picture.name), picture.data)
        written: bool | None = None
        while written is None:
            written = await self.few.in_transaction(partial(self._record, examined))
        if not written:
            await self._check_lease()
            raise LeaseLost(LEASE_LOST)
        return examined

    @asynccontextmanager
    async def _file(self) -> AsyncIterator[Path]:
        """The bytes as a file that can be read: the storage's trouble must not look like the video's."""
        name, size = blob_name(self.job.sha256), self.job.size
        there = await self.storage.size(name)
        if there is None:
            raise NotStored(name)
        if there != size:
            raise StoredDiffers(f"{there} bytes lie in the storage where there should be {size}.")
        is_local = self.storage.local_path(name) is not None
        if not is_local and await self.storage.free_bytes() < size:
            raise NoRoomForCopy("There is no room for a copy of the video to be looked at.")
        async with self.storage.as_file(name, most=size) as path:
            if is_local:
                async for _ in self.storage.read(name, 0, 1):
                    pass
            yield path

    async def _check_lease(self) -> None:
        """Raise when there is nobody to write for: the pictures of what is gone would only lie about."""
        async with self.few.connection() as conn:
            stays = await store.stays(conn, self.job.sha256, token=self.token)
        if stays is None:
            raise LeaseLost(LEASE_LOST)
        if not stays:
            raise Leaving("The bytes are being removed from the storage.")

    async def _record(self, examined: Examined, conn: Connection) -> bool | None:
        """Write it all: False when there is nothing to write to, None when there are more clips to write into.

        Whoever stores another clip of these bytes does so before, or sees the facts.
        """
        await lock_blob(conn, self.job.sha256)
        sha256, facts = self.job.sha256, examined.facts
        if await store.fill_clips(conn, sha256, facts=facts, limit=CLIPS_AT_ONCE) == CLIPS_AT_ONCE:
            return None
        return await store.mark_made(conn, sha256, token=self.token, facts=facts, pictures=examined.pictures)
