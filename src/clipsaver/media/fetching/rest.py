"""One origin's breaker: after failures in a row, or when it asks for it, it is left alone; then one tries at a time."""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog
from attrs import define

from clipsaver.media.fetching.errors import Busy, FetchFailed
from clipsaver.media.fetching.limits import Limits

log = structlog.get_logger("clipsaver.media")


@define(kw_only=True, eq=False)
class Rest:
    """Knows whether an origin may be asked."""

    origin: str
    limits: Limits
    clock: Callable[[], float] = time.monotonic
    _failures: int = 0
    _rests: int = 0
    """Rests in a row, without a success between them."""
    _until: float = 0.0
    _asked_at: float = float("-inf")
    _tried: bool = False
    """Whether somebody is finding out if it is well again."""

    @property
    def left(self) -> float:
        """Seconds for which it is left alone."""
        return max(0.0, self._until - self.clock())

    @property
    def in_use(self) -> bool:
        """Whether it was asked not long ago, or has yet to show that it is well again."""
        return self._rests > 0 or self.clock() - self._asked_at < self.limits.longest_rest

    @property
    def lets_begin(self) -> int:
        """How many downloads: none while it rests or somebody tries, then one, and all once it is well."""
        if self.left or self._tried:
            return 0
        return 1 if self._rests else self.limits.connections

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """Surround a download: raises Busy while the origin rests, and takes note of how it ends."""
        if self.left or self._tried:
            raise Busy(self.origin, self.left or self.limits.first_rest, asked=False)
        first = self._tried = self._rests > 0
        self._asked_at = self.clock()
        try:
            yield
        except Busy as busy:
            self._rest(busy.retry_after * random.uniform(1.0, 1.1))  # noqa: S311 - no secret
            raise
        except FetchFailed as error:
            if error.blames_origin:
                self._failed()
            else:
                self._well()
            raise
        else:
            self._well()
        finally:
            if first:
                self._tried = False

    def answered(self) -> None:
        """Let the next one try: the first bytes of a file came, though it is not all there yet."""
        self._tried = False

    def backoff(self) -> float:
        """Seconds for an origin that is busy and doesn't say for how long."""
        longest: float = min(self.limits.longest_rest, self.limits.first_rest * 2 ** min(self._rests, 20))
        return longest * random.uniform(0.5, 1.0)  # noqa: S311 - no secret

    def _failed(self) -> None:
        self._failures += 1
        if self._failures >= self.limits.failures and not self.left:
            self._rest(self.backoff())

    def _rest(self, seconds: float) -> None:
        """Begin a rest; what was under way when it began makes it longer only if told to wait longer."""
        resting, self._until = self.left > 0, max(self._until, self.clock() + seconds)
        if resting:
            return
        self._rests += 1
        log.warning("media.origin_rests", origin=self.origin, seconds=round(seconds, 1), failures=self._failures)

    def _well(self) -> None:
        if self._rests:
            log.info("media.origin_well", origin=self.origin)
        self._failures = self._rests = 0
