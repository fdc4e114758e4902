"""A program that exports to a tiny disk of its own until that is full, then read-only; it says `fine` in the end.

For a mount namespace of its own: `unshare --user --map-root-user --mount` before it.
"""

import asyncio
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from clipsaver.clips.portable.folder import Folder
from clipsaver.errors import StartFailed
from clipsaver.media.storage import StorageFull, open_storage
from clipsaver.postgres.pool import open_pool
from tests.clips.portable.house import House

MEGABYTE = 1024 * 1024


def mount(*options: str) -> None:
    """Mount something."""
    subprocess.run(["mount", *options], check=True)  # noqa: S603, S607 - the system's own


def left_over(house: House) -> list[str]:
    """Unfinished files."""
    return [path.name for path in (house.folder / ".incoming").iterdir() if path.name != "lock"]


async def full(house: House) -> None:
    """What fits is there; what does not is told, and nothing half is left."""
    for seconds, size in enumerate((5, 6, 1)):
        await house.clip(seconds, data=bytes([seconds]) * size * MEGABYTE)
    tally = await house.export()
    assert (2, {"no room": 1}) == (tally.written, dict(tally.left_out)), tally
    assert 0 == house.checked().returncode


async def fuller(house: House) -> None:
    """The same when it turns out in the middle of a file, and when not even a list can be written."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Folder, "free", lambda _: 100 * MEGABYTE)
        await house.clip(10, data=b"a" * 20 * MEGABYTE)
        before = house.everything()
        tally = await house.export()
        assert 1 == tally.left_out["no room"], tally
        assert "No space left on device" in " ".join(tally.complaints)
        assert [] == left_over(house)
        assert {name for name in before if name.startswith("clips/")} < house.everything().keys()
        assert 0 == house.checked().returncode
        before = house.everything()
        with suppress(OSError), (house.folder / "ballast").open("wb", buffering=0) as ballast:
            while True:
                ballast.write(b"a" * 4096)
        await house.clip(11, data=b"small")
        with pytest.raises(StorageFull, match="There is no room in"):
            await house.export()
        assert [] == left_over(house)
        (house.folder / "ballast").unlink()
        assert before == house.everything()
        assert 0 == house.checked().returncode


async def read_only(house: House) -> None:
    """It does not begin, and says why."""
    mount("-o", "remount,ro", str(house.folder))
    with pytest.raises(StartFailed, match="can't be written to: Read-only file system"):
        await house.export()
    mount("-o", "remount,rw,size=100m", str(house.folder))


async def main(url: str, data: Path, folder: Path) -> None:
    """All of it."""
    mount("-t", "tmpfs", "-o", "size=24m,mode=700", "tmpfs", str(folder))
    async with await open_pool(url, size=2) as pool, await open_storage("", data_dir=data) as storage:
        house = House(pool=pool, storage=storage, folder=folder)
        await house.settle()
        await full(house)
        await fuller(house)
        await read_only(house)
        tally = await house.export()
        assert (2, 3, 0) == (tally.written, tally.kept, tally.left_out.total()), tally
        assert 0 == house.checked().returncode
    sys.stdout.write("fine\n")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])))
