"""A bare client of the gateway, as its documents describe one; knows no library's habits."""

import asyncio
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
from aiohttp import ClientSession, ClientWebSocketResponse, WSMsgType, web
from aiohttp.test_utils import TestServer
from attrs import define, field

from clipsaver.simulator.gateway import Gateway

EVERYTHING = (1 << 17) - 1 & ~(1 << 8) | 3 << 20 | 3 << 24
"""Every intent but GUILD_PRESENCES."""
PATIENCE = 30.0


class Clock:
    """A clock that a test moves."""

    def __init__(self, now: float = 1_760_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        """The moment it shows."""
        return self.now


@define
class Shard:
    """One websocket to the gateway."""

    socket: ClientWebSocketResponse
    stream: bool = False
    last: int | None = None
    ready: dict[str, Any] = field(factory=dict)
    _inflate: Any = field(factory=zlib.decompressobj)
    _buffer: bytearray = field(factory=bytearray)

    async def send(self, op: int, data: Any) -> None:
        """Send one frame."""
        await self.socket.send_bytes(orjson.dumps({"op": op, "d": data}))

    async def receive(self) -> dict[str, Any]:
        """The next frame; a closed socket is a ConnectionError with its code."""
        while True:
            message = await asyncio.wait_for(self.socket.receive(), PATIENCE)
            if message.type is WSMsgType.TEXT:
                assert not self.stream
                return self._note(orjson.loads(message.data))
            if message.type is not WSMsgType.BINARY:
                raise ConnectionError(self.socket.close_code)
            if not self.stream:
                return self._note(orjson.loads(zlib.decompress(message.data)))
            self._buffer += message.data
            if self._buffer.endswith(b"\x00\x00\xff\xff"):
                data = self._inflate.decompress(bytes(self._buffer))
                self._buffer.clear()
                return self._note(orjson.loads(data))

    def _note(self, payload: dict[str, Any]) -> dict[str, Any]:
        self.last = payload["s"] or self.last
        return payload

    async def until(self, wanted: str | int) -> dict[str, Any]:
        """Read on to an event of this name, or a frame of this opcode."""
        while True:
            payload = await self.receive()
            if wanted in {payload["t"], payload["op"]} and (isinstance(wanted, str) or payload["op"] == wanted):
                return payload

    async def closed(self) -> int | None:
        """Read on to the end; the close code."""
        try:
            while True:
                await self.receive()
        except ConnectionError:
            return self.socket.close_code

    async def identify(self, token: str, **more: Any) -> dict[str, Any]:
        """Identify and read on to READY."""
        await self.send(2, identity(token, **more))
        self.ready = (await self.until("READY"))["d"]
        return self.ready

    async def resume(self, token: str, other: "Shard", seq: int | None = None) -> None:
        """Take up another connection's session."""
        body = {"token": token, "session_id": other.ready["session_id"], "seq": other.last if seq is None else seq}
        await self.send(6, body)


def identity(token: str, **more: Any) -> dict[str, Any]:
    """The data of an Identify."""
    properties = {"os": "linux", "browser": "test", "device": "test"}
    return {"token": token, "intents": EVERYTHING, "properties": properties, **more}


@define
class Line:
    """A served gateway, and a way to connect to it."""

    gateway: Gateway
    url: str
    session: ClientSession

    async def connect(self, query: str = "v=10&encoding=json", *, hello: bool = True) -> Shard:
        """A new connection, greeted."""
        shard = Shard(await self.session.ws_connect(f"{self.url}/?{query}"), stream="compress" in query)
        if hello:
            assert (await shard.receive())["op"] == 10
        return shard


@asynccontextmanager
async def serve(gateway: Gateway) -> AsyncIterator[Line]:
    """Serve a gateway alone on loopback."""
    app = web.Application()
    app.router.add_get("/", gateway.handle)
    async with TestServer(app) as server:
        try:
            async with ClientSession() as session:
                yield Line(gateway, f"ws://127.0.0.1:{server.port}", session)
        finally:
            await gateway.stop()
