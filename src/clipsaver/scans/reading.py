"""Reading a run's pages ahead: one is on its way while the one before is looked through and earlier ones are kept."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from contextlib import aclosing, suppress
from functools import partial
from itertools import chain

from attrs import define, field

from clipsaver.clips.finding import find_in, sift
from clipsaver.clips.model import Batch, Sifted
from clipsaver.clips.rules import Rules
from clipsaver.discord.history import CutPage, History, Page, proves
from clipsaver.discord.raw import RawMessage
from clipsaver.discord.rest import OnWait
from clipsaver.discord.structuring import Mismatch
from clipsaver.errors import ClipsaverError
from clipsaver.postgres import ranges
from clipsaver.postgres.ranges import Ranges
from clipsaver.scans import plan
from clipsaver.scans.courtesy import Turn
from clipsaver.scans.model import Run

READ_AHEAD = 64
"""Pages of one run in hand at most: read, and not yet committed."""


@define(kw_only=True)
class ReadPage:
    """A page, and which ids of the run it closes."""

    closes: Ranges
    messages: Sequence[RawMessage]
    """What the run has fetched of them."""
    sift: Callable[[Iterable[RawMessage]], Sifted]
    _sifted: Sifted | None = field(default=None, init=False)
    _found: tuple[Rules, Batch] | None = field(default=None, init=False)

    def under(self, rules: Rules) -> Batch:
        """What is found in it under these rules; looked through again only if it was under others before."""
        if self._found is None or self._found[0] is not rules:
            if self._sifted is None:
                self._sifted, self.messages = self.sift(self.messages), ()
            self._found = (rules, find_in(self._sifted, rules))
        return self._found[1]


Look = Callable[[], ReadPage | None]
"""Looks at a page that has arrived; None if it is not what it seemed to be."""


@define(kw_only=True, eq=False)
class Reader:
    """Reads what one run has left."""

    history: History
    run: Run
    application_id: int
    bot_id: int
    readable: Callable[[], Awaitable[object]]
    """Raises where the bot may not read the channel any more."""
    rules: Callable[[], Rules]
    """What pages are looked through by now."""
    on_wait: OnWait
    draining: asyncio.Event
    room: asyncio.Semaphore
    """One for each page in hand, shared with all other runs."""
    turn: Turn
    _ahead: asyncio.Semaphore = field(factory=lambda: asyncio.Semaphore(READ_AHEAD), init=False)
    _in_hand: int = field(default=0, init=False)
    _arrived: "asyncio.Queue[Look | None]" = field(factory=asyncio.Queue, init=False)
    _looked: "asyncio.Queue[ReadPage | None]" = field(factory=asyncio.Queue, init=False)
    _trusting: bool = field(default=True, init=False)
    """Whether pages are taken to be in Discord's order until they are looked at."""

    async def pages(self, todo: Ranges, left: int | None) -> AsyncGenerator[list[ReadPage], None]:
        """Whatever has arrived since the last time, until nothing is left, or the worker drains.

        What is handed out counts as kept when the next is asked for. Trouble comes after all that came before it.
        """
        # With a limit it has to be known how many messages count before it is known what to ask for next.
        self._trusting = left is None
        again = True
        while again:
            trusted = self._trusting
            async with aclosing(self._stretch(todo, left)) as arriving:
                async for pages in arriving:
                    yield pages
                    todo = ranges.subtract(todo, chain.from_iterable(page.closes for page in pages))
            again = trusted and not self._trusting

    async def _stretch(self, todo: Ranges, left: int | None) -> AsyncGenerator[list[ReadPage], None]:
        """The like, up to a page that is not what it seemed to be."""
        self._arrived, self._looked, self._ahead = asyncio.Queue(), asyncio.Queue(), asyncio.Semaphore(READ_AHEAD)
        trusting = self._trusting
        reading = asyncio.create_task(self._read_ahead(todo) if self._trusting else self._read(todo, left))
        looking = asyncio.create_task(self._look(reading))
        draining = asyncio.create_task(self._stop_when_draining(reading))
        try:
            ended = False
            while not ended:
                arrived = [await self._looked.get()]
                while not self._looked.empty():
                    arrived.append(self._looked.get_nowait())
                ended = arrived[-1] is None
                if pages := [page for page in arrived if page is not None]:
                    yield pages
                    self._let_go(len(pages))
            await looking
            if trusting == self._trusting:
                with suppress(asyncio.CancelledError):
                    await reading
        finally:
            for task in (draining, looking, reading):
                task.cancel()
            await asyncio.gather(reading, looking, draining, return_exceptions=True)
            self._let_go(self._in_hand)

    def _let_go(self, pages: int) -> None:
        for _ in range(pages):
            self._ahead.release()
            self.room.release()
        self._in_hand -= pages

    async def _stop_when_draining(self, reading: asyncio.Task[None]) -> None:
        await self.draining.wait()
        reading.cancel()

    async def _read_ahead(self, todo: Ranges) -> None:
        """Ask for page after page, each by where the last one seems to end; None in the queue says that this is over.

        What a page really holds is looked at while the next is on its way. One that may be the last is looked at here:
        whether it is to be believed, only Discord can tell.
        """
        horizon = self.run.horizon or 0
        try:
            while ask := plan.next_ask(todo, direction=self.run.direction, left=None):
                await self._ahead.acquire()
                await self.turn.let_pass()
                page = await self.history.cut(
                    self.run.channel_id, before=ask.before, after=ask.after, limit=ask.limit, on_wait=self.on_wait
                )
                closes = plan.closes(ask, page.seems_to_prove(horizon=horizon), todo) if page.full else ()
                if closes:
                    await self._hand_on(partial(self._check, ask, page, todo, closes))
                else:
                    try:
                        last = page.read()
                    except Mismatch:
                        self._trusting = False
                        return
                    read = await self._believe(ask, last, todo)
                    closes = read.closes
                    await self._hand_on(partial(_same, read))
                todo = ranges.subtract(todo, closes)
        finally:
            self._arrived.put_nowait(None)

    async def _read(self, todo: Ranges, left: int | None) -> None:
        """The same, believing nothing: each page is looked at before the next is asked for."""
        try:
            while ask := plan.next_ask(todo, direction=self.run.direction, left=left):
                await self._ahead.acquire()
                await self.turn.let_pass()
                page = await self.history.page(
                    self.run.channel_id, before=ask.before, after=ask.after, limit=ask.limit, on_wait=self.on_wait
                )
                read = await self._believe(ask, page, todo)
                todo = ranges.subtract(todo, read.closes)
                left = None if left is None else left - len(read.messages)
                await self._hand_on(partial(_same, read))
        finally:
            self._arrived.put_nowait(None)

    async def _hand_on(self, look: Look) -> None:
        await self.room.acquire()
        self._in_hand += 1
        self._arrived.put_nowait(look)

    async def _look(self, reading: asyncio.Task[None]) -> None:
        """Look through what arrives; the next page has been asked for by then, and is on its way meanwhile."""
        try:
            while (look := await self._arrived.get()) is not None:
                page = look()
                if page is None:
                    self._trusting = False
                    reading.cancel()
                    return
                page.under(self.rules())
                self._looked.put_nowait(page)
        finally:
            self._looked.put_nowait(None)

    async def _believe(self, ask: plan.Ask, page: Page, todo: Ranges) -> ReadPage:
        """Tell what a page proves; that nothing is left counts only if the bot may still read the channel."""
        if not page.messages or (ask.before is not None and page.short):
            await self.readable()
        closes = plan.closes(ask, proves(page, horizon=self.run.horizon or 0), todo)
        if not closes:
            raise ClipsaverError("Discord answered with messages that were not asked for.")
        return self._read_page(page, closes)

    def _check(self, ask: plan.Ask, cut: CutPage, todo: Ranges, seemed: Ranges) -> ReadPage | None:
        """Look at a full page; None if it closes something else than it seemed to, or nothing can be made of it."""
        try:
            page = cut.read()
        except Mismatch:
            return None
        closes = plan.closes(ask, proves(page, horizon=self.run.horizon or 0), todo)
        return self._read_page(page, closes) if closes == seemed and not page.short else None

    def _read_page(self, page: Page, closes: Ranges) -> ReadPage:
        messages = page.messages
        if not ranges.covers(closes, page.ids):
            messages = tuple(message for message in messages if ranges.contains(closes, message.id))
        return ReadPage(closes=closes, messages=messages, sift=self._sift)

    def _sift(self, messages: Iterable[RawMessage]) -> Sifted:
        return sift(messages, self.application_id, self.bot_id)


def _same(page: ReadPage) -> ReadPage:
    return page
