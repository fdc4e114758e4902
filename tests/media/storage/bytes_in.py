"""Small helpers of these tests."""

import hashlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

from clipsaver.media.storage import Storage

BIG = os.urandom(1_000_003) * 21
"""More than two parts of an upload, and no round number."""


def sha256(data: bytes) -> bytes:
    """Its hash."""
    return hashlib.sha256(data).digest()


async def keep(storage: Storage, data: bytes, *, chunk: int = 65_536) -> bytes:
    """Store bytes as a download would."""
    async with storage.incoming() as incoming:
        for start in range(0, len(data), chunk):
            await incoming.write(data[start : start + chunk])
        return await storage.keep(incoming, content_type="video/mp4")


async def whole(pieces: AsyncIterator[bytes]) -> bytes:
    """All of a stream."""
    return b"".join([piece async for piece in pieces])


def left_over(folder: Path) -> list[str]:
    """Incoming files, wherever they lie below."""
    return sorted(path.name for path in folder.rglob("incoming/*"))
