"""What a moderator does with the program, and what must come of it."""

import asyncpg
from attrs import frozen

from clipsaver.simulator.entities import TEXT
from clipsaver.simulator.person import Person
from clipsaver.simulator.server import Simulator
from tests.app.programs import until


@frozen
class Moderation:
    """A moderator of the simulator's only guild, and its only channel with a past."""

    simulator: Simulator

    @property
    def guild_id(self) -> int:
        """The guild."""
        (guild_id,) = self.simulator.world.guilds
        return guild_id

    @property
    def channel_id(self) -> int:
        """The channel."""
        return next(one.id for one in self.simulator.world.channels_of(self.guild_id) if one.type == TEXT)

    async def say(self, line: str) -> str:
        """Use a command on the channel, in the channel; what is answered."""
        moderator = Person(self.simulator, self.simulator.world.moderator_of(self.guild_id))
        reply = await moderator.run(line, in_channel=self.channel_id, channel=self.channel_id)
        return (await reply.wait_final()).text

    async def scan(self) -> None:
        """Have the channel read."""
        assert "I read" in await self.say("/read on")
        assert "has begun" in await self.say("/scan start")

    @property
    def shown(self) -> str:
        """What the bot's own messages in the channel read now."""
        world = self.simulator.world
        own = [one for one in world.histories[self.channel_id].changed().values() if one.author_id == world.bot_id]
        return "\n".join(str(world.payload_of(one)) for one in own)

    async def finished(self) -> None:
        """Wait until the progress message has become the summary."""
        await until(lambda: ": done" in self.shown)

    @property
    def truth(self) -> set[str]:
        """The clips that are there."""
        return {clip for clips in self.simulator.world.truth(self.channel_id).values() for clip in clips}


async def clips(url: str) -> set[str]:
    """Return the clips that a database holds."""
    rows = await ask(url, "select clip_id from clips")
    assert len(rows) == len({row[0] for row in rows})
    return {row[0] for row in rows}


async def ask(url: str, query: str) -> list[asyncpg.Record]:
    """Ask a database."""
    conn = await asyncpg.connect(url)
    try:
        rows: list[asyncpg.Record] = await conn.fetch(query)
        return rows
    finally:
        await conn.close()
