"""Rings when something changed, so that whoever waits for it looks again."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from attrs import define, field

T = TypeVar("T")


@define(eq=False)
class Bell:
    """Anyone may wait; everyone wakes at each ring."""

    _waiting: set[asyncio.Event] = field(factory=set, init=False)

    def ring(self) -> None:
        """Wake everyone who waits."""
        for event in self._waiting:
            event.set()

    async def until(self, look: Callable[[], T | None], timeout: float) -> T:  # noqa: ASYNC109 - a person's patience
        """What ``look`` finds, at once or after a ring; TimeoutError if it finds nothing in time (seconds)."""
        event = asyncio.Event()
        self._waiting.add(event)
        try:
            async with asyncio.timeout(timeout):
                while True:
                    event.clear()
                    found = look()
                    if found is not None and found is not False:
                        return found
                    await event.wait()
        finally:
            self._waiting.discard(event)
