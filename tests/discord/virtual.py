"""A machine whose time is made up: it jumps to the next thing that is due, so that a minute takes no time.

On it a Discord without sockets, with its limits, and a budget without a database. Nothing there depends on how busy
the real machine is, and every run is like the one before.
"""

import asyncio
import random
import selectors
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Self, TypeVar

from attrs import define, field

from clipsaver.discord.budget import AHEAD, SHIPPED, SHORTEST, Budget, Priority, Turn
from clipsaver.discord.latecomers import Late
from clipsaver.discord.rest import Rest
from clipsaver.discord.routes import Route
from clipsaver.discord.transport import Reply
from tests.discord.buckets import STYLES, Limiter, Sliding

LATENCY = 0.08
DATABASE = 0.001
EVERYWHERE = 50
"""Requests that Discord lets through in any second."""

T = TypeVar("T")
Standstills = Sequence[tuple[float, float]]
"""From when until when something stands still."""


class _Jumping(selectors.DefaultSelector):
    """Doesn't wait: the time it would have waited is over at once."""

    now = 1000.0

    def select(self, timeout: float | None = None) -> Any:
        """Look at what is ready, and let the time pass if nothing is."""
        ready = super().select(0)
        if not ready:
            if timeout is None:
                raise RuntimeError("Everybody waits, and nobody for a time.")
            self.now += timeout
        return ready


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)

    def time(self) -> float:
        """The time as it is made up."""
        return self._jumping.now


def run(main: Awaitable[T]) -> T:
    """Run something to its end in made-up time; what is left to chance comes out the same each time."""
    random.seed(1)

    async def wait() -> T:
        return await main

    with asyncio.Runner(loop_factory=_Loop) as runner:
        return runner.run(wait())


def now() -> float:
    """The time as it is made up."""
    return asyncio.get_running_loop().time()


async def still(standstills: Standstills) -> None:
    """Wait until what stands still now goes on."""
    await asyncio.sleep(max((end - now() for begin, end in standstills if begin <= now() < end), default=0))


def hold_up(seconds: float) -> None:
    """Hold this machine up, and with it all that is on it."""
    asyncio.get_running_loop()._jumping.now += seconds  # type: ignore[attr-defined]


@define
class Shared:
    """The budget row of all processes."""

    tat: float = 0.0
    rate: float = float(SHIPPED)
    turns: list[tuple[float, float]] = field(factory=list)
    late: list[tuple[float, float]] = field(factory=list)
    """When they take room, and when requests do that came late."""
    slow_there: Standstills = ()
    slow_back: Standstills = ()
    """From when until when nothing gets to it, and nothing back."""

    def take(self, ahead: float, most: int | None) -> Turn:
        """Do as the statement does."""
        due = self._next(max(self.tat, now()), most)
        if due > now() + ahead:
            return Turn(granted=False, seconds=max(SHORTEST, due - now() - ahead))
        self.tat = due + 1 / self.rate
        self.turns = [] if most is None else [*self.turns[1 - most :], (due, due + 1)]
        return Turn(granted=True, seconds=due - now(), moment=datetime.fromtimestamp(due, UTC))

    def _next(self, due: float, most: int | None) -> float:
        if most is None:
            return due
        taken = self.turns + self.late
        changes = sorted({due, *(end for _, end in taken if end > due)})
        return next(at for at in changes if sum(begin <= at < end for begin, end in taken) < most)


class MadeUpBudget(Budget):
    """One process's way to a budget that is only a number."""

    shared: Shared
    distance: float

    @classmethod
    def of(cls, shared: Shared, distance: float) -> "MadeUpBudget":
        """Take from this one, which answers after so long."""
        made = cls(pool=None, requests_per_second=shared.rate)  # type: ignore[arg-type]
        made.shared, made.distance = shared, distance
        return made

    async def take(self, priority: Priority) -> Turn:
        """Do as the statement does, on the way there and back."""
        await self._way(self.shared.slow_there)
        turn = self.shared.take(AHEAD[priority].total_seconds(), self.most)
        await self._way(self.shared.slow_back)
        return turn

    async def leave_room(self, late: Sequence[Late]) -> None:
        """Do as the statement does, on the way there and back."""
        await self._way(self.shared.slow_there)
        there = [one for one in self.shared.late if one[1] > now()]
        turns = [one.turn.timestamp() for one in late]
        new = [(turn + one.begin, turn + one.end) for turn, one in zip(turns, late, strict=True)]
        self.shared.late = there + [one for one in new if one[1] > now()]
        await self._way(self.shared.slow_back)

    async def hold(self, _: float) -> None:
        """Nobody is held up: whoever was refused counts, not what comes of it."""

    async def _way(self, standstills: Standstills) -> None:
        await asyncio.sleep(self.distance / 2)
        await still(standstills)

    async def close(self) -> None:
        """Nothing is held."""


@define
class Asked:
    """A request as it arrived."""

    route: str
    major: str
    at: float


@define
class MadeUpDiscord:
    """Answers from memory after a while, and keeps the limits of channels and of the whole bot."""

    bodies: Callable[[Route], Any]
    limit: int = 5
    window: float = 5.0
    style: str = "fixed"
    """Of the channels' windows."""
    standstills: Standstills = ()
    """From when until when nothing arrives."""
    asked: list[Asked] = field(factory=list)
    refused: int = 0
    _limiters: dict[str, Limiter] = field(init=False)
    _everywhere: Sliding = field(factory=lambda: Sliding(EVERYWHERE, 1.0))

    def __attrs_post_init__(self) -> None:
        self._limiters = defaultdict(lambda: STYLES[self.style](self.limit, self.window))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """There is nothing to close."""

    async def exchange(self, route: Route, **_: Any) -> Reply:
        """Answer as Discord would."""
        began = now()
        await asyncio.sleep(LATENCY / 2)
        await still(self.standstills)
        self.asked.append(Asked(f"{route.method} {route.template}", route.major, now()))
        status, headers = 200, {}
        if not self._everywhere.hit(now())[0]:
            status, headers = 429, {"X-RateLimit-Scope": "global", "Retry-After": "1"}
        elif route.template.endswith("/messages"):
            allowed, remaining, reset_after = self._limiters[route.path].hit(now())
            status = 200 if allowed else 429
            headers = {
                "X-RateLimit-Bucket": "messages",
                "X-RateLimit-Limit": str(self.limit),
                "X-RateLimit-Remaining": str(remaining),
                "X-RateLimit-Reset-After": f"{reset_after:.3f}",
            }
        self.refused += status != 200
        await asyncio.sleep(LATENCY / 2)
        body = self.bodies(route) if status == 200 else {}
        return Reply(status=status, headers=headers, body=body, readable=True, seconds=now() - began)

    def client(self, shared: Shared, distance: float = DATABASE) -> Rest:
        """A process that talks to it, so many seconds from the database."""
        rest = Rest(token="t", url="", budget=MadeUpBudget.of(shared, distance), clock=now)
        rest.breaker.clock = now
        rest._transport = self  # type: ignore[assignment]
        return rest

    def firsts(self, route: str) -> Mapping[str, int]:
        """By major parameter, how many requests had come when the first one of this route did."""
        found: dict[str, int] = {}
        for index, asked in enumerate(self.asked):
            if asked.route == route:
                found.setdefault(asked.major, index)
        return found

    def between(self, begin: float, end: float) -> Iterator[Asked]:
        """What came in a stretch of time."""
        return (asked for asked in self.asked if begin <= asked.at < end)

    def counts(self) -> Counter[str]:
        """Requests by route."""
        return Counter(asked.route for asked in self.asked)
