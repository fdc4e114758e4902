"""The storage in trouble while pictures are kept: no attempt is lost, nothing half is left, it goes on by itself."""

import asyncio
import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import pytest
from aiohttp import web
from asyncpg import Record
from PIL import Image

from clipsaver.clips.picturing import pause
from clipsaver.clips.picturing.model import MOST_ATTEMPTS
from clipsaver.media.storage import open_storage, picture_name
from tests.app.programs import get
from tests.faults.mounted import may_mount, remount
from tests.flows.conftest import Build
from tests.flows.house import House
from tests.flows.trouble import (
    Answer,
    Between,
    all_stored,
    between,
    fill,
    found,
    hurry,
    lying,
    on_a_disk,
    post,
    told_of_worker,
)
from tests.flows.waiting import eventually
from tests.media.storage.bytes_in import left_over
from tests.media.storage.conftest import keys, stores

__all__ = ["between", "keys", "stores"]  # fixtures

ROWS: Final = "select *, due_at > clock_timestamp() as waits from thumbnails"
LEFT: Final = MOST_ATTEMPTS - 1
"""Attempts of a video that has one more."""


async def unseen(house: House, size: int) -> set[bytes]:
    """Have a video stored that nobody looks at yet, and that has one attempt left: its hash, alone in a set."""
    hashes = post(house, size)
    await found(house)
    await all_stored(house, hashes)
    await house.pool.execute("update thumbnails set attempts = $1", LEFT)
    return hashes


async def given_back(house: House) -> Sequence[Record]:
    """Have all videos looked at, and wait until each of them waits again, for a reason: their rows."""
    await house.pictures_due()

    async def look() -> Sequence[Record]:
        rows = await house.pool.fetch(ROWS)
        return rows if all(row["reason_code"] is not None and row["waits"] for row in rows) else ()

    return await eventually(look)


def check_waiting(rows: Sequence[Record], reason: str) -> None:
    """It is the storage's trouble and says so; no attempt was lost on it, and nobody holds the video."""
    for row in rows:
        assert (row["state"], row["reason_code"], row["attempts"]) == ("pending", "storage", LEFT)
        assert reason in row["reason"]
        assert (row["lease_token"], row["pictures"], row["made_at"]) == (None, {}, None)


async def all_made(house: House, hashes: set[bytes]) -> Sequence[Record]:
    """Wait until every video has its pictures, without waiting for their turn: their rows."""

    async def look() -> Sequence[Record]:
        await house.pictures_due()
        rows = await house.pool.fetch(ROWS)
        return rows if {(row["state"], row["sha256"]) for row in rows} == {("made", one) for one in hashes} else ()

    return await eventually(look)


def check_pictures(rows: Sequence[Record], files: Mapping[str, bytes]) -> None:
    """Each picture that a row names lies there whole, and nothing besides."""
    sizes = {picture_name(row["sha256"], what): size for row in rows for what, size in row["pictures"].items()}
    assert len(sizes) >= 2 * len(rows)
    assert sizes.keys() == files.keys()
    for name, data in files.items():
        image = Image.open(io.BytesIO(data))
        image.load()
        assert (image.format, list(image.size)) == ("WEBP", sizes[name])
    assert {(row["reason"], row["reason_code"], row["attempts"]) for row in rows} == {(None, None, 0)}


def shown(root: Path) -> dict[str, bytes]:
    """The files of a disk's pictures, whatever they are called."""
    files = [path for path in (root / "thumbnails").rglob("*") if path.is_file()]
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in files}


@pytest.mark.skipif(not may_mount(), reason="this user may not mount anything here, not even for itself")
class TestDisk:
    """A real one, that only the program sees."""

    async def test_full(self, build: Build) -> None:
        """Not a byte is left for a picture: the video waits, however often it is tried; with room again it has them."""
        house = await build(messages=0, saving=True)
        await house.hold_pictures()
        async with on_a_disk(house) as (one, disk, port):
            hashes = await unseen(house, 50_000)
            await asyncio.to_thread(fill, disk)
            for _ in range(2):
                check_waiting(await given_back(house), "There is no room in ")
                assert shown(disk) == {}
                assert not list((disk / "incoming").iterdir())
            assert "There is no room" in (await told_of_worker(port, "pictures_halted"))["pictures_halted"]
            line = await one.hear("pictures.halted")
            assert (line["level"], "There is no room" in line["reason"]) == ("warning", True)
            assert set(lying(disk).values()) == hashes
            (disk / "filler").unlink()
            check_pictures(await all_made(house, hashes), shown(disk))
            await one.hear("pictures.go_on")
            assert "pictures_halted" not in (await get(port, "/ready"))[1]
            assert not list((disk / "incoming").iterdir())
            assert set(lying(disk).values()) == hashes

    async def test_read_only(self, build: Build) -> None:
        """Nothing is written, nothing is lost; once it can be written to, there are pictures."""
        house = await build(messages=0, saving=True)
        await house.hold_pictures()
        async with on_a_disk(house) as (one, disk, port):
            hashes = await unseen(house, 50_000)
            await asyncio.to_thread(remount, one.process.pid, house.folder / "disk", "ro")
            check_waiting(await given_back(house), "Read-only file system")
            assert "Read-only" in (await told_of_worker(port, "pictures_halted"))["pictures_halted"]
            assert shown(disk) == {}
            await asyncio.to_thread(remount, one.process.pid, house.folder / "disk", "rw")
            check_pictures(await all_made(house, hashes), shown(disk))
            assert not list((disk / "incoming").iterdir())
            assert set(lying(disk).values()) == hashes


def _all(_: web.Request) -> bool:
    return True


def _copies(request: web.Request) -> bool:
    return request.method == "GET" and "/blobs/" in request.path


def _pictures(request: web.Request) -> bool:
    return request.method == "PUT" and "/thumbnails/" in request.path


def _preview(request: web.Request) -> bool:
    return request.method == "PUT" and request.path.endswith("-preview.webp")


@pytest.mark.parametrize(
    ("refuses", "says", "reason"),
    [
        (_all, (500, "InternalError"), "can't be used at the moment"),
        (_copies, None, "can't be used at the moment"),
        (_pictures, (503, "SlowDown"), "can't be used at the moment"),
        (_pictures, (403, "AccessDenied"), "refuses"),
        (_pictures, (507, "StorageFull"), "no room"),
        (_preview, None, "can't be used at the moment"),
    ],
    ids=["500", "cut while it is copied", "503", "403", "507", "cut at the last picture"],
)
@pytest.mark.usefixtures("keys")
async def test_a_bucket_in_trouble(
    build: Build,
    between: tuple[Between, str],
    monkeypatch: pytest.MonkeyPatch,
    refuses: Callable[[web.Request], bool],
    says: Answer,
    reason: str,
) -> None:
    """Wherever it is in the way, the video waits and says why, no copy of it is left behind; and it goes on."""
    hurry(monkeypatch)
    monkeypatch.setattr(pause, "FIRST", 0.01)
    bucket, url = between
    house = await build(messages=0, saving=True)
    house.settings["CLIPSAVER_STORAGE_URL"] = url
    await house.hold_pictures()
    port = int(house.settings["CLIPSAVER_WEB_PORT"])
    async with house.open():
        hashes = await unseen(house, 50_000)
        bucket.answer, bucket.says = refuses, says
        check_waiting(await given_back(house), reason)
        assert bucket.refused > 0
        assert reason in (await told_of_worker(port, "pictures_halted"))["pictures_halted"]
        assert (await house.figures())["clipsaver_pictures_halted"] == 1
        assert [] == left_over(house.folder)
        bucket.answer = lambda _: False
        rows = await all_made(house, hashes)
        assert (await house.figures())["clipsaver_pictures_halted"] == 0
    async with await open_storage(url, data_dir=house.folder / "looking") as storage:
        names = [stored.name async for stored in storage.listing("thumbnails")]
        files = {name: b"".join([piece async for piece in storage.read(name)]) for name in names}
        assert {bytes.fromhex(one.name[-64:]) async for one in storage.listing("blobs")} == hashes
    check_pictures(rows, files)
    assert [] == left_over(house.folder)
