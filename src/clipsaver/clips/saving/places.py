"""Where clips wait: the channels that have some and whose server wants them saved, looked up now and then."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import orjson
from attrs import define, field

from clipsaver.clips.saving import store
from clipsaver.clips.saving.model import Place, Usage
from clipsaver.guilds.settings import Settings, resolve
from clipsaver.postgres.pool import Connection

LOOK_EVERY: Final = 1.0
"""Seconds for which a look is believed, or twenty times as long as it took."""
MOST_PLACES: Final = 5_000
"""Channels of one look; the next goes on behind them."""
AT_ONCE: Final = 32
"""Channels of a server that one claim chooses from: those whose clips are due first."""
KEPT: Final = 10_000
"""Settings that are remembered as they were resolved."""


@define(kw_only=True, eq=False)
class Places:
    """Knows which servers have something to claim, and in what order they get their turn."""

    defaults: Mapping[str, Any]
    clock: Callable[[], float] = time.monotonic
    _by_guild: dict[int, list[Place]] = field(factory=dict, init=False)
    _good_until: float = field(default=0.0, init=False)
    _after: int = field(default=-1, init=False)
    _resolved: dict[bytes, Settings] = field(factory=dict, init=False)

    @property
    def stale(self) -> bool:
        """Whether it is time for a look."""
        return self.clock() >= self._good_until

    async def look(self, conn: Connection) -> None:
        """Find the channels with waiting clips whose bytes are wanted."""
        began = self.clock()
        found = await store.waiting_places(conn, after=self._after, limit=MOST_PLACES)
        if not found and self._after >= 0:
            found = await store.waiting_places(conn, after=-1, limit=MOST_PLACES)
        self._after = found[-1].channel_id if len(found) == MOST_PLACES else -1
        by_guild: dict[int, list[Place]] = {}
        for number, place in enumerate(found):
            if number % 100 == 99:  # noqa: PLR2004 - others have a turn in between
                await asyncio.sleep(0)
            if self.settings(place.guild_settings, place.settings).save_bytes:
                by_guild.setdefault(place.guild_id, []).append(place)
        for places in by_guild.values():
            places.sort(key=lambda place: place.due_at)
        self._by_guild = by_guild
        now = self.clock()
        self._good_until = now + max(LOOK_EVERY, 20 * (now - began))

    def guilds(self, in_hand: Mapping[int, Usage]) -> list[int]:
        """Servers with something to claim: those with the fewest clips in hand, then those whose first is due first."""

        def turn(guild_id: int) -> tuple[int, float]:
            held = in_hand.get(guild_id)
            return (0 if held is None else held.clips, self._by_guild[guild_id][0].due_at.timestamp())

        return sorted(self._by_guild, key=turn)

    def channels(self, guild_id: int) -> list[int]:
        """The channels of a server to claim from."""
        return [place.channel_id for place in self._by_guild.get(guild_id, ())[:AT_ONCE]]

    def forget(self, guild_id: int, *, channel_id: int | None = None) -> None:
        """Pass a server over until the next look, or one of its channels."""
        left = [place for place in self._by_guild.get(guild_id, ()) if channel_id not in {None, place.channel_id}]
        if left:
            self._by_guild[guild_id] = left
        else:
            self._by_guild.pop(guild_id, None)

    def settings(self, guild: Mapping[str, Any], channel: Mapping[str, Any]) -> Settings:
        """What holds in a channel; worked out once for as long as nobody changes it."""
        key = orjson.dumps((guild, channel), option=orjson.OPT_SORT_KEYS)
        known = self._resolved.get(key)
        if known is None:
            if len(self._resolved) >= KEPT:
                self._resolved.clear()
            known = self._resolved[key] = resolve(self.defaults, guild, channel)
        return known


def share(turns: Sequence[int], in_hand: Mapping[int, Usage], slots: int) -> int:
    """How many of these free slots are for the first server, if each goes to the one with the fewest clips in hand."""
    held = [in_hand[one].clips if one in in_hand else 0 for one in turns[:slots]]
    first = 1
    while first < slots and sum(max(held[0] + first - one, 0) for one in held) < slots:
        first += 1
    return first
