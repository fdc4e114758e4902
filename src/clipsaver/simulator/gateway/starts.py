"""How often an application may identify (Discord: Gateway, "Session Start Limit Object")."""

from collections import deque
from collections.abc import Callable
from typing import Final

from attrs import define, field

DAY: Final = 86_400.0


@define(kw_only=True)
class Starts:
    """The session starts of one application."""

    clock: Callable[[], float]
    total: int = 1000
    """Identifies a day."""
    max_concurrency: int = 1
    """Identifies in five seconds, one for each ``shard_id % max_concurrency``."""
    window: float = 5.0
    """Seconds between two identifies of one key; 0 lets a test restart a bot at once."""
    _day: deque[float] = field(factory=deque, init=False)
    _last: dict[int, float] = field(factory=dict, init=False)

    def take(self, shard_id: int) -> bool:
        """Count an identify; False if it comes too soon after another of its key."""
        now = self.clock()
        self._forget(now)
        key = shard_id % self.max_concurrency
        before = self._last.get(key)
        self._day.append(now)
        if before is not None and 0 <= now - before < self.window:
            return False
        self._last[key] = now
        return True

    @property
    def remaining(self) -> int:
        """How many identifies are left for today; below 0 the application went too far."""
        self._forget(self.clock())
        return self.total - len(self._day)

    def limit(self) -> dict[str, int]:
        """The session start limit object, as ``/gateway/bot`` shows it."""
        remaining = self.remaining
        reset_after = int((self._day[0] + DAY - self.clock()) * 1000) if self._day else 0
        return {
            "total": self.total,
            "remaining": max(remaining, 0),
            "reset_after": reset_after,
            "max_concurrency": self.max_concurrency,
        }

    def _forget(self, now: float) -> None:
        while self._day and now - self._day[0] >= DAY:
            self._day.popleft()
