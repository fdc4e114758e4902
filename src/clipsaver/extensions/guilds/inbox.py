"""Events on their way to the database, bounded by what they weigh."""

import asyncio
from collections import deque

from attrs import define, field

from clipsaver.extensions.guilds.events import Event, GuildSeen


def weight(event: Event) -> int:
    """Return how many things an event is about: a guild with its roles, channels and threads is many."""
    if isinstance(event, GuildSeen):
        return 1 + len(event.guild.roles) + len(event.guild.channels) + len(event.guild.threads)
    return 1


@define(eq=False)
class Inbox:
    """A queue that takes no more than it can hold, and knows when everything taken from it is done."""

    capacity: int
    _events: deque[Event] = field(factory=deque, init=False)
    _held: int = field(default=0, init=False)
    _filled: asyncio.Event = field(factory=asyncio.Event, init=False)
    _done: asyncio.Event = field(factory=asyncio.Event, init=False)

    def __attrs_post_init__(self) -> None:
        self._done.set()

    def __len__(self) -> int:
        return len(self._events)

    def put(self, event: Event, *, always: bool = False) -> bool:
        """Take an event; False if there is no room. One that weighs more than the whole is let into an empty inbox."""
        heavy = weight(event)
        if self._events and self._held + heavy > self.capacity and not always:
            return False
        self._events.append(event)
        self._held += heavy
        self._filled.set()
        self._done.clear()
        return True

    async def get(self) -> Event:
        """Give out the oldest event, once there is one."""
        await self._filled.wait()
        return self._pop()

    def get_nowait(self) -> Event | None:
        """Give out the oldest event; None if there is none."""
        return self._pop() if self._events else None

    def done(self) -> None:
        """Say that everything given out so far is dealt with."""
        if not self._events:
            self._done.set()

    async def join(self) -> None:
        """Wait until nothing is here, and nothing given out is still being dealt with."""
        await self._done.wait()

    def _pop(self) -> Event:
        event = self._events.popleft()
        self._held -= weight(event)
        if not self._events:
            self._filled.clear()
        return event
