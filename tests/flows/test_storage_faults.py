"""The storage in trouble: nothing lost, nothing half, people are told, and it goes on by itself."""

import asyncio
import hashlib
import io
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
from aiohttp import ClientSession, web
from attrs import define, field

from clipsaver.media.storage import open_storage
from clipsaver.simulator import cdn_faults, videos
from tests.app.programs import Program, get, program
from tests.faults.mounted import may_mount, remount, seen_by
from tests.flows.conftest import Build
from tests.flows.house import House
from tests.flows.waiting import eventually
from tests.media.storage.bytes_in import left_over
from tests.media.storage.conftest import Stores, ask, keys, stores

__all__ = ["keys", "stores"]  # fixtures

SIZE = 8 * 2**20
VIDEO = videos.base("mp4")
DUE = "update clips set due_at = clock_timestamp() where state = 'pending' and due_at > clock_timestamp()"
STATES = "select state::text, count(*) from clips group by state"
IN_THE_WAY = "select distinct state::text, attempts, reason_code from clips"


def post(house: House, *sizes: int) -> set[bytes]:
    """Someone posts videos that nobody has posted before: their hashes."""
    world, where = house.world, house.channel("clips")
    hashes = set()
    for size in sizes:
        data = VIDEO + os.urandom(size - len(VIDEO))
        file = world.make_attachment(where.id, data=data, content_type="video/mp4")
        a_minute_ago = world.new_id() - (60_000 << 22)
        world.send_message(where.id, min(world.users), attachments=[file], id=a_minute_ago)
        hashes.add(hashlib.sha256(data).digest())
    return hashes


async def found(house: House) -> None:
    """Have the messages read."""
    await house.ask("/scan start", rescan="update")
    await house.ended(house.channel("clips"))


async def halted(port: int) -> dict[str, Any]:
    """Wait until nothing is fetched: what /ready says of it."""

    async def look() -> dict[str, Any] | None:
        worker: dict[str, Any] = orjson.loads((await get(port, "/ready"))[1])["parts"]["worker"]
        return worker if "saving_halted" in worker else None

    told = await eventually(look)
    assert told is not None
    return told


async def people_are_told(house: House, text: str) -> None:
    """Wait until people who ask read this."""

    async def look() -> bool:
        return text in (await house.ask("/scan status")).text

    await eventually(look)


async def all_stored(house: House, hashes: set[bytes]) -> None:
    """Wait until every clip has its bytes, without waiting for their turn."""

    async def look() -> bool:
        await house.pool.execute(DUE)
        rows = await house.pool.fetch("select state::text, sha256 from clips")
        return {(row["state"], row["sha256"]) for row in rows} == {("stored", one) for one in hashes}

    await eventually(look)
    assert await house.pool.fetchval("select count(*) from downloads") == 0


def lying(root: Path) -> dict[str, bytes]:
    """The names of a disk's blobs, and the hashes of what is in them."""
    files = [path for path in (root / "blobs").rglob("*") if path.is_file()]
    return {path.name: hashlib.sha256(path.read_bytes()).digest() for path in files}


def fill(root: Path) -> None:
    """Leave not a byte."""
    with (root / "filler").open("ab", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError as error:
            assert "No space" in str(error)  # noqa: PT017 - it has to come


@define
class Gate:
    """Holds files back in the middle until it is opened."""

    waiting: int = 0
    opened: asyncio.Event = field(factory=asyncio.Event)

    async def sleep(self, _: float) -> None:
        """What the CDN does in the middle of a file."""
        self.waiting += 1
        await self.opened.wait()


@asynccontextmanager
async def on_a_disk(house: House) -> AsyncIterator[tuple[Program, Path, int]]:
    """Run the program with a small disk of its own: the disk as it sees it, and its port."""
    folder = house.folder / "disk"
    folder.mkdir()
    environ = house.settings | {"CLIPSAVER_STORAGE_URL": f"file://{folder}", "CLIPSAVER_WEB_PORT": "0"}
    launcher = ("-m", "tests.faults.mounted", str(folder), str(SIZE))
    async with program("run", environ, house.folder, launcher=launcher) as one:
        await one.ready()
        yield one, seen_by(one.process.pid, folder), (await one.hear("web.listening"))["port"]
        assert await one.stop() == 0
    assert not list(folder.iterdir()), "the disk was none of its own"


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


Answer = tuple[int, str] | None
"""A status and S3's word for it; None: the connection is cut."""


@define(eq=False)
class Between:
    """Stands between the program and its bucket, and can be in the way."""

    bucket: str
    answer: Callable[[web.Request], bool] = lambda _: False
    says: Answer = None
    refused: int = 0

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Pass a request on, or not."""
        body = await request.read()
        if self.answer(request):
            self.refused += 1
            if self.says is None:
                assert request.transport is not None
                request.transport.abort()
                return web.Response()
            status, code = self.says
            return web.Response(status=status, text=f"<Error><Code>{code}</Code><Message>No.</Message></Error>")
        headers = {name: value for name, value in request.headers.items() if name not in {"Host", "Content-Length"}}
        async with (
            ClientSession(auto_decompress=False) as session,
            session.request(
                request.method, f"{self.bucket}{request.path_qs}", data=io.BytesIO(body), headers=headers
            ) as answer,
        ):
            passed = {name: answer.headers[name] for name in ("ETag", "Last-Modified") if name in answer.headers}
            said = await answer.read()
            if request.method == "HEAD" and "Content-Length" in answer.headers:
                passed["Content-Length"] = answer.headers["Content-Length"]
            return web.Response(status=answer.status, body=said, headers=passed | self._kind(answer.headers))

    @staticmethod
    def _kind(headers: Any) -> dict[str, str]:
        return {name: headers[name] for name in ("Content-Type", "Content-Range") if name in headers}


@pytest.fixture
async def between(stores: Stores) -> AsyncIterator[tuple[Between, str]]:
    """A bucket, with somebody in front of it: and the bucket's address."""
    made = Between(stores.s3)
    app = web.Application(client_max_size=64 * 2**20)
    app.router.add_route("*", "/{path:.*}", made.handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    yield made, f"s3://{stores.bucket('s3')}/below?endpoint=http://{host}:{port}&region=eu-central-1"
    await runner.cleanup()


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
    few = {"init_backoff": timedelta(milliseconds=1), "max_backoff": timedelta(milliseconds=2), "base": 2}
    monkeypatch.setattr("clipsaver.media.storage.clients.RETRIES", {"max_retries": 2, "backoff": few})
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
