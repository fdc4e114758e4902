"""A guild read again over REST, after events about it had to be dropped."""

import asyncio
from typing import Any, Final

from attrs import frozen

from clipsaver.discord.rest import Forbidden, NotFound, Rest, Route, Unavailable
from clipsaver.discord.snapshots import GuildSnapshot, structure_guild

PATIENCE: Final = 15.0
"""Seconds that one guild may take: whoever reads it again has events to write, and can come back to it."""


@frozen(kw_only=True)
class GuildReader:
    """Asks Discord what GUILD_CREATE would have told."""

    rest: Rest

    async def __call__(self, guild_id: int) -> GuildSnapshot | None:
        """Return the guild with roles, channels and active threads; None if the bot may not, or no longer, see it."""
        try:
            async with asyncio.timeout(PATIENCE):
                guild = await self._get("/guilds/{guild_id}", guild_id, dict)
                channels = await self._get("/guilds/{guild_id}/channels", guild_id, list)
                active = await self._get("/guilds/{guild_id}/threads/active", guild_id, dict)
        except (Forbidden, NotFound):
            return None
        except TimeoutError:
            raise Unavailable("Discord has to be waited for.") from None
        return structure_guild({**guild, "channels": channels, "threads": active.get("threads")})

    async def _get(self, template: str, guild_id: int, kind: type) -> Any:
        route = Route("GET", template, guild_id=guild_id)
        answer = await self.rest.request(route, check=lambda body: isinstance(body, kind))
        return answer.body
