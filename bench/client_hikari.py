"""hikari: `rest.fetch_messages` of all channels side by side; nothing is kept."""

import asyncio
from typing import Any

import hikari

from bench.measuring import Discord, Stopwatch, measured


async def read(rest: hikari.api.RESTClient, channel: int) -> int:
    """Read a channel to its beginning; how many messages."""
    messages = 0
    async for _ in rest.fetch_messages(channel):
        messages += 1
    return messages


async def run(discord: Discord) -> dict[str, Any]:
    """Read all channels."""
    app = hikari.RESTApp(url=discord.url)
    await app.start()
    try:
        async with app.acquire(discord.token, hikari.TokenType.BOT) as rest:
            await rest.fetch_my_user()
            watch = Stopwatch()
            return watch.read(sum(await asyncio.gather(*(read(rest, channel) for channel in discord.channels))))
    finally:
        await app.close()


if __name__ == "__main__":
    measured(run)
