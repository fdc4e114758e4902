"""Whose turn it is: every request waits here for its bucket and for the budget, people before scans.

One task hands out the turns. It looks for the request that is first among those whose bucket is free, takes one from
the budget, and looks again: a person who came meanwhile goes first, and no budget is spent on a bucket that is full.
"""

import asyncio
import contextlib
import math
import random
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog
from attrs import define, field

from clipsaver.discord.breaker import Breaker
from clipsaver.discord.budget import Budget, BudgetUnreachable, Priority
from clipsaver.discord.lanes import Granted, Lane, Lanes, OnWait, Waiter
from clipsaver.discord.latecomers import Late, Latecomers
from clipsaver.discord.refusals import Unavailable
from clipsaver.discord.routes import Route
from clipsaver.discord.sending import Sending
from clipsaver.errors import ClipsaverError

log = structlog.get_logger("clipsaver.discord")

PATIENCE: Final = {Priority.PEOPLE: 30.0, Priority.SCAN: float("inf")}
"""Seconds that someone waits for Discord; a scan waits as long as it must."""
DATABASE_PATIENCE: Final = {Priority.PEOPLE: 10.0, Priority.SCAN: 60.0}
"""Seconds that someone waits for a budget that can't be reached."""
WORTH_TELLING: Final = 1.0
"""Seconds of waiting after a refusal from which on people are told."""
SPREAD: Final = {Priority.PEOPLE: 0.0, Priority.SCAN: 0.01}
"""Seconds by which the budget is asked again later, at random: otherwise the same process would take every turn. Less
than scans may book ahead, so that no turn is lost by it."""
OUTAGE_PAUSE: Final = 0.5
"""Seconds between two tries to reach the budget."""
LONGEST_SLEEP: Final = 5.0
"""Seconds after which whoever waits is looked at again, whatever was expected."""


@define(eq=False, kw_only=True)
class Pacer:
    """Hands out the turns while ``run`` runs."""

    budget: Budget | None
    """None: requests are not metered."""
    breaker: Breaker = field(factory=Breaker)
    clock: Callable[[], float] = time.monotonic
    blocked_until: float = 0.0
    """After a global refusal: nothing before then."""
    _untold: bool = False
    """Whether the other processes don't know of that yet."""
    lanes: Lanes = field(factory=Lanes)
    latecomers: Latecomers = field(factory=Latecomers)
    _waiting: dict[tuple[str, str], Lane] = field(factory=dict)
    """The lanes in which someone waits."""
    _wake: asyncio.Event = field(factory=asyncio.Event)
    _ask_at: dict[Priority, float] = field(factory=lambda: dict.fromkeys(Priority, 0.0))
    _outage_since: float | None = None
    _quickest: float = math.inf
    """Seconds that the budget takes to answer when nothing holds it up."""

    async def turn(self, route: Route, priority: Priority, on_wait: OnWait | None = None) -> Sending:
        """Wait for the turn of a request; raises Unavailable when that takes longer than its kind waits."""
        lane = self.lanes.lane(route, self.clock())
        granted = await self._enter(lane, priority, on_wait)
        if (seconds := granted.at - self.clock()) > 0:
            try:
                await asyncio.sleep(seconds)
            except asyncio.CancelledError:
                granted.bucket.give_back()
                self._wake.set()
                raise
        sent, flight = self.clock(), None
        if granted.turn is not None:
            flight = self.latecomers.left(lane.route, turn=granted.turn, due=granted.due, sent=sent)
        return Sending(granted.bucket, lane, self, sent, flight)

    def look(self) -> None:
        """See whose turn it is now, if anyone waits, and tell what there is to tell."""
        if self._waiting or self.latecomers.waiting:
            self._wake.set()

    async def run(self) -> None:
        """Hand out turns until cancelled."""
        while True:
            try:
                await self._step()
            except Exception:  # a fault of ours must not leave everyone waiting for ever
                log.exception("discord.pacing_failed")
                self.fail(lambda: Unavailable("Something went wrong here before Discord could be asked."))
                await asyncio.sleep(OUTAGE_PAUSE)

    def fail(self, make: Callable[[], ClipsaverError]) -> None:
        """Send everyone home who waits."""
        for lane in self._waiting.values():
            for waiter in lane.everyone():
                waiter.turn.set_exception(make())

    def hold(self, until: float) -> None:
        """Send nothing before then, nor let the other processes on the budget."""
        if until > self.blocked_until:
            self.blocked_until, self._untold = until, self.budget is not None
            self._wake.set()

    async def _enter(self, lane: Lane, priority: Priority, on_wait: OnWait | None) -> Granted:
        now = self.clock()
        free = max(self.blocked_until, lane.blocked_until) <= now and not self.breaker.rests(priority)
        if self.budget is None and free and lane.first() is None:
            bucket = self.lanes.bucket(lane)
            if bucket.ready_at(now) == now:
                bucket.take(now)
                return Granted(bucket, now)
        waiter = Waiter(lane, priority, now, on_wait, asyncio.get_running_loop().create_future())
        lane.waiting[priority].append(waiter)
        self._waiting[lane.route, lane.major] = lane
        self._wake.set()
        try:
            return await waiter.turn
        except asyncio.CancelledError:
            if not waiter.turn.cancelled() and waiter.turn.exception() is None:
                waiter.turn.result().bucket.give_back()
            self._wake.set()
            raise
        finally:
            waiter.tell(None)

    async def _step(self) -> None:
        self._wake.clear()
        now = self.clock()
        if self.budget is not None and self._untold and now < self.blocked_until:
            await self._tell(self.budget, self.blocked_until)
            return
        if self.budget is not None and (late := self.latecomers.untold(now)):
            await self._make_way(self.budget, late)
            return
        best, next_at = self._choose(now)
        if best is None or now < self._ask_at[best.priority]:
            await self._sleep(min(next_at, self._ask_at[best.priority]) - now if best else next_at - now)
        elif self.budget is None:
            self._grant(best, Granted(self.lanes.bucket(best.lane), now))
        else:
            await self._ask(self.budget, best.priority)

    async def _tell(self, budget: Budget, until: float) -> None:
        """Hold the other processes back, too."""
        try:
            await budget.hold(until - self.clock())
        except BudgetUnreachable as error:
            await self._unreachable(str(error))
        else:
            self._untold = until < self.blocked_until

    async def _make_way(self, budget: Budget, late: list[Late]) -> None:
        """Have everyone's turns leave room for requests that came late."""
        try:
            await budget.leave_room(late)
        except BudgetUnreachable as error:
            self.latecomers.give_back(late)
            await self._unreachable(str(error))

    async def _ask(self, budget: Budget, priority: Priority) -> None:
        """Take one from the budget and give it to whoever is first then."""
        asked = self.clock()
        try:
            turn = await budget.take(priority)
        except BudgetUnreachable as error:
            await self._unreachable(str(error))
            return
        self._outage_since = None
        now = self.clock()
        self._quickest = min(self._quickest, now - asked)
        if turn.halted:
            self.breaker.told(turn.halted)
        if turn.held:
            self.blocked_until = max(self.blocked_until, now + turn.held)
        if not turn.granted:
            # From when it was asked: whoever is far from the database asks earlier by that, and comes no later.
            spread = random.uniform(0.0, SPREAD[priority])  # noqa: S311 - no secret
            self._ask_at[priority] = max(now, asked + turn.seconds) + spread
            return
        best, _ = self._choose(now)
        if best is not None:
            # An answer that took longer than usual was held up on the way there or on the way back. It is not known
            # which: so nothing is sent early as if it were the latter, and what is sent is as late as if it were.
            due = asked + self._quickest + turn.seconds
            self._grant(best, Granted(self.lanes.bucket(best.lane), now + turn.seconds, due, turn.moment))

    def _choose(self, now: float) -> tuple[Waiter | None, float]:
        """Who is first among those whose bucket is free; and when the next bucket will be."""
        best: Waiter | None = None
        next_at = math.inf
        rests_until = {priority: now + self.breaker.rests(priority) for priority in Priority}
        for key, lane in list(self._waiting.items()):
            waiter = lane.first()
            if waiter is None:
                del self._waiting[key]
                continue
            bucket = self.lanes.bucket(lane)
            ready = bucket.ready_at(now)
            refused_until = max(
                self.blocked_until, bucket.blocked_until, lane.blocked_until, rests_until[waiter.priority]
            )
            if refused_until > now:
                self._hold(lane, now, refused_until)
                next_at = min(next_at, refused_until)
            elif ready is not None and ready > now:
                next_at = min(next_at, ready)
            elif ready is not None and (best is None or (waiter.priority, waiter.since) < (best.priority, best.since)):
                best = waiter
        return best, next_at

    def _hold(self, lane: Lane, now: float, until: float) -> None:
        """Tell those who wait for a refusal to pass; people don't wait that long."""
        seconds = until - now
        moment = datetime.now(UTC) + timedelta(seconds=seconds)
        for waiter in lane.everyone():
            if seconds > PATIENCE[waiter.priority]:
                waiter.turn.set_exception(Unavailable(f"Discord asks to wait until {moment:%H:%M} UTC."))
            elif seconds >= WORTH_TELLING:
                waiter.tell(moment)

    def _grant(self, waiter: Waiter, granted: Granted) -> None:
        granted.bucket.take(self.clock())
        waiter.turn.set_result(granted)

    async def _unreachable(self, kind: str) -> None:
        """Wait a little for the database; send home those who have waited long for it."""
        now = self.clock()
        if self._outage_since is None:
            self._outage_since = now
            log.warning("discord.budget_unreachable", error=kind)
        for lane in self._waiting.values():
            for waiter in lane.everyone():
                if now - max(waiter.since, self._outage_since) >= DATABASE_PATIENCE[waiter.priority]:
                    waiter.turn.set_exception(
                        Unavailable("The database can't be reached, and without it Discord is not asked."),
                    )
        await asyncio.sleep(OUTAGE_PAUSE)

    async def _sleep(self, seconds: float) -> None:
        """Wait until something changes, or for so long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.latecomers.look_within(min(seconds, LONGEST_SLEEP))):
                await self._wake.wait()
