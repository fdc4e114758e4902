"""Tests of the bounded way to the database."""

import asyncio

from clipsaver.extensions.guilds.events import GuildLeft, GuildSeen
from clipsaver.extensions.guilds.inbox import Inbox, weight
from tests.channels.build import channel, thread
from tests.guilds.build import guild


def left(guild_id: int) -> GuildLeft:
    """A light event."""
    return GuildLeft(guild_id=guild_id)


def test_a_guild_weighs_what_is_in_it() -> None:
    """Everything else is one."""
    whole = guild(1, channels=(channel(10), channel(11)), threads=(thread(20, 10),))
    assert weight(GuildSeen(guild=whole, with_channels=True)) == 5
    assert weight(left(1)) == 1


def test_what_finds_no_room_is_refused() -> None:
    """Unless it has to be taken."""
    inbox = Inbox(2)
    assert [inbox.put(left(number)) for number in (1, 2, 3)] == [True, True, False]
    assert inbox.put(left(4), always=True)
    assert [inbox.get_nowait() for _ in range(4)] == [left(1), left(2), left(4), None]
    assert inbox.put(left(5))


def test_the_heaviest_event_finds_room_in_an_empty_inbox() -> None:
    """Or it never would."""
    heavy = GuildSeen(guild=guild(1, channels=(channel(10), channel(11))), with_channels=True)
    inbox = Inbox(2)
    assert inbox.put(heavy)
    assert not inbox.put(left(1))
    assert len(inbox) == 1


async def test_it_is_empty_only_when_all_is_dealt_with() -> None:
    """Given out is not done."""
    inbox = Inbox(5)
    await inbox.join()
    inbox.put(left(1))
    inbox.put(left(2))
    waiting = asyncio.create_task(inbox.join())
    assert await inbox.get() == left(1)
    inbox.done()
    assert await inbox.get() == left(2)
    await asyncio.sleep(0)
    assert not waiting.done()
    inbox.done()
    await waiting


async def test_whoever_waits_gets_the_next() -> None:
    """As soon as it is there."""
    inbox = Inbox(5)
    waiting = asyncio.create_task(inbox.get())
    await asyncio.sleep(0)
    inbox.put(left(1))
    assert await waiting == left(1)
