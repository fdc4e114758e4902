"""Storages that a test can put in trouble while a program uses them: a small disk, and a bucket behind somebody."""

import hashlib
import io
import os
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import ClientSession, web
from attrs import define

from clipsaver.simulator import videos
from tests.app.programs import Program, get, program
from tests.faults.mounted import seen_by
from tests.flows.house import House
from tests.flows.waiting import eventually
from tests.media.storage.conftest import Stores

SIZE = 8 * 2**20
VIDEO = videos.base("mp4")
DUE = "update clips set due_at = clock_timestamp() where state = 'pending' and due_at > clock_timestamp()"


def post(house: House, *sizes: int) -> set[bytes]:
    """Someone posts videos that nobody has posted before: their hashes."""
    world, where = house.world, house.channel("clips")
    hashes = set()
    for size in sizes:
        room = size - len(VIDEO)
        data = VIDEO + struct.pack(">I4s", room, b"free") + os.urandom(room - 8)
        file = world.make_attachment(where.id, data=data, content_type="video/mp4")
        a_minute_ago = world.new_id() - (60_000 << 22)
        world.send_message(where.id, min(world.users), attachments=[file], id=a_minute_ago)
        hashes.add(hashlib.sha256(data).digest())
    return hashes


async def found(house: House) -> None:
    """Have the messages read."""
    await house.ask("/scan start", rescan="update")
    await house.ended(house.channel("clips"))


async def told_of_worker(port: int, what: str) -> dict[str, Any]:
    """Wait until /ready names that of the worker: all it says of it."""

    async def look() -> dict[str, Any] | None:
        worker: dict[str, Any] = orjson.loads((await get(port, "/ready"))[1])["parts"]["worker"]
        return worker if what in worker else None

    told = await eventually(look)
    assert told is not None
    return told


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


def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a bucket asked again twice only, and soon."""
    few = {"init_backoff": timedelta(milliseconds=1), "max_backoff": timedelta(milliseconds=2), "base": 2}
    monkeypatch.setattr("clipsaver.media.storage.clients.RETRIES", {"max_retries": 2, "backoff": few})


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
