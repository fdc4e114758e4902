"""A Discord that answers from memory: a made-up world's messages, encoded beforehand, so that no client waits for it.

Run as a process of its own; the first line it prints says where it listens and what there is.
"""

import argparse
import asyncio
import sys
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from email.utils import formatdate
from time import time
from typing import Any, Final
from urllib.parse import parse_qs

import aiohttp
import orjson
from attrs import define, field, frozen

from clipsaver.simulator.server import Simulator
from clipsaver.simulator.world import World

API: Final = "/api/v10"
END: Final = b"\r\n\r\n"


@frozen
class Past:
    """One channel's messages, oldest first."""

    ids: Sequence[int]
    encoded: Sequence[bytes]

    def page(self, query: Mapping[str, list[str]]) -> bytes:
        """Answer Get Channel Messages: newest first, whichever side was asked for."""
        limit = int(query.get("limit", ["50"])[0])
        if "after" in query:
            start = bisect_right(self.ids, int(query["after"][0]))
            stop = min(start + limit, len(self.ids))
        else:
            stop = bisect_left(self.ids, int(query["before"][0])) if "before" in query else len(self.ids)
            start = max(stop - limit, 0)
        return b"[" + b",".join(self.encoded[start:stop][::-1]) + b"]"


@define
class Canned:
    """Everything that can be asked for."""

    pasts: Mapping[str, Past]
    """By path."""
    fixed: Mapping[str, bytes]
    """Bodies by path."""
    _date: tuple[int, bytes] = field(default=(0, b""), init=False)

    def answer(self, target: str) -> bytes:
        """Answer a GET with a whole response."""
        path, _, query = target.partition("?")
        path = path.removeprefix(API)
        past = self.pasts.get(path)
        body = past.page(parse_qs(query)) if past is not None else self.fixed.get(path)
        status = b"200 OK" if body is not None else b"404 Not Found"
        body = b'{"message": "404: Not Found", "code": 0}' if body is None else body
        second = int(time())
        if self._date[0] != second:
            self._date = (second, formatdate(second, usegmt=True).encode())
        head = b"HTTP/1.1 %b\r\nDate: %b\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        return head % (status, self._date[1], len(body)) + body


class Connection(asyncio.Protocol):
    """One keep-alive connection; requests have no bodies."""

    def __init__(self, canned: Canned) -> None:
        self._canned = canned
        self._heard = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        if isinstance(transport, asyncio.Transport):
            self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer every request that is whole."""
        self._heard += data
        while END in self._heard and self._transport is not None:
            head, _, self._heard = self._heard.partition(END)
            target = head.split(b" ", 2)[1].decode("ascii")
            self._transport.write(self._canned.answer(target))


async def can(world: World) -> Canned:
    """Encode a world: what is small as the simulated Discord answers it, the messages straight from the world."""
    (guild_id,) = world.guilds
    channels = reading(world)
    paths = [
        *("/users/@me", "/applications/@me", "/oauth2/applications/@me"),
        *(f"/guilds/{guild_id}", f"/guilds/{guild_id}/members/{world.bot_id}"),
        *(f"/channels/{channel_id}" for channel_id in channels),
    ]
    pasts = {}
    for channel_id in channels:
        messages = world.histories[channel_id].before(1 << 63, 1 << 62)[::-1]
        encoded = [orjson.dumps(world.payload_of(message)) for message in messages]
        pasts[f"/channels/{channel_id}/messages"] = Past([message.id for message in messages], encoded)
    fixed = {}
    async with (
        Simulator(world) as simulator,
        aiohttp.ClientSession(headers={"Authorization": f"Bot {world.token}"}) as session,
    ):
        for path in paths:
            async with session.get(simulator.rest_url + path, raise_for_status=True) as response:
                fixed[path] = await response.read()
    return Canned(pasts, fixed)


def reading(world: World) -> list[int]:
    """List the channels that have a past."""
    return sorted(channel_id for channel_id, history in world.histories.items() if len(history))


def describe(world: World, port: int) -> dict[str, Any]:
    """Say what the clients need to know."""
    channels = reading(world)
    return {
        "url": f"http://127.0.0.1:{port}{API}",
        "token": world.token,
        "guild": min(world.guilds),
        "channels": channels,
        "messages": sum(len(world.histories[channel_id]) for channel_id in channels),
        "clips": sum(world.truth_count(channel_id) for channel_id in channels),
    }


async def serve(channels: int, messages: int) -> None:
    """Serve until standard input ends."""
    world = World.from_seed(7, channels=channels, messages=messages // channels, videos_percent=10)
    canned = await can(world)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(canned), "127.0.0.1", 0)
    print(orjson.dumps(describe(world, server.sockets[0].getsockname()[1])).decode(), flush=True)
    async with server:
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("channels", type=int)
    parser.add_argument("messages", type=int)
    asked = parser.parse_args()
    asyncio.run(serve(asked.channels, asked.messages))
