"""Who may do what where."""

from datetime import UTC, datetime, timedelta

import pytest

from clipsaver.simulator.entities import (
    PRIVATE_THREAD,
    PUBLIC_THREAD,
    VOICE,
    Channel,
    Guild,
    Member,
    Overwrite,
    Role,
    ThreadState,
)
from clipsaver.simulator.permissions import ALL, NONE, Permission, in_channel, in_guild

NOW = datetime(2025, 1, 1, tzinfo=UTC)
VIEW, READ, SEND = Permission.VIEW_CHANNEL, Permission.READ_MESSAGE_HISTORY, Permission.SEND_MESSAGES
OWNER, MEMBER, OTHER = 1, 2, 3


def make_guild(*, everyone: int = VIEW | READ | SEND, role: int = 0) -> Guild:
    """A guild whose member holds one role."""
    return Guild(
        id=100,
        name="g",
        owner_id=OWNER,
        roles={100: Role(id=100, name="@everyone", permissions=everyone), 50: Role(id=50, name="r", permissions=role)},
        members={
            OWNER: Member(user_id=OWNER, joined_at=NOW),
            MEMBER: Member(user_id=MEMBER, joined_at=NOW, roles=[50, 404]),
        },
    )


def allowed(guild: Guild, channel: Channel, user: int = MEMBER, parent: Channel | None = None) -> int:
    """What someone may do in a channel."""
    return in_channel(guild, channel, user, parent=parent, now=NOW)


def channel(*overwrites: Overwrite, kind: int = 0) -> Channel:
    """A channel with these exceptions."""
    return Channel(id=7, guild_id=100, type=kind, overwrites={one.id: one for one in overwrites})


def test_strangers_may_nothing_and_the_owner_everything() -> None:
    """Membership comes first."""
    guild = make_guild(everyone=0)
    assert NONE == in_guild(guild, OTHER, now=NOW) == allowed(guild, channel(), OTHER)
    assert ALL == in_guild(guild, OWNER, now=NOW) == allowed(guild, channel(), OWNER)


def test_roles_add_up_and_administrators_may_everything() -> None:
    """@everyone and all roles together; an administrator is stopped by no overwrite."""
    assert in_guild(make_guild(everyone=VIEW, role=SEND), MEMBER, now=NOW) == VIEW | SEND
    guild = make_guild(role=Permission.ADMINISTRATOR)
    assert allowed(guild, channel(Overwrite(id=100, type=0, deny=VIEW))) == ALL


@pytest.mark.parametrize(
    ("overwrites", "expected"),
    [
        ([], VIEW | READ | SEND),
        ([Overwrite(id=100, type=0, deny=SEND)], VIEW | READ),
        ([Overwrite(id=100, type=0, deny=SEND), Overwrite(id=50, type=0, allow=SEND)], VIEW | READ | SEND),
        ([Overwrite(id=50, type=0, allow=SEND), Overwrite(id=MEMBER, type=1, deny=SEND)], VIEW | READ),
        ([Overwrite(id=50, type=0, deny=SEND), Overwrite(id=MEMBER, type=1, allow=SEND)], VIEW | READ | SEND),
        ([Overwrite(id=100, type=0, deny=VIEW)], NONE),
        ([Overwrite(id=60, type=0, deny=VIEW)], VIEW | READ | SEND),
    ],
)
def test_overwrites_apply_from_everyone_over_roles_to_the_member(overwrites: list[Overwrite], expected: int) -> None:
    """Discord's order; without View Channel nothing is left."""
    assert expected == allowed(make_guild(), channel(*overwrites))


def test_voice_without_connect_can_only_be_seen() -> None:
    """Denying Connect denies all else in a voice channel."""
    guild = make_guild(everyone=VIEW | READ | SEND | Permission.CONNECT)
    assert guild.roles[100].permissions == allowed(guild, channel(kind=VOICE))
    assert allowed(guild, channel(Overwrite(id=100, type=0, deny=Permission.CONNECT), kind=VOICE)) == VIEW


def test_a_time_out_leaves_reading() -> None:
    """View Channel and Read Message History, as long as it lasts, also against overwrites."""
    guild = make_guild()
    guild.members[MEMBER].timed_out_until = NOW + timedelta(minutes=1)
    allows = channel(Overwrite(id=MEMBER, type=1, allow=Permission.MANAGE_MESSAGES))
    assert VIEW | READ == in_guild(guild, MEMBER, now=NOW) == allowed(guild, allows)
    guild.members[MEMBER].timed_out_until = NOW
    assert SEND & allowed(guild, allows)


def test_threads_follow_their_parent_and_private_ones_need_membership() -> None:
    """Manage Threads sees private threads too."""
    guild = make_guild()
    parent = channel(Overwrite(id=100, type=0, deny=SEND))
    state = ThreadState(owner_id=OTHER, archive_timestamp=NOW)
    public = Channel(id=8, guild_id=100, type=PUBLIC_THREAD, parent_id=7, thread=state)
    private = Channel(id=9, guild_id=100, type=PRIVATE_THREAD, parent_id=7, thread=state)
    assert allowed(guild, public, parent=parent) == VIEW | READ
    assert allowed(guild, private, parent=parent) == NONE
    state.members[MEMBER] = NOW
    assert allowed(guild, private, parent=parent) == VIEW | READ
    state.members.clear()
    guild.roles[50].permissions = Permission.MANAGE_THREADS
    assert VIEW & allowed(guild, private, parent=parent)
