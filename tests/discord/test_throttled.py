"""Every kind of 429: how long it is obeyed, by whom, and what it counts for."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

import pytest
from attrs import frozen

from clipsaver.discord.limits import FIRST_PENALTY, LARGEST_MARGIN
from clipsaver.discord.rest import Rest, Route
from tests.discord.servers import Handler, Server, say, serve

PAGE = Route("GET", "/channels/{channel_id}/messages", channel_id=2)
NOW = "Thu, 01 Jan 2026 12:00:00 GMT"
LATER, EARLIER = str(1767268800 + 30), str(1767268800 - 30)
RESET = "X-RateLimit-Reset"
AFTER = RESET + "-After"
HTML = b"<!DOCTYPE html><title>Access denied | error 1015</title>"
BUCKET = {"X-RateLimit-Bucket": "b", "X-RateLimit-Limit": "5", "X-RateLimit-Remaining": "0"}
DAY = 86_400.0


@frozen
class Case:
    """A refusal, and what has to come of it."""

    name: str
    body: Any = None
    headers: Mapping[str, str] = MappingProxyType({})
    wait: float = FIRST_PENALTY
    """Seconds that nothing may be sent."""
    scope: str = "user"
    """As it is counted; everything waits for a global one."""


CASES = [
    # nothing to go by
    Case("nothing at all", scope="global"),
    Case("an empty object", {}),
    Case("only a message", {"message": "You are being rate limited."}),
    # in front of the API
    Case("HTML", HTML, scope="global"),
    Case("HTML that says how long", HTML, {"Retry-After": "40"}, 40, "global"),
    Case("HTML with an hour", HTML, {"Retry-After": "3600", "Server": "cloudflare"}, 3600, "global"),
    Case("a text", b'"slow down"', {"Retry-After": "3"}, 3, "global"),
    Case("a list", [], {"Retry-After": "3"}, 3, "global"),
    Case("HTML that names a bucket", HTML, BUCKET | {"Retry-After": "3"}, 3),
    # how long: header and body
    Case("the header alone", {}, {"Retry-After": "7"}, 7),
    Case("the body alone", {"retry_after": 7.25}, {}, 7.25),
    Case("a whole number in the body", {"retry_after": 7}, {}, 7),
    Case("text in the body", {"retry_after": "7.5"}, {}, 7.5),
    Case("the header is larger", {"retry_after": 6.3}, {"Retry-After": "7"}, 7),
    Case("the body is larger", {"retry_after": 7.9}, {"Retry-After": "7"}, 7.9),
    Case("milliseconds in neither", {"retry_after": 0.4}, {"Retry-After": "1"}, 1),
    Case("an hour", {"retry_after": 3600.0}, {"Retry-After": "3600"}, 3600),
    Case("a year is a day", {"retry_after": 3.2e7}, {}, DAY),
    Case("nothing to wait", {"retry_after": 0.0}, {"Retry-After": "0"}),
    Case("less than nothing", {"retry_after": -5}, {"Retry-After": "-5"}),
    Case("not a number", {"retry_after": "soon"}, {"Retry-After": "soon"}),
    Case("yes", {"retry_after": True}, {}),
    Case("a date", {}, {"Retry-After": "Thu, 01 Jan 2026 12:00:20 GMT", "Date": NOW}, 20),
    Case("a date that is over", {}, {"Retry-After": "Thu, 01 Jan 2026 11:00:00 GMT", "Date": NOW}),
    Case("a date without a clock", {}, {"Retry-After": "Thu, 01 Jan 2026 12:00:20 GMT"}),
    # how long: the bucket's reset
    Case("only the reset", {}, BUCKET | {AFTER: "4.5"}, 4.5),
    Case("the wait before the reset", {"retry_after": 2}, BUCKET | {AFTER: "4.5"}, 2),
    Case("the reset when there is no wait", {"retry_after": 0}, BUCKET | {AFTER: "4.5"}, 4.5),
    Case("a reset near nothing", {}, BUCKET | {AFTER: "0.001"}),
    Case("a reset of nothing", {}, BUCKET | {AFTER: "0"}),
    Case("a negative reset", {}, BUCKET | {AFTER: "-3"}),
    Case("a negative reset and its moment", {}, {AFTER: "-3", RESET: LATER, "Date": NOW}, 30),
    Case("only the reset's moment", {}, BUCKET | {RESET: LATER, "Date": NOW}, 30),
    Case("a moment in the past", {}, BUCKET | {RESET: EARLIER, "Date": NOW}),
    Case("a moment without a clock", {}, BUCKET | {RESET: LATER}),
    Case("no bucket", {"retry_after": 3}, {"X-RateLimit-Limit": "5", "X-RateLimit-Remaining": "0"}, 3),
    # whose limit it is
    Case("a user's", {"retry_after": 3}, BUCKET | {"X-RateLimit-Scope": "user"}, 3),
    Case("shared", {"retry_after": 3}, BUCKET | {"X-RateLimit-Scope": "shared"}, 3, "shared"),
    Case("shared without a bucket", {"retry_after": 3}, {"X-RateLimit-Scope": "shared"}, 3, "shared"),
    Case("global by its scope", {"retry_after": 3}, {"X-RateLimit-Scope": "global"}, 3, "global"),
    Case("global by its header", {"retry_after": 3}, {"X-RateLimit-Global": "true"}, 3, "global"),
    Case("global by its body", {"retry_after": 3, "global": True}, BUCKET, 3, "global"),
    Case("global without a time", {"global": True}, {}, FIRST_PENALTY, "global"),
    Case("not global", {"retry_after": 3, "global": False}, {"X-RateLimit-Global": "false"}, 3),
    Case("an unknown scope", {"retry_after": 3}, {"X-RateLimit-Scope": "galaxy"}, 3),
]  # fmt: skip


@asynccontextmanager
async def connect(handler: Handler) -> AsyncIterator[tuple[Rest, Server]]:
    """A client whose clock stands still."""
    async with serve(handler) as server, Rest(token="t", url=server.url, clock=lambda: 1000.0) as rest:
        yield rest, server


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_it_is_obeyed(case: Case) -> None:
    """Nothing is sent again for as long as was asked for, however that was said; and never at once."""
    headers = {name.replace("-", "_"): value for name, value in case.headers.items()}
    async with connect(say(case.body, 429, **headers)) as (rest, server):
        asking = asyncio.create_task(rest.request(PAGE))
        await server.asked_for()
        while not rest.stats.throttled:  # noqa: ASYNC110 - it has no event
            await asyncio.sleep(0.001)
        pacer = rest._pacer
        bucket = pacer.lanes.bucket(pacer.lanes.lane(PAGE, 0.0))
        waits = bucket.blocked_until - 1000
        assert case.wait <= waits <= case.wait + LARGEST_MARGIN
        assert (pacer.blocked_until - 1000 == waits) == (case.scope == "global")
        assert rest.stats.throttled == {case.scope: 1}
        assert rest.stats.invalid == rest.breaker.recent == (case.scope != "shared")
        await asyncio.sleep(0)
        assert len(server.asked) == 1
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)


@pytest.mark.parametrize(("wait", "told"), [(0.6, False), (3600, True)])
async def test_long_waits_are_told(wait: float, told: bool) -> None:  # noqa: FBT001 - a parameter
    """People see until when; not of what passes while they look."""
    heard: list[datetime | None] = []
    async with connect(say({"retry_after": wait}, 429)) as (rest, _):
        asking = asyncio.create_task(rest.request(PAGE, on_wait=heard.append))
        while not rest.stats.throttled:  # noqa: ASYNC110 - it has no event
            await asyncio.sleep(0.001)
        for _ in range(20):
            await asyncio.sleep(0)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
    if told:
        first, last = heard
        assert first is not None
        assert last is None
        assert abs(first - datetime.now(UTC) - timedelta(seconds=wait)) < timedelta(minutes=1)
    else:
        assert heard == []
