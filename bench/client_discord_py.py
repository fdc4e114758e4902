"""discord.py: `channel.history(limit=None)` of all channels side by side; nothing is kept."""

import asyncio
from typing import Any

import discord as discord_py
from bench.measuring import Discord, Stopwatch, measured


async def read(channel: discord_py.TextChannel) -> int:
    """Read a channel to its beginning; how many messages."""
    messages = 0
    async for _ in channel.history(limit=None):
        messages += 1
    return messages


async def run(discord: Discord) -> dict[str, Any]:
    """Log in without a gateway session, and read all channels."""
    discord_py.http.Route.BASE = discord.url
    async with discord_py.Client(intents=discord_py.Intents.default()) as client:
        await client.login(discord.token)
        fetched = [await client.fetch_channel(channel) for channel in discord.channels]
        channels = [channel for channel in fetched if isinstance(channel, discord_py.TextChannel)]
        watch = Stopwatch()
        return watch.read(sum(await asyncio.gather(*map(read, channels))))


if __name__ == "__main__":
    measured(run)
