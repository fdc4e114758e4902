"""The storage beside the rows about it, stretch by stretch: neither is ever in memory as a whole."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Final

from attrs import frozen

from clipsaver.clips.storehouse import store
from clipsaver.clips.storehouse.model import Blob, Differences, Row
from clipsaver.media.storage import Storage, StorageUnavailable, Stored
from clipsaver.media.storage.names import BLOBS, THUMBNAILS, hash_of
from clipsaver.postgres.few import Few

STRETCH: Final = 1_000
"""Files, and rows, that are compared at a time."""
LAST: Final = b"\xff" * 32


@frozen(kw_only=True)
class Comparing:
    """Goes through both in the order of the hashes."""

    few: Few
    storage: Storage
    before: datetime
    """Only what is older counts as out of place."""

    async def blobs(self) -> AsyncIterator[Differences]:
        """Where files and rows differ."""
        after, files = b"", list[Stored]()
        async for stored in self.storage.listing(BLOBS):
            if (files and stored.name <= files[-1].name) or hash_of(stored.name) <= after:
                raise StorageUnavailable("The storage lists its files in no order, so that they can't be compared.")
            files.append(stored)
            if len(files) == STRETCH:
                until = hash_of(stored.name)
                async for found in self._stretch(files, after, until):
                    yield found
                after, files = until, []
        async for found in self._stretch(files, after, LAST):
            yield found

    async def _stretch(self, files: list[Stored], after: bytes, until: bytes) -> AsyncIterator[Differences]:
        there = {hash_of(stored.name): stored for stored in files}
        while True:
            async with self.few.connection() as conn:
                rows = await store.rows_between(conn, after, until, limit=STRETCH, before=self.before)
            missing = [row for row in rows if there.pop(row.sha256, None) is None]
            yield self._of_rows(rows, missing)
            if len(rows) < STRETCH:
                break
            after = rows[-1].sha256
        unknown = [stored for stored in there.values() if stored.modified < self.before]
        yield Differences(files=len(files), rows=0, unknown=unknown)

    @staticmethod
    def _of_rows(rows: Sequence[Row], missing: list[Row]) -> Differences:
        free = [row for row in rows if row.old and (not row.marked or row.stale)]
        return Differences(
            files=0,
            rows=len(rows),
            missing=[
                Blob(sha256=row.sha256, size=row.size) for row in missing if row.used and row.old and not row.marked
            ],
            unused=[row.sha256 for row in free if not row.used],
            abandoned=[row.sha256 for row in rows if row.stale and row.used],
        )

    async def pictures(self) -> AsyncIterator[list[Stored]]:
        """Pictures of blobs that have no row."""
        held = list[Stored]()
        async for stored in self.storage.listing(THUMBNAILS, older_than=self.before):
            held.append(stored)
            if len(held) == STRETCH:
                yield await self._unknown(held)
                held = []
        yield await self._unknown(held)

    async def _unknown(self, pictures: list[Stored]) -> list[Stored]:
        async with self.few.connection() as conn:
            known = await store.known(conn, list({hash_of(stored.name) for stored in pictures}))
        return [stored for stored in pictures if hash_of(stored.name) not in known]
