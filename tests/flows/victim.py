"""A whole program in a process of its own, with its own database, to be killed."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

from attrs import field, frozen

from clipsaver.postgres.embedded import Embedded
from clipsaver.postgres.pool import Pool, open_pool
from clipsaver.simulator.entities import TEXT, Channel
from tests.app.programs import Program, program
from tests.discord.servers import watched
from tests.faults.launched import Order
from tests.faults.processes import working_in
from tests.flows.exactness import There, check_now
from tests.flows.house import House
from tests.flows.waiting import eventually

GOES_ON = 30.0
"""Seconds after a restart in which a scan has to go on."""


@frozen(kw_only=True)
class Victim:
    """A house whose program lives in a process of its own, with its own database, and is killed."""

    house: House
    there: Mapping[int, There] = field()
    """By channel."""

    @there.default
    def _count(self) -> Mapping[int, There]:
        return {one.id: There.of(self.house.world, one.id) for one in self.channels}

    @property
    def data(self) -> Path:
        """The program's data directory."""
        return Path(self.house.settings["CLIPSAVER_DATA_DIR"])

    @property
    def channels(self) -> list[Channel]:
        """The channels that are scanned."""
        return [one for one in self.house.world.channels_of(self.house.guild_id) if one.type == TEXT]

    def life(self, order: Order | None = None, *, role: str = "run") -> AbstractAsyncContextManager[Program]:
        """Run the program; it is killed at the end, if it still lives."""
        launcher = {} if order is None else {"launcher": order.command()}
        return program(role, self.house.settings, self.house.folder, **launcher)

    async def begin(self, one: Program) -> None:
        """Have every channel scanned."""
        await one.ready()
        for channel in self.channels:
            assert "has begun" in (await self.house.ask("/scan start", channel=channel)).text

    @asynccontextmanager
    async def database(self) -> AsyncIterator[Pool]:
        """Look into the program's database while it lives."""
        async with Embedded(self.data) as database, await open_pool(database.url, size=1) as pool:
            yield pool

    @asynccontextmanager
    async def remains(self) -> AsyncIterator[Pool]:
        """Look at what the dead program has left, in a copy: the next start finds it as death has."""
        await self.nobody_left()
        copy = self.data.with_name("copy")
        await asyncio.to_thread(shutil.copytree, self.data, copy)
        try:
            async with (
                Embedded(copy, settings={"fsync": "off"}) as database,
                await open_pool(database.url, size=1) as pool,
            ):
                yield pool
        finally:
            await asyncio.to_thread(shutil.rmtree, copy)

    async def look_at_remains(self) -> bool:
        """Check what the dead program has left; whether all scans are done."""
        async with self.remains() as pool:
            return await check_now(pool, self.there)

    async def asked(self, pages: int) -> float:
        """Wait until so many pages were asked for since the beginning: the seconds it took, without stalls."""

        async def look() -> bool:
            return self.house.pages >= pages

        began = asyncio.get_running_loop().time()
        async with watched() as stalls:
            await eventually(look, every=0.001)
        return asyncio.get_running_loop().time() - began - stalls.long

    async def nobody_left(self) -> None:
        """Wait until no server is left on the database's folder."""

        async def look() -> bool:
            return not working_in(self.data)

        await eventually(look)
