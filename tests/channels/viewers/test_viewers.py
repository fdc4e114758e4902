"""Who sees which channel, from what the database knows."""

import pytest

from clipsaver.channels.service import Channels
from clipsaver.channels.viewers.model import type_number
from clipsaver.channels.viewers.service import Viewers
from clipsaver.discord.here import Here, Place
from clipsaver.discord.permissions import ALL, Permission
from clipsaver.discord.snapshots import ChannelSnapshot, GuildSnapshot, OverwriteSnapshot, RoleSnapshot
from clipsaver.guilds.service import Guilds
from clipsaver.postgres.pool import Pool
from tests.words.builders import a_channel

GUILD, OWNER, MEMBER, TEAM = 1, 2, 3, 4
LOBBY, SECRET, TEAM_ROOM, VOICE, THREAD, HIDDEN_THREAD, PRIVATE_THREAD = range(10, 17)
READER = Permission.VIEW_CHANNEL | Permission.READ_MESSAGE_HISTORY
VIEW = int(Permission.VIEW_CHANNEL)
HIDES = OverwriteSnapshot(id=GUILD, type=0, deny=VIEW)


def channel(
    channel_id: int, *overwrites: OverwriteSnapshot, kind: int = 0, parent: int | None = None
) -> ChannelSnapshot:
    """Return a channel as Discord tells it."""
    return ChannelSnapshot(
        id=channel_id, type=kind, guild_id=GUILD, name="c", parent_id=parent, permission_overwrites=overwrites
    )


def here(user_id: int = MEMBER, *, roles: tuple[int, ...] = (), permissions: Permission = READER) -> Here:
    """Return a member in the lobby."""
    place = Place(channel_id=LOBBY, type=0, permissions=permissions)
    return Here(guild_id=GUILD, user_id=user_id, role_ids=roles, place=place, bot_permissions=READER)


@pytest.fixture
async def viewers(pool: Pool) -> Viewers:
    """A guild with open, hidden and shared channels, written as its events would write it."""
    roles = (
        RoleSnapshot(id=GUILD, name="@everyone", permissions=int(READER)),
        RoleSnapshot(id=TEAM, name="team", permissions=int(Permission.MANAGE_THREADS)),
    )
    await Guilds(pool=pool, defaults={}).seen([GuildSnapshot(id=GUILD, name="g", owner_id=OWNER, roles=roles)])
    shares = OverwriteSnapshot(id=TEAM, type=0, allow=VIEW)
    await Channels(pool=pool, defaults={}).seen(
        GUILD,
        [
            channel(LOBBY),
            channel(SECRET, HIDES),
            channel(TEAM_ROOM, HIDES, shares),
            channel(VOICE, kind=2),
            channel(THREAD, kind=11, parent=LOBBY),
            channel(HIDDEN_THREAD, kind=11, parent=SECRET),
            channel(PRIVATE_THREAD, kind=12, parent=LOBBY),
        ],
        complete=True,
    )
    return Viewers(pool=pool)


async def seen(viewers: Viewers, who: Here) -> set[int]:
    """Return which channels someone sees."""
    known = await Channels(pool=viewers.pool, defaults={}).list(GUILD)
    return {one.channel_id for one in await viewers.visible(who, known)}


async def test_members_see_what_is_open(viewers: Viewers) -> None:
    """Hidden channels, their threads and other people's private threads are left out."""
    assert {LOBBY, VOICE, THREAD} == await seen(viewers, here())


async def test_roles_open_channels(viewers: Viewers) -> None:
    """A role's overwrite and its permissions open what they open for everyone who has it."""
    assert {LOBBY, VOICE, THREAD, TEAM_ROOM, PRIVATE_THREAD} == await seen(viewers, here(roles=(TEAM,)))


async def test_owners_and_administrators_see_everything(viewers: Viewers) -> None:
    """Nothing is hidden from the owner, nor from whom Discord calls an administrator."""
    assert {*range(10, 17)} == await seen(viewers, here(OWNER))
    assert {*range(10, 17)} == await seen(viewers, here(permissions=ALL))


async def test_discord_is_believed_about_here(viewers: Viewers) -> None:
    """What the interaction says of its own channel counts more than the database."""
    assert {VOICE, THREAD} == await seen(viewers, here(permissions=Permission(0)))


async def test_place(viewers: Viewers) -> None:
    """A channel comes with the person's permissions there and Discord's number for its type."""
    known = await Channels(pool=viewers.pool, defaults={}).get(GUILD, VOICE)
    place = await viewers.place(here(), known)
    assert Place(channel_id=VOICE, type=2, permissions=READER) == place


async def test_an_unknown_guild_shows_nothing(pool: Pool) -> None:
    """Without roles in the database, nobody sees anything but where they are."""
    known = [a_channel(LOBBY), a_channel(VOICE, type="voice"), a_channel(THREAD, type="public_thread")]
    assert [one.channel_id for one in await Viewers(pool=pool).visible(here(), known)] == [LOBBY]


def test_types_of_later_years() -> None:
    """A type that has no number here gets one that no rule knows."""
    assert type_number(a_channel(type="type_99")) == -1
    assert type_number(a_channel(type=None)) == -1
