"""A process that asks a server for pages as often as it may: ``python -m tests.discord.taker``."""

import asyncio
import sys
from contextlib import suppress

from clipsaver.discord.breaker import Breaker
from clipsaver.discord.budget import Budget, Priority
from clipsaver.discord.rest import Forbidden, Rest, Route
from clipsaver.postgres.pool import open_pool
from tests.discord.servers import watched

LANES = 20
ME = Route("GET", "/users/@me")


async def main(database_url: str, rest_url: str, rate: str) -> None:
    """Read many channels at once, whatever is answered, until killed; a person asks once the scans have to wait."""
    pool = await open_pool(database_url, size=3)
    budget = Budget(pool=pool, requests_per_second=float(rate))
    told = asyncio.Event()
    async with (
        watched() as stalls,
        Rest(token="t", url=rest_url, budget=budget, breaker=Breaker(pool=pool)) as rest,
        asyncio.TaskGroup() as group,
    ):

        async def read(channel_id: int) -> None:
            route = Route("GET", "/channels/{channel_id}/messages", channel_id=channel_id)
            while True:
                stalled = {"worst": stalls.worst, "long": stalls.long}
                with suppress(Forbidden):
                    await rest.request(route, params=stalled, on_wait=lambda _: told.set())

        for number in range(LANES):
            group.create_task(read(number))
        await told.wait()
        await rest.request(ME, priority=Priority.PEOPLE)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
