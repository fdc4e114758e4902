"""Who was held up, and for how long: a machine that is too busy would look like a program that asks too often."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final

EVERY: Final = 0.005
"""Seconds between two looks at one's own loop."""
STALL: Final = 0.01
"""Seconds from which on a loop that comes late is remembered."""
SAMPLE: Final = 0.1
"""Seconds of which it is known how long a process waited for a processor."""
ANEW: Final = 10
"""Samples until it is looked up again which processes there are."""
BEFORE: Final = 1.2
"""Seconds before a refusal in which what was held up may have to do with it: a second's window, and the way."""

Moments = list[tuple[float, float]]
"""When it was over, by the monotonic clock, and the seconds it took."""


async def watch_own_loop(noted: Moments) -> None:
    """Remember when our own loop was held up."""
    at = time.monotonic()
    while True:
        await asyncio.sleep(EVERY)
        now = time.monotonic()
        if (late := now - at - EVERY) >= STALL:
            noted.append((now, late))
        at = now


@asynccontextmanager
async def waits(processes: Callable[[], Iterable[int]]) -> AsyncIterator[Moments]:
    """Note how long any of some processes waited for a processor, of each sample, while this is entered."""
    noted: Moments = []
    task = asyncio.create_task(_watch(processes, noted))
    try:
        yield noted
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _watch(processes: Callable[[], Iterable[int]], noted: Moments) -> None:
    before: dict[int, float] = {}
    since = time.monotonic()
    while True:
        known = {pid: before[pid] if pid in before else waited(pid) for pid in processes()}
        for _ in range(ANEW):
            await asyncio.sleep(SAMPLE)
            now = time.monotonic()
            before = {pid: waited(pid) for pid in known}
            # A sample that we ourselves took late counts by its share, and none of one that had not been there.
            most = max((before[pid] - known[pid] for pid in known if known[pid]), default=0.0)
            most *= SAMPLE / max(now - since, SAMPLE)
            if most >= STALL:
                noted.append((now, most))
            known, since = before, now


def waited(pid: int) -> float:
    """Seconds that a process's main thread was ready to run while others ran; 0 where Linux doesn't say."""
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text(encoding="ascii").split()[1]) / 1e9
    except (OSError, IndexError):
        return 0.0


def longest(noted: Sequence[Sequence[float]], begin: float, end: float) -> float:
    """Milliseconds of the longest one that was over in that time."""
    return max((seconds for at, seconds in noted if begin <= at <= end), default=0.0) * 1_000


def around(refused: Sequence[float], stalls: Mapping[str, Sequence[Sequence[float]]]) -> list[dict[str, Any]]:
    """What was held up just before each refusal, in milliseconds."""
    return [
        {"at": at, **{who: longest(noted, at - BEFORE, at + SAMPLE) for who, noted in stalls.items()}} for at in refused
    ]


def fullest(moments: Sequence[float], seconds: float = 1.0) -> int:
    """How many there were at most within any stretch of so many seconds."""
    most = first = 0
    moments = sorted(moments)
    for last, at in enumerate(moments):
        while moments[first] <= at - seconds:
            first += 1
        most = max(most, last - first + 1)
    return most
