"""Rate-limit buckets: when may the next request be sent so that it is never refused and nothing is wasted.

Pure: the time is passed in, in seconds of a clock that never jumps. Numbers come from Discord's answers only. What it
means by its reset differs between its routes, so a family (all buckets of one ``X-RateLimit-Bucket``) learns the shape:

- a window whose end stands still (fixed, or sliding with the oldest request's end told): obeying the reset is best;
- a window that slides, with the reset of the newest request told: each request's own end frees one;
- a leaky bucket: the reset grows with each request by the time one drop takes, and one is free a drop's time later.

Until a shape has shown itself several times in a row, and for good once a refusal contradicts it, the reset is obeyed.
"""

import math
from collections import deque
from enum import Enum
from typing import Final

from attrs import define, field, frozen

from clipsaver.discord.heard import Heard

MARGIN: Final = 0.02
"""Seconds added to every wait; grows when a refusal shows that it was too little."""
LARGEST_MARGIN: Final = 0.32
CREDIT: Final = 0.9
"""How much of the shortest round trip counts as surely spent: a request arrives later than it is sent. The fewer
and the less steady round trips were seen, the less of it."""
STEADY: Final = 10
"""Round trips seen until the shortest counts at all."""
SMOOTHING: Final = 0.1
SURE: Final = 3
"""Votes in a row until a shape is believed."""
NOISE: Final = 0.03
"""Seconds by which two answers' times may be off."""
LONGEST_LOG: Final = 1000
KEEP: Final = 60.0
"""Seconds an unused bucket is remembered at least."""
FIRST_PENALTY: Final = 0.5
LONGEST_PENALTY: Final = 60.0


class Shape(Enum):
    """How the resets of a family move from answer to answer."""

    STANDING = "standing"
    SLIDING = "sliding"
    LEAKING = "leaking"


@define
class Family:
    """What all buckets with one hash have in common."""

    floor: float = float("inf")
    """The shortest round trip seen."""
    margin: float = MARGIN
    shape: Shape = Shape.STANDING
    period: float = 0.0
    """Leaking: seconds a drop takes; sliding: seconds a request counts."""
    _trips: int = 0
    _spread: float = 0.0
    """How much longer than the shortest a round trip usually takes."""
    _votes: int = 0
    _voted: Shape = Shape.STANDING
    _low: float = 0.0
    _high: float = 0.0
    _trusted: bool = True

    def measured(self, round_trip: float) -> None:
        """Learn how long the line takes and how much that varies."""
        self.floor = min(self.floor, round_trip)
        self._trips += 1
        self._spread += max(SMOOTHING, 1 / self._trips) * (round_trip - self.floor - self._spread)

    def arrival(self, received: float) -> float:
        """When to send so that it arrives not before Discord made the answer received then."""
        if self._trips < STEADY:
            return received + self.margin
        doubt = self._spread * math.sqrt(STEADY / self._trips)
        credit = max(0.0, CREDIT * self.floor - doubt)
        return received - credit + self.margin

    @property
    def reach(self) -> float:
        """Sliding: answers that came no further apart may all have counted at once."""
        return self.period + 2 * (NOISE + self._spread)

    def learn(self, before: "Answered", after: "Answered") -> None:
        """Compare two answers of one bucket that followed one another with nothing between them."""
        passed = after.received - before.received
        grown = after.reset_after - before.reset_after
        if passed < 2 * NOISE:
            return
        if grown > NOISE:
            self._vote(Shape.LEAKING, before.drop, after.drop)
        elif grown >= -NOISE:
            self._vote(Shape.SLIDING, before.reset_after, after.reset_after)
        else:
            self._vote(Shape.STANDING, 0.0, 0.0)

    def contradicted(self) -> None:
        """Learn from a refusal: be more careful, and from now on believe only what Discord says outright."""
        self.margin = min(2 * self.margin, LARGEST_MARGIN)
        if self.shape is not Shape.STANDING:
            self._trusted = False
            self.shape = Shape.STANDING

    def _vote(self, shape: Shape, *periods: float) -> None:
        """Count a vote; of a sliding window all resets are alike, or the run of votes begins anew."""
        low, high = min(periods), max(periods)
        if shape is self._voted:
            low, high = min(low, self._low), max(high, self._high)
        if shape is not self._voted or (shape is Shape.SLIDING and high - low > NOISE):
            self._votes, low, high = 0, min(periods), max(periods)
        self._voted, self._low, self._high = shape, low, high
        self._votes += 1
        if self._votes >= SURE and self._trusted:
            self.shape, self.period = shape, high


@frozen
class Answered:
    """What an answer said about its bucket, and when it came."""

    received: float
    limit: int
    remaining: int
    reset_after: float

    @property
    def drop(self) -> float:
        """Of a leaky bucket: one drop takes at least this long, and exactly this long by the first answer."""
        return self.reset_after / max(1, self.limit - self.remaining)


@define
class Bucket:
    """One bucket of one channel, guild or webhook; or of a route whose bucket isn't known yet."""

    family: Family
    in_flight: int = 0
    reset_at: float = 0.0
    """From then on the bucket is full: a request sent then arrives in time."""
    blocked_until: float = 0.0
    """After a refusal: nothing before then."""
    used_at: float = 0.0
    _last: Answered | None = None
    _remaining: int = 0
    _refusals: int = 0
    _alone: bool = True
    """Whether nothing else was in flight since the last answer."""
    _log: deque[float] = field(factory=deque)
    """When the latest answers came, one window full."""

    def ready_at(self, now: float) -> float | None:
        """When one more request may be sent, now or later; None: not before an answer has come.

        Nothing known, or nothing fresh: one at a time, and its answer tells.
        """
        if self.blocked_until > now:
            return self.blocked_until
        opens = self._opens()
        allowance = 1 if now >= opens else 0
        if now < self.reset_at:
            allowance = max(allowance, self._remaining)
        if self.in_flight < allowance:
            return now
        return None if self.in_flight else opens

    def take(self, now: float) -> None:
        """A request is on its way."""
        self._alone = self._alone and self.in_flight == 0
        self.in_flight += 1
        self.used_at = now

    def give_back(self) -> None:
        """The request was never sent."""
        self.in_flight -= 1

    def answered(self, *, sent: float, now: float, heard: Heard) -> None:
        """An answer came that was no refusal."""
        self._refusals = 0
        if heard.limit is None or heard.remaining is None or heard.reset_after is None:
            self.lost(now)
            return
        self._leave(now)
        self.family.measured(now - sent)
        answer = Answered(now, heard.limit, heard.remaining, heard.reset_after)
        last = self._last
        edge = self.family.arrival(now) + answer.reset_after
        if self._alone:
            self._remaining, self.reset_at = answer.remaining, edge
            if last is not None and (last.limit, last.remaining) == (answer.limit, answer.remaining + 1):
                self.family.learn(last, answer)
        else:
            fresh = now < self.reset_at
            self._remaining = min(self._remaining, answer.remaining) if fresh else answer.remaining
            self.reset_at = max(self.reset_at, edge)
        self._last = answer
        self._alone = self.in_flight == 0

    def lost(self, now: float) -> None:
        """No answer came, or one that tells nothing: the request may have counted."""
        self._leave(now)
        self._remaining = max(0, self._remaining - 1)
        self._alone = False

    def refused(self, *, now: float, wait: float, ours: bool) -> float:
        """A 429 came; ``ours``: this very bucket was too full. Returns until when nothing is sent.

        However little Discord asks for, each refusal in a row doubles the least wait.
        """
        self._leave(now)
        self._refusals += 1
        least = min(FIRST_PENALTY * 2 ** min(self._refusals - 1, 16), LONGEST_PENALTY)
        self.blocked_until = max(self.blocked_until, now + max(wait + self.family.margin, least))
        if ours:
            self.family.contradicted()
        self._remaining, self._last, self.reset_at = 0, None, self.blocked_until
        return self.blocked_until

    def idle(self, now: float) -> bool:
        """Whether forgetting this bucket loses nothing: it would be full again."""
        return self.in_flight == 0 and now > max(self.blocked_until, self.reset_at, self.used_at + KEEP)

    def _leave(self, now: float) -> None:
        self.in_flight -= 1
        self._log.append(now)
        while len(self._log) > (self._last.limit if self._last else 1) or len(self._log) > LONGEST_LOG:
            self._log.popleft()

    def _opens(self) -> float:
        """When an empty bucket has room for one again."""
        if self._last is None:
            return self.reset_at
        limit, family = self._last.limit, self.family
        if family.shape is Shape.LEAKING:
            return self.reset_at - (limit - 1) * family.period
        if family.shape is Shape.SLIDING and len(self._log) == limit and self._log[-1] - self._log[0] < family.reach:
            return min(self.reset_at, family.arrival(self._log[0]) + family.period)
        return self.reset_at
