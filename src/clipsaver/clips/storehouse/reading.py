"""Reading stored bytes again, not faster than allowed, to see whether they are what they were."""

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable

from attrs import define, field

from clipsaver.clips.storehouse.model import Blob, Damage
from clipsaver.errors import ClipsaverError
from clipsaver.media.storage import NotStored, Storage, blob_name


class Stopping(ClipsaverError):
    """The program is about to end; what was being read is read another time."""

    def __init__(self) -> None:
        super().__init__("The program ended before it was done.")


@define(kw_only=True, eq=False)
class Reading:
    """Reads piece by piece: memory and speed are bounded however large a blob is."""

    storage: Storage
    bytes_per_second: float = 0.0
    """0: as fast as they come."""
    stopping: asyncio.Event = field(factory=asyncio.Event)
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    read: int = field(default=0, init=False)
    """Bytes so far."""
    _free_at: float = field(default=float("-inf"), init=False)

    async def damage_of(self, blob: Blob) -> Damage | None:
        """What is wrong with a blob; None if it is as it should be. Errors of the storage say nothing about it."""
        digest = hashlib.sha256()
        size = 0
        try:
            async for piece in self.storage.read(blob_name(blob.sha256)):
                await self.storage.threads.ask(digest.update, piece)
                size += len(piece)
                await self._pace(len(piece))
        except NotStored:
            return Damage.MISSING
        return None if (digest.digest(), size) == (blob.sha256, blob.size) else Damage.CHANGED

    async def _pace(self, size: int) -> None:
        """Wait until the next may be read."""
        self.read += size
        if self.stopping.is_set():
            raise Stopping
        if self.bytes_per_second:
            self._free_at = max(self._free_at, self.clock()) + size / self.bytes_per_second
            await self.sleep(max(self._free_at - self.clock(), 0.0))
