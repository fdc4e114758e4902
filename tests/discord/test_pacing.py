"""Pages under real limits: every style of window, over real sockets, on the clock."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable
from itertools import count

import pytest
from aiohttp import web

from clipsaver.discord import lanes, limits
from clipsaver.discord.budget import Budget, Turn
from clipsaver.discord.history import History
from clipsaver.discord.pacing import Pacer
from clipsaver.discord.rest import Priority, Rest, Route
from tests.discord.buckets import STYLES, Limiter
from tests.discord.servers import Pages, one_by_one, say, serve, watched

LIMIT, WINDOW = 5, 0.5
CHANNELS = 8


@pytest.mark.parametrize("style", STYLES)
async def test_channels_reach_their_ceiling_side_by_side(style: str) -> None:
    """Eight channels at once each read at the limit's pace, and none is ever refused.

    Refusals are excused only by stalls of this very machine that were longer than the margin, each once a channel.
    """
    pages = Pages(range(1, 10_000))
    limiters: dict[str, Limiter] = defaultdict(lambda: make(LIMIT, WINDOW))
    make: Callable[[int, float], Limiter] = STYLES[style]

    async def limited(request: web.Request) -> web.StreamResponse:
        allowed, remaining, reset_after = limiters[request.path].hit(time.monotonic())
        headers = {
            "X-RateLimit-Limit": str(LIMIT),
            "X-RateLimit-Remaining": str(remaining),
            "X-RateLimit-Reset-After": f"{reset_after:.3f}",
            "X-RateLimit-Bucket": "messages",
        }
        if not allowed:
            return web.json_response({"retry_after": reset_after}, status=429, headers=headers)
        answer = pages(request)
        answer.headers.update(headers)
        return answer

    async with watched() as stalls, serve(limited) as server, Rest(token="t", url=server.url) as rest:

        async def read(channel_id: int) -> None:
            bound = 10_000
            for _ in range(4 * LIMIT):
                bound = (await History(rest=rest).page(channel_id, before=bound)).ids[0]

        began = time.monotonic()
        await asyncio.gather(*(read(channel_id) for channel_id in range(CHANNELS)))
        spent = time.monotonic() - began
        assert rest.stats.throttled.total() <= stalls.late * CHANNELS
    assert 2 * WINDOW < spent < 4 * WINDOW * 1.5 + stalls.total


async def test_a_bucket_by_another_name_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit is obeyed all the same, other channels' too, and the names take no memory."""
    monkeypatch.setattr(lanes, "MOST", 8)
    limiters: dict[str, Limiter] = defaultdict(lambda: STYLES["fixed"](2, 0.1))
    names = count()

    def limited(request: web.Request) -> web.StreamResponse:
        allowed, remaining, reset_after = limiters[request.path].hit(time.monotonic())
        headers = {
            "X-RateLimit-Limit": "2",
            "X-RateLimit-Remaining": str(remaining),
            "X-RateLimit-Reset-After": f"{reset_after:.3f}",
            "X-RateLimit-Bucket": f"bucket{next(names)}",
        }
        return web.json_response([], status=200 if allowed else 429, headers=headers)

    async with watched() as stalls, serve(limited) as server, Rest(token="t", url=server.url) as rest:

        async def read(channel_id: int) -> None:
            for _ in range(12):
                await rest.request(Route("GET", "/channels/{channel_id}/messages", channel_id=channel_id))

        await asyncio.gather(read(1), read(2))
        assert rest.stats.throttled.total() <= stalls.late * 2
        assert len(rest._pacer.lanes._buckets) <= 10
        assert len(rest._pacer.lanes._families) <= 12


async def test_a_refusal_by_another_bucket(monkeypatch: pytest.MonkeyPatch) -> None:
    """A refusal that names a bucket for the first time holds back whoever is in it."""
    monkeypatch.setattr(limits, "FIRST_PENALTY", 0.001)
    fine = say([], X_RateLimit_Bucket="a", X_RateLimit_Limit=5, X_RateLimit_Remaining=4, X_RateLimit_Reset_After=9)
    refusal = say({"retry_after": 0.2}, 429, X_RateLimit_Bucket="b")
    refused = asyncio.Event()

    async def late(request: web.Request) -> web.StreamResponse:
        await refused.wait()
        return fine(request)  # type: ignore[return-value]

    page = Route("GET", "/channels/{channel_id}/messages", channel_id=1)
    async with serve(one_by_one([fine, late, refusal, fine])) as server, Rest(token="t", url=server.url) as rest:
        await rest.request(page)
        overlapping = asyncio.create_task(rest.request(page))
        await server.asked_for(2)
        again = asyncio.create_task(rest.request(page, on_wait=lambda _: None))
        while not rest.stats.throttled:  # noqa: ASYNC110 - it has no event
            await asyncio.sleep(0.001)
        refused.set()
        await asyncio.gather(overlapping, again)
    assert server.asked[3].at - server.asked[2].at >= 0.2


async def test_a_turn_that_is_due_later_can_be_given_up() -> None:
    """Cancelled between its grant and its moment, it leaves the bucket to the next."""

    class Ahead(Budget):
        async def take(self, priority: Priority) -> Turn:
            """Grant everything, people's a minute ahead."""
            return Turn(granted=True, seconds=60.0 if priority is Priority.PEOPLE else 0.0)

        async def close(self) -> None:
            """Nothing is held."""

    pacer = Pacer(budget=Ahead(pool=None))  # type: ignore[arg-type]
    running = asyncio.create_task(pacer.run())
    route = Route("GET", "/x")

    async def wait() -> None:
        with await pacer.turn(route, Priority.PEOPLE):
            raise AssertionError

    task = asyncio.create_task(wait())
    for _ in range(10):
        await asyncio.sleep(0)
    (bucket,) = pacer.lanes._buckets.values()
    assert bucket.in_flight == 1
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    with await pacer.turn(route, Priority.SCAN) as sending:
        sending.lost()
    assert bucket.in_flight == 0
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_turn_that_nobody_wants_any_more_is_let_go() -> None:
    """Whoever gives up while the budget is asked costs one turn, and nobody else waits for it."""
    asked, answer = asyncio.Event(), asyncio.Event()

    class Slow(Budget):
        async def take(self, _: Priority) -> Turn:
            """Grant when told to."""
            asked.set()
            await answer.wait()
            return Turn(granted=True, seconds=0.0)

    pacer = Pacer(budget=Slow(pool=None))  # type: ignore[arg-type]
    running = asyncio.create_task(pacer.run())
    route = Route("GET", "/x")

    async def wait() -> None:
        with await pacer.turn(route, Priority.SCAN):
            pass

    first = asyncio.create_task(wait())
    await asked.wait()
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    answer.set()
    await wait()
    (bucket,) = pacer.lanes._buckets.values()
    assert bucket.in_flight == 0
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
