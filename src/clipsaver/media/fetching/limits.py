"""How long, how fast and how many: the bounds of fetching, and one download's pace within them."""

import asyncio
import time
from collections.abc import Callable
from typing import Final

import aiohttp
from attrs import define, field, frozen

from clipsaver.media.fetching.errors import Cause

KIB: Final = 1024


@frozen(kw_only=True)
class Limits:
    """The bounds of fetching; times are in seconds."""

    connections: int = 16
    """Downloads at once."""
    per_origin: int = 8
    """Downloads at once from one origin."""
    connect: float = 15.0
    answer: float = 30.0
    """From the request to the answer's headers, connecting included."""
    stall: float = 30.0
    """Without a single byte."""
    least_rate: float = 16.0 * KIB
    """Bytes a second, over each window spent waiting for the network."""
    window: float = 30.0
    spare: float = 60.0
    """A whole download may take this, and the time that its size takes at the least rate."""
    resumes: int = 3
    """How often a broken download goes on at once; after that it is for the caller to wait and try again."""
    pause: float = 0.5
    """Before going on the first time; then twice as long, and so on."""
    redirects: int = 3
    failures: int = 5
    """Failed downloads in a row after which an origin is given a rest."""
    first_rest: float = 5.0
    """Then twice as long after each that changed nothing."""
    longest_rest: float = 900.0


class Lost(Exception):
    """No more comes of this answer."""

    def __init__(self, cause: Cause) -> None:
        super().__init__(cause)
        self.cause: Cause = cause


@define(kw_only=True, eq=False)
class Pace:
    """Reads one download's bytes, and ends it when they come too slowly. Only waiting for them counts, not writing."""

    limits: Limits
    size: int
    """Bytes that may come at most."""
    clock: Callable[[], float] = time.monotonic
    _left: float = field(init=False)
    _waited: float = 0.0
    _came: int = 0
    _content: aiohttp.StreamReader | None = None
    """What is waited for, while it is."""
    _overdue_at: float = 0.0
    """By the event loop's clock."""
    _alarm: asyncio.TimerHandle | None = None

    def __attrs_post_init__(self) -> None:
        self._left = self.limits.spare + self.size / self.limits.least_rate

    @property
    def patience(self) -> float:
        """Seconds that the next answer may take."""
        return min(self.limits.answer, max(self._left, 0.0))

    def waited(self, seconds: float) -> None:
        """Count a wait for an answer."""
        self._left -= seconds

    async def read(self, content: aiohttp.StreamReader) -> bytes:
        """The next piece that came, and nothing at the end; raises Lost."""
        began = self.clock()
        self._wait_for(content, min(self.limits.stall, max(self._left, 0.0)))
        cause: Cause
        try:
            piece = await _next(content)
        except TimeoutError:
            cause = "stalled"
        except (aiohttp.ClientError, OSError, RuntimeError):
            # aiohttp has a RuntimeError for a connection that was closed before anyone waited for it.
            cause = "broken"
        else:
            self._count(self.clock() - began, len(piece))
            return piece
        finally:
            self._content = None
        raise Lost(cause)

    def _wait_for(self, content: aiohttp.StreamReader, seconds: float) -> None:
        """Have the wait end after so long: one alarm for many pieces, set anew only when it has gone off."""
        loop = asyncio.get_running_loop()
        self._content, self._overdue_at = content, loop.time() + seconds
        if self._alarm is not None and self._alarm.when() > self._overdue_at:
            self._alarm.cancel()
            self._alarm = None
        if self._alarm is None:
            self._alarm = loop.call_at(self._overdue_at, self._look)

    def _look(self) -> None:
        """See whether the wait is overdue."""
        self._alarm = None
        if self._content is None:
            return
        loop = asyncio.get_running_loop()
        if self._overdue_at <= loop.time():
            loop.call_soon(self._end_wait, self._overdue_at)  # a piece that came just now is taken first
        else:
            self._alarm = loop.call_at(self._overdue_at, self._look)

    def _end_wait(self, overdue_at: float) -> None:
        if self._content is not None and self._overdue_at == overdue_at:
            self._content.set_exception(TimeoutError())

    def _count(self, seconds: float, size: int) -> None:
        self._left -= seconds
        self._waited += seconds
        self._came += size
        if self._left <= 0:
            raise Lost("slow")
        if self._waited >= self.limits.window:
            if self._came < self.limits.least_rate * self._waited:
                raise Lost("slow")
            self._waited, self._came = 0.0, 0


async def _next(content: aiohttp.StreamReader) -> bytes:
    """What came first, as it came; nothing at the end. To put together what came since would be to copy it all."""
    while True:
        piece, is_end_of_chunk = await content.readchunk()
        if piece or not is_end_of_chunk:
            return piece
