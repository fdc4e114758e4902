"""Whether the storage is the one that the database is about: else what is missing there was never lost."""

import secrets
from typing import Final

import structlog
from attrs import frozen

from clipsaver.clips.storehouse import store
from clipsaver.clips.storehouse.model import WrongStorage, too_many
from clipsaver.media.storage import Storage, blob_name
from clipsaver.postgres.few import Few

log = structlog.get_logger("clipsaver.storehouse")

SAMPLE: Final = 50
"""Blobs, drawn at random, by which a storage is known."""
HOW: Final = (
    "Nothing was changed. Is the right disk mounted, and does storage.url belong to this database? If so, and what "
    "is missing is really gone, set most_percent of the job to 100."
)


@frozen(kw_only=True)
class Standing:
    """Knows the storage by a label that it and the database have, and where there is none yet, by what lies in it."""

    few: Few
    storage: Storage

    async def check(self, most: float) -> None:
        """WrongStorage if it is not the one; the storage's own errors if it can't be told."""
        async with self.few.connection() as conn:
            ours = await store.get_label(conn)
        theirs = await self.storage.label()
        if ours is not None and ours == theirs:
            return
        if ours is not None and theirs is not None:
            raise WrongStorage(
                "The storage has the label of another database's: two must not share one. Nothing was changed. If this "
                "is the only one, remove the file storage-label from the storage."
            )
        looked, missing = await self._sample()
        if 2 * missing > looked and most < 1:
            raise WrongStorage(
                f"Of {looked} stored files that were looked for {missing} are not in the storage, which has no label. "
                + HOW
            )
        if theirs is not None and not looked:
            raise WrongStorage(
                "The storage has the label of another database, and this one knows no file in it. Nothing was changed."
            )
        await self._agree(ours or theirs or secrets.token_hex(16))

    async def check_losses(self, most: float) -> None:
        """WrongStorage if so much is missing that it can't be an accident."""
        looked, missing = await self._sample()
        if too_many(missing, looked, most):
            raise WrongStorage(f"Of {looked} stored files that were looked for {missing} are not in the storage. {HOW}")

    async def _sample(self) -> tuple[int, int]:
        """Look for some blobs: how many, and how many of them are not there."""
        points = [b"", *(secrets.token_bytes(32) for _ in range(SAMPLE - 1))]
        async with self.few.connection() as conn:
            blobs = await store.sample(conn, points)
        there = [await self.storage.look(blob_name(blob.sha256)) for blob in blobs]
        return len(blobs), there.count(None)

    async def _agree(self, label: str) -> None:
        await self.storage.set_label(label)
        async with self.few.connection() as conn:
            await store.set_label(conn, label)
        log.info("storehouse.labelled", label=label)
