"""Tests of the whole way: a simulated Discord, hikari, lightbulb, the listener, real PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import hikari
import lightbulb
import pytest
from attrs import define, field

from clipsaver.channels.service import Channels
from clipsaver.discord.rest import Rest
from clipsaver.extensions.guilds import GuildEvents, GuildReader, loader
from clipsaver.guilds.model import Shard
from clipsaver.guilds.service import Guilds
from clipsaver.guilds.state import BotState
from clipsaver.postgres.pool import Pool
from clipsaver.simulator.server import Simulator
from tests.fixtures.discord import StartSimulator


@define(kw_only=True, eq=False)
class Watched(GuildEvents):
    """Lets a test wait for an event to have come and been written."""

    names: asyncio.Queue[str] = field(factory=asyncio.Queue, init=False)

    def put(self, name: str, payload: Any, *, shard: Shard | None = None) -> None:
        """Take a raw event, and say so."""
        super().put(name, payload, shard=shard)
        self.names.put_nowait(name)

    async def written(self, name: str) -> None:
        """Wait for the next event of this name."""
        while await self.names.get() != name:
            pass
        await self.idle()


@pytest.fixture
async def simulator(simulate: StartSimulator) -> Simulator:
    """Two guilds."""
    return await simulate(plan={"guilds": 2, "channels": 3, "messages": 5})


@pytest.fixture
async def events(simulator: Simulator, pool: Pool) -> AsyncIterator[Watched]:
    """The consumer behind a bot that is logged in, once its guilds are written."""
    async with Rest(token=simulator.token, url=simulator.rest_url) as rest:
        events = Watched(
            guilds=Guilds(pool=pool, defaults={}),
            channels=Channels(pool=pool, defaults={}),
            state=BotState(),
            reread=GuildReader(rest=rest),
            gather=0.0,
        )
        bot = hikari.GatewayBot(
            simulator.token,
            rest_url=simulator.rest_url,
            intents=hikari.Intents.ALL_UNPRIVILEGED | hikari.Intents.MESSAGE_CONTENT,
            banner=None,
            logs=None,
            suppress_optimization_warning=True,
        )
        client = lightbulb.client_from_app(bot)
        client.di.registry_for(lightbulb.di.Contexts.DEFAULT).register_value(GuildEvents, events)
        await loader.add_to_client(client)
        running = asyncio.create_task(events.run())
        await bot.start(check_for_updates=False)
        for _ in simulator.world.guilds:
            await events.written("GUILD_CREATE")
        yield events
        await bot.close()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_logging_in_synchronises_guilds_channels_and_roles(
    simulator: Simulator, events: Watched, pool: Pool
) -> None:
    """Everything that is there, and nothing else."""
    world = simulator.world
    assert events.state.synchronised
    assert events.state.guilds == set(world.guilds)
    found = await pool.fetch("select channel_id from bot_channels")
    assert {row["channel_id"] for row in found} == {c.id for c in world.channels.values() if c.guild_id is not None}
    owners = await pool.fetch("select guild_id, owner_user_id from bot_guilds")
    assert {row["guild_id"]: row["owner_user_id"] for row in owners} == {
        guild.id: guild.owner_id for guild in world.guilds.values()
    }
    roles = await pool.fetch("select role_id, permissions from roles")
    assert {row["role_id"]: row["permissions"] for row in roles} == {
        role.id: role.permissions for guild in world.guilds.values() for role in guild.roles.values()
    }


async def test_changes_arrive_while_the_bot_is_there(simulator: Simulator, events: Watched, pool: Pool) -> None:
    """A channel, a message, an outage, a kick."""
    world = simulator.world
    first, second = world.guilds
    channel = world.create_channel(first, "new clips")
    await events.written("CHANNEL_CREATE")
    world.set_overwrite(channel.id, first, deny=2048)
    await events.written("CHANNEL_UPDATE")
    world.send_message(channel.id, world.guilds[first].owner_id, content="hello")
    await events.written("MESSAGE_CREATE")
    await events.flush_activity()
    found = await events.channels.get(first, channel.id)
    assert found.name == "new clips"
    assert found.last_activity_at is not None
    assert await pool.fetchval("select deny from channel_overwrites where channel_id = $1", channel.id) == 2048
    world.set_unavailable(second, True)  # noqa: FBT003 - the simulator's own words
    await events.written("GUILD_DELETE")
    assert events.state.unavailable == {second}
    world.remove_guild(first)
    await events.written("GUILD_DELETE")
    assert await pool.fetchval("select count(*) from bot_guilds where guild_id = $1", first) == 0
    assert await pool.fetchval("select count(*) from bot_guilds where guild_id = $1", second) == 1


async def test_a_guild_can_be_read_over_rest_instead(simulator: Simulator, events: Watched) -> None:
    """It is the same guild; one the bot is not in is none."""
    guild_id = next(iter(simulator.world.guilds))
    guild = await events.reread(guild_id)
    assert guild is not None
    known = {channel.channel_id for channel in await events.channels.list(guild_id)}
    assert {channel.id for channel in (*guild.channels, *guild.threads)} == known
    assert {role.id for role in guild.roles} == {role.role_id for role in await events.guilds.roles(guild_id)}
    assert guild.odd == ()
    assert await events.reread(guild_id + 1) is None
