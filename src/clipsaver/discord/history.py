"""Reading a channel's messages page by page, and what a page proves."""

from datetime import datetime
from typing import Final

import structlog
from attrs import Factory, define, frozen

from clipsaver.discord.raw import RawMessage, read_messages
from clipsaver.discord.rest import OnWait, Priority, Rest, Route
from clipsaver.discord.snowflakes import LARGEST
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
        priority: Priority = Priority.SCAN,
        on_wait: OnWait | None = None,
    ) -> Page:
        """Read the messages next to a bound. Discord: Get Channel Messages, newest first also with ``after``."""
        if (before is None) == (after is None):
            raise ValueError("A page is read either before or after an id.")
        limit = max(1, min(limit, MOST))
        bound = {"before": before} if before is not None else {"after": after}
        answer = await self.rest.request(
            Route("GET", "/channels/{channel_id}/messages", channel_id=channel_id),
            params=bound | {"limit": limit},
            priority=priority,
            on_wait=on_wait,
            read=read_messages,
        )
        if answer.date is None:
            log.warning("discord.date_missing", channel_id=channel_id)
        listed: list[RawMessage] = answer.body
        lowest, end = -1 if after is None else after + 1, LARGEST + 1 if before is None else before
        there = {
            one.id: one
            for one in listed
            if lowest <= one.id < end and (one.channel_id == channel_id or one.channel_id is None)
        }
        strays = 0 if len(there) == len(listed) else sum(one.id not in there for one in listed)
        if strays:
            log.warning("discord.page_strayed", channel_id=channel_id, strays=strays, messages=len(listed))
        ids = sorted(there)
        return Page(
            messages=tuple([there[number] for number in ids]),
            ids=tuple(ids),
            before=before,
            after=after,
            limit=limit,
            count=len(listed),
            strays=strays,
            date=answer.moment,
        )
