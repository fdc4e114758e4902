"""Who waits for a turn, and in which lane."""

import asyncio
from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta

from attrs import define, field

from clipsaver.discord.budget import Priority
from clipsaver.discord.limits import Bucket

OnWait = Callable[[datetime | None], None]
"""Told until when Discord makes a request wait, and None when that is over."""


@define(eq=False)
class Waiter:
    """A request that waits for its turn."""

    lane: "Lane"
    priority: Priority
    since: float
    on_wait: OnWait | None
    turn: asyncio.Future[tuple[Bucket, float]]
    """The bucket it may go through, and the seconds until it is due."""
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
