"""A pause when looking at videos can't work at all: it would only cost each of them an attempt."""

import time
from collections.abc import Callable
from typing import Final

import structlog
from attrs import define, field

log = structlog.get_logger("clipsaver.pictures")

FIRST: Final = 1.0
LONGEST: Final = 60.0
"""Seconds until the next is tried; twice as long each time."""


@define(kw_only=True, eq=False)
class Pause:
    """Knows whether videos are looked at, and why not."""

    clock: Callable[[], float] = time.monotonic
    reason: str | None = field(default=None, init=False)
    """Why none is looked at just now; None while all is well."""
    _until: float = field(default=float("-inf"), init=False)
    _troubles: int = field(default=0, init=False)

    def is_on(self) -> bool:
        """Whether nothing is to be begun now."""
        return self.clock() < self._until

    def begin(self, reason: str) -> None:
        """Let everything rest, longer each time."""
        if self.reason is None:
            log.warning("pictures.halted", reason=reason)
        self.reason = reason
        self._until = self.clock() + min(FIRST * 2 ** min(self._troubles, 20), LONGEST)
        self._troubles += 1

    def well(self) -> None:
        """Something could be looked at."""
        if self.reason is not None:
            log.info("pictures.go_on")
        self.reason, self._troubles = None, 0
