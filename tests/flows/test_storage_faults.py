"""The storage in trouble: nothing lost, nothing half, people are told, and it goes on by itself."""

import asyncio
import hashlib
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp import web
from attrs import define, field

from clipsaver.media.storage import open_storage
from clipsaver.simulator import cdn_faults
from tests.app.programs import get
from tests.faults.mounted import may_mount, remount
from tests.flows.conftest import Build
from tests.flows.house import House
from tests.flows.trouble import (
    DUE,
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
from tests.media.storage.conftest import Stores, ask, keys, stores

__all__ = ["between", "keys", "stores"]  # fixtures

IN_THE_WAY = "select distinct state::text, attempts, reason_code from clips"


async def halted(port: int) -> dict[str, Any]:
    """Wait until nothing is fetched: what /ready says of it."""
    return await told_of_worker(port, "saving_halted")


async def people_are_told(house: House, text: str) -> None:
    """Wait until people who ask read this."""

    async def look() -> bool:
        return text in (await house.ask("/scan status")).text

    await eventually(look)


@define
class Gate:
    """Holds files back in the middle until it is opened."""

    waiting: int = 0
    opened: asyncio.Event = field(factory=asyncio.Event)

    async def sleep(self, _: float) -> None:
        """What the CDN does in the middle of a file."""
        self.waiting += 1
        await self.opened.wait()


@pytest.mark.skipif(not may_mount(), reason="this user may not mount anything here, not even for itself")
class TestDisk:
    """A real one, that only the program sees."""

    async def test_full_in_the_middle_of_a_file(self, build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
        """No half file, no row, no attempt lost; people are told; with room again it goes on."""
        gate = Gate()
        monkeypatch.setattr(cdn_faults, "asyncio", SimpleNamespace(sleep=gate.sleep))
        house = await build(messages=0, saving=True)
        hashes = post(house, 3 * 2**20)
        house.simulator.faults.add("stall", "GET /attachments/*")
        async with on_a_disk(house) as (one, disk, port):
            await found(house)

            async def coming() -> bool:
                return gate.waiting == len(hashes)

            await eventually(coming)
            await asyncio.to_thread(fill, disk)
            gate.opened.set()
            told = await halted(port)
            assert told["saving_halted_by"] == "full"
            line = await one.hear("saving.halted")
            assert (line["kind"], line["level"]) == ("full", "warning")
            rows = await self._in_the_way(house, len(hashes))
            assert rows == {("pending", 0, "no_room")}
            await asyncio.to_thread(fill, disk)  # once more, with the room that the half file had
            await house.pool.execute(DUE)
            assert (await halted(port))["saving_halted_by"] == "full"
            await people_are_told(house, "Nothing is saved at the moment: the storage has")
            assert lying(disk) == {}
            assert not list((disk / "incoming").iterdir())
            assert await house.pool.fetchval("select count(*) from blobs") == 0
            (disk / "filler").unlink()
            await all_stored(house, hashes)
            assert set(lying(disk).values()) == hashes
            assert all(name == digest.hex() for name, digest in lying(disk).items())
            await one.hear("saving.goes_on")
            assert "saving_halted" not in (await get(port, "/ready"))[1]

    async def test_read_only(self, build: Build) -> None:
        """Nothing is written, nothing is lost; once it can be written to, it goes on."""
        house = await build(messages=0, saving=True)
        hashes = post(house, 300_000, 300_001)
        async with on_a_disk(house) as (one, disk, port):
            await found(house)
            await all_stored(house, hashes)
            await asyncio.to_thread(remount, one.process.pid, house.folder / "disk", "ro")
            more = post(house, 300_002, 300_003)
            await found(house)
            told = await halted(port)
            assert told["saving_halted_by"] == "trouble"
            assert "Read-only file system" in told["saving_halted"]
            await people_are_told(house, "the storage doesn't work as it should")
            assert set(lying(disk).values()) == hashes
            remount(one.process.pid, house.folder / "disk", "rw")
            await all_stored(house, hashes | more)
            assert set(lying(disk).values()) == hashes | more
            assert not list((disk / "incoming").iterdir())

    @staticmethod
    async def _in_the_way(house: House, clips: int) -> set[tuple[Any, ...]]:
        """Wait until every clip has been given back: how they are."""

        async def look() -> set[tuple[Any, ...]] | None:
            if await house.pool.fetchval("select count(*) from clips where reason_code is not null") < clips:
                return None
            return {tuple(row) for row in await house.pool.fetch(IN_THE_WAY)}

        there = await eventually(look)
        assert there is not None
        return there


def _writing(request: web.Request) -> bool:
    return request.method in {"PUT", "POST"}


def _second_part(request: web.Request) -> bool:
    return request.query.get("partNumber") == "2"


def _all(_: web.Request) -> bool:
    return True


@pytest.mark.parametrize(
    ("refuses", "says", "reason"),
    [
        (_all, (500, "InternalError"), "can't be used at the moment"),
        (_writing, (503, "SlowDown"), "can't be used at the moment"),
        (_writing, (403, "AccessDenied"), "refuses"),
        (_writing, (507, "StorageFull"), "no room"),
        (_all, None, "can't be used at the moment"),
        (_second_part, None, "can't be used at the moment"),
        (_second_part, (500, "InternalError"), "can't be used at the moment"),
    ],
    ids=["500", "503", "403", "507", "cut", "cut in the middle", "500 in the middle"],
)
@pytest.mark.usefixtures("keys")
async def test_a_bucket_in_trouble(
    build: Build,
    between: tuple[Between, str],
    stores: Stores,
    monkeypatch: pytest.MonkeyPatch,
    refuses: Callable[[web.Request], bool],
    says: Answer,
    reason: str,
) -> None:
    """No row without its object, nothing in parts is left behind, people are told; and it goes on."""
    hurry(monkeypatch)
    bucket, url = between
    house = await build(messages=0, saving=True)
    house.settings["CLIPSAVER_STORAGE_URL"] = url
    hashes = post(house, 300_000, 20 * 2**20)
    port = int(house.settings["CLIPSAVER_WEB_PORT"])
    async with house.open():
        bucket.answer, bucket.says = refuses, says
        await found(house)
        told = await halted(port)
        assert reason in told["saving_halted"]
        assert bucket.refused > 0
        rows = await house.pool.fetch("select attempts from clips where state = 'pending'")
        assert {row["attempts"] for row in rows} == {0}
        await people_are_told(
            house, "found the storage" if refuses is _second_part else "Nothing is saved at the moment"
        )
        bucket.answer = lambda _: False
        await all_stored(house, hashes)
    await _check(url, hashes, house.folder)
    name = url.removeprefix("s3://").partition("/")[0]
    assert "<UploadId>" not in await asyncio.to_thread(ask, "GET", f"{stores.s3}/{name}?uploads")


async def _check(url: str, hashes: set[bytes], folder: Path) -> None:
    """What lies in the bucket is what was served, and nothing besides."""
    async with await open_storage(url, data_dir=folder / "looking") as storage:
        names = [stored.name async for stored in storage.listing("blobs")]
        there = {hashlib.sha256(b"".join([piece async for piece in storage.read(name)])).digest() for name in names}
    assert there == hashes
    assert {bytes.fromhex(name[-64:]) for name in names} == hashes
    assert [] == left_over(folder)
