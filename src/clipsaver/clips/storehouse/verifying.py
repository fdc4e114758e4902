"""Reading a share of the stored bytes again: what is missing or has changed is given up, and fetched again."""

import math
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Final

import structlog
from attrs import define, field

from clipsaver.clips.storehouse import store
from clipsaver.clips.storehouse.model import Claimed, Tally, VerifyRules
from clipsaver.clips.storehouse.reading import Reading, Stopping
from clipsaver.clips.storehouse.removing import Removing
from clipsaver.clips.storehouse.standing import Standing
from clipsaver.errors import ClipsaverError
from clipsaver.media.storage import Storage
from clipsaver.postgres.few import Few

log = structlog.get_logger("clipsaver.storehouse")

LEASE: Final = timedelta(minutes=5)
"""How long a blob is a reader's, beside twice the time that it should take."""
SLOW: Final = 1_000_000
"""Bytes a second of a storage that is slow."""
LOOK_AGAIN: Final = 10
"""Losses after which it is looked again whether this is still the right storage."""
MOST_UNREADABLE: Final = 5
"""Blobs that a storage which answers may fail to read before the run ends."""


@define(kw_only=True, eq=False)
class Verifying:
    """One run: the blobs that were not read for longest come first, and it can end anywhere."""

    few: Few
    storage: Storage
    standing: Standing
    reading: Reading
    removing: Removing
    rules: VerifyRules
    tally: Tally
    clock: Callable[[], float] = time.monotonic
    verified: int = field(default=0, init=False)
    lost: int = field(default=0, init=False)
    unreadable: int = field(default=0, init=False)

    async def __call__(self) -> Mapping[str, object]:
        """Read a share again; WrongStorage, or an error of the storage's, ends it with nothing changed by that."""
        await self.standing.check(self.rules.most)
        async with self.few.connection() as conn:
            began = await store.now(conn)
            total = await store.count_blobs(conn)
        share = min(math.ceil(total * self.rules.share), total)
        until = self.clock() + self.rules.patience.total_seconds()
        left = share
        try:
            while left > 0 and self.clock() < until:
                async with self.few.connection() as conn:
                    claimed = await store.claim_oldest(
                        conn, before=began, lease=LEASE, seconds_per_byte=self._seconds_per_byte()
                    )
                if claimed is None:
                    break
                await self._verify(claimed)
                left -= 1
        except Stopping:
            log.info("storehouse.verifying_stopped", left=left)
        return {
            "verified": self.verified,
            "bytes": self.reading.read,
            "lost": self.lost,
            "unreadable": self.unreadable,
            "behind": left if self.clock() >= until else 0,
        }

    def _seconds_per_byte(self) -> float:
        rate = self.rules.bytes_per_second
        return 2 / min(rate, SLOW) if rate else 2 / SLOW

    async def _verify(self, claimed: Claimed) -> None:
        before = self.reading.read
        try:
            damage = await self.reading.damage_of(claimed)
            if damage is not None:
                if self.lost % LOOK_AGAIN == 0:
                    await self.standing.check_losses(self.rules.most)
                damage = await self.removing.lost(claimed)
        except Stopping:
            await self._let_be(claimed)
            raise
        except ClipsaverError as error:
            await self._trouble(claimed, error)
            return
        if damage is not None:
            self.lost += 1
            return
        async with self.few.connection() as conn:
            await store.set_verified(conn, claimed)
        self.verified += 1
        self.tally.verified += 1
        self.tally.verified_bytes += self.reading.read - before

    async def _trouble(self, claimed: Claimed, error: ClipsaverError) -> None:
        """End the run if it is the storage's; what is one file's is passed over until the next."""
        self.unreadable += 1
        if error.permanent or self.unreadable >= MOST_UNREADABLE:
            await self._let_be(claimed)
            raise error
        try:
            await self.storage.check()
        except ClipsaverError:
            await self._let_be(claimed)
            raise error from None
        log.error("storehouse.unreadable", sha256=claimed.sha256.hex(), reason=error.message)

    async def _let_be(self, claimed: Claimed) -> None:
        async with self.few.connection() as conn:
            await store.let_be(conn, claimed)
