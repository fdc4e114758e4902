"""The database of the measured scans: PostgreSQL as clipsaver brings it, and what it says about its own work."""

import asyncio
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Final

import asyncpg
from attrs import define, field

from bench.measuring import Discord
from clipsaver.postgres.embedded import Embedded
from clipsaver.postgres.pool import open_pool
from clipsaver.postgres.schema import apply_schema
from clipsaver.scans.model import Rescan, ScanRequest
from clipsaver.scans.service import Scans

TEMPLATE: Final = "bench_template"
FIGURES: Final = """
    select active_time, xact_commit, wal.wal_bytes::bigint as wal_bytes
      from pg_stat_database, pg_stat_wal as wal
     where datname = $1
"""
TIMES: Final = """
    select status, extract(epoch from started_at - created_at) as waited,
           extract(epoch from finished_at - started_at) as took
      from bot_channel_scan_runs
     where channel_id = $1
"""
TROUBLE: Final = "select min(error_message) from bot_channel_scan_runs"
CLIPS: Final = "select count(*) from clips"


@asynccontextmanager
async def connected(url: str, name: str) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    """One connection to one of the server's databases."""
    conn: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(url, database=name)
    try:
        yield conn
    finally:
        await conn.close()


@define
class Database:
    """A running server; every measurement gets a fresh database on it."""

    server: Embedded
    _numbers: "count[int]" = field(factory=count)
    _making: asyncio.Lock = field(factory=asyncio.Lock)
    """A template is copied for one at a time."""

    async def prepare(self) -> str:
        """Make the template that the others are copied from; the server's version."""
        async with connected(self.server.url, "postgres") as conn:
            await conn.execute(f"create database {TEMPLATE}")
            version = await conn.fetchval("show server_version")
        pool = await open_pool(self.url(TEMPLATE), size=1)
        try:
            await apply_schema(pool)
        finally:
            await pool.close()
        return str(version)

    async def create(self) -> str:
        """Make a database with nothing in its tables; its name."""
        name = f"bench_{next(self._numbers)}"
        async with self._making, connected(self.server.url, "postgres") as conn:
            await conn.execute(f"create database {name} template {TEMPLATE}")
            await conn.execute("checkpoint")
        return name

    async def begin(self, discord: Discord) -> str:
        """Make a database with a scan of every channel queued; its name."""
        name = await self.create()
        await self.add_channels(name, discord.guild, discord.channels)
        await self.queue(name, dict.fromkeys(discord.channels, discord.guild))
        return name

    async def add_channels(self, name: str, guild_id: int, channels: Sequence[int]) -> None:
        """Make a server's channels known, as the bot would."""
        async with connected(self.server.url, name) as conn:
            await conn.execute("insert into bot_guilds (guild_id, name) values ($1, 'bench')", guild_id)
            await conn.execute(
                "insert into bot_channels (channel_id, guild_id, name, type) "
                "select channel_id, $2, 'bench', 'text' from unnest($1::bigint[]) as channel_id",
                list(channels),
                guild_id,
            )

    async def queue(self, name: str, channels: Mapping[int, int]) -> None:
        """Queue a scan of each channel, given with its server."""
        await queue(self.url(name), channels)

    async def times(self, name: str, channel_id: int) -> tuple[float, float] | None:
        """How long a channel's scan waited for a worker, and how long it took; None while it isn't over."""
        async with connected(self.server.url, name) as conn:
            row = await conn.fetchrow(TIMES, channel_id)
        if row is None or row["status"] in {"queued", "running"}:
            return None
        if row["status"] != "succeeded":
            raise ValueError(f"A scan has ended as {row['status']}.")
        return float(row["waited"]), float(row["took"])

    async def check(self, name: str) -> None:
        """Look whether any scan has met with trouble: then nothing was measured that is worth a figure."""
        async with connected(self.server.url, name) as conn:
            trouble = await conn.fetchval(TROUBLE)
        if trouble is not None:
            raise ValueError(f"A scan met with trouble: {trouble}")

    async def figures(self, name: str) -> dict[str, float]:
        """What PostgreSQL has done so far: in the database's statements, commits included, and as a whole."""
        async with connected(self.server.url, "postgres") as conn:
            row = await conn.fetchrow(FIGURES, name)
        if row is None:
            raise LookupError(name)
        return {**{key: float(value) for key, value in row.items()}, "cpu_seconds": family_cpu(self.server.pid)}

    async def end(self, name: str, discord: Discord) -> None:
        """Look whether all clips are there, and drop the database."""
        async with connected(self.server.url, name) as conn:
            clips = await conn.fetchval(CLIPS)
        if clips != discord.clips:
            raise ValueError(f"{clips} clips were kept where there are {discord.clips}.")
        await self.drop(name)

    async def drop(self, name: str) -> None:
        """Drop a database."""
        async with connected(self.server.url, "postgres") as conn:
            await conn.execute(f"drop database {name} with (force)")

    def environ(self, name: str) -> dict[str, str]:
        """What tells a process where its database is."""
        return {**os.environ, "CLIPSAVER_DATABASE_URL": self.url(name)}

    def url(self, name: str) -> str:
        """A database's address."""
        address, _, options = self.server.url.partition("?")
        return f"{address.rpartition('/')[0]}/{name}" + (f"?{options}" if options else "")


async def queue(url: str, channels: Mapping[int, int]) -> None:
    """Queue a scan of each channel, given with its server, in the database at an address."""
    pool = await open_pool(url, size=1)
    try:
        for channel_id, guild_id in channels.items():
            await Scans(pool=pool, defaults={}).start(request(guild_id, channel_id))
    finally:
        await pool.close()


def request(guild_id: int, channel_id: int) -> ScanRequest:
    """A scan of a whole channel."""
    return ScanRequest(
        guild_id=guild_id,
        channel_id=channel_id,
        direction=None,
        limit=None,
        since=None,
        until=None,
        rescan=Rescan.CONTINUE,
        requested_by=1,
        progress_channel_id=None,
    )


def family_cpu(pid: int) -> float:
    """CPU seconds of a process, of its children, and of those that have ended."""
    ticks = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            told = stat.read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue  # ended meanwhile
        # From the state on, which follows the name in brackets: parent, then the times, own and of ended children.
        fields = told.rpartition(")")[2].split()
        if int(told.split(" ", 1)[0]) == pid:
            ticks += sum(map(int, fields[11:15]))
        elif int(fields[1]) == pid:
            ticks += sum(map(int, fields[11:13]))
    return ticks / os.sysconf("SC_CLK_TCK")
