"""`clipsaver check`: what is missing for a start, in plain words."""

import io

from clipsaver.app.check import check
from clipsaver.channels.service import Channels
from clipsaver.config import Config
from clipsaver.discord.snapshots import structure_guild
from clipsaver.guilds.service import Guilds
from clipsaver.postgres.pool import open_pool
from clipsaver.simulator.entities import TEXT
from clipsaver.simulator.permissions import Permission
from clipsaver.simulator.server import Simulator
from tests.app.conftest import Configure
from tests.fixtures.discord import StartSimulator


async def report(config: Config) -> tuple[int, str]:
    """Return the status and what is written."""
    out = io.StringIO()
    return await check(config, out), out.getvalue()


async def known(config: Config, discord: Simulator) -> int:
    """Write the guild into the database, with one channel switched on; return that channel."""
    world = discord.world
    (guild_id,) = world.guilds
    channel = next(one for one in world.channels_of(guild_id) if one.type == TEXT)
    async with await open_pool(config.database.url, size=1) as pool:
        guild, channels = structure_guild(world.guild_payload(guild_id)), Channels(pool=pool, defaults={})
        await Guilds(pool=pool, defaults={}).seen([guild])
        await channels.seen(guild_id, guild.channels, complete=True)
        await channels.set_reading(guild_id, channel.id, on=True, by=world.moderator_of(guild_id))
    return channel.id


async def test_nothing_is_missing(configure: Configure, discord: Simulator) -> None:
    """Every line is good, and so is the status."""
    config = configure()
    before = await report(config)
    assert before[0] == 0
    assert "note  permissions: no channel is switched on yet" in before[1]
    await known(config, discord)
    status, text = await report(config)
    assert status == 0
    assert "FAIL" not in text
    for part in ("database: PostgreSQL", "guild_defaults", "token: Discord knows the bot", "Message Content is on"):
        assert f"ok    {part}" in text or part in text
    assert "the bot can read all 1 channels" in text


async def test_the_embedded_database(configure: Configure) -> None:
    """It is opened, and said to be the embedded one."""
    status, text = await report(configure(CLIPSAVER_DATABASE_URL=""))
    assert status == 0
    assert ", embedded, schema in place" in text


async def test_the_database_is_away(configure: Configure) -> None:
    """The rest is looked at all the same."""
    status, text = await report(configure(CLIPSAVER_DATABASE_URL="postgresql://x:hunter2@127.0.0.1:1/x"))
    assert status == 1
    assert "FAIL  The database 'x' at 127.0.0.1:1 can't be reached" in text
    assert "hunter2" not in text
    assert "token: Discord knows" in text


async def test_no_token(configure: Configure) -> None:
    """Where to put it."""
    status, text = await report(configure(BOT_TOKEN=""))
    assert status == 1
    assert "FAIL  token: there is none; set BOT_TOKEN" in text


async def test_a_bad_token(configure: Configure) -> None:
    """Discord doesn't know it."""
    status, text = await report(configure(BOT_TOKEN="wrong"))
    assert status == 1
    assert "FAIL  Discord refused the bot token" in text


async def test_bad_defaults(configure: Configure) -> None:
    """The setting is named."""
    status, text = await report(configure(CLIPSAVER_GUILD_DEFAULTS_MATCH_REGEX="("))
    assert status == 1
    assert "FAIL  guild_defaults.match_regex: " in text


async def test_the_intent_is_off(simulate: StartSimulator, configure: Configure) -> None:
    """Where to switch it on."""
    other = await simulate(plan={"messages": 0, "message_content": False})
    config = configure(BOT_TOKEN=other.token, CLIPSAVER_DISCORD_REST_URL=other.rest_url)
    status, text = await report(config)
    assert status == 1
    assert "Message Content Intent" in text


async def test_the_intent_is_unknown(configure: Configure, discord: Simulator) -> None:
    """What Discord doesn't tell stops nothing."""
    discord.faults.add("omit", "GET /applications/@me", fields=frozenset({"flags"}), share=1.0)
    status, text = await report(configure())
    assert status == 0
    assert "note  intents" in text


async def test_a_channel_that_can_not_be_read(configure: Configure, discord: Simulator) -> None:
    """What the bot needs there, by its name in Discord."""
    config = configure()
    channel_id = await known(config, discord)
    history = int(Permission.READ_MESSAGE_HISTORY)
    discord.world.set_overwrite(channel_id, discord.world.bot_id, deny=history, member=True)
    status, text = await report(config)
    assert status == 1
    assert "the bot needs Read Message History" in text


async def test_a_channel_that_can_not_be_seen(configure: Configure, discord: Simulator) -> None:
    """It is named all the same."""
    config = configure()
    channel_id = await known(config, discord)
    discord.faults.add("forbidden", f"GET /channels/{channel_id}")
    status, text = await report(config)
    assert status == 1
    assert "FAIL  permissions: the bot can't see #" in text


async def test_discord_in_trouble(configure: Configure, discord: Simulator) -> None:
    """Trouble is no missing permission: it is told once, and the channels are left."""
    config = configure()
    channel_id = await known(config, discord)
    discord.faults.add("unauthorized", f"GET /channels/{channel_id}")
    status, text = await report(config)
    assert status == 1
    assert "FAIL  permissions: " in text
