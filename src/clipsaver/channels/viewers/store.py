"""The statements that tell who sees which channel."""

from typing import Final

from clipsaver.discord.snapshots import OverwriteSnapshot
from clipsaver.postgres.pool import Connection, structure

GET_OVERWRITES_OF_GUILD: Final = """
    select overwrite.channel_id, overwrite.target_id as id,
           case overwrite.target_type when 'role' then 0 else 1 end as type, overwrite.allow, overwrite.deny
      from channel_overwrites as overwrite
      join bot_channels as channel on channel.channel_id = overwrite.channel_id
     where channel.guild_id = $1
     order by overwrite.channel_id, overwrite.target_id
"""


async def get_overwrites_of_guild(conn: Connection, guild_id: int) -> dict[int, tuple[OverwriteSnapshot, ...]]:
    """Return every overwrite of a guild's channels, by channel."""
    found: dict[int, tuple[OverwriteSnapshot, ...]] = {}
    for row in await conn.fetch(GET_OVERWRITES_OF_GUILD, guild_id):
        channel_id = row["channel_id"]
        found[channel_id] = (*found.get(channel_id, ()), structure(row, OverwriteSnapshot))
    return found
