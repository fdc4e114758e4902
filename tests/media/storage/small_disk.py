"""A program that stores on a tiny disk of its own until that is full, then read-only; it says `fine` in the end.

For a mount namespace of its own: `unshare --user --map-root-user --mount` before it.
"""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from clipsaver.errors import ClipsaverError, StartFailed
from clipsaver.media.storage import Storage, StorageFull, StorageRefused, blob_name, open_storage, picture_name
from tests.media.storage.bytes_in import keep, left_over, whole

MEGABYTE = 1024 * 1024


def mount(*options: str) -> None:
    """Mount something."""
    subprocess.run(["mount", *options], check=True)  # noqa: S603, S607 - the system's own


async def refused(kind: type[ClipsaverError], storage: Storage, size: int) -> None:
    """Keeping so much fails in that way, and nothing of it is left."""
    before = [blob async for blob in storage.listing("blobs")]
    with pytest.raises(kind, match=r"can't be used|no room"):
        await keep(storage, os.urandom(size))
    assert before == [blob async for blob in storage.listing("blobs")]


async def full(storage: Storage, folder: Path) -> None:
    """No room: nothing half is left, what is there stays whole, and once there is room it goes on."""
    data = os.urandom(2 * MEGABYTE)
    kept = await keep(storage, data)
    assert await storage.free_bytes() <= 2 * MEGABYTE
    await refused(StorageFull, storage, 3 * MEGABYTE)
    with pytest.raises(StorageFull):
        await storage.put_picture(picture_name(kept, 320), os.urandom(3 * MEGABYTE))
    assert [] == left_over(folder)
    assert data == await whole(storage.read(blob_name(kept)))
    await storage.delete(blob_name(kept))
    await keep(storage, os.urandom(3 * MEGABYTE))


async def read_only(storage: Storage, folder: Path) -> None:
    """Nothing is written, and a start says so; what is there can be read; it goes on by itself."""
    kept = await keep(storage, b"clip")
    mount("-o", "remount,ro", str(folder))
    await refused(StorageRefused, storage, 1)
    assert b"clip" == await whole(storage.read(blob_name(kept)))
    with pytest.raises(StartFailed, match="Read-only"):
        await open_storage(f"file://{folder}", data_dir=folder)
    mount("-o", "remount,rw", str(folder))
    await keep(storage, b"another")


async def main(folder: Path) -> None:
    """All of it."""
    mount("-t", "tmpfs", "-o", "size=4m,mode=700", "tmpfs", str(folder))
    async with await open_storage(f"file://{folder}", data_dir=folder) as storage:
        await full(storage, folder)
        await read_only(storage, folder)
    sys.stdout.write("fine\n")


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
