"""What Discord says of servers, roles and channels, from its gateway to the rows, whatever happens to the program."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import aiohttp
import orjson
from attrs import frozen

from clipsaver.channels.model import type_name
from clipsaver.postgres.pool import Pool
from clipsaver.simulator.entities import PUBLIC_THREAD, VOICE, Channel, Guild, Role, created_at
from clipsaver.simulator.permissions import Permission
from clipsaver.simulator.world import World
from tests.flows.conftest import Build
from tests.flows.house import House
from tests.flows.waiting import eventually

GUILDS = "select guild_id, name, icon, owner_user_id from bot_guilds"
OWNERS = "select u.discord_user_id from users u join bot_guilds g on g.owner_user_id = u.discord_user_id"
ROLES = "select role_id, guild_id, name, permissions, position from roles"
CHANNELS = "select channel_id, guild_id, name, type, is_nsfw, parent_id, position from bot_channels"
OVERWRITES = "select channel_id, target_id, target_type, allow, deny from channel_overwrites"
SETTINGS = "select guild_id, settings from guild_settings"
SEEN = "select last_seen_at from bot_guilds where guild_id = $1"
ACTIVE = "select last_activity_at from bot_channels where channel_id = $1"
ICONS = "https://cdn.discordapp.com/icons"


@frozen(kw_only=True)
class Picture:
    """Servers with everything in them: as they are, or as they are known."""

    guilds: set[tuple[Any, ...]]
    owners: set[int]
    roles: set[tuple[Any, ...]]
    channels: set[tuple[Any, ...]]
    overwrites: set[tuple[Any, ...]]

    @classmethod
    async def known(cls, pool: Pool) -> "Picture":
        """What the rows say."""
        return cls(
            guilds={tuple(row) for row in await pool.fetch(GUILDS)},
            owners={row["discord_user_id"] for row in await pool.fetch(OWNERS)},
            roles={tuple(row) for row in await pool.fetch(ROLES)},
            channels={tuple(row) for row in await pool.fetch(CHANNELS)},
            overwrites={tuple(row) for row in await pool.fetch(OVERWRITES)},
        )

    @classmethod
    def of(cls, world: World) -> "Picture":
        """What there is: of the threads, those that are open and that the bot can see."""
        channels = [one for guild_id in world.guilds for one in world.channels_of(guild_id)]
        threads = [
            one
            for guild_id in world.guilds
            for one in world.channels_of(guild_id, threads=True)
            if one.thread and not one.thread.archived and world.can(world.bot_id, one.id, Permission.VIEW_CHANNEL)
        ]
        return cls(
            guilds={(one.id, one.name, _icon(one), one.owner_id) for one in world.guilds.values()},
            owners={one.owner_id for one in world.guilds.values()},
            roles={_role(guild.id, role) for guild in world.guilds.values() for role in guild.roles.values()},
            channels={_channel(one) for one in [*channels, *threads]},
            overwrites={
                (one.id, over.id, "member" if over.type else "role", over.allow, over.deny)
                for one in channels
                for over in one.overwrites.values()
            },
        )


def _icon(guild: Guild) -> str | None:
    return None if guild.icon is None else f"{ICONS}/{guild.id}/{guild.icon}.png"


def _role(guild_id: int, role: Role) -> tuple[Any, ...]:
    return (role.id, guild_id, role.name, role.permissions, role.position)


def _channel(one: Channel) -> tuple[Any, ...]:
    return (one.id, one.guild_id, one.name, type_name(one.type), one.nsfw, one.parent_id, one.position)


async def alike(house: House) -> None:
    """Wait until the rows say what there is."""

    async def look() -> bool:
        return await Picture.known(house.pool) == Picture.of(house.world)

    try:
        await eventually(look)
    except AssertionError:
        assert await Picture.known(house.pool) == Picture.of(house.world)


async def readiness(url: str) -> Mapping[str, Any]:
    """What /ready says of the guilds."""
    async with aiohttp.ClientSession() as session, session.get(f"{url}/ready") as response:
        found: Mapping[str, Any] = orjson.loads(await response.read())["parts"]["guilds"]
        return found


async def told(url: str, **figures: int) -> None:
    """Wait until /ready says so of the guilds."""

    async def look() -> bool:
        return figures.items() <= (await readiness(url)).items()

    await eventually(look)


async def test_everything_arrives(build: Build) -> None:
    """Servers with their icons, owners, roles, channels of every type, threads and overwrites, once it is ready."""
    house = await build(guilds=5, messages=10, extras=True)
    began = datetime.now(UTC)
    async with house.open():
        assert await Picture.known(house.pool) == Picture.of(house.world)
    seen = {await house.pool.fetchval(SEEN, guild_id) for guild_id in house.world.guilds}
    assert all(began <= one <= datetime.now(UTC) for one in seen)
    settings = {row["guild_id"]: row["settings"] for row in await house.pool.fetch(SETTINGS)}
    assert settings.keys() == house.world.guilds.keys()


async def test_saved_settings_outlive_a_restart(build: Build) -> None:
    """Neither a restart with other defaults nor a kick and a new invitation writes over what somebody has set."""
    house = await build(guilds=2, messages=10)
    async with house.open():
        await house.ask("/settings set", key="max_file_size_mb", value="7")
    await house.pool.execute("""update guild_settings set settings = settings || '{"of_old": 1}'""")
    before = await house.pool.fetch(SETTINGS)
    guild = house.world.guilds[house.guild_id]
    channels = house.world.channels_of(guild.id)
    async with house.open(CLIPSAVER_GUILD_DEFAULTS_MAX_FILE_SIZE_MB="50", CLIPSAVER_GUILD_DEFAULTS_SCAN_NSFW="true"):
        assert await house.pool.fetch(SETTINGS) == before
        house.world.remove_guild(guild.id)
        await alike(house)
        house.world.add_guild(guild, channels)
        await alike(house)
        assert await house.pool.fetch(SETTINGS) == before
        assert "7" in next(
            one for one in (await house.ask("/settings view")).text.splitlines() if "max_file_size" in one
        )


async def test_what_happened_while_it_was_away(build: Build) -> None:
    """Servers and channels that are gone, are new or have changed: all is put right at the next start."""
    house = await build(guilds=3, messages=20, extras=True)
    world = house.world
    first, second, third = world.guilds
    async with house.open():
        await house.ask("/scan start")
        await house.ended(house.channel("clips"))
        await house.ask("/read on", channel=house.channel("news"))
    world.remove_guild(third)
    world.delete_channel(house.channel("clips").id)
    world.delete_channel(house.channel("questions").id)
    made = world.create_channel(second, "brand-new", VOICE)
    world.set_overwrite(made.id, second, deny=int(Permission.VIEW_CHANNEL))
    world.update_channel(house.channel("news").id, name="olds", nsfw=True)
    world.update_guild(first, name="Another name", icon=None, owner_id=world.moderator_of(first))
    world.create_role(second, "New", 8, position=7)
    world.delete_role(first, next(one.id for one in world.guilds[first].roles.values() if one.name == "Fans"))
    async with house.open():
        assert await Picture.known(house.pool) == Picture.of(world)
        reading = await house.pool.fetch("select channel_id from bot_channels where is_reading")
        assert [row["channel_id"] for row in reading] == [house.channel("olds").id]
        # What was found in a channel goes with it.
        assert await house.pool.fetchval("select count(*) from clips") == 0


async def test_an_outage_is_no_farewell(build: Build) -> None:
    """A server in an outage keeps its rows, in the middle of things as well as at a start; then it is there again."""
    house = await build(guilds=2, messages=60, extras=True)
    world, clips = house.world, house.channel("clips")
    lost = house.guild_id
    whole = Picture.of(world)
    async with house.open() as url:
        await house.ask("/scan start")
        run = await house.ended(clips)
        world.set_unavailable(lost, unavailable=True)

        await told(url, unavailable=1, guilds=1)
        assert (await readiness(url))["ok"] is True
        assert await Picture.known(house.pool) == whole
    async with house.open() as url:
        await told(url, unavailable=1, guilds=1)
        assert await Picture.known(house.pool) == whole
        world.set_unavailable(lost, unavailable=False)

        await told(url, unavailable=0, guilds=2)
        assert await Picture.known(house.pool) == whole
        before = house.pages
        await house.ask("/scan start")
        again = await house.ended(clips)
    assert house.pages - before <= 3
    assert (run.messages_scanned, again.messages_scanned) == (60, 0)


async def test_what_happens_while_it_is_there(build: Build) -> None:
    """Channels, threads, overwrites, roles, servers: made, changed, gone, as they are told."""
    house = await build(guilds=2, messages=20, extras=True)
    world, guild_id, clips = house.world, house.guild_id, house.channel("clips")
    author = world.plain_member_of(guild_id)
    async with house.open():
        message = world.send_message(clips.id, author, content="hello")
        made = world.create_channel(guild_id, "made", parent_id=clips.parent_id, position=30)
        thread = world.create_thread(clips.id, "aside", PUBLIC_THREAD, owner_id=author)
        world.set_overwrite(made.id, author, allow=int(Permission.MANAGE_MESSAGES), member=True)
        role = world.create_role(guild_id, "Editors", 1 << 40, position=5)
        await alike(house)
        world.update_channel(made.id, name="remade", nsfw=True, position=1, parent_id=None)
        world.update_channel(thread.id, name="further aside")
        world.set_overwrite(made.id, author, deny=int(Permission.SEND_MESSAGES), member=True)
        world.set_role_permissions(guild_id, role.id, 0)
        world.update_guild(guild_id, name="Renamed", owner_id=author)
        await alike(house)
        world.delete_overwrite(made.id, author)
        world.delete_role(guild_id, role.id)
        world.delete_channel(thread.id)
        await alike(house)
        world.delete_channel(made.id)
        world.delete_channel(house.channel("questions").id)
        await alike(house)

        async def active() -> bool:
            return bool(await house.pool.fetchval(ACTIVE, clips.id) == created_at(message.id))

        await eventually(active)


async def test_joining_and_leaving(build: Build) -> None:
    """A server that invites the bot is known with all it holds; one that removes it is not any more."""
    house = await build(guilds=2, messages=20, extras=True)
    world = house.world
    guild = world.guilds[max(world.guilds)]
    channels = world.channels_of(guild.id) + world.channels_of(guild.id, threads=True)
    world.remove_guild(guild.id)
    async with house.open() as url:
        await told(url, guilds=1)
        world.add_guild(guild, channels)
        await told(url, guilds=2)
        await alike(house)
        assert await house.pool.fetchval("select count(*) from guild_settings") == 2
        world.remove_guild(guild.id)
        await told(url, guilds=1)
        await alike(house)
