"""A database with clips, the storage with their bytes, and a folder to export into."""

import hashlib
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
from attrs import define, evolve, field

from clipsaver.clips.portable.exporting import Export
from clipsaver.clips.portable.folder import Folder
from clipsaver.clips.portable.importing import Import
from clipsaver.clips.portable.model import Scope, Tally
from clipsaver.discord.snowflakes import at
from clipsaver.media.storage import Storage, blob_name
from clipsaver.postgres.pool import Pool

GUILD, CHANNEL, ANN = 10, 500, 42
BEGAN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ALL = Scope()

MESSAGE = """
insert into messages (message_id, channel_id, guild_id, author_id, content, posted_at, edited_at)
values ($1, $2, $3, $4, $5, $6, $7) on conflict do nothing
"""
CLIP = """
insert into clips (clip_id, message_id, attachment_id, channel_id, guild_id, filename, url, title, description,
    content_type, size, url_expires_at, width, height, duration_seconds, is_clip, is_spoiler, is_forward, game,
    clip_created_at, participants, sha256, state, reason)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24)
"""


def moment(seconds: float = 0) -> datetime:
    """So many seconds after the first."""
    return BEGAN + timedelta(seconds=seconds)


def message_id(seconds: float = 0, number: int = 0) -> int:
    """A message's id of that moment."""
    return at(moment(seconds)) + number


@define(eq=False, kw_only=True)
class House:
    """All of it."""

    pool: Pool
    storage: Storage
    folder: Path
    number: int = field(default=7000, init=False)

    async def settle(self) -> None:
        """Have a server, a channel and a person."""
        await self.guild()
        await self.channel()
        await self.pool.execute(
            "insert into users (discord_user_id, username, global_name, avatar) values ($1, 'ann', 'Ann', 'a1')", ANN
        )

    async def guild(self, guild_id: int = GUILD, name: str = "Friends") -> int:
        """Have a server."""
        await self.pool.execute("insert into bot_guilds (guild_id, name, icon) values ($1, $2, 'i1')", guild_id, name)
        return guild_id

    async def channel(self, channel_id: int = CHANNEL, name: str = "clips", **more: Any) -> int:
        """Have a channel."""
        row = {"guild_id": GUILD, "type": "text", "is_nsfw": False, "parent_id": None, "position": 3} | more
        await self.pool.execute(
            "insert into bot_channels (channel_id, name, guild_id, type, is_nsfw, parent_id, position) "
            "values ($1, $2, $3, $4, $5, $6, $7)",
            *(channel_id, name, *row.values()),
        )
        return channel_id

    async def keep(self, data: bytes) -> bytes:
        """Have bytes in the storage, and their row."""
        async with self.storage.incoming() as incoming:
            await incoming.write(data)
            sha256 = await self.storage.keep(incoming)
        await self.pool.execute(
            "insert into blobs (sha256, size, media_type) values ($1, $2, 'video/mp4') on conflict do nothing",
            sha256,
            len(data),
        )
        return sha256

    async def clip(self, seconds: float = 0, data: bytes | None = b"", **more: Any) -> str:
        """Have a clip; with bytes of its own, with these, or with None without any."""
        self.number += 1
        row: dict[str, Any] = {
            "message_id": message_id(seconds, self.number),
            "attachment_id": self.number,
            "channel_id": CHANNEL,
            "guild_id": GUILD,
            "filename": "video.mp4",
            "url": f"https://cdn.discordapp.com/attachments/1/{self.number}/video.mp4?ex=1",
            "title": None,
            "description": None,
            "content_type": "video/mp4",
            "size": 5,
            "url_expires_at": moment(86_400),
            "width": 640,
            "height": 360,
            "duration_seconds": 12.5,
            "is_clip": False,
            "is_spoiler": False,
            "is_forward": False,
            "game": None,
            "clip_created_at": None,
            "participants": [],
            "sha256": None,
            "state": "stored",
            "reason": None,
        }
        message = {"author_id": ANN, "content": None, "posted_at": moment(seconds), "edited_at": None}
        message |= {name: more.pop(name) for name in message.keys() & more.keys()}
        row |= more
        if data is None:
            row |= {"state": more.get("state", "pending")}
        else:
            row["sha256"] = await self.keep(data or f"clip {self.number}".encode())
        await self.pool.execute(MESSAGE, row["message_id"], row["channel_id"], row["guild_id"], *message.values())
        clip_id = f"{row['message_id']}-{row['attachment_id']}"
        await self.pool.execute(CLIP, clip_id, *row.values())
        return clip_id

    async def export(self, scope: Scope = ALL) -> Tally:
        """Export into the folder."""
        with Folder(self.folder) as folder:
            work = Export(pool=self.pool, storage=self.storage, folder=folder, scope=scope)
            await work()
            return work.tally

    async def take(self, **more: Any) -> Tally:
        """Import from the folder."""
        with Folder(self.folder) as folder:
            work = Import(pool=self.pool, storage=self.storage, folder=folder, removal=0.001, **more)
            await work()
            return work.tally

    # ── what lies in the folder ──

    def files(self, below: str = "clips") -> list[str]:
        """The files below a folder."""
        root = self.folder / below
        return sorted(path.relative_to(self.folder).as_posix() for path in root.rglob("*") if path.is_file())

    def everything(self) -> Mapping[str, bytes]:
        """All files and what is in them, but for what is only for our own use."""
        return {
            path.relative_to(self.folder).as_posix(): path.read_bytes()
            for path in sorted(self.folder.rglob("*"))
            if path.is_file() and ".incoming" not in path.parts
        }

    def list_path(self, channel_id: int = CHANNEL, guild_id: int = GUILD) -> Path:
        """A channel's list."""
        return self.folder / "manifest" / str(guild_id) / f"{channel_id}.jsonl"

    def lines(self, channel_id: int = CHANNEL, guild_id: int = GUILD) -> list[dict[str, Any]]:
        """The lines of a channel's list."""
        return [orjson.loads(line) for line in self.list_path(channel_id, guild_id).read_bytes().splitlines()]

    def entries(self) -> dict[str, dict[str, Any]]:
        """Every clip that is in a list."""
        return {
            line["clip_id"]: line
            for path in self.folder.glob("manifest/*/*.jsonl")
            for line in map(orjson.loads, path.read_bytes().splitlines())
            if line["kind"] == "clip"
        }

    def checked(self) -> subprocess.CompletedProcess[str]:
        """What coreutils says about the sums."""
        return subprocess.run(
            ["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"],  # noqa: S607 - whichever there is
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )

    def path_of(self, clip_id: str) -> Path:
        """Where a clip's file lies."""
        return self.folder / str(self.entries()[clip_id]["file"])

    async def blob(self, clip_id: str) -> Path:
        """Where a clip's bytes lie in the storage."""
        sha256 = await self.pool.fetchval("select sha256 from clips where clip_id = $1", clip_id)
        path = self.storage.local_path(blob_name(sha256))
        assert path is not None
        return path

    async def check(self) -> None:
        """Every stored clip has its bytes, and each server is charged exactly for its own."""
        for row in await self.pool.fetch("select sha256 from clips where state = 'stored'"):
            path = self.storage.local_path(blob_name(row["sha256"]))
            assert path is not None
            assert hashlib.sha256(path.read_bytes()).digest() == row["sha256"]
        charged = await self.pool.fetch("select guild_id, clips, bytes from guild_usage where clips <> 0 or bytes <> 0")
        there = await self.pool.fetch(
            "select c.guild_id, count(*) as clips, sum(b.size)::bigint as bytes from clips c "
            "left join blobs b using (sha256) where c.state = 'stored' group by c.guild_id"
        )
        assert {tuple(row) for row in charged} == {tuple(row) for row in there}


def beside(house: House, **changed: Any) -> House:
    """A house like another."""
    return evolve(house, **changed)
