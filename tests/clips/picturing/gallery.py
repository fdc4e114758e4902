"""Stored videos with their rows, a storage on disk, and workers to be run by hand."""

import asyncio
import io
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from asyncpg import Record
from attrs import define, field
from PIL import Image

from clipsaver.clips.picturing.model import Job
from clipsaver.clips.picturing.service import Pictures
from clipsaver.clips.picturing.station import PicturingWork
from clipsaver.media.probe.model import Examined
from clipsaver.media.probe.studio import Studio
from clipsaver.media.storage import Storage, picture_name
from clipsaver.postgres.pool import Pool
from clipsaver.work.worker import Lease
from tests.media.films import Film

GUILD, OTHER_GUILD, CHANNEL = 1, 2, 10
ADD_CLIP: Final = """
insert into clips
    (clip_id, message_id, channel_id, guild_id, filename, url, width, height, duration_seconds, state, sha256)
values ($1, $2, $3, $4, 'x.mp4', 'https://x', $5, $6, $7, $8, $9)
"""


@define(kw_only=True)
class Scripted(Studio):
    """Says what a test tells it to say, without a child."""

    answers: list[Examined | Exception] = field(factory=list)
    """One after the other; the last one again and again."""
    meanwhile: Callable[[], Awaitable[object]] | None = None
    """What happens while it looks."""

    async def examine(self, path: Path, *, want_pictures: bool = True) -> Examined:
        """Give the next answer."""
        assert await asyncio.to_thread(path.is_file)
        assert want_pictures
        if self.meanwhile is not None:
            await self.meanwhile()
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


@define(kw_only=True)
class Gallery:
    """A database and a storage, with videos in them."""

    pool: Pool
    storage: Storage
    folder: Path
    lease_time: timedelta = timedelta(minutes=5)
    _numbers: "count[int]" = field(factory=lambda: count(100), init=False)

    @property
    def pictures(self) -> Pictures:
        """What a door would call."""
        return Pictures(pool=self.pool)

    def worker(self, studio: Studio | None = None, storage: Storage | None = None) -> PicturingWork:
        """What a worker would run, in a process of its own."""
        return PicturingWork(
            pool=self.pool,
            storage=storage or self.storage,
            studio=studio or Studio(),
            lease_time=self.lease_time,
        )

    async def settle(self) -> None:
        """Have a server with a channel, and another."""
        for guild_id in (GUILD, OTHER_GUILD):
            await self.pool.execute("insert into bot_guilds (guild_id, name) values ($1, 'g')", guild_id)
        await self.pool.execute("insert into bot_channels (channel_id, guild_id) values ($1, $2)", CHANNEL, GUILD)

    def film(self, name: str = "film.mp4", **what: Any) -> bytes:
        """A real video's bytes."""
        return Film(**what).save(self.folder / name).read_bytes()

    async def store(self, data: bytes, *, clips: int = 1, guild_id: int = GUILD) -> bytes:
        """Have bytes stored, with their row, and clips of them; their hash."""
        async with self.storage.incoming() as incoming:
            await incoming.write(data)
            sha256 = await self.storage.keep(incoming)
        await self.pool.execute(
            "insert into blobs (sha256, size) values ($1, $2) on conflict do nothing", sha256, len(data)
        )
        for _ in range(clips):
            await self.add_clip(sha256, guild_id=guild_id)
        return sha256

    async def add_clip(
        self,
        sha256: bytes | None,
        *,
        guild_id: int = GUILD,
        size: tuple[int, int] | None = None,
        seconds: float | None = None,
    ) -> str:
        """Add a clip, stored if it has a hash; what Discord said of it."""
        number = next(self._numbers)
        await self.pool.execute(
            "insert into messages (message_id, channel_id, guild_id, posted_at) values ($1, $2, $3, now())",
            number,
            CHANNEL,
            guild_id,
        )
        clip_id, (width, height) = f"{number}-{number}", size or (None, None)
        state = "pending" if sha256 is None else "stored"
        await self.pool.execute(ADD_CLIP, clip_id, number, CHANNEL, guild_id, width, height, seconds, state, sha256)
        return clip_id

    async def claim(self, worker: PicturingWork) -> tuple[Job, Lease] | None:
        """Claim a video as a worker would."""
        token = uuid4()
        job = await worker.claim(token)
        return None if job is None else (job, Lease(token=token))

    async def work_off(self, worker: PicturingWork | None = None) -> int:
        """Look at one video after the other until none is due; how many were claimed."""
        made = worker or self.worker()
        claimed = 0
        while (taken := await self.claim(made)) is not None:
            await made.work(*taken)
            claimed += 1
        return claimed

    async def due(self) -> None:
        """Let the time pass until everything is due, and every lease is over."""
        await self.pool.execute(
            "update thumbnails set due_at = clock_timestamp(), "
            "lease_until = least(lease_until, clock_timestamp() - interval '1 second') where state = 'pending'"
        )

    async def row(self, sha256: bytes | None = None) -> Record:
        """What is known of a video; of the only one, if none is named."""
        rows = await self.pool.fetch("select * from thumbnails where $1::bytea is null or sha256 = $1", sha256)
        assert len(rows) == 1, rows
        return rows[0]

    async def clip(self, clip_id: str) -> Record:
        """A clip's row."""
        (row,) = await self.pool.fetch("select * from clips where clip_id = $1", clip_id)
        return row

    async def state(self, sha256: bytes | None = None) -> tuple[str, str | None, int]:
        """How a video stands: state, reason code, attempts."""
        row = await self.row(sha256)
        return row["state"], row["reason_code"], row["attempts"]

    async def waits(self, sha256: bytes | None = None) -> timedelta:
        """How long until a video is tried again, to the minute."""
        left = await self.pool.fetchval(
            "select due_at - clock_timestamp() from thumbnails where $1::bytea is null or sha256 = $1", sha256
        )
        return timedelta(minutes=round(left.total_seconds() / 60))

    async def shown(self, sha256: bytes) -> Mapping[str, Image.Image]:
        """The pictures of a video as they lie in the storage, decoded; as large as its row says."""
        sizes: Mapping[str, Sequence[int]] = (await self.row(sha256))["pictures"]
        found = {}
        for what, size in sizes.items():
            data = b"".join([piece async for piece in self.storage.read(picture_name(sha256, what))])
            found[what] = Image.open(io.BytesIO(data))
            found[what].load()
            assert found[what].format == "WEBP"
            assert list(found[what].size) == list(size)
        return found

    async def lying(self) -> set[str]:
        """The names of all pictures in the storage."""
        return {one.name async for one in self.storage.listing("thumbnails")}

    @property
    def unfinished(self) -> list[Path]:
        """What is still coming in, or was left behind."""
        return [path for path in self.folder.rglob("incoming/*") if path.is_file()]


def resting(worker: PicturingWork) -> str | None:
    """Why a worker looks at nothing just now."""
    return worker.pause.reason
