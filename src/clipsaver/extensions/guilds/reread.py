"""A guild read again over REST, after events about it had to be dropped."""

from attrs import frozen

from clipsaver.discord.rest import Forbidden, NotFound, Rest, Route
from clipsaver.discord.snapshots import GuildSnapshot, structure_guild


@frozen(kw_only=True)
class GuildReader:
    """Asks Discord what GUILD_CREATE would have told."""

    rest: Rest

    async def __call__(self, guild_id: int) -> GuildSnapshot | None:
        """Return the guild with roles, channels and active threads; None if the bot may not, or no longer, see it."""
        try:
            guild = await self.rest.request(Route("GET", "/guilds/{guild_id}", guild_id=guild_id))
            channels = await self.rest.request(Route("GET", "/guilds/{guild_id}/channels", guild_id=guild_id))
            threads = await self.rest.request(Route("GET", "/guilds/{guild_id}/threads/active", guild_id=guild_id))
        except (Forbidden, NotFound):
            return None
        return structure_guild({**guild.body, "channels": channels.body, "threads": threads.body.get("threads")})
