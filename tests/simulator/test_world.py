"""Worlds from seeds, and that every change in one is told."""

from datetime import timedelta
from typing import Any

import pytest

from clipsaver.simulator import entities as kinds
from clipsaver.simulator.entities import Channel, Guild, Role
from clipsaver.simulator.permissions import EVERYONE_DEFAULT, Permission
from clipsaver.simulator.world import World
from tests.simulator.conftest import named


class Told:
    """A listener that remembers."""

    def __init__(self, world: World) -> None:
        self.events: list[tuple[str, dict[str, Any], int | None]] = []
        world.listeners.append(lambda *event: self.events.append(event))

    def last(self) -> tuple[str, dict[str, Any]]:
        """The last event's name and payload."""
        return self.events[-1][:2]

    def names(self) -> list[str]:
        """The events' names."""
        return [name for name, _, _ in self.events]


@pytest.fixture
def world() -> World:
    """A world of two guilds that nobody serves."""
    return World.from_seed(5, guilds=2, messages=120, extras=True)


@pytest.fixture
def guild(world: World) -> Guild:
    """Its first guild."""
    return next(iter(world.guilds.values()))


@pytest.fixture
def clips(world: World) -> Channel:
    """A text channel of the first guild."""
    return named(world, "clips")


@pytest.fixture
def told(world: World) -> Told:
    """What is told of the world."""
    return Told(world)


def test_a_seed_gives_the_same_world(world: World) -> None:
    """Entities, tokens and messages are the seed's."""
    again = World.from_seed(5, guilds=2, messages=120, extras=True)
    assert world.users == again.users
    assert world.guilds == again.guilds
    assert world.channels == again.channels
    assert world.tokens == again.tokens
    assert world.tokens != World.from_seed(6).tokens
    assert len(World.from_seed(6).channels_of(next(iter(World.from_seed(6).guilds)))) - 1 == 1


def test_ids_are_nobody_elses(world: World) -> None:
    """Users, guilds, roles, channels and messages share no id, but where Discord's do."""
    ids = [*world.users, *world.channels]
    ids += [role for guild in world.guilds.values() for role in guild.roles]
    ids += [message for history in world.histories.values() for message in history.ids()]
    assert len(ids) == len(set(ids))
    assert world.application.id == world.bot_id


def test_a_million_messages_are_not_made_until_they_are_asked_for() -> None:
    """A long past costs arithmetic."""
    world = World.from_seed(1, messages=1_000_000)
    history = world.histories[named(world, "clips").id]
    assert len(history) == 1_000_000
    last = history.last_id()
    assert last is not None
    assert len(history.before(last - (1 << 55), 100)) == 100
    assert kinds.created_at(last) < world.now()
    assert kinds.created_at(next(history.ids())) > kinds.created_at(history.before(1 << 62, 1)[0].channel_id)


def test_the_truth_leaves_out_age_restricted_channels_and_the_own_application(world: World, clips: Channel) -> None:
    """Under default settings those are not read."""
    dark = named(world, "after-dark")
    thread = next(one for one in world.channels.values() if one.parent_id == dark.id)
    for one in (dark, thread):
        assert world.truth(one.id) == {}
        assert world.truth(one.id, nsfw_too=True)
    before = world.truth_count(clips.id)
    file = world.make_attachment(clips.id)
    world.send_message(clips.id, world.bot_id, attachments=[file], application_id=world.application.id)
    assert before == world.truth_count(clips.id) > 0
    sent = world.send_message(clips.id, next(iter(world.users)), attachments=[world.make_attachment(clips.id)])
    assert before + 1 == world.truth_count(clips.id)
    assert (f"{sent.id}-{sent.attachments[0].id}",) == world.truth(clips.id)[sent.id]


def test_new_ids_grow_within_a_millisecond(world: World) -> None:
    """However fast, no id is handed out twice."""
    world.clock = lambda: 1_760_000_000.0
    ids = [world.new_id() for _ in range(5)]
    assert sorted(set(ids)) == ids
    assert kinds.snowflake_ms(ids[0]) == 1_760_000_000_000


def test_messages_are_told_as_they_come_change_and_go(world: World, clips: Channel, told: Told) -> None:
    """With the guild, and the author's membership."""
    author = world.guilds[clips.guild_id or 0].owner_id
    sent = world.send_message(clips.id, author, content="hello", nonce="n")
    name, payload = told.last()
    assert (name, payload["content"], payload["nonce"]) == ("MESSAGE_CREATE", "hello", "n")
    assert str(clips.guild_id) == payload["guild_id"]
    assert "user" not in payload["member"]
    world.edit_message(clips.id, sent.id, content="changed")
    name, payload = told.last()
    assert (name, payload["content"]) == ("MESSAGE_UPDATE", "changed")
    assert payload["edited_timestamp"] is not None
    assert "nonce" not in payload
    assert world.delete_message(clips.id, sent.id)
    ids = {"id": str(sent.id), "channel_id": str(clips.id), "guild_id": str(clips.guild_id)}
    assert ("MESSAGE_DELETE", ids) == told.last()
    assert not world.delete_message(clips.id, sent.id)
    assert len(told.events) == 3
    with pytest.raises(KeyError):
        world.edit_message(clips.id, sent.id, content="too late")
    with pytest.raises(KeyError):
        world.message_payload(clips.id, sent.id)


def test_several_messages_go_at_once(world: World, clips: Channel, told: Told) -> None:
    """One event for all of them, of those that were there."""
    ids = list(world.histories[clips.id].ids())[:3]
    assert world.delete_messages(clips.id, [*ids, 5]) == 3
    assert ("MESSAGE_DELETE_BULK", [str(one) for one in ids]) == (told.last()[0], told.last()[1]["ids"])


def test_what_happens_where_the_bot_cannot_look_is_not_told(world: World, told: Told) -> None:
    """Hidden channels are silent."""
    staff = named(world, "staff")
    world.send_message(staff.id, next(iter(world.users)), content="psst")
    thread = world.create_thread(staff.id, owner_id=world.guilds[staff.guild_id or 0].owner_id)
    assert told.names() == []
    assert not world.can(world.bot_id, thread.id, Permission.VIEW_CHANNEL)


def test_direct_messages_have_no_guild(world: World, told: Told) -> None:
    """A direct channel belongs to its two recipients."""
    other = next(iter(world.users))
    channel = world.create_channel(None, kind=kinds.DM, recipients=[other, world.bot_id])
    world.send_message(channel.id, other, content="hi")
    assert told.names() == ["CHANNEL_CREATE", "MESSAGE_CREATE"]
    assert "guild_id" not in told.last()[1]
    assert [str(other)] == [one["id"] for one in told.events[0][1]["recipients"]]
    assert not world.permissions(12345, channel.id)


def test_channels_come_change_and_go(world: World, guild: Guild, told: Told) -> None:
    """With their threads."""
    channel = world.create_channel(guild.id, "new", topic="things")
    world.update_channel(channel.id, name="newer")
    world.set_overwrite(channel.id, guild.id, deny=int(Permission.SEND_MESSAGES))
    world.set_overwrite(channel.id, guild.owner_id, allow=1, member=True)
    assert [one["type"] for one in told.last()[1]["permission_overwrites"]] == [0, 1]
    world.delete_overwrite(channel.id, guild.id)
    thread = world.create_thread(channel.id, "talk", owner_id=guild.owner_id)
    assert True is told.last()[1]["newly_created"]
    world.update_channel(thread.id, archived=True, name="talked")
    assert True is told.last()[1]["thread_metadata"]["archived"]
    assert told.last()[1]["name"] == "talked"
    world.delete_channel(channel.id)
    expected = ["CHANNEL_CREATE", *["CHANNEL_UPDATE"] * 4, "THREAD_CREATE", "THREAD_UPDATE", "CHANNEL_DELETE"]
    assert expected == told.names()
    assert thread.id not in world.channels
    assert thread.id not in world.histories


def test_a_deleted_thread_is_told_by_its_ids(world: World, told: Told) -> None:
    """Discord tells no more of it than that."""
    thread = named(world, "thread 0")
    world.delete_channel(thread.id)
    assert {"id", "guild_id", "parent_id", "type"} == set(told.last()[1])
    assert told.last()[0] == "THREAD_DELETE"


def test_a_guild_is_joined_changed_and_left(world: World, told: Told) -> None:
    """Leaving has no ``unavailable``; its channels are foreign from then on."""
    guild_id = world.new_id()
    everyone = Role(id=guild_id, name="@everyone", permissions=EVERYONE_DEFAULT)
    guild = Guild(id=guild_id, name="new", owner_id=world.application.owner_id, roles={guild_id: everyone})
    channel = Channel(id=world.new_id(), guild_id=guild_id, name="first")
    world.add_guild(guild, [channel])
    assert world.bot_id in guild.members
    assert [str(channel.id)] == [one["id"] for one in told.last()[1]["channels"]]
    world.update_guild(guild_id, name="renamed")
    assert (told.last()[0], told.last()[1]["name"]) == ("GUILD_UPDATE", "renamed")
    world.remove_guild(guild_id)
    assert ("GUILD_DELETE", {"id": str(guild_id)}) == told.last()
    assert channel.id in world.foreign
    assert guild_id not in world.guilds


def test_an_outage_is_told_and_ends(world: World, guild: Guild, clips: Channel, told: Told) -> None:
    """As long as it lasts, nothing may be done there."""
    world.set_unavailable(guild.id, True)  # noqa: FBT003 - the word is the value
    assert ("GUILD_DELETE", {"id": str(guild.id), "unavailable": True}) == told.last()
    assert not world.permissions(world.bot_id, clips.id)
    world.set_unavailable(guild.id, False)  # noqa: FBT003 - likewise
    assert told.last()[0] == "GUILD_CREATE"


def test_roles_come_change_and_go(world: World, guild: Guild, clips: Channel, told: Told) -> None:
    """With what hung on them."""
    role = world.create_role(guild.id, "new", 8)
    world.set_overwrite(clips.id, role.id, allow=1)
    world.add_member(guild.id, world.add_user("zoe").id, [role.id])
    world.set_role_permissions(guild.id, role.id, 0)
    assert told.last()[1]["role"]["permissions"] == "0"
    world.delete_role(guild.id, role.id)
    assert role.id not in clips.overwrites
    assert all(role.id not in member.roles for member in guild.members.values())
    names = ["GUILD_ROLE_CREATE", "CHANNEL_UPDATE", "GUILD_MEMBER_ADD", "GUILD_ROLE_UPDATE", "GUILD_ROLE_DELETE"]
    assert names == told.names()


def test_members_come_change_and_go(world: World, guild: Guild, told: Told) -> None:
    """A time-out and a nickname are changes of the member."""
    user = world.add_user("zoe")
    world.add_member(guild.id, user.id)
    until = world.now() + timedelta(hours=1)
    world.update_member(guild.id, user.id, timed_out_until=until, nick="Z")
    assert until.isoformat() == told.last()[1]["communication_disabled_until"]
    assert told.last()[1]["nick"] == "Z"
    world.update_member(guild.id, user.id, roles=[5])
    assert told.last()[1]["roles"] == ["5"]
    world.remove_member(guild.id, user.id)
    assert ("GUILD_MEMBER_REMOVE", str(user.id)) == (told.last()[0], told.last()[1]["user"]["id"])
    assert user.id not in guild.members


def test_a_guild_payload_has_the_threads_the_bot_sees(world: World, guild: Guild) -> None:
    """Active ones, private ones only with membership; one member or all."""
    payload = world.guild_payload(guild.id)
    threads = {one["name"] for one in payload["threads"]}
    assert {"thread 0", "thread 6", "thread 8", "thread 9"} == threads
    assert [str(world.bot_id)] == [one["user"]["id"] for one in payload["members"]]
    assert payload["member_count"] == len(world.guild_payload(guild.id, all_members=True)["members"])
    kinds_there = {one["type"] for one in payload["channels"]}
    assert {0, 2, 4, 5, 13, 15, 16} == kinds_there


def test_a_forum_tells_its_tags_and_newest_thread(world: World) -> None:
    """It has no messages of its own."""
    forum = named(world, "questions")
    payload = world.channel_payload(forum.id)
    assert [tag["name"] for tag in payload["available_tags"]] == ["help", "done"]
    newest = max(one.id for one in world.channels.values() if one.parent_id == forum.id)
    assert str(newest) == payload["last_message_id"]


def test_a_reply_shows_what_it_replies_to(world: World, clips: Channel) -> None:
    """Null once that is gone; a deleted user is shown as such."""
    history = world.histories[clips.id]
    reply = next(one for one in history.before(1 << 62, 120) if one.type == 19)
    payload = world.message_payload(clips.id, reply.id)
    assert payload["referenced_message"]["id"] == payload["message_reference"]["message_id"]
    world.delete_message(clips.id, int(payload["referenced_message"]["id"]))
    assert None is world.message_payload(clips.id, reply.id)["referenced_message"]
    assert world.user(5)["username"] == "deleted_user"


def test_there_are_moderators_and_plain_members(world: World, guild: Guild) -> None:
    """Neither of them owns the guild or is a bot."""
    moderator, plain = world.moderator_of(guild.id), world.plain_member_of(guild.id)
    assert world.guild_permissions(moderator, guild.id) & Permission.MANAGE_GUILD
    assert not world.guild_permissions(plain, guild.id) & Permission.MANAGE_GUILD
    assert guild.owner_id not in {moderator, plain}
