"""Removing what nobody needs: files without rows, rows without files or clips, pictures of nothing, old leftovers."""

import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final, TypeVar

import structlog
from attrs import define, field

from clipsaver.clips.saving.store import lock_blob
from clipsaver.clips.storehouse import store
from clipsaver.clips.storehouse.comparing import Comparing
from clipsaver.clips.storehouse.model import (
    FEW_UNKNOWN,
    Blob,
    CollectRules,
    Differences,
    Tally,
    WrongStorage,
    too_many,
)
from clipsaver.clips.storehouse.removing import Removing
from clipsaver.clips.storehouse.standing import HOW, Standing
from clipsaver.errors import ClipsaverError
from clipsaver.media.storage import Storage, Stored
from clipsaver.media.storage.names import hash_of
from clipsaver.postgres.few import Few
from clipsaver.postgres.pool import Connection

log = structlog.get_logger("clipsaver.storehouse")

T = TypeVar("T")

AT_ONCE: Final = 100
"""Blobs that are marked together: each is gone long before its mark is stale."""
UPLOAD: Final = timedelta(hours=6)
"""How long an upload may take, whatever the grace period."""


@define(kw_only=True, eq=False)
class Collecting:
    """One run: everything is counted first, and only where that makes sense anything is removed."""

    few: Few
    storage: Storage
    standing: Standing
    removing: Removing
    rules: CollectRules
    tally: Tally
    stopping: asyncio.Event
    done: Counter[str] = field(factory=Counter, init=False)

    async def __call__(self) -> Mapping[str, object]:
        """Remove what nobody needs; WrongStorage, or an error of the storage's, ends it before or between."""
        before = datetime.now(UTC) - self.rules.grace
        self.done["leftovers"] = await self.storage.sweep(older_than=before)
        await self.standing.check(self.rules.most)
        comparing = Comparing(few=self.few, storage=self.storage, before=before)
        await self._count(comparing)
        async for found in comparing.blobs():
            await self._put_in_order(found, before)
            if self.stopping.is_set():
                return {**self.done, "stopped": True}
        async for pictures in comparing.pictures():
            for (picture,) in self._chunks(pictures, 1):
                self.done["pictures"] += await self.few.in_transaction(partial(self._remove_picture, picture))
            if self.stopping.is_set():
                return {**self.done, "stopped": True}
        await self._abort_uploads(min(before, datetime.now(UTC) - UPLOAD))
        return self.done

    async def _abort_uploads(self, before: datetime) -> None:
        """Take back what was sent in parts; not every bucket lets us look, and a rule of its own can do the same."""
        try:
            self.done["uploads"] = await self.storage.abort_uploads(older_than=before)
        except ClipsaverError as error:
            log.warning("storehouse.uploads_not_listed", reason=error.message)

    async def _count(self, comparing: Comparing) -> None:
        """WrongStorage if so much is out of place that it can't be an accident."""
        files = rows = unknown = missing = 0
        async for found in comparing.blobs():
            if self.stopping.is_set():
                return
            files, rows = files + found.files, rows + found.rows
            unknown, missing = unknown + len(found.unknown), missing + len(found.missing)
        if too_many(missing, rows, self.rules.most):
            raise WrongStorage(f"Of {rows} stored files {missing} are not in the storage. {HOW}")
        if too_many(unknown, files, self.rules.most, few=FEW_UNKNOWN):
            raise WrongStorage(
                f"Of {files} files in the storage the database knows nothing of {unknown}: it may be an older copy, or "
                "not the one that belongs to this storage. Nothing was removed. If they really are to go, set "
                "jobs.collect_garbage.most_percent to 100."
            )

    async def _put_in_order(self, found: Differences, before: datetime) -> None:
        if found.abandoned:
            await self.few.in_transaction(partial(store.unmark_stale, hashes=found.abandoned))
        for hashes in self._chunks(found.unused, AT_ONCE):
            self.done["unused"] += await self.removing.unused(hashes, before=before)
        for files in self._chunks(found.unknown, AT_ONCE):
            blobs = [Blob(sha256=hash_of(stored.name), size=stored.size) for stored in files]
            self.done["unknown"] += await self.removing.unknown(blobs, before=before)
        for (blob,) in self._chunks(found.missing, 1):
            self.done["lost"] += await self.removing.lost(blob) is not None

    def _chunks(self, things: Sequence[T], size: int) -> Iterator[Sequence[T]]:
        """So many at a time, until the program is about to end."""
        for start in range(0, len(things), size):
            if not self.stopping.is_set():
                yield things[start : start + size]

    async def _remove_picture(self, picture: Stored, conn: Connection) -> bool:
        """Look again under the lock on the blob's hash: it may have been stored meanwhile."""
        sha256 = hash_of(picture.name)
        await lock_blob(conn, sha256)
        if await store.known(conn, [sha256]):
            return False
        await self.storage.delete(picture.name)
        self.tally.removed["picture"] += 1
        self.tally.removed_bytes += picture.size
        return True
