"""A few of the pool's connections for one kind of work: others, and people, need some too."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

from attrs import Factory, define, field

from clipsaver.postgres.pool import Connection, Pool, in_transaction

T = TypeVar("T")


@define(eq=False)
class Few:
    """A pool, of which only a little is taken."""

    pool: Pool
    connections: int
    """How many are taken at the same time."""
    _free: asyncio.Semaphore = field(
        default=Factory(lambda self: asyncio.Semaphore(self.connections), takes_self=True), init=False
    )

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """Take one of them."""
        async with self._free, self.pool.acquire() as conn:
            yield conn

    async def in_transaction(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Do the like in a transaction."""
        async with self._free:
            return await in_transaction(self.pool, work)
