"""The simulator against the libraries the bot stands on: hikari's gateway bot and lightbulb's client."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import hikari
import lightbulb
import pytest

from clipsaver.simulator.entities import Channel, Guild
from clipsaver.simulator.person import Person
from clipsaver.simulator.server import Simulator
from clipsaver.simulator.world import World
from tests.simulator.test_person import people

PATIENCE = 60
INTENTS = hikari.Intents.ALL_UNPRIVILEGED | hikari.Intents.MESSAGE_CONTENT


class Scan(lightbulb.SlashCommand, name="scan", description="Find clips"):
    """Defers, then answers with a button."""

    channel = lightbulb.channel("channel", "Where", default=None)

    @lightbulb.invoke
    async def invoke(self, ctx: lightbulb.Context) -> None:
        """Answer after a defer."""
        await ctx.defer(ephemeral=True)
        row = hikari.impl.MessageActionRowBuilder()
        row.add_interactive_button(hikari.ButtonStyle.DANGER, "cancel:1", label="Cancel")
        where = self.channel.name if self.channel else "here"
        await ctx.interaction.edit_initial_response(f"Scanning {where}", component=row)


async def suggest(ctx: lightbulb.AutocompleteContext[str]) -> None:
    """Suggest what was typed, louder."""
    await ctx.respond([f"{ctx.focused.value}!"])


class Settings(lightbulb.SlashCommand, name="settings", description="Settings"):
    """Shows one setting, in new components."""

    key = lightbulb.string("key", "Which", autocomplete=suggest)

    @lightbulb.invoke
    async def invoke(self, ctx: lightbulb.Context) -> None:
        """Answer with a container, then follow up."""
        container = hikari.impl.ContainerComponentBuilder().add_text_display(f"**{self.key}**")
        await ctx.respond(component=container)
        await ctx.respond("And more", ephemeral=True)


@asynccontextmanager
async def running(simulator: Simulator) -> AsyncIterator[hikari.GatewayBot]:
    """A bot with two commands and a button, ready."""
    bot = hikari.GatewayBot(
        simulator.token,
        rest_url=simulator.rest_url,
        intents=INTENTS,
        banner=None,
        logs=None,
        suppress_optimization_warning=True,
    )
    client = lightbulb.client_from_app(bot)
    client.register(Scan)
    client.register(Settings)
    bot.subscribe(hikari.StartingEvent, client.start)

    async def press(event: hikari.InteractionCreateEvent) -> None:
        if isinstance(event.interaction, hikari.ComponentInteraction):
            await event.interaction.create_initial_response(
                hikari.ResponseType.MESSAGE_UPDATE, f"Pressed {event.interaction.custom_id}", components=[]
            )

    bot.subscribe(hikari.InteractionCreateEvent, press)
    await bot.start(check_for_updates=False)
    try:
        yield bot
    finally:
        await client.stop()
        await bot.close()


@pytest.fixture
async def bot(simulator: Simulator) -> AsyncIterator[hikari.GatewayBot]:
    """The bot, running."""
    async with asyncio.timeout(PATIENCE), running(simulator) as bot:
        yield bot


async def test_guilds_arrive(bot: hikari.GatewayBot, guild: Guild, clips: Channel) -> None:
    """Hikari's cache holds the guild with its channels and roles once it is available."""
    while bot.cache.get_guild(guild.id) is None:
        await bot.wait_for(hikari.GuildAvailableEvent, timeout=PATIENCE)
    cached = bot.cache.get_guild(guild.id)
    assert cached is not None
    assert cached.name == guild.name
    assert clips.id in cached.get_channels()
    assert len(cached.get_roles()) == len(guild.roles)


async def test_a_command_from_defer_to_button(
    bot: hikari.GatewayBot, simulator: Simulator, guild: Guild, clips: Channel
) -> None:
    """Registered by lightbulb, run by a person, deferred, answered, its button pressed."""
    person = Person(simulator, people(guild)[0])
    reply = await person.run("/scan", in_channel=clips, channel=clips)
    await reply.wait_final()
    assert (reply.text, reply.ephemeral) == ("Scanning clips\n[Cancel]", True)
    pressed = await person.press(reply, "Cancel")
    assert pressed.text == "Pressed cancel:1"
    assert reply.text == "Pressed cancel:1"


async def test_autocomplete_components_and_follow_ups(
    bot: hikari.GatewayBot, simulator: Simulator, guild: Guild, clips: Channel
) -> None:
    """Hikari sets the flag of new components by itself."""
    person = Person(simulator, people(guild)[1])
    assert [one.value for one in await person.autocomplete("/settings", "key", "auto", in_channel=clips)] == ["auto!"]
    reply = await person.run("/settings", in_channel=clips, key="auto_scan")
    await reply.wait_for(lambda one: one.follow_ups)
    assert reply.text == "**auto_scan**\nAnd more"
    assert (reply.ephemeral, reply.follow_ups[0].ephemeral) == (False, True)


async def test_messages_are_heard(bot: hikari.GatewayBot, world: World, guild: Guild, clips: Channel) -> None:
    """Created, edited and deleted; with attachments."""
    with (
        bot.stream(hikari.GuildMessageCreateEvent, timeout=PATIENCE) as created,
        bot.stream(hikari.GuildMessageUpdateEvent, timeout=PATIENCE) as updated,
        bot.stream(hikari.GuildMessageDeleteEvent, timeout=PATIENCE) as deleted,
    ):
        sent = world.send_message(clips.id, guild.owner_id, content="a", attachments=[world.make_attachment(clips.id)])
        world.edit_message(clips.id, sent.id, content="b")
        world.delete_message(clips.id, sent.id)
        first = await anext(created)
        assert first.message.attachments[0].filename == "clip.mp4"
        assert (await anext(updated)).message.content == "b"
        assert (await anext(deleted)).message_id == sent.id


async def test_hikari_resumes(bot: hikari.GatewayBot, simulator: Simulator, guild: Guild, clips: Channel) -> None:
    """After op 7 it takes its session up again and hears what it missed."""
    with (
        bot.stream(hikari.ShardResumedEvent, timeout=PATIENCE) as resumed,
        bot.stream(hikari.GuildMessageCreateEvent, timeout=PATIENCE) as created,
    ):
        simulator.gateway.send_reconnect()
        await simulator.gateway.deserted()
        missed = simulator.world.send_message(clips.id, guild.owner_id, content="missed")
        assert (await anext(created)).message_id == missed.id
        await anext(resumed)
    assert len(simulator.gateway.sessions) == 1


async def test_joins_and_outages_are_told_apart(bot: hikari.GatewayBot, world: World, guild: Guild) -> None:
    """Hikari tells them by whether ``unavailable`` is there."""
    with (
        bot.stream(hikari.GuildUnavailableEvent, timeout=PATIENCE) as down,
        bot.stream(hikari.GuildAvailableEvent, timeout=PATIENCE) as up,
        bot.stream(hikari.GuildLeaveEvent, timeout=PATIENCE) as left,
    ):
        world.set_unavailable(guild.id, unavailable=True)
        assert (await anext(down)).guild_id == guild.id
        world.set_unavailable(guild.id, unavailable=False)
        assert (await anext(up)).guild_id == guild.id
        world.remove_guild(guild.id)
        assert (await anext(left)).guild_id == guild.id


async def test_commands_are_synchronised_once(simulator: Simulator) -> None:
    """A second start finds its commands unchanged and writes nothing."""
    simulator.gateway.starts.window = 0
    for _ in range(2):
        async with running(simulator):
            pass
    writes = {key: count for key, count in simulator.stats.requests.items() if key.startswith("PUT")}
    assert list(writes.values()) == [1]
    names = {one["name"] for one in simulator.interactions.commands.all(None)}
    assert names == {"scan", "settings"}
