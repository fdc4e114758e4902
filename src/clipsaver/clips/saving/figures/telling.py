"""What a worker does for the figures beside its work: it tells that it is halted, and folds the tallies."""

import time
from collections.abc import Callable
from typing import Final
from uuid import UUID, uuid4

from attrs import define, field

from clipsaver.clips.saving.figures import store
from clipsaver.clips.saving.model import HaltKind
from clipsaver.clips.saving.room import Room
from clipsaver.postgres.few import Few

TELL_EVERY: Final = 15.0
"""Seconds until a halt is told again; whoever asks forgets it after a minute."""
FOLD_EVERY: Final = 60.0


@define(kw_only=True, eq=False)
class Telling:
    """Tells other processes about this one; call it often."""

    few: Few
    room: Room
    clock: Callable[[], float] = time.monotonic
    _worker: UUID = field(factory=uuid4, init=False)
    _told: HaltKind | None = field(default=None, init=False)
    _tell_at: float = field(default=0.0, init=False)
    _fold_at: float = field(default=0.0, init=False)

    async def __call__(self) -> None:
        """Tell what has changed, and what would be forgotten."""
        now, kind = self.clock(), self.room.kind
        if kind is not self._told or (kind is not None and now >= self._tell_at):
            async with self.few.connection() as conn:
                if kind is None:
                    await store.clear_halt(conn, self._worker)
                else:
                    await store.set_halt(conn, self._worker, kind=kind, free=self.room.free)
            self._told, self._tell_at = kind, now + TELL_EVERY
        if now >= self._fold_at:
            self._fold_at = now + FOLD_EVERY
            async with self.few.connection() as conn:
                await store.fold(conn)
