"""One websocket of a client: frames in, frames out, and what Discord closes it for."""

import asyncio
import zlib
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Final

import orjson
from aiohttp import WSMessage, WSMsgType, web
from attrs import define, field

from clipsaver.simulator.gateway.session import Session

DISPATCH: Final = 0
HEARTBEAT: Final = 1
IDENTIFY: Final = 2
RESUME: Final = 6
RECONNECT: Final = 7
INVALID_SESSION: Final = 9
HELLO: Final = 10
HEARTBEAT_ACK: Final = 11

LONGEST_PAYLOAD: Final = 4096
MOST_SENDS: Final = 120
SENDS_WINDOW: Final = 60.0
MOST_UNSENT: Final = 50_000
LEAVING: Final = frozenset({1000, 1001})
"""Close codes with which a client gives its session up."""
PATIENCE: Final = 2.0
"""Seconds a client may take to read the last frames before a close, and to close in turn."""
COMPRESS_FROM: Final = 4096
"""With payload compression, packets from this size on are compressed."""


class Closing(Exception):
    """The gateway closes this connection, with a code of Discord's table."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"{code} {reason}")
        self.code = code
        self.reason = reason


def decode(data: str | bytes) -> tuple[int, Any]:
    """The opcode and data of a client's frame."""
    if len(data if isinstance(data, bytes) else data.encode()) > LONGEST_PAYLOAD:
        raise Closing(4002, "Payload too large.")
    try:
        payload = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise Closing(4002, "Error while decoding payload.") from error
    if not isinstance(payload, dict) or not isinstance(payload.get("op"), int):
        raise Closing(4002, "Error while decoding payload.")
    return payload["op"], payload.get("d")


@define(kw_only=True, eq=False)
class Connection:
    """One websocket; its session, if it has one, outlives it."""

    websocket: web.WebSocketResponse
    transport: asyncio.Transport | None
    url: str
    """Where this connection came in, without the query."""
    clock: Callable[[], float]
    heartbeat_interval: int
    """Milliseconds."""
    welcome: bool = True
    """Whether it is greeted; else the client is asked to come back (op 7 in place of Hello)."""
    stream: bool = False
    """Whether the transport is compressed (zlib-stream)."""
    packets: bool = False
    """Whether single packets may be compressed (``compress`` when identifying)."""
    session: Session | None = None
    ended: bool = False
    """Whether its session ends with it."""
    muted: bool = False
    """Nothing is sent any more though the socket stays open."""
    delay: Callable[[], float] = lambda: 0.0
    """Seconds each frame is held back."""
    most_unsent: int = MOST_UNSENT
    _deflate: Any = field(init=False, factory=zlib.compressobj)
    _unsent: asyncio.Queue[Mapping[str, Any] | None] = field(init=False, factory=asyncio.Queue)
    _received: deque[float] = field(init=False, factory=deque)
    _heard_at: float = field(init=False, factory=lambda: asyncio.get_running_loop().time())
    _end: asyncio.Future[Closing] = field(init=False, factory=lambda: asyncio.get_running_loop().create_future())

    def send(self, op: int, data: Any = None) -> None:
        """Queue a frame that is no event."""
        self.push({"op": op, "d": data, "s": None, "t": None})

    def push(self, payload: Mapping[str, Any]) -> None:
        """Queue a frame; a client that reads nothing for too long is dropped."""
        if self._unsent.qsize() < self.most_unsent:
            self._unsent.put_nowait(payload)
        else:
            self.abort()

    def abort(self) -> None:
        """Cut the wire, without a close frame."""
        if self.transport is not None:
            self.transport.abort()

    @property
    def left_for_good(self) -> bool:
        """Whether the client, of its own accord, closed with a code that ends its session."""
        return not self._end.done() and self.websocket.close_code in LEAVING

    def close(self, code: int, reason: str = "") -> None:
        """Let the connection be closed after what is queued; the first order counts."""
        if not self._end.done():
            self._end.set_result(Closing(code, reason))

    async def run(self, received: Callable[[int, Any], None]) -> None:
        """Greet, then hand every frame to ``received`` until either side ends it."""
        if self.welcome:
            self.send(HELLO, {"heartbeat_interval": self.heartbeat_interval})
        else:
            self.send(RECONNECT)
        writer = asyncio.create_task(self._write_all())
        reader = asyncio.create_task(self._read_all(received))
        try:
            waited: set[asyncio.Future[Any]] = {reader, self._end}
            await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
            if self._end.done():
                self._unsent.put_nowait(None)
                await asyncio.wait({writer}, timeout=PATIENCE)
        finally:
            await _cancel(reader, writer)
        if not reader.cancelled():
            reader.result()  # what went wrong in here is not to be kept quiet
        if self._end.done():
            closing = self._end.result()
            await self.websocket.close(code=closing.code, message=closing.reason.encode())

    async def _read_all(self, received: Callable[[int, Any], None]) -> None:
        """Hand on frames until the client closes or earns a close."""
        try:
            while True:
                message = await self._receive()
                if message.type not in {WSMsgType.TEXT, WSMsgType.BINARY}:
                    return
                op, data = decode(message.data)
                self._count()
                if op == HEARTBEAT:
                    self._heard_at = asyncio.get_running_loop().time()
                    self.send(HEARTBEAT_ACK)
                else:
                    received(op, data)
        except Closing as closing:
            self.close(closing.code, closing.reason)

    async def _receive(self) -> WSMessage:
        """The next frame, if the last heartbeat is not too long ago."""
        patience = self._heard_at + self.heartbeat_interval / 1000 * 1.5 - asyncio.get_running_loop().time()
        try:
            return await self.websocket.receive(timeout=max(patience, 0.001))
        except TimeoutError as error:
            raise Closing(4000, "Heartbeat timeout.") from error

    def _count(self) -> None:
        now = self.clock()
        while self._received and now - self._received[0] >= SENDS_WINDOW:
            self._received.popleft()
        self._received.append(now)
        if len(self._received) > MOST_SENDS:
            raise Closing(4008, "You are being rate limited.")

    async def _write_all(self) -> None:
        try:
            while (payload := await self._unsent.get()) is not None:
                if delay := self.delay():
                    await asyncio.sleep(delay)
                await self._write(payload)
        except ConnectionError:
            return

    async def _write(self, payload: Mapping[str, Any]) -> None:
        if self.muted:
            return
        data = orjson.dumps(payload)
        if self.stream:
            await self.websocket.send_bytes(self._deflate.compress(data) + self._deflate.flush(zlib.Z_SYNC_FLUSH))
        elif self.packets and len(data) >= COMPRESS_FROM:
            await self.websocket.send_bytes(zlib.compress(data))
        else:
            await self.websocket.send_str(data.decode())


async def _cancel(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
