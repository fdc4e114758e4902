"""Pages of a channel, and what they prove."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from clipsaver.discord.history import History, Page, proves
from clipsaver.discord.raw import RawMessage
from clipsaver.discord.rest import Rest, Unavailable
from clipsaver.postgres.ranges import IdRange
from tests.discord.servers import Handler, Pages, Server, one_by_one, say, serve

HORIZON = 10_000
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
ids = st.lists(st.integers(1, HORIZON + 500), unique=True, max_size=120)


@asynccontextmanager
async def reader(handler: Handler) -> AsyncIterator[tuple[History, Server]]:
    """A reader, and the server it reads from."""
    async with serve(handler) as server, Rest(token="t", url=server.url, pause=0.001) as rest:
        yield History(rest=rest), server


def page(numbers: list[int], **more: Any) -> Page:
    """A page with these ids."""
    given: dict[str, Any] = {"limit": 100, "date": NOON}
    return Page(messages=tuple(RawMessage(id=n) for n in numbers), ids=tuple(numbers), **(given | more))


async def test_messages_come_oldest_first() -> None:
    """Discord's newest first is turned round, in both directions."""
    async with reader(Pages(range(1, 301))) as (history, server):
        back = await history.page(2, before=200)
        forth = await history.page(2, after=200, limit=50)
    assert back.ids == tuple(range(100, 200))
    assert [message.payload["id"] for message in back.messages] == [str(n) for n in range(100, 200)]
    assert forth.ids == tuple(range(201, 251))
    assert [asked.query for asked in server.asked] == [
        {"before": "200", "limit": "100"},
        {"after": "200", "limit": "50"},
    ]
    assert not back.short


async def test_a_page_has_discords_clock() -> None:
    """The Date header counts; without one our own, with a margin and a word in the log."""
    async with reader(say([], Date="Thu, 01 Jan 2026 12:00:00 GMT")) as (history, _):
        assert (await history.page(2, before=5)).date == NOON
    with capture_logs() as logs:
        async with reader(say([], Date="")) as (history, _):
            assert (await history.page(2, before=5)).date <= datetime.now(UTC) - timedelta(minutes=5)
    assert [{"event": "discord.date_missing", "channel_id": 2, "log_level": "warning"}] == logs


@pytest.mark.parametrize("body", [{}, None, [5], [{}], [{"id": None}], [{"id": "secret"}], "secret"])
async def test_what_is_no_page_is_trouble(body: Any) -> None:
    """A body that isn't a list of objects with ids is asked for again, and an error if it stays."""
    async with reader(one_by_one([say(body), say([{"id": 3}])])) as (history, _):
        assert (await history.page(2, before=5)).ids == (3,)
    async with reader(say(body)) as (history, server):
        with pytest.raises(Unavailable):
            await history.page(2, before=5)
    assert len(server.asked) == 5


async def test_doubles_and_strays_are_left_out() -> None:
    """An id counts once; what was not asked for counts as a lie and is not handed on."""
    body = [{"id": "4"}, {"id": "4"}, {"id": 3, "channel_id": "2"}, {"id": "2", "channel_id": "9"}, {"id": "7"}]
    with capture_logs() as logs:
        async with reader(say(body)) as (history, _):
            read = await history.page(2, before=5)
    assert read.ids == (3, 4)
    assert (read.count, read.strays) == (5, 2)
    assert proves(read, horizon=HORIZON) == IdRange(3, 5)
    assert [entry["event"] for entry in logs] == ["discord.page_strayed"]


async def test_exactly_one_bound() -> None:
    """A page is next to one id."""
    history = History(rest=Rest(token="t", url=""))
    for bounds in ({}, {"before": 1, "after": 1}):
        with pytest.raises(ValueError, match="either before or after"):
            await history.page(2, before=bounds.get("before"), after=bounds.get("after"))


@pytest.mark.parametrize(
    ("read", "proved"),
    [
        (page(list(range(100, 200)), before=300), IdRange(100, 300)),
        (page([100, 150], before=300), IdRange(0, 300)),
        (page([], before=300), IdRange(0, 300)),
        (page([], before=0), None),
        (page([100], before=HORIZON + 5), IdRange(0, HORIZON)),
        (page([HORIZON + 1], before=HORIZON + 5, limit=1), None),
        (page([], before=300, count=3, strays=3), None),
        (page([100], before=300, count=2, strays=1), IdRange(100, 300)),
        (page([100, 150], after=50), IdRange(51, 151)),
        (page([], after=50), IdRange(51, HORIZON)),
        (page([], after=HORIZON), None),
        (page([], after=50, count=3, strays=3), None),
        (page([100], after=50, count=3, strays=2), IdRange(51, 101)),
        (page([HORIZON + 7], after=50), IdRange(51, HORIZON)),
        (page([1]), None),
    ],
)
def test_what_a_page_proves(read: Page, proved: IdRange | None) -> None:
    """Backward from the oldest to the bound, forward from the bound to the newest, never beyond the horizon."""
    assert proves(read, horizon=HORIZON) == proved


def ask(there: list[int], limit: int, *, before: int | None = None, after: int | None = None) -> Page:
    """What an honest Discord answers."""
    if before is not None:
        chosen = sorted(n for n in there if n < before)[-limit:]
    else:
        assert after is not None
        chosen = sorted(n for n in there if n > after)[:limit]
    return page(chosen, before=before, after=after, limit=limit)


@given(ids, st.integers(1, 100), st.integers(0, HORIZON + 100), st.booleans())
def test_what_is_proved_was_seen(there: list[int], limit: int, bound: int, backward: bool) -> None:  # noqa: FBT001 - drawn
    """No message lies in a proved range that the page didn't hold."""
    read = ask(there, limit, before=bound) if backward else ask(there, limit, after=bound)
    proved = proves(read, horizon=HORIZON)
    if proved is not None:
        assert {n for n in there if n in proved} <= set(read.ids)
        assert proved.stop <= HORIZON


@given(ids, st.integers(1, 100))
def test_reading_backward_ends_at_the_beginning(there: list[int], limit: int) -> None:
    """Page after page proves the whole channel, in no more pages than it takes."""
    bound, pages, seen = HORIZON, 0, set[int]()
    while bound:
        read = ask(there, limit, before=bound)
        proved = proves(read, horizon=HORIZON)
        assert proved is not None
        assert proved.stop == bound
        bound, pages = proved.start, pages + 1
        seen.update(read.ids)
    below = {n for n in there if n < HORIZON}
    assert seen == below
    assert pages <= len(below) // limit + 1


@given(ids, st.integers(1, 100))
def test_reading_forward_ends_at_the_horizon(there: list[int], limit: int) -> None:
    """Page after page proves everything up to the horizon."""
    bound = 0
    while bound < HORIZON - 1:
        proved = proves(ask(there, limit, after=bound), horizon=HORIZON)
        assert proved is not None
        assert proved.start == bound + 1
        bound = proved.stop - 1
