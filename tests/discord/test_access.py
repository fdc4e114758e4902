"""What the bot may do in a channel, asked of Discord no more often than needed."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from clipsaver.discord import access as access_module
from clipsaver.discord.access import Access
from clipsaver.discord.permissions import ALL, NONE, READ_HISTORY, Permission
from clipsaver.discord.rest import NotFound, Priority, Rest, Unavailable
from clipsaver.errors import NotThere
from tests.discord.servers import Handler, Server, by_path, one_by_one, say, serve

BOT, GUILD, CHANNEL, THREAD = 9, 1, 2, 3
VIEW, HISTORY, CONNECT = Permission.VIEW_CHANNEL, Permission.READ_MESSAGE_HISTORY, Permission.CONNECT
BOTH = int(VIEW | HISTORY)


def channel(**more: Any) -> dict[str, Any]:
    """A text channel of the guild."""
    base = {"id": str(CHANNEL), "guild_id": str(GUILD), "type": 0, "name": "clips", "nsfw": True}
    return base | {"permission_overwrites": []} | more


def thread(**more: Any) -> dict[str, Any]:
    """A thread in that channel."""
    return channel(id=str(THREAD), type=12, parent_id=str(CHANNEL), nsfw=False) | more


def guild(permissions: int = BOTH, **more: Any) -> dict[str, Any]:
    """The guild with what everyone may."""
    roles = [{"id": str(GUILD), "permissions": str(permissions)}, {"id": "20", "permissions": str(int(CONNECT))}]
    return {"id": str(GUILD), "name": "G", "owner_id": "7", "roles": roles} | more


def paths(**more: Handler) -> Mapping[str, Handler]:
    """What the server knows."""
    known = {
        f"/channels/{CHANNEL}": say(channel()),
        f"/channels/{THREAD}": say(thread()),
        f"/guilds/{GUILD}": say(guild()),
        f"/guilds/{GUILD}/members/{BOT}": say({"roles": ["20"], "communication_disabled_until": None}),
    }
    return known | {f"/{path}": handler for path, handler in more.items()}


@asynccontextmanager
async def bot(known: Mapping[str, Handler]) -> AsyncIterator[tuple[Access, Server]]:
    """The bot's access, and the server that knows about it."""
    async with serve(by_path(known)) as server, Rest(token="t", url=server.url, pause=0.001) as rest:
        yield Access(rest=rest, bot_id=BOT), server


async def test_a_channel() -> None:
    """Roles, everyone and overwrites together; a minute later is early enough to ask again."""
    async with bot(paths()) as (access, server):
        found = await access.of_bot(CHANNEL)
        again = await access.of_bot(CHANNEL)
    assert found.permissions == VIEW | HISTORY | CONNECT
    assert found.may_read
    assert found.missing_to_read == ()
    assert (found.guild_id, found.nsfw, found.channel.name) == (GUILD, True, "clips")
    assert found.date.tzinfo is UTC
    assert again == found
    assert sorted(server.paths) == [f"/api/v10/{path}" for path in ("channels/2", "guilds/1", "guilds/1/members/9")]


async def test_what_is_missing() -> None:
    """A voice channel takes Connect to be read; names are Discord's."""
    voice = channel(type=2, permission_overwrites=[{"id": "20", "type": 0, "allow": "0", "deny": str(int(CONNECT))}])
    async with bot(paths(**{f"channels/{CHANNEL}": say(voice)})) as (access, _):
        found = await access.of_bot(CHANNEL)
    assert found.needed_to_read == READ_HISTORY | CONNECT
    assert not found.may_read
    assert found.missing_to_read == ("Connect",)


async def test_fresh_believes_nothing_older() -> None:
    """A permission that was taken away is seen at once when asked for afresh."""
    known = paths(**{f"guilds/{GUILD}": one_by_one([say(guild()), say(guild(int(VIEW)))])})
    async with bot(known) as (access, _):
        assert (await access.of_bot(CHANNEL)).may_read
        assert (await access.of_bot(CHANNEL)).may_read
        assert not (await access.of_bot(CHANNEL, fresh=True)).may_read


async def test_many_at_once_ask_once() -> None:
    """A guild is asked about once, whoever wants to know; one who gives up doesn't spoil it for the others."""
    gate = asyncio.Event()

    async def slow(request: Any) -> Any:
        await gate.wait()
        return say(guild())(request)

    async with bot(paths(**{f"guilds/{GUILD}": slow})) as (access, server):
        asking = [asyncio.create_task(access.of_bot(CHANNEL)) for _ in range(5)]
        await server.asked_for(3)
        asking[0].cancel()
        person = asyncio.create_task(access.of_bot(CHANNEL, priority=Priority.PEOPLE))
        gate.set()
        results = await asyncio.gather(*asking, return_exceptions=True)
        assert (await person).may_read
    assert isinstance(results[0], asyncio.CancelledError)
    assert all(not isinstance(result, BaseException) and result.may_read for result in results[1:])
    assert server.paths.count(f"/api/v10/channels/{CHANNEL}") == 1
    assert server.paths.count(f"/api/v10/guilds/{GUILD}") == 2


async def test_what_is_old_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a minute it is asked again, and much of it takes no memory."""
    monkeypatch.setattr(access_module, "MOST", 2)
    times = [0.0]
    async with bot(paths()) as (access, server):
        access.clock = lambda: times[0]
        await access.of_bot(CHANNEL)
        times[0] = 61.0
        await access.of_bot(CHANNEL)
        assert len(access._kept) == 2
    assert server.paths.count(f"/api/v10/channels/{CHANNEL}") == 2


async def test_a_thread_follows_its_parent() -> None:
    """Overwrites and the age restriction are the parent's; a private thread must be joined or managed."""
    hidden = channel(permission_overwrites=[{"id": str(GUILD), "type": 0, "allow": "0", "deny": str(int(VIEW))}])
    public = thread(type=11)
    async with bot(paths(**{f"channels/{THREAD}": say(public)})) as (access, _):
        found = await access.of_bot(THREAD)
        assert found.may_read
        assert found.nsfw
        assert found.parent is not None
        assert found.parent.id == CHANNEL
    async with bot(paths(**{f"channels/{THREAD}": say(public), f"channels/{CHANNEL}": say(hidden)})) as (access, _):
        assert (await access.of_bot(THREAD)).permissions == NONE


@pytest.mark.parametrize(
    ("more", "readable"),
    [
        ({}, False),
        ({f"channels/{THREAD}/thread-members/{BOT}": say({"user_id": str(BOT)})}, True),
        ({f"channels/{THREAD}/thread-members/{BOT}": say({"code": 50001}, 403)}, False),
        ({f"channels/{THREAD}": say(thread(member={"user_id": str(BOT)}))}, True),
        ({f"guilds/{GUILD}": say(guild(BOTH | int(Permission.MANAGE_THREADS)))}, True),
        ({f"guilds/{GUILD}": say(guild(0, owner_id=str(BOT)))}, True),
    ],
)
async def test_a_private_thread(more: Mapping[str, Handler], readable: bool) -> None:  # noqa: FBT001 - a parameter
    """The bot is in it, or may manage threads, or sees nothing."""
    async with bot(paths(**more)) as (access, _):
        found = await access.of_bot(THREAD)
    assert found.may_read is readable
    assert found.permissions == NONE or found.permissions & HISTORY


async def test_a_timed_out_bot_may_only_look() -> None:
    """Until the time-out ends, on Discord's clock."""
    member = {"roles": ["20"], "communication_disabled_until": "2999-01-01T00:00:00+00:00"}
    async with bot(paths(**{f"guilds/{GUILD}/members/{BOT}": say(member)})) as (access, _):
        assert (await access.of_bot(CHANNEL)).permissions == READ_HISTORY
    member = {"communication_disabled_until": datetime(2020, 1, 1, tzinfo=UTC).isoformat()}
    async with bot(paths(**{f"guilds/{GUILD}/members/{BOT}": say(member)})) as (access, _):
        assert (await access.of_bot(CHANNEL)).permissions == VIEW | HISTORY


async def test_owners_may_everything() -> None:
    """A bot that owns the server needs no role."""
    async with bot(paths(**{f"guilds/{GUILD}": say(guild(0, owner_id=str(BOT)))})) as (access, _):
        assert (await access.of_bot(CHANNEL)).permissions == ALL


async def test_errors_are_passed_on_and_not_kept() -> None:
    """A channel that isn't there is asked about again the next time; one outside of servers has no permissions."""
    gone = one_by_one([say({"code": 10003}, 404), say(channel())])
    async with bot(paths(**{f"channels/{CHANNEL}": gone})) as (access, _):
        with pytest.raises(NotFound):
            await access.of_bot(CHANNEL)
        assert (await access.of_bot(CHANNEL)).may_read
    async with bot(paths(**{f"channels/{CHANNEL}": say({"id": "2", "type": 1})})) as (access, _):
        with pytest.raises(NotThere):
            await access.of_bot(CHANNEL)


@pytest.mark.parametrize("path", [f"channels/{CHANNEL}", f"guilds/{GUILD}", f"guilds/{GUILD}/members/{BOT}"])
async def test_what_can_not_be_read_is_trouble(path: str) -> None:
    """A body that isn't what was asked for is not believed."""
    async with bot(paths(**{path: say([])})) as (access, _):
        with pytest.raises(Unavailable):
            await access.of_bot(CHANNEL)
