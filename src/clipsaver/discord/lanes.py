"""Who waits for a turn, and in which lane."""

import asyncio
from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from attrs import define, field, frozen

from clipsaver.discord.budget import Priority
from clipsaver.discord.limits import Bucket, Family
from clipsaver.discord.routes import Route

OnWait = Callable[[datetime | None], None]
"""Told until when Discord makes a request wait, and None when that is over."""
MOST: Final = 2_000
"""Lanes, or buckets, from which on what is idle is forgotten."""


@frozen
class Granted:
    """A turn."""

    bucket: Bucket
    """The one it may go through."""
    at: float
    """When to send."""
    due: float = 0.0
    """When the turn may have been at the earliest: what was held up on its way to us is late."""
    turn: datetime | None = None
    """When it was, by the database's clock; None if requests are not metered."""


@define(eq=False)
class Waiter:
    """A request that waits for its turn."""

    lane: "Lane"
    priority: Priority
    since: float
    on_wait: OnWait | None
    turn: asyncio.Future[Granted]
    told: datetime | None = None

    def tell(self, until: datetime | None) -> None:
        """Say until when it waits, each time that changes by a second or more."""
        if self.on_wait is None or until == self.told:
            return
        if until and self.told and abs(until - self.told) < timedelta(seconds=1):
            return
        self.told = until
        self.on_wait(until)


@define(eq=False)
class Lane:
    """The requests of one method, template and major parameter, and the bucket they turned out to be in."""

    route: str
    major: str
    hash: str | None = None
    blocked_until: float = 0.0
    """After a refusal: nothing before then, whichever bucket the next answer names."""
    waiting: dict[Priority, deque[Waiter]] = field(factory=lambda: {priority: deque() for priority in Priority})

    def first(self) -> Waiter | None:
        """Who is next: people first, then who has waited longest."""
        for queue in self.waiting.values():
            while queue and queue[0].turn.done():
                queue.popleft()
            if queue:
                return queue[0]
        return None

    def everyone(self) -> list[Waiter]:
        """All who still wait."""
        return [waiter for queue in self.waiting.values() for waiter in queue if not waiter.turn.done()]


@define(eq=False)
class Lanes:
    """All lanes, and the buckets that Discord says they are in."""

    _lanes: dict[tuple[str, str], Lane] = field(factory=dict)
    _hashes: dict[str, str] = field(factory=dict)
    """By route: the bucket that a lane of it was last said to be in."""
    _families: dict[str, Family] = field(factory=dict)
    _buckets: dict[tuple[str, str], Bucket] = field(factory=dict)
    _room: int = field(factory=lambda: MOST)

    def lane(self, route: Route, now: float) -> Lane:
        """The lane of a route with its ids."""
        if max(len(self._lanes), len(self._buckets)) > self._room:
            self._forget(now)
        key = (f"{route.method} {route.template}", route.major)
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = Lane(*key)
        return lane

    def bucket(self, lane: Lane) -> Bucket:
        """The bucket a lane is in, or is taken to be in."""
        name, _ = key = self._key(lane)
        bucket = self._buckets.get(key)
        if bucket is None:
            family = self._families.setdefault(name, Family())
            bucket = self._buckets[key] = Bucket(family)
        return bucket

    def learn(self, lane: Lane, named: str) -> Bucket:
        """Remember which bucket a lane is in, as Discord named it."""
        lane.hash = self._hashes[lane.route] = named
        return self.bucket(lane)

    def _key(self, lane: Lane) -> tuple[str, str]:
        return lane.hash or self._hashes.get(lane.route, lane.route), lane.major

    def _forget(self, now: float) -> None:
        """Drop what has been idle: it would start anew with nothing lost; and buckets that no lane is in any more."""
        used = {self._key(lane) for lane in self._lanes.values()}
        for key, bucket in list(self._buckets.items()):
            if bucket.idle(now) or (key not in used and not bucket.in_flight):
                del self._buckets[key]
        for name, lane in list(self._lanes.items()):
            if lane.first() is None and self._key(lane) not in self._buckets:
                del self._lanes[name]
        named = {name for name, _ in self._buckets} | {*self._hashes.values()}
        self._families = {name: family for name, family in self._families.items() if name in named}
        self._room = max(MOST, 2 * len(self._lanes), 2 * len(self._buckets))
