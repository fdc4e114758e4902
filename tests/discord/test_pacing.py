"""Pages under real limits: every style of window, over real sockets, on the clock."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable

import pytest
from aiohttp import web

from clipsaver.discord.history import History
from clipsaver.discord.rest import Rest
from tests.discord.buckets import STYLES, Limiter
from tests.discord.servers import Pages, serve

LIMIT, WINDOW = 5, 0.5


@pytest.mark.parametrize("style", STYLES)
async def test_channels_reach_their_ceiling_side_by_side(style: str) -> None:
    """Eight channels at once each read at the limit's pace, and none is ever refused."""
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

    async with serve(limited) as server, Rest(token="t", url=server.url) as rest:

        async def read(channel_id: int) -> None:
            bound = 10_000
            for _ in range(4 * LIMIT):
                bound = (await History(rest=rest).page(channel_id, before=bound)).ids[0]

        began = time.monotonic()
        await asyncio.gather(*(read(channel_id) for channel_id in range(8)))
        spent = time.monotonic() - began
        assert not rest.stats.throttled
    assert spent < 4 * WINDOW * 1.5
