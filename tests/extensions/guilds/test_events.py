"""Tests of what raw payloads say."""

from types import MappingProxyType
from typing import Any

import pytest

from clipsaver.discord.snapshots import UserSnapshot
from clipsaver.extensions.guilds.events import (
    ChannelGone,
    ChannelSeen,
    Event,
    GuildLeft,
    GuildOutage,
    GuildSeen,
    RoleGone,
    RoleSeen,
    SessionReady,
    read,
)
from clipsaver.guilds.model import Shard

SHARD = Shard(id=1, count=2)
GUILD = {
    "id": "1",
    "name": "One",
    "owner_id": "7",
    "roles": [{"id": "1", "name": "@everyone", "permissions": "1024", "position": 0}],
    "channels": [{"id": "10", "type": 0, "name": "clips"}],
    "threads": [{"id": "20", "type": 11, "name": "talk", "parent_id": "10"}],
    "members": [{"user": {"id": "8", "username": "bob"}}, {"user": {"id": "7", "username": "ann"}}],
}


def said(name: str, payload: dict[str, Any]) -> tuple[Event, ...]:
    """What a payload says that is in order."""
    found = read(name, MappingProxyType(payload), SHARD)
    assert found.odd == ()
    return found.events


def test_a_new_session_names_its_guilds() -> None:
    """And which session it is."""
    ready = {"guilds": [{"id": "1", "unavailable": True}, {"id": "2", "unavailable": True}]}
    assert said("READY", ready) == (SessionReady(shard=SHARD, guild_ids=frozenset({1, 2})),)


@pytest.mark.parametrize(
    ("guilds", "odd"),
    [(None, "guilds: not a list"), ([{"id": "x"}], "guilds: not a whole number"), ([7], "guilds: not an object")],
)
def test_a_session_that_does_not_name_its_guilds_makes_none_vanish(guilds: Any, odd: str) -> None:
    """Nothing is deleted for a payload that can't be read."""
    found = read("READY", {"guilds": guilds}, SHARD)
    assert found.events == (SessionReady(shard=SHARD, guild_ids=None),)
    assert found.odd == (odd,)


def test_a_guild_comes_with_all_of_its_channels() -> None:
    """And with its owner, if they are among the members that were sent."""
    (seen,) = said("GUILD_CREATE", GUILD)
    assert isinstance(seen, GuildSeen)
    assert (seen.guild_id, seen.with_channels, seen.complete) == (1, True, True)
    assert [channel.id for channel in (*seen.guild.channels, *seen.guild.threads)] == [10, 20]
    assert seen.owner == UserSnapshot(id=7, username="ann")


@pytest.mark.parametrize(
    "members",
    [None, [], [None, {"user": None}, {"user": {"id": "8"}}], [{"user": {"id": "7", "username": 5}}]],
)
def test_an_owner_need_not_be_named(members: Any) -> None:
    """Most members are never sent."""
    (seen,) = said("GUILD_CREATE", GUILD | {"members": members})
    assert isinstance(seen, GuildSeen)
    assert seen.owner is None
    (seen,) = said("GUILD_CREATE", GUILD | {"owner_id": None})
    assert isinstance(seen, GuildSeen)
    assert seen.owner is None


def test_an_odd_channel_spoils_nothing_else() -> None:
    """But the list is not complete any more."""
    found = read("GUILD_CREATE", GUILD | {"channels": [{"id": "10", "type": 0}, {"id": "11"}]}, SHARD)
    (seen,) = found.events
    assert isinstance(seen, GuildSeen)
    assert [channel.id for channel in seen.guild.channels] == [10]
    assert not seen.complete
    assert found.odd == ("channels[1].type: missing",)


def test_a_guild_without_a_list_of_channels_is_not_complete() -> None:
    """Not told is not none."""
    (seen,) = said("GUILD_CREATE", {key: value for key, value in GUILD.items() if key != "channels"})
    assert isinstance(seen, GuildSeen)
    assert not seen.complete


def test_an_update_tells_no_channels() -> None:
    """Discord sends the guild alone."""
    (seen,) = said("GUILD_UPDATE", {"id": "1", "name": "Renamed", "owner_id": "7", "roles": []})
    assert isinstance(seen, GuildSeen)
    assert (seen.guild.name, seen.with_channels, seen.complete) == ("Renamed", False, False)


@pytest.mark.parametrize(
    ("name", "payload", "event"),
    [
        ("GUILD_CREATE", {"id": "1", "unavailable": True}, GuildOutage(guild_id=1)),
        ("GUILD_DELETE", {"id": "1", "unavailable": True}, GuildOutage(guild_id=1)),
        ("GUILD_DELETE", {"id": "1"}, GuildLeft(guild_id=1)),
        ("GUILD_DELETE", {"id": "1", "unavailable": False}, GuildLeft(guild_id=1)),
        ("CHANNEL_DELETE", {"id": "10", "guild_id": "1", "type": 0}, ChannelGone(guild_id=1, channel_id=10)),
        ("THREAD_DELETE", {"id": "20", "guild_id": "1", "type": 11}, ChannelGone(guild_id=1, channel_id=20)),
        ("GUILD_ROLE_DELETE", {"guild_id": "1", "role_id": "11"}, RoleGone(guild_id=1, role_id=11)),
    ],
)
def test_an_outage_is_no_leave_and_a_leave_no_outage(name: str, payload: dict[str, Any], event: Event) -> None:
    """What is gone is told by its ids alone."""
    assert said(name, payload) == (event,)


@pytest.mark.parametrize("name", ["CHANNEL_CREATE", "CHANNEL_UPDATE", "THREAD_CREATE", "THREAD_UPDATE"])
def test_channels_and_threads_are_seen_one_by_one(name: str) -> None:
    """In their guild."""
    (seen,) = said(name, {"id": "10", "guild_id": "1", "type": 0, "name": "clips"})
    assert isinstance(seen, ChannelSeen)
    assert (seen.guild_id, seen.channel.id, seen.channel.guild_id) == (1, 10, 1)


@pytest.mark.parametrize("name", ["GUILD_ROLE_CREATE", "GUILD_ROLE_UPDATE"])
def test_roles_are_seen_one_by_one(name: str) -> None:
    """In their guild."""
    (seen,) = said(name, {"guild_id": "1", "role": {"id": "11", "name": "mods", "permissions": "8"}})
    assert isinstance(seen, RoleSeen)
    assert (seen.guild_id, seen.role.permissions) == (1, 8)


def test_a_list_of_threads_is_many_channels() -> None:
    """An odd one is left out."""
    payload = {"guild_id": "1", "threads": [{"id": "20", "type": 11, "parent_id": "10"}, {"id": "21"}]}
    found = read("THREAD_LIST_SYNC", payload, SHARD)
    assert [event.channel.guild_id for event in found.events if isinstance(event, ChannelSeen)] == [1]
    assert found.odd == ("threads[1].type: missing",)


@pytest.mark.parametrize(
    ("name", "payload"),
    [
        ("CHANNEL_CREATE", {"id": "5", "type": 1}),
        ("CHANNEL_DELETE", {"id": "5", "type": 1}),
        ("TYPING_START", {"guild_id": "1"}),
    ],
)
def test_what_is_about_no_guild_says_nothing(name: str, payload: dict[str, Any]) -> None:
    """Direct messages, and events of other kinds."""
    assert said(name, payload) == ()


@pytest.mark.parametrize(
    ("name", "payload", "odd"),
    [
        ("GUILD_CREATE", {"name": "One"}, "id: missing"),
        ("GUILD_DELETE", {}, "id: not a whole number"),
        ("CHANNEL_UPDATE", {"id": "10", "guild_id": "1", "type": "text"}, "type: not a whole number"),
        ("CHANNEL_DELETE", {"guild_id": "1"}, "id: not a whole number"),
        ("GUILD_ROLE_UPDATE", {"guild_id": "1"}, "not an object"),
        ("GUILD_ROLE_UPDATE", {"role": {"id": "11"}}, "guild_id: not a whole number"),
        ("THREAD_LIST_SYNC", {"guild_id": "1", "threads": 7}, "not a list"),
    ],
)
def test_an_odd_payload_is_named_by_place_and_kind(name: str, payload: dict[str, Any], odd: str) -> None:
    """And says nothing."""
    found = read(name, payload, SHARD)
    assert (found.events, found.odd) == ((), (odd,))
