"""Files as Discord's media servers hand them out, from memory, in a process of its own: no client waits for it.

Every file is as long as its address says, and another one: its first bytes hold its number, the others are the same for
all, and are sent by the kernel. The first line it prints says where it is; it ends when its standard input does.

With a video's path on the command line there is that video under every address, another one each time it is asked for:
a box with a number follows it. It comes no faster than a server far away would send it.
"""

import asyncio
import os
import sys
from itertools import count
from pathlib import Path
from typing import Final

HOST: Final = "127.0.0.1"
LONGEST: Final = 100 * 1024 * 1024
END: Final = b"\r\n\r\n"
HEAD: Final = 32
"""Bytes that tell a file from others: one box of an MP4."""
FOUND: Final = (
    b"HTTP/1.1 200 OK\r\nContent-Type: video/mp4\r\nContent-Length: %d\r\nAccept-Ranges: bytes\r\n"
    b'ETag: "%d-%d"\r\nCache-Control: public, max-age=31536000\r\n\r\n'
)
ANY_ATTACHMENT: Final = b"GET /attachments/"
ENDING: Final = 16
"""Bytes of the box that follows a video."""
FAR_AWAY: Final = 0.5
"""Seconds until a video is sent: eight at the same time are 16 a second at most."""
NOT_FOUND: Final = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"


def path_of(number: int, size: int) -> str:
    """Where a file is."""
    return f"/attachments/1/{number}/{size}.mp4"


def beginning(number: int) -> bytes:
    """What no other file begins with."""
    box = HEAD.to_bytes(4, "big") + b"ftypisom" + (512).to_bytes(4, "big") + b"isommp41"
    return box + number.to_bytes(HEAD - len(box), "big")


def asked_for(request: bytes) -> tuple[int, int] | None:
    """The number and the length of the file that a request's first line names."""
    parts = request.split(b" ", 2)[1].split(b"/") if request.startswith(b"GET /") else []
    if len(parts) != 5 or not parts[4].endswith(b".mp4"):  # noqa: PLR2004 - as in path_of
        return None
    number, size = int(parts[3]), int(parts[4].removesuffix(b".mp4"))
    return (number, size) if HEAD <= size <= LONGEST else None


def ending(number: int) -> bytes:
    """What no other video ends with: a box that players skip."""
    return ENDING.to_bytes(4, "big") + b"free" + number.to_bytes(ENDING - 8, "big")


def shared() -> int:
    """A file in memory that all are sent from."""
    descriptor = os.memfd_create("media")
    for _ in range(LONGEST // 2**20):
        os.write(descriptor, os.urandom(2**20))
    return descriptor


async def serve() -> None:
    """Serve files of any length until standard input ends."""
    loop = asyncio.get_running_loop()
    with os.fdopen(shared(), "rb", buffering=0) as everything:

        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                while True:
                    wanted = asked_for(await reader.readuntil(END))
                    if wanted is None:
                        writer.write(NOT_FOUND)
                        continue
                    number, size = wanted
                    writer.write(FOUND % (size, number, size) + beginning(number))
                    await loop.sendfile(writer.transport, everything, HEAD, size - HEAD, fallback=False)
            except (asyncio.IncompleteReadError, ConnectionError):
                writer.close()

        await _until_told(await asyncio.start_server(talk, HOST, 0))


async def serve_video(video: bytes) -> None:
    """Serve one video under every address until standard input ends."""
    numbers = count(1)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                request = await reader.readuntil(END)
                if not request.startswith(ANY_ATTACHMENT):
                    writer.write(NOT_FOUND)
                    continue
                number, size = next(numbers), len(video) + ENDING
                await asyncio.sleep(FAR_AWAY)
                writer.write(FOUND % (size, number, size) + video + ending(number))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    await _until_told(await asyncio.start_server(talk, HOST, 0))


async def _until_told(server: asyncio.Server) -> None:
    print(f"http://{HOST}:{server.sockets[0].getsockname()[1]}", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    server.close()


if __name__ == "__main__":
    asyncio.run(serve_video(Path(sys.argv[1]).read_bytes()) if sys.argv[1:] else serve())
