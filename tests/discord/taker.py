"""A process that asks a server for pages as often as it may: ``python -m tests.discord.taker``."""

import asyncio
import sys
import time
from contextlib import suppress

from attrs import define, field

from clipsaver.discord.breaker import Breaker
from clipsaver.discord.budget import Budget, Priority, Turn
from clipsaver.discord.rest import Forbidden, Rest, Route
from clipsaver.postgres.pool import open_pool
from tests.discord.servers import Stalls, watched

LANES = 20
ME = Route("GET", "/users/@me")


@define(kw_only=True)
class Timed(Budget):
    """A budget that knows how long the database took to answer, once it is connected."""

    slow: Stalls = field(factory=Stalls)

    async def take(self, priority: Priority) -> Turn:
        """Ask, and look at the clock."""
        connected, began = self._held is not None, time.monotonic()
        try:
            return await super().take(priority)
        finally:
            if connected:
                self.slow.add(time.monotonic() - began)


async def main(database_url: str, rest_url: str, rate: str) -> None:
    """Read many channels at once, whatever is answered, until killed; a person asks once the scans have to wait."""
    pool = await open_pool(database_url, size=3)
    budget = Timed(pool=pool, requests_per_second=float(rate))
    told = asyncio.Event()
    async with (
        watched() as stalls,
        Rest(token="t", url=rest_url, budget=budget, breaker=Breaker(pool=pool)) as rest,
        asyncio.TaskGroup() as group,
    ):

        async def read(channel_id: int) -> None:
            route = Route("GET", "/channels/{channel_id}/messages", channel_id=channel_id)
            while True:
                stalled = {"worst": stalls.worst + budget.slow.worst, "long": stalls.long + budget.slow.long}
                with suppress(Forbidden):
                    await rest.request(route, params=stalled, on_wait=lambda _: told.set())

        for number in range(LANES):
            group.create_task(read(number))
        await told.wait()
        await rest.request(ME, priority=Priority.PEOPLE)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
