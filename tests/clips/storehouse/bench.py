"""Clips whose bytes are stored as the saving station stores them, and a storehouse that looks after them."""

import asyncio
import hashlib
import itertools
import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast
from uuid import UUID, uuid4

from asyncpg import Record
from attrs import define, evolve, field

from clipsaver.clips.saving import store as saving
from clipsaver.clips.saving.model import Job
from clipsaver.clips.saving.steps import Save
from clipsaver.clips.storehouse.model import CollectRules, VerifyRules
from clipsaver.clips.storehouse.service import Storehouse
from clipsaver.media.fetching.download import Fetched
from clipsaver.media.storage import Storage, blob_name, picture_name
from clipsaver.postgres.few import Few
from clipsaver.postgres.pool import Pool

NUMBERS = itertools.count(1)
VERIFY = VerifyRules(share=1.0, bytes_per_second=0.0, patience=timedelta(hours=1), most=0.1)
COLLECT = CollectRules(grace=timedelta(hours=24), most=0.1)
LONG_AGO = timedelta(days=3)
USAGE = "select guild_id::bigint, clips, bytes from guild_usage where clips <> 0 or bytes <> 0"
RECOUNT = """
select c.guild_id::bigint, count(*) as clips, sum(b.size)::bigint as bytes
from clips c left join blobs b using (sha256) where c.state = 'stored' group by c.guild_id
"""


def sha256(data: bytes) -> bytes:
    """Its hash."""
    return hashlib.sha256(data).digest()


@define(kw_only=True, eq=False)
class Bench:
    """A database, a storage, and what works on both."""

    pool: Pool
    storage: Storage
    folder: Path
    """Where a local storage lies."""
    guilds: Sequence[int] = (1, 2)
    house: Storehouse = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.house = self.process()

    def process(self) -> Storehouse:
        """Another process's."""
        return Storehouse(pool=self.pool, storage=self.storage)

    async def settle(self) -> None:
        """Servers, each with a channel of the same number."""
        for guild_id in self.guilds:
            await self.pool.execute("insert into bot_guilds (guild_id, name) values ($1, 'g')", guild_id)
            await self.pool.execute(
                "insert into bot_channels (channel_id, guild_id, name, type) values ($1, $1, 'c', 'text')", guild_id
            )

    # ── clips ──

    async def post(self, guild_id: int = 1) -> str:
        """A clip is found."""
        number = next(NUMBERS)
        await self.pool.execute(
            "insert into messages (message_id, channel_id, guild_id, posted_at) values ($1, $2, $2, now())",
            number,
            guild_id,
        )
        await self.pool.execute(
            "insert into clips (clip_id, message_id, attachment_id, channel_id, guild_id, filename, url) "
            "values ($1, $2, 1, $3, $3, 'x.mp4', 'https://x')",
            f"{number}-1",
            number,
            guild_id,
        )
        return f"{number}-1"

    def save(self, clip_id: str, token: UUID | None = None) -> Save:
        """What a worker that has a clip in hand does with it."""
        nothing = cast("Any", None)
        number = int(clip_id.partition("-")[0])
        return Save(
            few=Few(self.pool, 2),
            fetcher=nothing,
            storage=self.storage,
            messages=nothing,
            readable=nothing,
            clips=nothing,
            partials=nothing,
            defaults={},
            job=Job(
                clip_id=clip_id, message_id=number, channel_id=1, guild_id=1, filename="x", url="https://x", attempts=1
            ),
            token=token or uuid4(),
        )

    async def take(self, clip_id: str) -> Save:
        """A worker takes a clip in hand."""
        save = self.save(clip_id)
        await self.pool.execute(
            "insert into downloads (clip_id, guild_id, attempts, lease_token, lease_until) "
            "values ($1, 1, 1, $2, clock_timestamp() + interval '1 minute') "
            "on conflict (clip_id) do update set lease_token = excluded.lease_token",
            clip_id,
            save.token,
        )
        return save

    async def store(self, data: bytes, *, guild_id: int = 1, clip_id: str | None = None) -> str:
        """Store a clip's bytes as a worker does once they have come."""
        clip_id = clip_id or await self.post(guild_id)
        save = await self.take(clip_id)
        async with self.storage.incoming() as incoming:
            await incoming.write(data)
            await save._keep(incoming, Fetched(size=len(data), content_type=None, container="video/mp4"))
        return clip_id

    async def keep(self, data: bytes) -> str:
        """Bytes come into the storage, and whoever brought them dies before there is a row."""
        async with self.storage.incoming() as incoming:
            await incoming.write(data)
            return blob_name(await self.storage.keep(incoming))

    async def picture(self, data: bytes, width: int = 320) -> str:
        """A picture of these bytes."""
        name = picture_name(sha256(data), width)
        await self.storage.put_picture(name, b"webp")
        return name

    # ── time, damage ──

    def path(self, data: bytes) -> Path:
        """Where these bytes lie on the disk."""
        return self.folder / "storage" / blob_name(sha256(data))

    async def age(self, by: timedelta = LONG_AGO) -> None:
        """Let time pass for all that lies there, and for its rows."""
        then = (datetime.now(UTC) - by).timestamp()
        for path in (self.folder / "storage").rglob("*"):
            if path.is_file():
                os.utime(path, (then, then))
        await self.pool.execute(
            "update blobs set stored_at = stored_at - $1::interval, verified_at = verified_at - $1::interval, "
            "deleting_at = deleting_at - $1::interval, checking_until = checking_until - $1::interval",
            by,
        )

    # ── the house ──

    async def verify(self, house: Storehouse | None = None, **changed: Any) -> dict[str, Any]:
        """Read bytes again; all of them, if nothing else is said."""
        return dict(await (house or self.house).verify(evolve(VERIFY, **changed)))

    async def collect(self, house: Storehouse | None = None, **changed: Any) -> dict[str, Any]:
        """Remove what nobody needs."""
        return dict(await (house or self.house).collect(evolve(COLLECT, **changed)))

    # ── what there is ──

    async def clip(self, clip_id: str) -> Record:
        """A clip's row."""
        row = await self.pool.fetchrow("select * from clips where clip_id = $1", clip_id)
        assert row is not None
        return row

    async def files(self) -> set[bytes]:
        """The hashes of the names that bytes lie under."""
        return {bytes.fromhex(one.name[-64:]) async for one in self.storage.listing("blobs")}

    async def rows(self) -> set[bytes]:
        """The hashes that have a row."""
        return {row["sha256"] for row in await self.pool.fetch("select sha256 from blobs")}

    async def pictures(self) -> list[str]:
        """The names of the pictures."""
        return [one.name async for one in self.storage.listing("thumbnails")]

    async def check(self, *, whole: bool = True) -> None:
        """No stored clip without its bytes, and usage is a recount; whole: bytes and rows are the same."""
        stored = await self.pool.fetch("select clip_id, sha256 from clips where state = 'stored'")
        for row in stored:
            kept = [piece async for piece in self.storage.read(blob_name(row["sha256"]))]
            assert row["sha256"] == await asyncio.to_thread(sha256, b"".join(kept))
        rows, files = await self.rows(), await self.files()
        assert {row["sha256"] for row in stored} <= rows
        if whole:
            assert rows == files
            assert not await self.pool.fetchval("select count(*) from blobs where deleting_at is not null")
            assert rows == {row["sha256"] for row in stored}
        await self.check_usage()

    async def check_usage(self) -> None:
        """Each server is charged what its stored clips take."""
        charged = {tuple(row) for row in await self.pool.fetch(USAGE)}
        assert charged == {tuple(row) for row in await self.pool.fetch(RECOUNT)}


async def lock_of(bench: Bench, data: bytes) -> Any:
    """Hold the lock on a hash, in a transaction of one's own, until it is ended."""
    conn = await bench.pool.acquire()
    await conn.execute("begin")
    await saving.lock_blob(conn, sha256(data))
    return conn
