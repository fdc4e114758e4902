"""What the bot knows about itself while it runs: which guilds are there, and what it is busy with.

Nothing here is written down; it lives in one event loop and is told by the gateway's events.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

from attrs import define, field


@define
class BotState:
    """Guilds present, expected and unavailable, and tags such as ``sync:guilds``."""

    guilds: set[int] = field(factory=set)
    """Guilds the bot is in and can read now, written to the database."""
    unavailable: set[int] = field(factory=set)
    """Guilds in an outage: still the bot's, not readable now."""
    _shards: dict[int, set[int]] = field(factory=dict)
    """By session: the guilds that READY announced and that were neither seen nor found unavailable yet."""
    _tags: Counter[str] = field(factory=Counter)

    @contextmanager
    def tag(self, name: str) -> Iterator[None]:
        """Say that the bot is busy with something for as long as the block runs; blocks may overlap."""
        self._tags[name] += 1
        try:
            yield
        finally:
            self._tags[name] -= 1
            if self._tags[name] <= 0:
                del self._tags[name]

    @property
    def tags(self) -> frozenset[str]:
        """What the bot is busy with now."""
        return frozenset(self._tags)

    @property
    def expected(self) -> frozenset[int]:
        """Guilds that Discord announced and that have not come yet."""
        return frozenset().union(*self._shards.values())

    @property
    def synchronised(self) -> bool:
        """Whether at least one session is ready and every guild it announced is in the database."""
        return bool(self._shards) and not any(self._shards.values())

    def ready(self, shard_id: int, guild_ids: Iterable[int]) -> None:
        """Start a session over: these are the guilds that will come."""
        self._shards[shard_id] = set(guild_ids)

    def away(self) -> None:
        """No session stands any more: the next ones say afresh which guilds will come."""
        self._shards.clear()

    def settle(self) -> frozenset[int]:
        """Stop waiting: what was announced and never came is in an outage; return those."""
        missing = self.expected
        for guild_id in missing:
            self.outage(guild_id)
        return missing

    def seen(self, guild_id: int) -> None:
        """A guild is there, and what it is made of is in the database."""
        self.guilds.add(guild_id)
        self.unavailable.discard(guild_id)
        self._no_longer_expected(guild_id)

    def outage(self, guild_id: int) -> None:
        """Discord can't serve a guild just now; the bot is still in it."""
        self.guilds.discard(guild_id)
        self.unavailable.add(guild_id)
        self._no_longer_expected(guild_id)

    def left(self, guild_id: int) -> None:
        """The bot is no longer in a guild."""
        self.guilds.discard(guild_id)
        self.unavailable.discard(guild_id)
        self._no_longer_expected(guild_id)

    def snapshot(self) -> Mapping[str, object]:
        """Tell what ``/ready`` shows."""
        return {
            "guilds": len(self.guilds),
            "expected": len(self.expected),
            "unavailable": len(self.unavailable),
            "shards": sorted(self._shards),
            "tags": sorted(self._tags),
            "synchronised": self.synchronised,
        }

    def _no_longer_expected(self, guild_id: int) -> None:
        for expected in self._shards.values():
            expected.discard(guild_id)
