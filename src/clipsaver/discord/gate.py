"""Large answers one at a time: between two of them the event loop serves whoever waits for something small."""

import asyncio
from collections import deque

from attrs import define, field


@define(eq=False)
class Gate:
    """Lets one through in each turn of the event loop, in the order in which they come.

    What arrives together would otherwise be looked through together, and everyone else would wait for all of it.
    """

    _waiting: deque[asyncio.Future[None]] = field(factory=deque, init=False)
    _taken: bool = field(default=False, init=False)
    """Whether somebody came through in this turn."""

    async def enter(self) -> None:
        """Wait for a turn of one's own; at once if nobody else came through in this one."""
        loop = asyncio.get_running_loop()
        if not self._taken:
            self._taken = True
            loop.call_soon(self._next)
            return
        waiter = loop.create_future()
        self._waiting.append(waiter)
        await waiter

    def _next(self) -> None:
        """Let the next one through; what they do runs in the coming turn, and after it this again."""
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                asyncio.get_running_loop().call_soon(self._next)
                return
        self._taken = False
