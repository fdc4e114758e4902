"""Files fetched with aiohttp and written to the disk, so many at a time: bare, or hashed and on the disk for sure."""

import asyncio
import hashlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import orjson
from attrs import asdict, frozen

from bench.measuring import Stopwatch
from bench.media_server import path_of


@frozen(kw_only=True)
class Order:
    """Which files are fetched, and how."""

    url: str
    folder: str
    first: int
    """The number of the first one."""
    files: int
    size: int
    at_once: int
    checked: bool
    """Hash each file, and have each on the disk, before the next."""

    def told(self) -> str:
        """All of it, for another process's command line."""
        return orjson.dumps(asdict(self)).decode()


async def bare(response: aiohttp.ClientResponse, path: Path) -> int:
    """Write what comes as it comes."""
    size = 0
    with path.open("wb", buffering=0) as file:
        async for piece in response.content.iter_any():
            size += file.write(piece)
    return size


async def checked(response: aiohttp.ClientResponse, path: Path) -> int:
    """Hash it too, and wait for the disk."""
    size, sha256 = 0, hashlib.sha256()
    with path.open("wb", buffering=0) as file:
        async for piece in response.content.iter_any():
            sha256.update(piece)
            size += file.write(piece)
        await asyncio.to_thread(os.fsync, file.fileno())
    await asyncio.to_thread(path.rename, path.with_name(sha256.hexdigest()))
    return size


async def run(order: Order) -> dict[str, Any]:
    """Fetch them all."""
    keep = checked if order.checked else bare
    left = iter(range(order.first, order.first + order.files))

    async def work(session: aiohttp.ClientSession, left: Iterator[int]) -> int:
        size = 0
        for number in left:
            async with session.get(order.url + path_of(number, order.size)) as response:
                size += await keep(response, Path(order.folder) / str(number))
        return size

    async with aiohttp.ClientSession(raise_for_status=True) as session:
        watch = Stopwatch()
        sizes = await asyncio.gather(*(work(session, left) for _ in range(order.at_once)))
        told = watch.read(0)
    if sum(sizes) != order.files * order.size:
        sys.exit(f"{sum(sizes):,} bytes came of {order.files} files with {order.size:,} each.")
    return {"bytes": sum(sizes), **{key: told[key] for key in ("seconds", "cpu_seconds", "most_memory_mb")}}


if __name__ == "__main__":
    print(orjson.dumps(asyncio.run(run(Order(**orjson.loads(sys.argv[1]))))).decode())
