"""How long a page takes: looking through it, and keeping it in PostgreSQL.

Run by ``python -m bench.page``; the figures are one machine's, good for comparing a change with what was before.
"""

import asyncio
import logging
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import structlog

from clipsaver.clips.finding import find_in, sift
from clipsaver.clips.model import Portion
from clipsaver.clips.rules import Rules
from clipsaver.clips.service import Clips
from clipsaver.discord.raw import RawMessage, read_messages
from clipsaver.guilds.settings import Settings
from clipsaver.postgres.embedded import Embedded
from clipsaver.postgres.pool import Connection, Pool, in_transaction, open_pool
from clipsaver.postgres.ranges import IdRange
from clipsaver.postgres.schema import apply_schema

GUILD, CHANNEL = 1, 2
PAGE = 100
PAGES = 300
RULES = Rules.of(Settings())


def message(message_id: int, *, video: bool) -> dict[str, Any]:
    """A message as Discord sends it."""
    url = f"https://cdn.discordapp.com/attachments/{CHANNEL}/{message_id}/clip.mp4?ex=6a000000&is=69feae80&hm=00ff&"
    attachment = {
        "id": str(message_id),
        "filename": "clip.mp4",
        "size": 5_000_000,
        "url": url,
        "proxy_url": url,
        "content_type": "video/mp4",
        "width": 1920,
        "height": 1080,
    }
    return {
        "id": str(message_id),
        "channel_id": str(CHANNEL),
        "type": 0,
        "content": "what a goal that was",
        "author": {"id": str(message_id % 40 + 1), "username": "someone", "global_name": None, "avatar": None},
        "timestamp": "2026-01-01T00:00:00.000000+00:00",
        "edited_timestamp": None,
        "attachments": [attachment] if video else [],
        "embeds": [],
        "components": [],
        "mentions": [],
        "flags": 0,
    }


def pages(first: int, videos: int) -> Iterator[list[dict[str, Any]]]:
    """Pages of a hundred messages, some with a video."""
    for page in range(PAGES):
        start = first + page * PAGE
        yield [message(start + at, video=at < videos) for at in range(PAGE)]


def report(what: str, begun: float, cpu: float, count: int) -> None:
    """One line of figures."""
    wall = (time.perf_counter() - begun) / count * 1_000
    used = (time.process_time() - cpu) / count * 1_000
    print(f"{what:42} {wall:8.3f} ms {used:8.3f} ms of our CPU")


def look(videos: int) -> None:
    """Look through pages."""
    made = [orjson.dumps(page) for page in pages(10**9, videos)]
    begun, cpu = time.perf_counter(), time.process_time()
    for page in made:
        find_in(sift(read_messages(page), 1), RULES)
    report(f"look through a page, {videos} with a video", begun, cpu, PAGES)


async def keep(pool: Pool, what: str, videos: int, first: int) -> None:
    """Keep pages, each in a transaction of its own."""
    clips = Clips(pool=pool)
    batches = [find_in(sift(map(RawMessage.of, page), 1), RULES) for page in pages(first, videos)]
    begun, cpu = time.perf_counter(), time.process_time()
    for at, batch in enumerate(batches):
        covers = (IdRange(first + at * PAGE, first + (at + 1) * PAGE),)

        portion = Portion(guild_id=GUILD, channel_id=CHANNEL, batch=batch, covers=covers, rules_hash=RULES.hash)

        async def work(conn: Connection, portion: Portion = portion) -> None:
            await clips.keep(conn, [portion])

        await in_transaction(pool, work)
    report(f"{what}, {videos} with a video", begun, cpu, PAGES)


async def database() -> None:
    """Measure on a PostgreSQL of our own, thrown away afterwards."""
    with tempfile.TemporaryDirectory(prefix="clipsaver-bench-") as folder:
        async with Embedded(Path(folder)) as server:
            pool = await open_pool(server.url)
            try:
                await apply_schema(pool)
                await pool.execute("insert into bot_guilds (guild_id, name) values ($1, 'bench')", GUILD)
                await pool.execute("insert into bot_channels (channel_id, guild_id) values ($1, $2)", CHANNEL, GUILD)
                for at, videos in enumerate((0, 10, 100)):
                    first = (at + 1) * 10**9
                    await keep(pool, "keep a page", videos, first)
                    await keep(pool, "keep it again", videos, first)
                for pieces in (100, 999):
                    await pool.execute(
                        "update bot_channels set coverage = (select range_agg(int8range(i * 10, i * 10 + 5)) "
                        "from generate_series(1, $1) as i)",
                        pieces,
                    )
                    await keep(pool, f"keep a page beside {pieces} pieces", 0, 9 * 10**9)
            finally:
                await pool.close()


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    for share in (0, 10, 100):
        look(share)
    asyncio.run(database())
