"""The few connections that saving takes of the pool: scans and people need some too."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final, TypeVar

from attrs import define, field

from clipsaver.postgres.pool import Connection, Pool, in_transaction

T = TypeVar("T")

CONNECTIONS: Final = 2
"""How many are taken at the same time."""


@define(eq=False)
class Few:
    """A pool, of which only a little is taken."""

    pool: Pool
    _free: asyncio.Semaphore = field(factory=lambda: asyncio.Semaphore(CONNECTIONS), init=False)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """Take one of them."""
        async with self._free, self.pool.acquire() as conn:
            yield conn

    async def in_transaction(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Do the like in a transaction."""
        async with self._free:
            return await in_transaction(self.pool, work)
