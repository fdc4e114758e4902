"""Counts of what was asked and refused, for metrics."""

from bisect import bisect_left
from collections import Counter
from typing import Final

from attrs import define, field

BOUNDS: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of the latency histogram's buckets, in seconds."""

PAGE: Final = ("GET", "/channels/{channel_id}/messages")
"""Discord: Get Channel Messages."""


@define(kw_only=True)
class Stats:
    """Counters since the start."""

    requests: Counter[tuple[str, str, int]] = field(factory=Counter)
    """By method, route template and status; 0 where no answer came."""
    throttled: Counter[str] = field(factory=Counter)
    """429s by scope."""
    invalid: int = 0
    """What Discord counts towards a ban."""
    latency_sum: float = 0.0
    latency: list[int] = field(factory=lambda: [0] * (len(BOUNDS) + 1))
    """Answers by latency, one count for each of BOUNDS and one for what took longer."""
    page_latency_sum: float = 0.0
    page_latency: list[int] = field(factory=lambda: [0] * (len(BOUNDS) + 1))
    """The same for pages of messages alone."""

    def answered(self, method: str, template: str, status: int, seconds: float) -> None:
        """Count one answer, or with status 0 one request that got none."""
        self.requests[method, template, status] += 1
        if status:
            self.latency_sum += seconds
            self.latency[bisect_left(BOUNDS, seconds)] += 1
            if (method, template) == PAGE:
                self.page_latency_sum += seconds
                self.page_latency[bisect_left(BOUNDS, seconds)] += 1

    def refused(self, status: int, scope: str) -> bool:
        """Count a 401, 403 or 429; whether it is an invalid request: those of a shared limit are nobody's fault."""
        if status == 429:  # noqa: PLR2004 - Too Many Requests
            self.throttled[scope] += 1
            if scope == "shared":
                return False
        self.invalid += 1
        return True
