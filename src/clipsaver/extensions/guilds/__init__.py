"""The gateway's events about guilds, channels, threads and roles: taken as they come, written in batches.

The listener only hands over: hikari makes a task for each event, and those that touch one guild must keep their order.
"""

import hikari
import lightbulb

from clipsaver.extensions.guilds.consumer import GuildEvents
from clipsaver.extensions.guilds.reread import GuildReader
from clipsaver.guilds.model import Shard

__all__ = ["GuildEvents", "GuildReader", "loader", "on_payload"]

loader = lightbulb.Loader()


@loader.listener(hikari.ShardPayloadEvent)
async def on_payload(event: hikari.ShardPayloadEvent, events: GuildEvents) -> None:
    """Hand a raw event over, in the order in which it came."""
    events.put(event.name, event.payload, shard=Shard(id=event.shard.id, count=event.shard.shard_count))
