"""A guild as the database knows it. Pure."""

from collections.abc import Iterable
from datetime import datetime

from attrs import frozen

SHARD_SHIFT = 22
"""Discord: a guild belongs to shard (guild_id >> 22) % number of shards."""


@frozen(kw_only=True)
class Guild:
    """A row of ``bot_guilds``."""

    guild_id: int
    name: str
    icon: str | None = None
    """Where the icon is."""
    owner_user_id: int | None = None
    joined_at: datetime | None = None
    last_seen_at: datetime | None = None


@frozen(kw_only=True)
class GuildRole:
    """A row of ``roles``."""

    role_id: int
    guild_id: int
    name: str
    permissions: int
    position: int = 0


@frozen(kw_only=True)
class Shard:
    """Which of a bot's gateway sessions: 0 of 1 unless the bot is in thousands of guilds."""

    id: int = 0
    count: int = 1

    def has(self, guild_id: int) -> bool:
        """Whether this session carries the guild's events."""
        return (guild_id >> SHARD_SHIFT) % self.count == self.id

    def of(self, guild_ids: Iterable[int]) -> frozenset[int]:
        """Those of the guilds whose events this session carries."""
        return frozenset(guild_id for guild_id in guild_ids if self.has(guild_id))
