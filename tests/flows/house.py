"""A whole program on a simulated Discord, in this process, that can be stopped and started again."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import aiohttp
from attrs import frozen

from clipsaver.app.run import Role, _program
from clipsaver.config import load
from clipsaver.postgres.pool import Pool
from clipsaver.scans import store
from clipsaver.scans.model import Run
from clipsaver.simulator.entities import Channel
from clipsaver.simulator.person import Person
from clipsaver.simulator.person.reply import Reply
from clipsaver.simulator.person.shown import Shown
from clipsaver.simulator.server import Simulator
from clipsaver.simulator.world import World
from tests.discord.servers import watched
from tests.flows.waiting import PATIENCE, eventually

READY = 60.0
STOP = 10.0
"""Seconds a start and a stop may take; the second is promised, and what the machine held up comes on top."""
LATER: Final = "alter table thumbnails alter column due_at set default clock_timestamp() + interval '1 hour'"
NOW: Final = """
update thumbnails set due_at = clock_timestamp(), reason = null, reason_code = null
where state = 'pending' and due_at > clock_timestamp()
"""


@frozen(kw_only=True)
class House:
    """A Discord, a database, and the program between them."""

    simulator: Simulator
    pool: Pool
    settings: dict[str, str]
    """The program's environment."""
    folder: Path

    @property
    def world(self) -> World:
        """What there is."""
        return self.simulator.world

    @property
    def guild_id(self) -> int:
        """The first guild."""
        return min(self.world.guilds)

    @property
    def moderator(self) -> Person:
        """Someone who manages the first guild."""
        return Person(self.simulator, self.world.moderator_of(self.guild_id))

    @property
    def owner(self) -> Person:
        """Someone who sees all of the first guild."""
        return Person(self.simulator, self.world.guilds[self.guild_id].owner_id)

    @property
    def pages(self) -> int:
        """How many pages of messages were asked for so far."""
        return self.simulator.stats.requests["GET /channels/{channel_id}/messages"]

    def channel(self, name: str) -> Channel:
        """The channel or thread of a name, of the first guild."""
        there = self.world.channels_of(self.guild_id) + self.world.channels_of(self.guild_id, threads=True)
        return next(one for one in there if one.name == name)

    @asynccontextmanager
    async def open(self, *, role: Role = Role.RUN, **environ: str) -> AsyncIterator[str]:
        """Run the program until the block ends: its address, once it is ready."""
        config = load(None, self.settings | environ, self.folder)
        stop, running = asyncio.Event(), asyncio.Event()
        program = asyncio.create_task(_program(config, role, stop=stop, running=running))
        url = f"http://127.0.0.1:{config.web.port}"
        try:
            async with asyncio.timeout(READY), aiohttp.ClientSession() as session:
                while not await _is_ready(session, url):
                    if program.done():
                        await program
                    await asyncio.sleep(0.02)
            yield url
            assert not program.done()
        finally:
            stop.set()
            ended = await _ends(program)
            program.cancel()
            await asyncio.gather(program, return_exceptions=True)
        assert ended, "the program did not stop in time"
        program.result()

    async def ask(self, line: str, *, by: Person | None = None, where: Channel | None = None, **values: Any) -> Reply:
        """Use a command in #clips, as the moderator unless it is said otherwise; the whole answer."""
        reply = await (by or self.moderator).run(line, in_channel=where or self.channel("clips"), **values)
        return await reply.wait_final()

    async def figures(self) -> dict[str, float]:
        """What /metrics says of the program that is open."""
        url = f"http://127.0.0.1:{self.settings['CLIPSAVER_WEB_PORT']}/metrics"
        async with aiohttp.ClientSession() as session, session.get(url) as response:
            lines = [line for line in (await response.text()).splitlines() if not line.startswith("#")]
        return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}

    async def run(self, channel: Channel) -> Run | None:
        """The active scan of a channel, or the latest."""
        async with self.pool.acquire() as conn:
            return await store.latest_run(conn, channel.id)

    async def ended(self, channel: Channel, *, timeout: float = PATIENCE) -> Run:  # noqa: ASYNC109 - likewise
        """Wait until no scan of a channel is active: the latest."""

        async def look() -> Run | None:
            run = await self.run(channel)
            return None if run is None or run.status.active else run

        found = await eventually(look, timeout=timeout)
        assert found is not None
        return found

    async def read(self, channel: Channel, messages: int) -> Run:
        """Wait until so many messages of a channel are read: the scan."""

        async def look() -> Run | None:
            run = await self.run(channel)
            return run if run is not None and run.messages_scanned >= messages else None

        found = await eventually(look)
        assert found is not None
        return found

    async def hold_pictures(self) -> None:
        """Let videos that are stored from now on wait for their pictures, until these are due."""
        await self.pool.execute(LATER)

    async def pictures_due(self) -> None:
        """Have every video looked at now that waits for it; why it waits is forgotten."""
        await self.pool.execute(NOW)

    def said(self, channel: Channel) -> list[Shown]:
        """The bot's ordinary messages in a channel, oldest first."""
        kept = self.world.histories[channel.id].changed()
        return [Shown.of(self.world, one) for _, one in sorted(kept.items()) if one.author_id == self.world.bot_id]


async def _ends(program: asyncio.Task[None]) -> bool:
    """Whether it has ended in time."""
    now = asyncio.get_running_loop().time
    began = now()
    async with watched() as stalls:
        while not program.done() and now() - began < STOP + stalls.long:
            await asyncio.wait([program], timeout=0.1)
    return program.done()


async def _is_ready(session: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with session.get(f"{url}/ready") as response:
            return response.status == 200
    except aiohttp.ClientError:
        return False
