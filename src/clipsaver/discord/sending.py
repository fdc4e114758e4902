"""A turn in hand: what is made of it, and what its answer tells about limits."""

from typing import TYPE_CHECKING, Self

from attrs import define

from clipsaver.discord.heard import Heard
from clipsaver.discord.lanes import Lane
from clipsaver.discord.latecomers import Flight
from clipsaver.discord.limits import Bucket

if TYPE_CHECKING:
    from clipsaver.discord.pacing import Pacer


@define(eq=False)
class Sending:
    """A turn in hand, until the ``with`` block is left; whoever has it says what came of it."""

    bucket: Bucket
    lane: Lane
    pacer: "Pacer"
    sent: float
    flight: Flight | None
    """None: requests are not metered."""
    settled: bool = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.lost()
        self.pacer.look()

    def answered(self, heard: Heard, took: float) -> None:
        """An answer came that was no refusal, after so many seconds."""
        self._came(took, answered=True)
        self._move(heard.bucket)
        self.bucket.answered(sent=self.sent, now=self.pacer.clock(), heard=heard)

    def refused(self, heard: Heard, *, everywhere: bool) -> None:
        """A 429 came; if ``everywhere``, for all buckets."""
        self._not_counted()
        self._move(heard.bucket)
        wait = heard.retry_after or heard.reset_after or 0.0
        ours = not everywhere and heard.scope != "shared"
        until = self.bucket.refused(now=self.pacer.clock(), wait=wait, ours=ours)
        self.lane.blocked_until = max(self.lane.blocked_until, until)
        if everywhere:
            self.pacer.hold(until)

    def unsent(self) -> None:
        """The turn was not used after all."""
        self.settled = True
        self._not_counted()
        self.bucket.give_back()

    def lost(self) -> None:
        """Nothing came back that tells about limits."""
        if not self.settled:
            self._came(self.pacer.clock() - self.sent, answered=False)
            self.settled = True
            self.bucket.lost(self.pacer.clock())

    def _came(self, took: float, *, answered: bool) -> None:
        if self.flight is not None:
            self.pacer.latecomers.came(self.flight, took=took, answered=answered)

    def _not_counted(self) -> None:
        if self.flight is not None:
            self.pacer.latecomers.unsent(self.flight)

    def _move(self, named: str | None) -> None:
        """Go on in the bucket that Discord names, should the turn have been taken in another one."""
        self.settled = True
        if named is None:
            return
        bucket = self.pacer.lanes.learn(self.lane, named)
        if bucket is not self.bucket:
            self.bucket.give_back()
            bucket.take(self.sent)
            self.bucket = bucket
