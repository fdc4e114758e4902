"""A session: what Discord remembers of a shard between its connections."""

from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from attrs import define, field

if TYPE_CHECKING:
    from clipsaver.simulator.gateway.connection import Connection

LIFETIME: Final = 180.0
"""Seconds a session outlives its connection."""


@define(kw_only=True, eq=False)
class Session:
    """One shard's stream of events, numbered from 1."""

    id: str
    shard: tuple[int, int]
    intents: int
    large_threshold: int = 50
    guilds: set[int] = field(factory=set)
    """The guilds this session was told of."""
    seq: int = 0
    connection: "Connection | None" = None
    left_at: float | None = None
    """When the connection was lost; None while there is one."""
    listed: dict[int, float] = field(factory=dict)
    """Guilds whose whole member list was asked for, and when."""
    kept: deque[dict[str, Any]] = field(factory=lambda: deque(maxlen=1000))
    """The last events, for a resume."""

    def follows(self, guild_id: int | None) -> bool:
        """Whether a guild's events (None: direct messages) go to this shard."""
        index, count = self.shard
        return index == (0 if guild_id is None else (guild_id >> 22) % count)

    def dispatch(self, name: str, payload: Mapping[str, Any]) -> None:
        """Number an event, keep it, and send it if somebody is connected."""
        self.seq += 1
        event = {"op": 0, "s": self.seq, "t": name, "d": payload}
        self.kept.append(event)
        if self.connection is not None:
            self.connection.push(event)

    def since(self, seq: int) -> list[dict[str, Any]] | None:
        """The events after a number, or None if some of them are no longer kept."""
        missed = self.seq - seq
        return None if missed > len(self.kept) else list(self.kept)[len(self.kept) - missed :]

    def leave(self, now: float) -> None:
        """The connection is gone; the session waits for a resume."""
        self.connection = None
        self.left_at = now

    def expired(self, now: float) -> bool:
        """Whether the session timed out while nobody was connected."""
        return self.left_at is not None and now - self.left_at > LIFETIME
