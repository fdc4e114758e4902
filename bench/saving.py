"""Clips stored end to end, beside aiohttp fetching the same files to the same disk; and what memory that takes."""

import asyncio
import os
import shutil
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import asyncpg
import orjson
from attrs import define, field, frozen

from bench.client_files import Order
from bench.database import Database, connected, family_cpu
from bench.measuring import say
from bench.media_server import path_of
from bench.programs import Program, end, free_port, memory, program, settings_for, stand_in
from bench.report import FLAT
from bench.saving_report import CLIENTS, summary
from bench.stand_in import Held
from clipsaver.config import load

AT_ONCE: Final = load(None, {}, Path("/")).saving.concurrency
"""Files that are fetched at the same time, by everyone."""
MOST: Final = 12 * 10**9
"""Bytes that may lie on the disk at the same time."""
PATIENCE: Final = 600.0
LOOK: Final = 0.01
START: Final = 120.0

# What comes is no video: pictures of it would only be tried in vain, beside what is measured.
NO_PICTURES: Final = "alter table thumbnails alter column state set default 'made'"
QUEUE: Final = """
    with wanted as (
        select number, 1000000000000000000 + number as id, $1::bigint as channel_id, $2::bigint as guild_id
        from generate_series($3::bigint, $4::bigint) as number
    ), posted as (
        insert into messages (message_id, channel_id, guild_id, posted_at)
        select id, channel_id, guild_id, now() from wanted
    )
    insert into clips (clip_id, message_id, attachment_id, channel_id, guild_id, filename, content_type, size, url)
    select id || '-' || id, id, id, channel_id, guild_id, number || '.mp4', 'video/mp4', $5::bigint,
           replace($6, '{number}', number::text)
    from wanted
"""
BEGUN: Final = "select exists (select from downloads)"
LEFT: Final = "select exists (select from clips where state = 'pending')"
STORED: Final = """
    select count(*) as clips, coalesce(sum(b.size), 0)::bigint as bytes
    from clips c join blobs b using (sha256)
    where c.state = 'stored' and c.message_id >= 1000000000000000000 + $1::bigint
"""
TROUBLE: Final = "select min(reason) from clips where reason is not null"


@frozen(kw_only=True)
class Size:
    """Files of one length."""

    name: str
    bytes: int
    files: int
    repeats: int


@frozen(kw_only=True)
class Form:
    """How much is measured."""

    sizes: Sequence[Size]
    memory: tuple[int, int]
    """How many files of the largest size are stored to compare the memory."""


LARGE: Final = 100_000_000
SHORT: Final = Form(
    sizes=(
        Size(name="8 MB", bytes=8_000_000, files=25, repeats=2),
        Size(name="100 MB", bytes=LARGE, files=4, repeats=1),
    ),
    memory=(AT_ONCE, 2 * AT_ONCE),
)
FULL: Final = Form(
    sizes=(
        Size(name="8 MB", bytes=8_000_000, files=500, repeats=5),
        Size(name="100 MB", bytes=LARGE, files=40, repeats=5),
    ),
    memory=(10, 100),
)


@asynccontextmanager
async def media_server(video: Path | None = None) -> AsyncIterator[str]:
    """Serve files for as long as this is entered, or a video under every address: where."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.media_server", *(() if video is None else (str(video),))),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    if process.stdin is None or process.stdout is None:
        raise RuntimeError("a process without its pipes")
    try:
        yield (await asyncio.wait_for(process.stdout.readline(), START)).decode().strip()
    finally:
        process.stdin.close()
        await end(process)


@define(kw_only=True)
class Course:
    """One disk, one database, and who fetches in turn."""

    database: Database
    name: str
    url: str
    """Where the files come from."""
    guild: int
    channel: int
    folder: Path
    settings: Mapping[str, str]
    _next: int = field(default=1, init=False)
    """No file is fetched twice."""

    @property
    def data(self) -> Path:
        """Where clipsaver stores."""
        return self.folder / "data"

    @asynccontextmanager
    async def worker(self) -> AsyncIterator[Program]:
        """Run a worker with an empty storage, to when it has nothing to do."""
        settings = {**self.settings, "CLIPSAVER_DATA_DIR": str(self.data)}
        async with program("worker", self.folder, settings, port=free_port()) as running:
            await running.ready()
            yield running

    async def fetch(self, client: str, size: Size) -> dict[str, Any]:
        """Have another client fetch so many files."""
        target = self.folder / client
        target.mkdir()
        order = Order(
            url=self.url,
            folder=str(target),
            first=self._first(size.files),
            files=size.files,
            size=size.bytes,
            at_once=AT_ONCE,
            checked=client == "checked",
        )
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bench.client_files", order.told()), stdout=asyncio.subprocess.PIPE
        )
        out, _ = await asyncio.wait_for(process.communicate(), PATIENCE)
        if process.returncode:
            raise RuntimeError(f"{client} ended with {process.returncode}.")
        await asyncio.to_thread(shutil.rmtree, target)
        told: dict[str, Any] = orjson.loads(out)
        return told

    async def store(self, running: Program, size: Size) -> dict[str, Any]:
        """Have clips of so many files stored: from the first claim to the last commit."""
        first = self._first(size.files)
        most = Path(f"/proc/{running.pid}/clear_refs")
        await asyncio.to_thread(most.write_text, "5")  # Linux: what is called the most begins again
        async with connected(self.database.url(self.name), self.name) as conn:
            used, postgres = family_cpu(running.pid), family_cpu(self.database.server.pid)
            await conn.execute(
                QUEUE,
                *(self.channel, self.guild, first, first + size.files - 1, size.bytes),
                self.url + path_of(0, size.bytes).replace("/0/", "/{number}/"),
            )
            await until(conn, BEGUN, running, wanted=True)
            begun = time.perf_counter()
            await until(conn, LEFT, running, wanted=False)
            seconds = time.perf_counter() - begun
            used, postgres = family_cpu(running.pid) - used, family_cpu(self.database.server.pid) - postgres
            await self._check(conn, first, size)
        told = {
            "bytes": size.files * size.bytes,
            "seconds": seconds,
            "cpu_seconds": used,
            "postgres_cpu_seconds": postgres,
            "most_memory_mb": memory(running.pid)["most_mb"],
        }
        await asyncio.to_thread(self._empty)
        return told

    async def turn(self, client: str, size: Size, running: Program) -> dict[str, Any]:
        """Have one client at work, with nothing left to be written from before."""
        await asyncio.to_thread(os.sync)
        told = await (self.store(running, size) if client == "clipsaver" else self.fetch(client, size))
        say(
            f"saving: {client:9} {size.files:3} files of {size.name} {told['bytes'] / told['seconds'] / 1e6:6,.0f} MB/s"
        )
        return told

    def _first(self, files: int) -> int:
        """The first of so many new numbers."""
        first, self._next = self._next, self._next + files
        return first

    async def _check(self, conn: "asyncpg.Connection[asyncpg.Record]", first: int, size: Size) -> None:
        """Look whether all is stored, in rows and in files."""
        trouble = await conn.fetchval(TROUBLE)
        row = await conn.fetchrow(STORED, first)
        kept = [path.stat().st_size for path in self._blobs()]
        whole = (size.files, size.files * size.bytes)
        if trouble is not None or row is None or tuple(row.values()) != whole or (len(kept), sum(kept)) != whole:
            raise ValueError(f"Not everything was stored: {trouble or row}")

    def _blobs(self) -> list[Path]:
        return [path for path in self.data.rglob("blobs/*/*") if path.is_file()]

    def _empty(self) -> None:
        for path in self._blobs():
            path.unlink()


async def until(conn: "asyncpg.Connection[asyncpg.Record]", question: str, running: Program, *, wanted: bool) -> None:
    """Ask the database until it says so."""
    async with asyncio.timeout(PATIENCE):
        while await conn.fetchval(question) is not wanted:
            running.alive()
            await asyncio.sleep(LOOK)


@asynccontextmanager
async def course(database: Database, folder: Path) -> AsyncIterator[Course]:
    """Prepare everything but the worker."""
    own = folder / "saving"
    own.mkdir()
    async with stand_in(Held(lengths=(0,))) as there, media_server() as url:
        (channel,) = there.discord.channels
        name = await database.create()
        try:
            await database.add_channels(name, there.discord.guild, there.discord.channels)
            async with connected(database.url(name), name) as conn:
                await conn.execute(NO_PICTURES)
            settings = settings_for(there.discord, database=database.url(name), media=url, metered=True)
            yield Course(
                database=database,
                name=name,
                url=url,
                guild=there.discord.guild,
                channel=channel,
                folder=own,
                settings=settings,
            )
        finally:
            await database.drop(name)
            await asyncio.to_thread(shutil.rmtree, own)


async def saving(database: Database, folder: Path, form: Form) -> dict[str, Any]:
    """Measure all sizes, and the memory of few and of many large files."""
    largest = max(*(size.files * size.bytes for size in form.sizes), max(form.memory) * LARGE)
    if shutil.disk_usage(folder).free < min(largest, MOST) * 1.2:
        raise OSError(f"{folder} has no room for {largest / 1e9:.0f} GB.")
    async with course(database, folder) as one:
        sizes = {}
        async with one.worker() as running:
            for size in form.sizes:
                runs: dict[str, list[dict[str, Any]]] = {client: [] for client in CLIENTS}
                for _ in range(size.repeats):
                    for client, taken in runs.items():
                        taken.append(await one.turn(client, size, running))
                sizes[size.name] = summary(runs) | {"bytes": size.bytes, "files": size.files, "repeats": size.repeats}
        async with one.worker() as running:
            told = [
                await one.turn("clipsaver", Size(name="100 MB", bytes=LARGE, files=files, repeats=1), running)
                for files in form.memory
            ]
    few, many = (run["most_memory_mb"] for run in told)
    return {
        "at_once": AT_ONCE,
        "sizes": sizes,
        "memory": {
            "files": form.memory,
            "bytes": LARGE,
            "runs": told,
            "ratio": many / few,
            "flat": many / few <= 1 + FLAT,
        },
        "reached": all(size["reached"] for size in sizes.values()),
    }
