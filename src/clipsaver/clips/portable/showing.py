"""The pages of a channel, and the pictures on them."""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from itertools import islice
from typing import Final, TypeVar

import structlog
from attrs import define

from clipsaver.clips.portable import pages, store
from clipsaver.clips.portable.folder import Folder
from clipsaver.clips.portable.listing import Listing
from clipsaver.clips.portable.model import Clip, Place
from clipsaver.errors import ClipsaverError
from clipsaver.media.storage import Storage, picture_name
from clipsaver.postgres.pool import Pool

T = TypeVar("T")

log = structlog.get_logger("clipsaver.portable")

WIDTH: Final = 320
LARGEST_PICTURE: Final = 4 * 1024 * 1024


@define(kw_only=True, eq=False)
class Showing:
    """Writes pages; what fails here is only logged, since a file can be looked at without."""

    pool: Pool
    storage: Storage
    folder: Folder

    async def channel(self, place: Place, clips: int, listing: Callable[[], AbstractContextManager[Listing]]) -> None:
        """Write a channel's pages from its list."""
        count = pages.pages_of(clips)
        with listing() as opened:
            for number, some in enumerate(_batches(opened, pages.ON_A_PAGE), start=1):
                pictures = await self._pictures(some)
                data = pages.page(place, some, number=number, pages=count, pictures=pictures)
                await self.folder.write(pages.page_name(place, number), data)

    async def _pictures(self, clips: Iterable[Clip]) -> frozenset[bytes]:
        """Have the pictures of these clips, where there are some: of which."""
        hashes = {clip.sha256 for clip in clips}
        there = {sha256 for sha256 in hashes if self.folder.has(pages.picture_name(sha256))}
        async with self.pool.acquire() as conn:
            made = await store.pictured(conn, sorted(hashes - there), width=WIDTH)
        brought = await asyncio.gather(*map(self._picture, made))
        return frozenset(there | {sha256 for sha256, done in zip(made, brought, strict=True) if done})

    async def _picture(self, sha256: bytes) -> bool:
        """Bring one; False when it is not there, or no picture."""
        data = b""
        try:
            async for piece in self.storage.read(picture_name(sha256, WIDTH), stop=LARGEST_PICTURE):
                data += piece
            if data[8:12] != b"WEBP":
                return False
            await self.folder.write(pages.picture_name(sha256), data)
        except ClipsaverError as error:
            log.debug("export.no_picture", reason=str(error))
            return False
        return True


def _batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    rest = iter(items)
    while batch := list(islice(rest, size)):
        yield batch
