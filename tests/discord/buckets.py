"""Rate limiters as servers have them: each counts a request at a moment and tells what its headers would."""

from collections import deque
from collections.abc import Callable
from typing import Protocol

from attrs import define, field


class Limiter(Protocol):
    """Counts requests at moments that never go back."""

    def hit(self, at: float) -> tuple[bool, int, float]:
        """Whether a request is let through, how many remain, and the seconds until the reset."""


@define
class Fixed:
    """A window that begins with its first request."""

    limit: int
    window: float
    end: float = -1.0
    used: int = 0

    def hit(self, at: float) -> tuple[bool, int, float]:
        """Count a request."""
        if at >= self.end:
            self.end, self.used = self._next_end(at), 0
        self.used += 1
        return self.used <= self.limit, max(0, self.limit - self.used), self.end - at

    def _next_end(self, at: float) -> float:
        return at + self.window


@define
class Aligned(Fixed):
    """A window that begins whenever the clock says so."""

    def _next_end(self, at: float) -> float:
        return (at // self.window + 1) * self.window


@define
class Sliding:
    """No more than so many in any window; the reset is when the oldest or the newest request stops counting."""

    limit: int
    window: float
    newest: bool = False
    counted: deque[float] = field(factory=deque)

    def hit(self, at: float) -> tuple[bool, int, float]:
        """Count a request, if it is let through."""
        while self.counted and self.counted[0] <= at - self.window:
            self.counted.popleft()
        allowed = len(self.counted) < self.limit
        if allowed:
            self.counted.append(at)
        told = self.counted[-1] if self.newest else self.counted[0]
        return allowed, self.limit - len(self.counted), told + self.window - at


@define
class Leaky:
    """A bucket from which drops leak evenly; the reset is when it is empty."""

    limit: int
    window: float
    empty_at: float = 0.0

    def hit(self, at: float) -> tuple[bool, int, float]:
        """Count a request, if it is let through."""
        drop = self.window / self.limit
        empty_at = max(self.empty_at, at) + drop
        allowed = empty_at - at <= self.window + 1e-9
        if allowed:
            self.empty_at = empty_at
        return allowed, int((self.window - (self.empty_at - at)) / drop + 1e-6), self.empty_at - at


STYLES: dict[str, Callable[[int, float], Limiter]] = {
    "fixed": Fixed,
    "aligned": Aligned,
    "sliding, oldest told": Sliding,
    "sliding, newest told": lambda limit, window: Sliding(limit, window, newest=True),
    "leaky": Leaky,
}
