"""Reading a channel's messages page by page, and what a page proves."""

from collections.abc import Sequence
from datetime import datetime
from operator import gt
from typing import Final

import structlog
from attrs import Factory, define, field, frozen
from msgspec import Raw

from clipsaver.discord.raw import RawMessage, cut, id_of, look_at, read_messages
from clipsaver.discord.rest import Answer, OnWait, Priority, Rest, Route
from clipsaver.discord.snowflakes import LARGEST
from clipsaver.discord.structuring import Mismatch
from clipsaver.discord.transport import Read
from clipsaver.postgres.ranges import IdRange

log = structlog.get_logger("clipsaver.discord")

MOST: Final = 100
"""Discord: messages of one page."""


@frozen(kw_only=True)
class Page:
    """One answer of Get Channel Messages, oldest first; exactly one of ``before`` and ``after`` was asked for."""

    messages: tuple[RawMessage, ...]
    """Each id once, and only ids that were asked for."""
    ids: tuple[int, ...]
    before: int | None = None
    after: int | None = None
    limit: int
    count: int = Factory(lambda self: len(self.ids), takes_self=True)
    """How many messages Discord sent, before any was left out."""
    strays: int = 0
    """How many of them were not asked for: of another channel, or beyond the bound."""
    date: datetime
    """Discord's clock; or ours less five minutes if it didn't say."""

    @property
    def short(self) -> bool:
        """Whether Discord sent fewer than were asked for, and nothing else: there is no more on that side."""
        return self.count < self.limit and self.strays == 0


def _possible(limit: int) -> int:
    """How many messages of one page can be asked for."""
    return max(1, min(limit, MOST))


@frozen(kw_only=True)
class Asked:
    """Which messages of a channel were asked for."""

    channel_id: int
    before: int | None
    after: int | None
    limit: int = field(converter=_possible)

    def __attrs_post_init__(self) -> None:
        if (self.before is None) == (self.after is None):
            raise ValueError("A page is read either before or after an id.")

    def page(self, listed: Sequence[RawMessage], date: datetime) -> Page:
        """Tell what came from what was not asked for."""
        messages = listed[::-1] if self._is_just_that(listed) else self._told_apart(listed)
        strays = 0
        if len(messages) < len(listed):
            ids = {one.id for one in messages}
            strays = sum(one.id not in ids for one in listed)
        if strays:
            log.warning("discord.page_strayed", channel_id=self.channel_id, strays=strays, messages=len(listed))
        return Page(
            messages=tuple(messages),
            ids=tuple([one.id for one in messages]),
            before=self.before,
            after=self.after,
            limit=self.limit,
            count=len(listed),
            strays=strays,
            date=date,
        )

    @property
    def _span(self) -> tuple[int, int]:
        """The lowest id that was asked for, and the first beyond all of them."""
        return (-1 if self.after is None else self.after + 1), (LARGEST + 1 if self.before is None else self.before)

    def _is_just_that(self, listed: Sequence[RawMessage]) -> bool:
        """Whether it is what Discord sends: newest first, each id once, and nothing else than was asked for."""
        ids = [one.id for one in listed]
        lowest, end = self._span
        inside = not ids or (lowest <= ids[-1] and ids[0] < end)
        return inside and all(map(gt, ids, ids[1:])) and {one.channel_id for one in listed} <= {self.channel_id, None}

    def _told_apart(self, listed: Sequence[RawMessage]) -> list[RawMessage]:
        """What was asked for, oldest first, each id once."""
        lowest, end = self._span
        there = {
            one.id: one
            for one in listed
            if lowest <= one.id < end and (one.channel_id == self.channel_id or one.channel_id is None)
        }
        return [there[number] for number in sorted(there)]


@frozen(kw_only=True)
class CutPage:
    """The like as it came: where it seems to end is known before it is read, and with that what to ask for next."""

    messages: Sequence[Raw]
    asked: Asked
    date: datetime

    @property
    def full(self) -> bool:
        """Whether there may be more on that side."""
        return len(self.messages) >= self.asked.limit

    def seems_to_prove(self, *, horizon: int) -> IdRange | None:
        """What a full page proves if it is in Discord's order, and holds only what was asked for; see ``proves``."""
        try:
            newest, oldest = id_of(self.messages[0]), id_of(self.messages[-1])
        except Mismatch:
            return None
        before, after = self.asked.before, self.asked.after
        start, stop = (oldest, before) if before is not None else ((after or 0) + 1, newest + 1)
        stop = min(stop, horizon)
        return IdRange(start, stop) if start < stop else None

    def read(self) -> Page:
        """Look at its messages; raises Mismatch if one has no id."""
        return self.asked.page(look_at(self.messages), self.date)


def proves(page: Page, *, horizon: int) -> IdRange | None:
    """The ids that a page proves read; None where it proves nothing.

    Backward, from the oldest message up to the bound, and down to 0 if the page was short. Forward, from the bound up
    to the newest message, or to the horizon if Discord had nothing. That an empty page is to be believed, which takes
    the permission to read before and after, is the caller's to know.
    """
    if page.before is not None:
        start, stop = _backward(page, page.before)
    elif page.after is not None:
        start, stop = _forward(page, page.after, horizon)
    else:
        return None
    stop = min(stop, horizon)
    return IdRange(start, stop) if start < stop else None


def _backward(page: Page, before: int) -> tuple[int, int]:
    if page.short:
        return 0, before
    return (page.ids[0], before) if page.ids else (before, before)


def _forward(page: Page, after: int, horizon: int) -> tuple[int, int]:
    if page.ids:
        return after + 1, page.ids[-1] + 1
    return (after + 1, horizon) if page.count == 0 else (after, after)


@define(kw_only=True)
class History:
    """Reads channels through Discord's REST API."""

    rest: Rest

    @property
    def unauthorized(self) -> bool:
        """Whether Discord has refused our token: nothing can be read until the program starts with another."""
        return self.rest.unauthorized

    async def page(
        self,
        channel_id: int,
        *,
        before: int | None = None,
        after: int | None = None,
        limit: int = MOST,
        on_wait: OnWait | None = None,
    ) -> Page:
        """Read the messages next to a bound. Discord: Get Channel Messages, newest first also with ``after``."""
        asked = Asked(channel_id=channel_id, before=before, after=after, limit=limit)
        answer = await self._ask(asked, on_wait, read_messages)
        return asked.page(answer.body, answer.moment)

    async def cut(
        self,
        channel_id: int,
        *,
        before: int | None = None,
        after: int | None = None,
        limit: int = MOST,
        on_wait: OnWait | None = None,
    ) -> CutPage:
        """Ask for them likewise, and leave it to the caller when the messages are looked at."""
        asked = Asked(channel_id=channel_id, before=before, after=after, limit=limit)
        answer = await self._ask(asked, on_wait, cut)
        return CutPage(messages=answer.body, asked=asked, date=answer.moment)

    async def _ask(self, asked: Asked, on_wait: OnWait | None, read: Read) -> Answer:
        bound = {"before": asked.before} if asked.before is not None else {"after": asked.after}
        answer = await self.rest.request(
            Route("GET", "/channels/{channel_id}/messages", channel_id=asked.channel_id),
            params=bound | {"limit": asked.limit},
            priority=Priority.SCAN,
            on_wait=on_wait,
            read=read,
        )
        if answer.date is None:
            log.warning("discord.date_missing", channel_id=asked.channel_id)
        return answer
