"""Messages with videos on a simulated Discord, their rows, a storage on disk, and workers to be run by hand."""

import hashlib
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from asyncpg import Record
from attrs import define, field

from clipsaver.clips.finding import find_clips
from clipsaver.clips.model import Batch, Portion
from clipsaver.clips.rules import Rules
from clipsaver.clips.saving.figures import store as figures
from clipsaver.clips.saving.model import Job
from clipsaver.clips.saving.service import Saving
from clipsaver.clips.saving.station import SavingWork
from clipsaver.clips.service import Clips
from clipsaver.discord.access import Access
from clipsaver.discord.messages import Messages
from clipsaver.discord.rest import Rest
from clipsaver.discord.snapshots import structure_message
from clipsaver.guilds.settings import Settings
from clipsaver.media.fetching.fetcher import Fetcher
from clipsaver.media.fetching.rest import Rest as HostRest
from clipsaver.media.storage import Storage, blob_name
from clipsaver.postgres.pool import Pool, in_transaction
from clipsaver.simulator import videos
from clipsaver.simulator.entities import TEXT, Channel, Message
from clipsaver.simulator.server import Simulator
from clipsaver.work.worker import Lease

FILE = "GET /attachments/{channel_id}/{attachment_id}/{filename}"
STATES = "select state::text, count(*) as clips from clips group by state"
TOLD = """
    select guild_id, channel_id, state::text, reason_code, sum(clips)::int as clips, sum(bytes)::bigint as bytes
    from clip_tallies group by 1, 2, 3, 4 having sum(clips) <> 0 or sum(bytes) <> 0
"""
COUNTED = """
    select guild_id, channel_id, state::text, coalesce(reason_code, ''), count(*)::int as clips,
           coalesce(sum(b.size) filter (where c.state = 'stored'), 0)::bigint as bytes
    from clips c left join blobs b using (sha256) group by 1, 2, 3, 4
"""


@define(kw_only=True)
class Workshop:
    """A Discord, a database and a storage, with everything between them."""

    simulator: Simulator
    pool: Pool
    storage: Storage
    folder: Path
    rest: Rest
    fetcher: Fetcher
    defaults: dict[str, Any] = field(factory=dict)
    lease_time: timedelta = timedelta(minutes=5)

    @property
    def guild_id(self) -> int:
        """The first guild."""
        return min(self.simulator.world.guilds)

    @property
    def channel(self) -> Channel:
        """Its first text channel."""
        return next(one for one in self.simulator.world.channels_of(self.guild_id) if one.type == TEXT)

    @property
    def saving(self) -> Saving:
        """What a door would call."""
        return Saving(pool=self.pool)

    def worker(self) -> SavingWork:
        """What a worker would run, in a process of its own."""
        return SavingWork(
            pool=self.pool,
            fetcher=self.fetcher,
            storage=self.storage,
            messages=Messages(rest=self.rest),
            access=Access(rest=self.rest, bot_id=self.simulator.world.bot_id),
            clips=Clips(pool=self.pool),
            defaults=self.defaults,
            lease_time=self.lease_time,
        )

    async def settle(self) -> None:
        """Put the guild and its channels into the database."""
        world = self.simulator.world
        for guild_id in world.guilds:
            await self.pool.execute("insert into bot_guilds (guild_id, name) values ($1, 'g')", guild_id)
            for channel in world.channels_of(guild_id):
                await self.pool.execute(
                    "insert into bot_channels (channel_id, guild_id, name, type) values ($1, $2, $3, 'text')",
                    channel.id,
                    guild_id,
                    channel.name,
                )

    async def post(self, *files: bytes | None, channel: Channel | None = None, **more: Any) -> Message:
        """Someone posts videos, with these bytes or small ones of their own, and the message is kept as a page is."""
        world, where = self.simulator.world, channel or self.channel
        made = [world.make_attachment(where.id, data=data, content_type="video/mp4", **more) for data in files]
        message = world.send_message(where.id, min(world.users), attachments=made)
        await self.keep(message)
        return message

    async def keep(self, message: Message) -> None:
        """Write a message's rows, as Discord tells of it now."""
        found = find_clips(
            structure_message(self.simulator.world.payload_of(message)), Rules.of(Settings(max_file_size_mb=None))
        )
        guild_id = self.simulator.world.channels[message.channel_id].guild_id
        portion = Portion(
            guild_id=guild_id or 0,
            channel_id=message.channel_id,
            batch=Batch(found=(found,), ids=(message.id,), matched=1),
            rules_hash="now",
        )

        async def work(conn: Any) -> None:
            await Clips(pool=self.pool).keep(conn, [portion])

        await in_transaction(self.pool, work)

    async def set(self, settings: Mapping[str, Any], channel: Channel | None = None) -> None:
        """Change the guild's settings, or a channel's."""
        if channel is None:
            await self.pool.execute(
                "insert into guild_settings (guild_id, settings) values ($1, $2) "
                "on conflict (guild_id) do update set settings = excluded.settings",
                self.guild_id,
                dict(settings),
            )
        else:
            await self.pool.execute(
                "update bot_channels set settings = $2 where channel_id = $1", channel.id, dict(settings)
            )

    async def claim(self, worker: SavingWork) -> tuple[Job, Lease] | None:
        """Claim a clip as a worker would."""
        worker.places._good_until = 0.0
        token = uuid4()
        jobs = await worker.claim([token])
        return (jobs[token], Lease(token=token)) if jobs else None

    async def work_off(self, worker: SavingWork | None = None) -> int:
        """Save one clip after the other until nothing is due; how many were claimed."""
        made = worker or self.worker()
        claimed = 0
        while (taken := await self.claim(made)) is not None:
            await made.work(*taken)
            claimed += 1
        return claimed

    async def due(self) -> None:
        """Let the time pass until everything is due, and every lease is over."""
        await self.pool.execute("update clips set due_at = clock_timestamp() where state = 'pending'")
        await self.pool.execute("update downloads set lease_until = clock_timestamp() - interval '1 second'")

    @property
    def host_rest(self) -> HostRest:
        """The breaker of the only host."""
        (host,) = self.fetcher._hosts.values()
        return host.rest

    @property
    def unfinished(self) -> list[Path]:
        """What is still coming in, or was left for the next attempt."""
        return [path for path in self.folder.rglob("*.part") if path.is_file()]

    async def clip(self, clip_id: str | None = None) -> Record:
        """A clip's row; the only one, if none is named."""
        rows = await self.pool.fetch("select * from clips where $1::text is null or clip_id = $1", clip_id)
        assert len(rows) == 1, rows
        return rows[0]

    async def states(self) -> dict[str, int]:
        """How many clips are in which state."""
        return {row["state"]: row["clips"] for row in await self.pool.fetch(STATES)}

    def truth(self) -> Iterator[tuple[str, bytes]]:
        """The SHA-256 of what the CDN serves for each file that was posted, by clip."""
        world = self.simulator.world
        for history in world.histories.values():
            for message in history.changed().values():
                for file in message.attachments:
                    data = world.uploads[file.id][1]
                    served = b"".join(videos.pieces(file)) if data is None else data
                    yield f"{message.id}-{file.id}", hashlib.sha256(served).digest()

    async def check(self) -> None:
        """No row without bytes, no bytes twice or wrong, nothing half, nothing in hand, and usage is what is there."""
        truth = dict(self.truth())
        rows = await self.pool.fetch("select clip_id, sha256 from clips where state = 'stored'")
        assert {row["clip_id"]: row["sha256"] for row in rows} == {
            row["clip_id"]: truth[row["clip_id"]] for row in rows
        }
        blobs = {row["sha256"]: row["size"] for row in await self.pool.fetch("select sha256, size from blobs")}
        lying = {one.name: one.size async for one in self.storage.listing("blobs")}
        assert {blob_name(sha256): size for sha256, size in blobs.items()}.items() <= lying.items()
        assert {row["sha256"] for row in rows} <= blobs.keys()
        for sha256 in blobs:
            path = self.storage.local_path(blob_name(sha256))
            assert path is not None
            assert hashlib.sha256(path.read_bytes()).digest() == sha256
        assert await self.pool.fetchval("select count(*) from downloads") == 0
        await self.check_usage()

    async def check_usage(self) -> None:
        """Each guild is charged exactly its stored clips."""
        charged = await self.pool.fetch("select guild_id, clips, bytes from guild_usage where clips <> 0 or bytes <> 0")
        there = await self.pool.fetch(
            "select c.guild_id, count(*) as clips, sum(b.size)::bigint as bytes from clips c "
            "left join blobs b using (sha256) where c.state = 'stored' group by c.guild_id"
        )
        assert {tuple(row) for row in charged} == {tuple(row) for row in there}
        await self.check_tallies()

    async def check_tallies(self) -> None:
        """The tallies say what counting would, before they are folded and after."""
        there = {tuple(row) for row in await self.pool.fetch(COUNTED)}
        assert {tuple(row) for row in await self.pool.fetch(TOLD)} == there
        async with self.pool.acquire() as conn:
            await figures.fold(conn)
        assert {tuple(row) for row in await self.pool.fetch(TOLD)} == there
        assert await self.pool.fetchval("select count(*) from clip_tallies") == len(there)


def halted(worker: SavingWork) -> str | None:
    """Why a worker fetches nothing just now."""
    return worker.room.halted
