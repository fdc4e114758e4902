"""The breaker: all reading stops long before Discord bans the address for what it had to refuse.

What counts is 401, 403, and 429 that isn't shared. It is counted in the database, for all processes together, so that
neither another process nor a new start begins anew; and in memory as well, for when the database can't be reached.
"""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Callable
from typing import Final

import asyncpg
import structlog
from attrs import define, field

from clipsaver.discord import store
from clipsaver.discord.budget import Priority
from clipsaver.postgres.pool import Pool

log = structlog.get_logger("clipsaver.discord")

WINDOW: Final = 600.0
"""Seconds in which Discord counts invalid requests."""
READING_STOPS: Final = 1_000
EVERYTHING_STOPS: Final = 5_000
"""Discord bans an address after 10,000."""
BEAT: Final = 5.0
"""Seconds after which a process that takes nothing from the budget notices what others were refused."""
PATIENCE: Final = 5.0
"""Seconds for the database to answer."""
GOODBYE: Final = 1.0
"""Seconds that the last refusals may take to be written."""
UNREACHABLE: Final = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)


@define(kw_only=True, eq=False)
class Breaker:
    """Knows for how long nothing may be read, or nothing sent at all."""

    pool: Pool | None = None
    """None: only this process's requests count, and only since it began."""
    clock: Callable[[], float] = time.monotonic
    halts: int = 0
    """How often reading was stopped since the start."""
    _recent: deque[float] = field(factory=lambda: deque(maxlen=EVERYTHING_STOPS))
    _tripped: bool = False
    _until: dict[Priority, float] = field(factory=lambda: dict.fromkeys(Priority, 0.0))
    """What the database said."""
    _unwritten: int = 0
    _noted: asyncio.Event = field(factory=asyncio.Event)
    _resting: bool = False
    _away: bool = False

    @property
    def recent(self) -> int:
        """This process's invalid requests of the last ten minutes, as far as they matter."""
        oldest = self.clock() - WINDOW
        while self._recent and self._recent[0] <= oldest:
            self._recent.popleft()
        return len(self._recent)

    def rests(self, priority: Priority) -> float:
        """For how many seconds nothing of this kind may be sent; 0 when it may.

        Once tripped, reading rests until the window is empty: whatever went wrong was not wrong once.
        """
        now, recent = self.clock(), self.recent
        self._tripped = self._tripped and recent > 0
        own = 0.0
        if self._tripped and (priority is Priority.SCAN or recent >= EVERYTHING_STOPS):
            own = self._recent[-1] + WINDOW - now
        return max(0.0, own, self._until[priority] - now)

    def refused(self) -> None:
        """Count an invalid request of this process."""
        self._recent.append(self.clock())
        self._tripped = self._tripped or self.recent >= READING_STOPS
        self._unwritten += 1
        self._noted.set()
        self._notice()

    def told(self, seconds: float) -> None:
        """Take note for how long all processes have stopped reading."""
        self._until[Priority.SCAN] = self.clock() + seconds
        self._notice()

    async def look(self) -> None:
        """Tell the other processes what was refused here, and find out what was refused there."""
        if self.pool is not None:
            await self._exchange(self.pool)
        self._notice()

    async def run(self) -> None:
        """Look at every beat, and whenever something was refused, until cancelled."""
        while True:
            if self._away:
                await asyncio.sleep(BEAT)
            else:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(BEAT):
                        await self._noted.wait()
            self._noted.clear()
            await self.look()

    async def close(self) -> None:
        """Write what is left to be written, so that the next start knows of it."""
        if self.pool is not None and self._unwritten:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(GOODBYE):
                    await self._exchange(self.pool)

    async def _exchange(self, pool: Pool) -> None:
        requests, self._unwritten = self._unwritten, 0
        try:
            async with asyncio.timeout(PATIENCE), pool.acquire() as conn:
                if requests:
                    await store.note_invalid(
                        conn, requests, reading_stops=READING_STOPS, everything_stops=EVERYTHING_STOPS
                    )
                    requests = 0
                invalid = await store.look_invalid(conn)
        except UNREACHABLE as error:
            if not self._away:
                log.warning("discord.breaker_unreachable", error=type(error).__name__)
            self._away = True
        else:
            self._away = False
            now = self.clock()
            self._until = {Priority.SCAN: now + invalid.reading, Priority.PEOPLE: now + invalid.everything}
        finally:
            self._unwritten += requests  # rather twice than never

    def _notice(self) -> None:
        """Log that reading stops, and that it goes on."""
        seconds = self.rests(Priority.SCAN)
        if seconds and not self._resting:
            self.halts += 1
            log.error("discord.reading_halted", seconds=round(seconds), invalid_here=self.recent)
        elif self._resting and not seconds:
            log.info("discord.reading_resumed")
        self._resting = seconds > 0
