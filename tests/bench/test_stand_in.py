"""The Discord that is measured against."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from bench.programs import StandIn, stand_in
from bench.stand_in import Held, counts


@asynccontextmanager
async def asking(held: Held) -> AsyncIterator[tuple[StandIn, aiohttp.ClientSession]]:
    """Serve a Discord, and a way to ask it."""
    async with stand_in(held) as there:
        headers = {"Authorization": f"Bot {there.discord.token}", "User-Agent": "tests"}
        async with aiohttp.ClientSession(headers=headers) as session:
            yield there, session


async def page(there: StandIn, session: aiohttp.ClientSession, channel: int) -> tuple[int, Any, Any]:
    """Ask for a channel's newest page: status, headers, body."""
    url = f"{there.discord.url}/channels/{channel}/messages"
    async with session.get(url, params={"before": str(1 << 62), "limit": "100"}) as response:
        return response.status, response.headers, await response.json()


async def test_pages_and_everything_else() -> None:
    """One address serves pages from memory and the rest from the simulator, and remembers the pages."""
    async with asking(Held(channels=2, lengths=(250, 3))) as (there, session):
        first, second = there.discord.channels
        assert [len((await page(there, session, channel))[2]) for channel in (first, second)] == [100, 3]
        async with session.get(f"{there.discord.url}/channels/{second}") as response:
            assert str(second) == (await response.json())["id"]
        seen = await there.ask("seen")
        assert [first, second] == [channel for _, channel in seen["pages"]]
        assert seen["asked"] is not None


async def test_limits_are_told_and_kept() -> None:
    """Five pages of a channel come with what is left; the sixth is refused as Discord refuses."""
    async with asking(Held(channels=1, window="fixed")) as (there, session):
        (channel,) = there.discord.channels
        answers = [await page(there, session, channel) for _ in range(6)]
        assert [200] * 5 + [429] == [status for status, _, _ in answers]
        assert [str(left) for left in (4, 3, 2, 1, 0, 0)] == [told["X-RateLimit-Remaining"] for _, told, _ in answers]
        _, headers, body = answers[-1]
        assert {"X-RateLimit-Bucket", "X-RateLimit-Reset-After", "Retry-After"} <= set(headers)
        assert body["global"] is False
        assert 0 < body["retry_after"] <= 5
        seen = await there.ask("seen")
        assert ({"user": 1}, 6, 1) == (seen["throttled"], len(seen["counted"]), len(seen["refused"]))


async def test_every_request_that_discord_counts_is_remembered() -> None:
    """Those that are passed on too, and when one of these is refused."""
    async with asking(Held(channels=1, window="fixed")) as (there, session):
        statuses = []
        for _ in range(6):
            async with session.get(f"{there.discord.url}/users/@me/guilds") as response:
                statuses.append(response.status)
        seen = await there.ask("seen")
    assert [200] * 5 + [429] == statuses
    assert (6, 1, []) == (len(seen["counted"]), len(seen["refused"]), seen["pages"])


@pytest.mark.parametrize(
    ("data", "counted"),
    [
        (b"GET /api/v10/channels/1 HTTP/1.1", True),
        (b"PATCH /api/v10/channels/1/messages/2 HTTP/1.1", True),
        (b"POST /api/v10/interactions/1/token/callback HTTP/1.1", False),
        (b"PATCH /api/v10/webhooks/1/token/messages/@original HTTP/1.1", False),
        (b"GET /?v=10&encoding=json HTTP/1.1", False),
        (b'{"content": "GET /api/v10/"}', False),
    ],
)
def test_what_is_counted(data: bytes, counted: bool) -> None:  # noqa: FBT001 - a case
    """Requests to the API, but for those about interactions; neither the gateway nor a body that comes later."""
    assert counts(data) is counted


async def test_roles_and_overwrites() -> None:
    """A large server's roles and overwrites are there."""
    async with asking(Held(channels=1, roles=7, overwrites=3)) as (there, session):
        (channel,) = there.discord.channels
        async with session.get(f"{there.discord.url}/channels/{channel}") as response:
            assert len((await response.json())["permission_overwrites"]) == 3
