"""A channel whose messages are a list, read page by page when the test says so; everything else is real."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import orjson
from attrs import define, field
from msgspec import Raw

from clipsaver.clips.service import Clips
from clipsaver.discord import snowflakes
from clipsaver.discord.access import ChannelAccess
from clipsaver.discord.history import Asked, CutPage, Page
from clipsaver.discord.permissions import Permission
from clipsaver.discord.snapshots import ChannelSnapshot
from clipsaver.postgres.pool import Pool
from clipsaver.scans.model import Run, ScanRequest
from clipsaver.scans.service import Scans
from clipsaver.scans.station import ScanWork
from clipsaver.work.worker import Lease

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
GUILD = 7
APPLICATION = 99
READING = Permission.VIEW_CHANNEL | Permission.READ_MESSAGE_HISTORY


def at(second: float) -> int:
    """The message id of a second since the epoch of these tests."""
    return snowflakes.at(EPOCH + timedelta(seconds=second))


def message(message_id: int, *, channel_id: int, content: str = "", videos: int = 0, author: int = 5) -> dict[str, Any]:
    """A message as Discord would send it."""
    return {
        "id": str(message_id),
        "channel_id": str(channel_id),
        "type": 0,
        "content": content,
        "timestamp": snowflakes.created_at(message_id).isoformat(),
        "author": {"id": str(author), "username": f"user{author}", "global_name": None, "avatar": None},
        "attachments": [
            {
                "id": str(message_id + 1 + n),
                "filename": f"clip{n}.mp4",
                "size": 1000,
                "url": f"https://cdn.discordapp.com/attachments/1/{message_id + 1 + n}/clip{n}.mp4?ex=70000000",
                "content_type": "video/mp4",
            }
            for n in range(videos)
        ],
        "embeds": [],
        "components": [],
    }


@define(kw_only=True)
class Listed:
    """Discord's side: a history and what the bot may do there, both open to the test."""

    channel_id: int
    offset: int = 0
    """Added to every message id, so that several channels on one database have messages of their own."""
    now: float = 1000.0
    """Seconds since the epoch of these tests, by Discord's clock."""
    messages: dict[int, Mapping[str, Any]] = field(factory=dict)
    permissions: Permission = READING
    nsfw: bool = False
    unauthorized: bool = False
    gate: asyncio.Semaphore | None = None
    """Each page waits for one permit, where there is a gate."""
    asked: int = 0
    waiting: int = 0
    before_page: Callable[[], None] = lambda: None
    sends: Callable[[Sequence[Mapping[str, Any]]], Sequence[Mapping[str, Any]]] = lambda newest_first: newest_first
    """What becomes of a page's messages on their way."""

    def post(self, second: float, **what: Any) -> int:
        """Post a message at that second."""
        message_id = at(second) + self.offset
        self.messages[message_id] = message(message_id, channel_id=self.channel_id, **what)
        return message_id

    def let_through(self, pages: int = 1) -> None:
        """Open the gate for so many more pages."""
        assert self.gate is not None
        for _ in range(pages):
            self.gate.release()

    async def page(self, channel_id: int, **asked: Any) -> Page:
        """Answer as Get Channel Messages does, once the gate lets it through."""
        return (await self.cut(channel_id, **asked)).read()

    async def cut(
        self,
        channel_id: int,
        *,
        before: int | None = None,
        after: int | None = None,
        limit: int = 100,
        **_: object,
    ) -> CutPage:
        """Answer likewise, and look at nothing."""
        assert channel_id == self.channel_id
        self.waiting += 1
        try:
            if self.gate is not None:
                await self.gate.acquire()
        finally:
            self.waiting -= 1
        self.asked += 1
        self.before_page()
        ids = sorted(self.messages)
        if before is not None:
            ids = [i for i in ids if i < before][-limit:]
        else:
            assert after is not None
            ids = [i for i in ids if i > after][:limit]
        if not self.permissions & Permission.READ_MESSAGE_HISTORY:
            ids = []
        sent = self.sends([self.messages[i] for i in reversed(ids)])
        asked = Asked(channel_id=channel_id, before=before, after=after, limit=limit)
        return CutPage(messages=[Raw(orjson.dumps(one)) for one in sent], asked=asked, date=self.date)

    async def of_bot(self, channel_id: int, **_: object) -> ChannelAccess:
        """Tell what the bot may do there now."""
        channel = ChannelSnapshot(id=channel_id, guild_id=GUILD, name="clips", type=0, nsfw=self.nsfw)
        return ChannelAccess(
            channel=channel, guild_id=GUILD, permissions=self.permissions, nsfw=self.nsfw, date=self.date
        )

    @property
    def date(self) -> datetime:
        """Discord's `Date` header."""
        return EPOCH + timedelta(seconds=self.now)

    @property
    def horizon(self) -> int:
        """Where a run that starts now ends."""
        return at(self.now - 5)


@define(kw_only=True)
class Bench:
    """The scans over a listed channel, with workers to be started and killed by hand."""

    pool: Pool
    listed: Listed
    defaults: Mapping[str, Any] = field(factory=dict)

    @property
    def scans(self) -> Scans:
        """The service a door would call."""
        return Scans(pool=self.pool, defaults=self.defaults)

    @property
    def work(self) -> ScanWork:
        """What a worker would run."""
        return ScanWork(
            pool=self.pool,
            history=self.listed,  # type: ignore[arg-type]  # the one stand-in
            access=self.listed,  # type: ignore[arg-type]  # likewise
            clips=Clips(pool=self.pool),
            defaults=self.defaults,
            application_id=APPLICATION,
            bot_id=APPLICATION,
            lease_time=timedelta(minutes=5),
        )

    async def settle(self) -> None:
        """Put the server and the channel into the database."""
        async with self.pool.acquire() as conn:
            await conn.execute("insert into bot_guilds (guild_id, name) values ($1, 'g') on conflict do nothing", GUILD)
            await conn.execute(
                "insert into bot_channels (channel_id, guild_id, name, type) values ($1, $2, 'clips', 'text')",
                self.listed.channel_id,
                GUILD,
            )

    async def start(self, **what: Any) -> Run:
        """Start a scan as a moderator would."""
        request = ScanRequest(guild_id=GUILD, channel_id=self.listed.channel_id, requested_by=1, **what)
        return (await self.scans.start(request)).run

    async def claim(self) -> "tuple[Run, Lease] | None":
        """Claim a run as a worker would."""
        token = uuid4()
        run = await self.work.claim(token)
        return None if run is None else (run, Lease(token=token))

    async def carry_on(self) -> Run:
        """Claim what waits, and work on it until the worker is done with it."""
        claimed = await self.claim()
        assert claimed is not None, "nothing to claim"
        await self.work.work(*claimed)
        return await self.run(claimed[0].id)

    async def scanned(self, run_id: UUID, messages: int) -> None:
        """Wait until a run has committed so many messages."""

        async def enough() -> bool:
            return (await self.run(run_id)).messages_scanned >= messages

        await self.until(enough)

    async def until(self, true: Callable[[], Awaitable[bool]]) -> None:
        """Wait until something is so."""
        async with asyncio.timeout(60):
            while not await true():  # noqa: ASYNC110 - the database has no event
                await asyncio.sleep(0)

    async def run(self, run_id: UUID) -> Run:
        """Look at a run."""
        return await self.scans.run(GUILD, run_id)

    async def expire_leases(self) -> None:
        """Let the time of every lease run out."""
        await self.pool.execute(
            "update bot_channel_scan_runs set lease_until = clock_timestamp() - interval '1 second'"
        )
        await self.pool.execute("update bot_channel_scan_runs set due_at = clock_timestamp()")

    async def clips(self) -> set[str]:
        """The clips that are kept of this channel."""
        rows = await self.pool.fetch("select clip_id from clips where channel_id = $1", self.listed.channel_id)
        return {row["clip_id"] for row in rows}
