"""How bytes leave the storage: marked first, looked at again under the lock on their hash, then gone with their row.

The mark is committed before anything else, so that nobody serves them or stores a clip on them from then on. Whoever
has kept the same bytes a moment ago looks under the same lock whether they are there, and keeps them again if not.
"""

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Final

import structlog
from attrs import define

from clipsaver.clips.saving.model import Why
from clipsaver.clips.saving.store import lock_blob
from clipsaver.clips.storehouse import store
from clipsaver.clips.storehouse.model import Blob, Damage, Marked, Tally, reason, shown
from clipsaver.clips.storehouse.reading import Reading
from clipsaver.media.storage import Storage, blob_name
from clipsaver.postgres.few import Few
from clipsaver.postgres.pool import Connection

log = structlog.get_logger("clipsaver.storehouse")

AT_ONCE: Final = 500
"""Clips that are let wait again in one transaction."""


@define(kw_only=True, eq=False)
class Removing:
    """Removes blobs that nobody needs, and those that are not what they should be."""

    few: Few
    storage: Storage
    reading: Reading
    tally: Tally

    # ── what nobody needs ──

    async def unused(self, hashes: Sequence[bytes], *, before: datetime) -> int:
        """Remove blobs that no clip needs; how many."""
        marked = await self.few.in_transaction(partial(store.mark_unused, hashes=hashes))
        return sum([await self._remove(one, before, known=True) for one in marked])

    async def unknown(self, files: Sequence[Blob], *, before: datetime) -> int:
        """Remove files that no row knows; how many."""
        marked = await self.few.in_transaction(partial(store.mark_unknown, files=files))
        return sum([await self._remove(one, before, known=False) for one in marked])

    async def _remove(self, marked: Marked, before: datetime, *, known: bool) -> bool:
        removed = await self.few.in_transaction(partial(self._remove_now, marked, before, known))
        if removed:
            self.tally.removed["blob"] += 1
            self.tally.removed_bytes += marked.size
            log.info("storehouse.removed", sha256=marked.sha256.hex(), bytes=marked.size, known=known)
        return removed

    async def _remove_now(self, marked: Marked, before: datetime, known: bool, conn: Connection) -> bool:  # noqa: FBT001 - with what else is bound to it
        """Look again, and remove; what someone has come to need meanwhile, or has just brought again, stays."""
        await lock_blob(conn, marked.sha256)
        if not await store.is_marked(conn, marked):
            return False
        if await store.is_used(conn, marked.sha256):
            await store.unmark(conn, marked)
            return False
        there = await self.storage.look(blob_name(marked.sha256))
        if there is not None and there.modified >= before:
            if known:
                await store.unmark(conn, marked)
            else:
                await store.delete_blob(conn, marked.sha256)
            return False
        await self.storage.delete(blob_name(marked.sha256))
        await store.delete_blob(conn, marked.sha256)
        return True

    # ── what is not as it should be ──

    async def lost(self, blob: Blob) -> Damage | None:
        """Give up a blob whose bytes seem to be missing or wrong, and let its clips wait again; None if it is well.

        It is read once more where nobody can change it: what was a moment's trouble is no loss.
        """
        marked = await self.few.in_transaction(partial(store.mark_lost, sha256=blob.sha256))
        if marked is None:
            return None
        try:
            damage = await self.reading.damage_of(marked)
        except BaseException:
            await self.few.in_transaction(partial(store.unmark, marked=marked))
            raise
        if damage is None:
            await self.few.in_transaction(partial(store.unmark, marked=marked))
            return None
        clips = 0
        while (released := await self.few.in_transaction(partial(self._give_up, marked, damage))) == AT_ONCE:
            clips += released
        if released is None:
            return None
        clips += released
        self.tally.lost[damage] += 1
        log.error(
            "storehouse.blob_lost",
            sha256=marked.sha256.hex(),
            damage=damage,
            clips=clips,
            reason=shown(damage, clips),
        )
        return damage

    async def _give_up(self, marked: Marked, damage: Damage, conn: Connection) -> int | None:
        """Let some of its clips wait again, and with the last of them bytes and row go; None if others do."""
        await lock_blob(conn, marked.sha256)
        if not await store.is_marked(conn, marked):
            return None
        released = await store.release_clips(conn, marked.sha256, why=Why.LOST, reason=reason(damage), limit=AT_ONCE)
        if released < AT_ONCE:
            await self.storage.delete(blob_name(marked.sha256))
            await store.delete_blob(conn, marked.sha256)
        return released
