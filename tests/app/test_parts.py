"""Parts start together and stop together, and none ends unnoticed."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from attrs import define, field
from structlog.testing import capture_logs

from clipsaver.app import parts as module
from clipsaver.app.parts import Part, run_parts
from clipsaver.errors import StartFailed


@define(eq=False)
class Piece:
    """A part that notes what happens to it."""

    name: str
    ending: asyncio.Event = field(factory=asyncio.Event)
    began: asyncio.Event = field(factory=asyncio.Event)
    stopped: int = 0
    cancelled: bool = False

    async def run(self) -> None:
        """Stay until told."""
        self.began.set()
        try:
            await self.ending.wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise

    async def stop(self) -> None:
        """Let it end."""
        self.stopped += 1
        self.ending.set()

    def part(
        self, *, run: Callable[[], Awaitable[None]] | None = None, stop: Callable[[], Awaitable[None]] | None = None
    ) -> Part:
        """Return it as a part, perhaps with manners of its own."""
        return Part(name=self.name, run=run or self.run, stop=stop or self.stop)


async def never() -> None:
    """Don't end."""
    await asyncio.Event().wait()


async def nothing() -> None:
    """End at once."""


async def fail() -> None:
    """Break."""
    raise ValueError("broken")


async def test_all_stop_when_told() -> None:
    """Both run until the event is set; then both are told and awaited, and nobody is forced."""
    one, two, stop = Piece("one"), Piece("two"), asyncio.Event()
    running = asyncio.create_task(run_parts([one.part(), two.part()], stop))
    await asyncio.gather(one.began.wait(), two.began.wait())
    stop.set()
    await asyncio.wait_for(running, 60)
    assert [(1, False), (1, False)] == [(piece.stopped, piece.cancelled) for piece in (one, two)]


async def test_one_failure_stops_all() -> None:
    """The others are told to stop, and its error is raised once they have."""
    well, bad = Piece("well"), Piece("bad")
    with pytest.raises(ValueError, match="broken"):
        await asyncio.wait_for(run_parts([well.part(), bad.part(run=fail)], asyncio.Event()), 60)
    assert (1, False) == (well.stopped, well.cancelled)


async def test_an_end_that_nobody_asked_for() -> None:
    """A part that just returns is a failure too, and named."""
    with pytest.raises(StartFailed, match="quitter ended by itself"):
        await run_parts([Piece("quitter").part(run=nothing), Piece("other").part()], asyncio.Event())


async def test_later_failures_are_told() -> None:
    """A second failure doesn't hide the first, and isn't hidden by it."""
    other = Piece("other")

    async def run() -> None:
        await other.ending.wait()
        raise ValueError("second")

    with capture_logs() as lines, pytest.raises(ValueError, match="broken"):
        await run_parts([Piece("bad").part(run=fail), other.part(run=run)], asyncio.Event())
    assert ["other"] == [line["part"] for line in lines if line["event"] == "process.part_failed"]


async def test_failures_after_the_end_was_asked_for() -> None:
    """What goes wrong while stopping is logged, and the end is still the one that was asked for."""
    piece, stop = Piece("bad"), asyncio.Event()

    async def run() -> None:
        await piece.ending.wait()
        raise ValueError("broken")

    stop.set()
    with capture_logs() as lines:
        await run_parts([piece.part(run=run), Piece("other").part(stop=fail, run=nothing)], stop)
    assert {"process.part_failed", "process.stop_failed"} <= {line["event"] for line in lines}


async def test_a_part_that_does_not_stop_is_cancelled() -> None:
    """Patience is bounded."""
    deaf, stop = Piece("deaf"), asyncio.Event()
    stop.set()
    with capture_logs() as lines:
        await asyncio.wait_for(run_parts([deaf.part(stop=nothing)], stop, patience=0.05), 60)
    assert deaf.cancelled
    assert [["deaf"]] == [line["parts"] for line in lines if line["event"] == "process.stopped_by_force"]


async def test_a_stop_that_does_not_return() -> None:
    """Telling a part to stop may not hold up the others for ever either."""
    piece, stop = Piece("slow"), asyncio.Event()
    stop.set()
    await asyncio.wait_for(run_parts([piece.part(stop=never)], stop, patience=0.05), 60)
    assert piece.cancelled


async def test_a_part_that_refuses_to_be_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing more is waited for than its last words; it is named."""
    monkeypatch.setattr(module, "LAST_WORDS", 0.05)
    release, stop = asyncio.Event(), asyncio.Event()

    async def run() -> None:
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue

    stop.set()
    with capture_logs() as lines:
        await asyncio.wait_for(run_parts([Piece("stubborn").part(run=run, stop=nothing)], stop, patience=0.05), 60)
    release.set()
    assert ["stubborn"] == [line["part"] for line in lines if line["event"] == "process.part_stuck"]
