"""One download's pace."""

import asyncio
import time
from collections.abc import Iterable
from unittest.mock import Mock

import aiohttp
import pytest

from clipsaver.media.fetching.limits import Limits, Lost, Pace


class Slow:
    """A body whose pieces take as long as they are told to, on a clock of their own."""

    def __init__(self, pieces: Iterable[tuple[float, int]]) -> None:
        self.pieces = iter(pieces)
        self.now = 0.0

    async def readchunk(self) -> tuple[bytes, bool]:
        """The next piece."""
        seconds, size = next(self.pieces)
        self.now += seconds
        return bytes(size), False

    def clock(self) -> float:
        """What time it is there."""
        return self.now


async def read(slow: Slow, *, size: int = 1 << 20, **limits: float) -> float:
    """Read until it is lost; at what time that was."""
    pace = Pace(limits=Limits(**limits), size=size, clock=slow.clock)  # type: ignore[arg-type] # all are numbers

    async def everything() -> None:
        while True:
            await pace.read(slow)  # type: ignore[arg-type] # all it needs of a stream

    with pytest.raises(Lost, match="slow"):
        await everything()
    return slow.now


async def test_one_byte_a_second_ends_with_the_first_window() -> None:
    """However long it would go on."""
    assert await read(Slow((1.0, 1) for _ in range(10_000))) == 30.0


async def test_a_burst_buys_one_window_only() -> None:
    """After it the pace counts anew."""
    assert await read(Slow([(1.0, 1 << 20), *((1.0, 1) for _ in range(100))])) == 60.0


async def test_a_download_has_as_long_as_its_size_needs() -> None:
    """At just the least rate it ends after that, and what it is spared."""
    just_enough = Slow((1.0, 16 * 1024) for _ in range(10_000))
    assert await read(just_enough, size=160 * 1024, spare=60.0) == 70.0


async def test_waiting_for_answers_counts_as_well() -> None:
    """Of the whole time, and bounds the patience with the next."""
    pace = Pace(limits=Limits(answer=30.0, spare=60.0), size=0)
    assert pace.patience == 30.0
    pace.waited(50.0)
    assert pace.patience == 10.0
    pace.waited(50.0)
    assert pace.patience == 0.0


class Body(aiohttp.StreamReader):
    """A body of which nothing comes but what the test brings, or an error."""

    def __init__(self, error: Exception | None = None) -> None:
        super().__init__(Mock(connected=True), 2**16, loop=asyncio.get_running_loop())
        if error is not None:
            self.set_exception(error)


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (None, "stalled"),
        (aiohttp.ClientPayloadError("with https://cdn.example/x?hm=secret in it"), "broken"),
        (ConnectionResetError("reset"), "broken"),
        (RuntimeError("Connection closed."), "broken"),
    ],
)
async def test_a_body_that_ends_badly_is_lost(error: Exception | None, cause: str) -> None:
    """It stands still, or the connection broke; no word of aiohttp's is passed on."""
    pace = Pace(limits=Limits(stall=0.01), size=1)
    with pytest.raises(Lost, match=cause) as lost:
        await pace.read(Body(error))
    assert lost.value.__context__ is None


async def test_only_waiting_for_a_piece_takes_long() -> None:
    """The alarm of one piece does not end the wait for a later one, and does not count what is done in between."""
    body, stall = Body(), 0.2
    pace = Pace(limits=Limits(stall=stall), size=1)
    for _ in range(3):
        asyncio.get_running_loop().call_later(stall * 0.8, body.feed_data, b"piece")
        assert await pace.read(body) == b"piece"
    await asyncio.sleep(2 * stall)
    body.feed_data(b"late, but not waited for")
    assert await pace.read(body) == b"late, but not waited for"
    with pytest.raises(Lost, match="stalled"):
        await pace.read(body)


async def test_the_end_of_the_time_comes_before_a_stall() -> None:
    """The last wait is cut to what is left, though the alarm was set for later."""
    body = Body()
    pace = Pace(limits=Limits(stall=3600.0, spare=3600.0), size=1)
    body.feed_data(b"piece")
    assert await pace.read(body) == b"piece"
    pace.waited(3600.0)
    async with asyncio.timeout(60):
        with pytest.raises(Lost, match="stalled"):
            await pace.read(body)


async def test_a_piece_that_came_while_everything_stood_still_is_taken() -> None:
    """When the program itself was held up, the alarm and the piece are due at the same moment."""
    body, stall = Body(), 0.05
    pace = Pace(limits=Limits(stall=stall), size=1)
    loop = asyncio.get_running_loop()
    loop.call_later(stall / 2, body.feed_data, b"piece")
    loop.call_soon(time.sleep, 2 * stall)
    assert await pace.read(body) == b"piece"
