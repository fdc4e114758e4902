"""Counts of what was asked and refused, and the breaker that stops reading before Discord bans the address."""

import time
from bisect import bisect_left
from collections import Counter, deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from attrs import define, field

WINDOW: Final = 600.0
"""Seconds in which Discord counts invalid requests: 401, 403, and 429 that aren't shared."""
READING_STOPS: Final = 1_000
EVERYTHING_STOPS: Final = 5_000
"""Discord bans an address after 10,000."""
BOUNDS: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of the latency histogram's buckets, in seconds."""

PAGE: Final = ("GET", "/channels/{channel_id}/messages")
"""Discord: Get Channel Messages."""


@define(kw_only=True)
class Stats:
    """Counters since the start, for metrics."""

    clock: Callable[[], float] = time.monotonic
    requests: Counter[tuple[str, str, int]] = field(factory=Counter)
    """By method, route template and status; 0 where no answer came."""
    throttled: Counter[str] = field(factory=Counter)
    """429s by scope."""
    invalid: int = 0
    latency_sum: float = 0.0
    latency: list[int] = field(factory=lambda: [0] * (len(BOUNDS) + 1))
    """Answers by latency, one count for each of BOUNDS and one for what took longer."""
    page_latency_sum: float = 0.0
    page_latency: list[int] = field(factory=lambda: [0] * (len(BOUNDS) + 1))
    """The same for pages of messages alone."""
    _recent: deque[float] = field(factory=lambda: deque(maxlen=EVERYTHING_STOPS))
    _tripped: bool = False

    def answered(self, method: str, template: str, status: int, seconds: float) -> None:
        """Count one answer, or with status 0 one request that got none."""
        self.requests[method, template, status] += 1
        if status:
            self.latency_sum += seconds
            self.latency[bisect_left(BOUNDS, seconds)] += 1
            if (method, template) == PAGE:
                self.page_latency_sum += seconds
                self.page_latency[bisect_left(BOUNDS, seconds)] += 1

    def refused(self, status: int, scope: str) -> None:
        """Count a 401, 403 or 429; those of a shared limit are nobody's fault."""
        if status == 429:  # noqa: PLR2004 - Too Many Requests
            self.throttled[scope] += 1
            if scope == "shared":
                return
        self.invalid += 1
        self._recent.append(self.clock())
        self._tripped = self._tripped or self.recent_invalid() >= READING_STOPS

    def recent_invalid(self) -> int:
        """Invalid requests of the last ten minutes, as far as they matter."""
        oldest = self.clock() - WINDOW
        while self._recent and self._recent[0] <= oldest:
            self._recent.popleft()
        return len(self._recent)

    def rests_until(self, *, reading: bool) -> datetime | None:
        """Until when nothing may be read, or nothing sent at all; None when it may.

        Once tripped, reading rests until the window is empty: whatever went wrong was not wrong once.
        """
        recent = self.recent_invalid()
        self._tripped = self._tripped and recent > 0
        if not self._tripped or (not reading and recent < EVERYTHING_STOPS):
            return None
        return datetime.now(UTC) + timedelta(seconds=self._recent[-1] + WINDOW - self.clock())
