"""What the clock has done for the stored bytes: some read again each day, and nothing kept that nobody needs."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import structlog
from attrs import Factory, define, field

from clipsaver.clips.storehouse.collecting import Collecting
from clipsaver.clips.storehouse.model import CollectRules, Tally, VerifyRules
from clipsaver.clips.storehouse.reading import Reading
from clipsaver.clips.storehouse.removing import Removing
from clipsaver.clips.storehouse.standing import Standing
from clipsaver.clips.storehouse.verifying import Verifying
from clipsaver.errors import ClipsaverError
from clipsaver.media.storage import Storage
from clipsaver.postgres.few import Few
from clipsaver.postgres.pool import Pool

log = structlog.get_logger("clipsaver.storehouse")

CONNECTIONS: Final = 2
"""Of the pool's, how many are taken at the same time."""


@define(kw_only=True, eq=False)
class Storehouse:
    """The bytes of all servers' clips, as they lie."""

    pool: Pool
    storage: Storage
    tally: Tally = field(factory=Tally)
    _stopping: asyncio.Event = field(factory=asyncio.Event, init=False)
    _few: Few = field(default=Factory(lambda self: Few(self.pool, CONNECTIONS), takes_self=True), init=False)

    async def settle(self) -> None:
        """Look at a start whether the storage is the one that belongs to the database; if not, say so and go on."""
        try:
            await self._standing.check(0.0)
        except ClipsaverError as error:
            log.error("storehouse.not_trusted", reason=error.message)  # noqa: TRY400 - the sentence says it all

    def stop(self) -> None:
        """Have what runs end soon; the rest is done another time."""
        self._stopping.set()

    async def verify(self, rules: VerifyRules) -> Mapping[str, object]:
        """Read a share of the blobs again, those first that were not read for longest; what was found."""
        reading = self._reading(rules.bytes_per_second)
        verifying = Verifying(
            few=self._few,
            storage=self.storage,
            standing=self._standing,
            reading=reading,
            removing=self._removing(reading),
            rules=rules,
            tally=self.tally,
        )
        return await _said(verifying)

    async def collect(self, rules: CollectRules) -> Mapping[str, object]:
        """Remove what nobody needs and is older than the grace period; how much that was."""
        collecting = Collecting(
            few=self._few,
            storage=self.storage,
            standing=self._standing,
            removing=self._removing(self._reading(0.0)),
            rules=rules,
            tally=self.tally,
            stopping=self._stopping,
        )
        return await _said(collecting)

    @property
    def _standing(self) -> Standing:
        return Standing(few=self._few, storage=self.storage)

    def _reading(self, bytes_per_second: float) -> Reading:
        return Reading(storage=self.storage, bytes_per_second=bytes_per_second, stopping=self._stopping)

    def _removing(self, reading: Reading) -> Removing:
        return Removing(few=self._few, storage=self.storage, reading=reading, tally=self.tally)


async def _said(run: Callable[[], Awaitable[Mapping[str, object]]]) -> Mapping[str, object]:
    """Say in a sentence why a run ended early."""
    try:
        return await run()
    except ClipsaverError as error:
        log.error("storehouse.stopped", reason=error.message)  # noqa: TRY400 - where it ends, it is logged whole
        raise
