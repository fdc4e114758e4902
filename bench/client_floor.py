"""The floor: aiohttp and orjson, page after page, each channel in a task of its own; nothing is kept."""

import asyncio
from typing import Any

import aiohttp
import orjson

from bench.measuring import Discord, Stopwatch, measured

PAGE = 100


async def read(session: aiohttp.ClientSession, url: str) -> int:
    """Read a channel to its beginning; how many messages."""
    messages, before = 0, 1 << 62
    while True:
        async with session.get(url, params={"before": str(before), "limit": str(PAGE)}) as response:
            page = orjson.loads(await response.read())
        messages += len(page)
        if len(page) < PAGE:
            return messages
        before = int(page[-1]["id"])


async def run(discord: Discord) -> dict[str, Any]:
    """Read all channels side by side."""
    headers = {"Authorization": f"Bot {discord.token}"}
    async with aiohttp.ClientSession(headers=headers, connector=aiohttp.TCPConnector(limit=0)) as session:
        watch = Stopwatch()
        urls = [f"{discord.url}/channels/{channel}/messages" for channel in discord.channels]
        return watch.read(sum(await asyncio.gather(*(read(session, url) for url in urls))))


if __name__ == "__main__":
    measured(run)
