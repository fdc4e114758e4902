"""A server that answers with whatever bytes it is told to, and a sink that keeps what it is given."""

import asyncio
import ssl
import struct
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Self

from attrs import define, field, frozen

BOX = struct.pack(">I4s4sI4s4s", 24, b"ftyp", b"mp42", 0, b"mp42", b"isom")
"""What an MP4 begins with."""


def video(size: int) -> bytes:
    """Bytes that begin like an MP4 and are nowhere alike."""
    return (BOX + b"".join(number.to_bytes(4, "big") for number in range(size // 4)))[:size]


@frozen
class Asked:
    """One request."""

    path: str
    headers: Mapping[str, str]
    """Their names in small letters."""


Answer = bytes | Callable[[Asked, asyncio.StreamWriter], Awaitable[None]]


def answer(body: bytes = b"", status: int = 200, *, counted: bool = True, **headers: str) -> bytes:
    """A whole answer; underscores in headers' names stand for dashes."""
    lines = [f"HTTP/1.1 {status} Whatever"]
    if counted:
        headers = {"Content_Length": str(len(body))} | headers
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "Connection: close", "", ""]).encode() + body


def chunked(*pieces: bytes) -> bytes:
    """An answer that doesn't say how long it is, but where it ends."""
    body = b"".join(b"%x\r\n%b\r\n" % (len(one), one) for one in (*pieces, b""))
    return answer(body, counted=False, Transfer_Encoding="chunked")


def abort(writer: asyncio.StreamWriter) -> None:
    """End a connection with a reset."""
    sock = writer.get_extra_info("socket")
    sock.setsockopt(1, 13, struct.pack("ii", 1, 0))  # SOL_SOCKET, SO_LINGER
    writer.transport.abort()


@define(eq=False)
class Server(AbstractAsyncContextManager["Server"]):
    """Gives the first answer to the first request, and so on; the last one to all that follow."""

    answers: list[Answer]
    tls: ssl.SSLContext | None = None
    asked: list[Asked] = field(factory=list, init=False)
    origin: str = field(default="", init=False)
    port: int = field(default=0, init=False)
    _server: asyncio.Server = field(init=False)
    _tasks: set[asyncio.Task[None]] = field(factory=set, init=False)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self.tls)
        self.port = self._server.sockets[0].getsockname()[1]
        self.origin = f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            line, *fields = head.rstrip().split("\r\n")
            headers = {name.lower(): value for name, value in (one.split(": ", 1) for one in fields)}
            asked = Asked(line.split(" ")[1], headers)
            self.asked.append(asked)
            answer = self.answers[min(len(self.asked), len(self.answers)) - 1]
            if isinstance(answer, bytes):
                writer.write(answer)
            else:
                await answer(asked, writer)
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the other side went away, or the test is over
        finally:
            writer.close()


@define(eq=False)
class Memory:
    """A sink."""

    data: bytearray = field(factory=bytearray)
    writes: list[int] = field(factory=list)
    restarts: int = 0

    @property
    def offset(self) -> int:
        """How much is there."""
        return len(self.data)

    async def write(self, data: bytes) -> None:
        """Keep it."""
        self.data += data
        self.writes.append(len(data))

    async def restart(self) -> None:
        """Forget it."""
        self.data.clear()
        self.restarts += 1
