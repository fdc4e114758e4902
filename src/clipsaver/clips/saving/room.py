"""Whether the storage takes anything: downloads stop where it does not, and go on by themselves."""

import time
from collections.abc import Callable
from typing import Final

import structlog
from attrs import define, field

from clipsaver.clips.saving.model import HaltKind, shown_size
from clipsaver.errors import ClipsaverError
from clipsaver.media.storage.base import Storage
from clipsaver.media.storage.errors import StorageFull

log = structlog.get_logger("clipsaver.saving")

BELIEVED: Final = 1.0
"""Seconds for which what is free is taken to be so."""
WANTED: Final = 10.0
"""Seconds for which a clip that did not fit in is taken to wait still: it may be gone by then, or left out."""
FIRST_PAUSE: Final = 1.0
LONGEST_PAUSE: Final = 60.0
"""Seconds until a storage that was in trouble is tried again; twice as long each time."""


@define(kw_only=True, eq=False)
class Room:
    """Knows what is free, and why nothing is fetched where that is so."""

    storage: Storage
    clock: Callable[[], float] = time.monotonic
    halted: str | None = field(default=None, init=False)
    """Why nothing is fetched just now; None while all is well."""
    kind: HaltKind | None = field(default=None, init=False)
    """Which kind of trouble that is."""
    free: int = field(default=0, init=False)
    """Bytes that may come in, as last seen; what is reserved for others is not taken off."""
    looked: bool = field(default=False, init=False)
    """Whether what is free was ever seen."""
    _seen_at: float = field(default=float("-inf"), init=False)
    _wanted: int = field(default=0, init=False)
    _wanted_until: float = field(default=0.0, init=False)
    _until: float = field(default=0.0, init=False)
    _troubles: int = field(default=0, init=False)

    async def takes(self, reserved: int) -> bool:
        """Look whether there may be room for more than what is reserved; what was in trouble is tried first.

        Where a clip did not fit in, and nobody knows whether it still waits, it stays halted until `go_on`.
        """
        if self.clock() < self._until:
            return False
        try:
            if self.clock() - self._seen_at >= BELIEVED:
                self.free = await self.storage.free_bytes()
                self._seen_at, self.looked = self.clock(), True
            wanted = self._wanted if self.clock() < self._wanted_until else 0
            if self.free - reserved < max(wanted, 1):
                self._halt(f"{shown_size(self.free)} are free for clips, and that is not enough.", kind=HaltKind.FULL)
                return False
            if self.halted is not None:
                await self.storage.check()
        except ClipsaverError as error:
            self.failed(error)
            return False
        if self.free - reserved >= self._wanted:
            self.go_on()
        return True

    def go_on(self) -> None:
        """Nothing that was found lacks room; a storage that failed meanwhile has its rest first."""
        if self.clock() < self._until:
            return
        if self.halted is not None:
            log.info("saving.goes_on", free=self.free)
        self.halted, self.kind, self._wanted = None, None, 0

    def fits(self, size: int, reserved: int) -> bool:
        """Whether so many bytes fit in beside what is reserved; if not, nothing is fetched until they do."""
        if self.free - reserved >= size:
            return True
        self._wanted, self._wanted_until = size, self.clock() + WANTED
        self._halt(
            f"{shown_size(self.free)} are free for clips, and the next has {shown_size(size)}.", kind=HaltKind.FULL
        )
        return False

    def failed(self, error: ClipsaverError) -> None:
        """Give the storage a rest, longer each time; those that fail together are one time."""
        if self.clock() >= self._until:
            self._until = self.clock() + min(FIRST_PAUSE * 2 ** min(self._troubles, 20), LONGEST_PAUSE)
            self._troubles += 1
        self._seen_at = float("-inf")
        self._halt(error.message, kind=HaltKind.FULL if isinstance(error, StorageFull) else HaltKind.TROUBLE)

    def well(self) -> None:
        """Something was stored."""
        self._troubles = 0

    def _halt(self, reason: str, *, kind: HaltKind) -> None:
        if self.kind is not kind:
            log.warning("saving.halted", kind=kind, reason=reason, free=self.free, reserve=self.storage.reserve)
        self.halted, self.kind = reason, kind
