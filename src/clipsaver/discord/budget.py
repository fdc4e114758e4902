"""How often all processes together may ask Discord: taken from the database, one request at a time."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from enum import IntEnum
from typing import Final, TypeVar

import asyncpg
from asyncpg.pool import PoolConnectionProxy
from attrs import define, frozen

from clipsaver.discord import store
from clipsaver.discord.latecomers import Late
from clipsaver.postgres.pool import Connection, Pool

T = TypeVar("T")

PATIENCE: Final = 5.0
"""Seconds for the database to answer."""
GOODBYE: Final = 1.0
"""Seconds to give the connection back."""
UNREACHABLE: Final = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)
DISCORD: Final = 50
"""Requests that Discord lets a bot make in any second; some may make more."""
SHIPPED: Final = 48
"""Requests a second that we make."""
MOST_COUNTED: Final = 100
"""Turns that are remembered for a second."""
SHORTEST: Final = 0.001
"""Seconds until the budget is asked again at the earliest."""


class Priority(IntEnum):
    """Who waits for the answer: a person, or nobody in particular."""

    PEOPLE = 0
    SCAN = 1


AHEAD: Final = {Priority.PEOPLE: timedelta(milliseconds=500), Priority.SCAN: timedelta(milliseconds=20)}
"""How far into the future a request may be booked: people get their turn before every process's scans."""


class BudgetUnreachable(Exception):
    """The budget could not be asked; without it nothing may be sent."""


@frozen
class Turn:
    """The budget's answer: send in ``seconds`` if granted, else ask again in ``seconds``."""

    granted: bool
    seconds: float
    held: float = 0.0
    """For how many seconds Discord holds the whole bot back, as some process heard."""
    halted: float = 0.0
    """For how many seconds nothing may be read, since too much was refused."""
    moment: datetime | None = None
    """If granted: when it is due by the database's clock."""


@define(kw_only=True)
class Budget:
    """The budget row, asked through one connection that is kept for it; only one taker a process."""

    pool: Pool
    requests_per_second: float = float(SHIPPED)
    _held: "PoolConnectionProxy[asyncpg.Record] | None" = None

    async def take(self, priority: Priority) -> Turn:
        """Ask for one request; raises BudgetUnreachable."""
        increment = timedelta(seconds=1 / self.requests_per_second)
        taken = await self._ask(
            lambda conn: store.take(conn, increment=increment, ahead=AHEAD[priority], most=self.most)
        )
        seconds = taken.seconds if taken.granted else max(SHORTEST, taken.seconds)
        return Turn(taken.granted, seconds, taken.held, taken.halted, taken.turn)

    @property
    def most(self) -> int | None:
        """How many a second has room for; one less than Discord allows, since not every delay is told of.

        To whoever sets a higher rate than it allows everyone, it is taken to allow as much more than that. None if that
        is more than can be counted: then the distance of the turns has to do.
        """
        rate = self.requests_per_second
        most = int(DISCORD if rate <= DISCORD else rate * DISCORD / SHIPPED) - 1
        return most if most <= MOST_COUNTED else None

    async def leave_room(self, late: Sequence[Late]) -> None:
        """Have turns make way for requests that came late; raises BudgetUnreachable."""
        await self._ask(lambda conn: store.leave_room(conn, late))

    async def hold(self, seconds: float) -> None:
        """Hold every process back for so long; raises BudgetUnreachable."""
        await self._ask(lambda conn: store.hold(conn, wait=timedelta(seconds=seconds)))

    async def close(self) -> None:
        """Give the connection back; the budget can be used again afterwards."""
        held, self._held = self._held, None
        if held is not None:
            try:
                await self.pool.release(held, timeout=GOODBYE)
            except UNREACHABLE:
                await self._drop(held)

    async def _ask(self, statement: Callable[[Connection], Awaitable[T]]) -> T:
        """Use the connection; what goes wrong there costs it."""
        try:
            async with asyncio.timeout(PATIENCE):
                if self._held is None:
                    self._held = await self.pool.acquire()
                return await statement(self._held)
        except UNREACHABLE as error:
            await self._let_go()
            raise BudgetUnreachable(type(error).__name__) from error
        except asyncio.CancelledError:
            await self._let_go()
            raise

    async def _let_go(self) -> None:
        """Drop a connection that may be in the middle of something, or gone."""
        held, self._held = self._held, None
        if held is not None:
            await self._drop(held)

    async def _drop(self, held: "PoolConnectionProxy[asyncpg.Record]") -> None:
        with contextlib.suppress(*UNREACHABLE):  # one that is gone has left the pool by itself
            held.terminate()
            await self.pool.release(held)
