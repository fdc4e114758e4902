"""How many sessions a bot may begin."""

from typing import Any

import pytest

from clipsaver.discord.rest import Rest, Unavailable
from clipsaver.discord.starts import Starts, ask_starts
from tests.discord.servers import say, serve

LIMIT = {"total": 1000, "remaining": 999, "reset_after": 14_400_500, "max_concurrency": 1}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            {"url": "wss://x", "shards": 9, "session_start_limit": LIMIT},
            Starts(shards=9, remaining=999, reset_after=14_400.5),
        ),
        ({"url": "wss://x", "shards": 2, "session_start_limit": {"remaining": 1}}, Starts(shards=2, remaining=1)),
        ({"url": "wss://x", "session_start_limit": None}, Starts()),
        ({"shards": 0, "session_start_limit": {"remaining": -1, "reset_after": "soon"}}, Starts()),
    ],
)
async def test_what_discord_says(body: dict[str, Any], expected: Starts) -> None:
    """What is left out or makes no sense is no limit."""
    async with serve(say(body)) as server, Rest(token="t", url=server.url) as rest:
        assert await ask_starts(rest) == expected
        assert server.paths == ["/api/v10/gateway/bot"]


async def test_what_is_no_answer() -> None:
    """It is asked for again, and in the end not to be had."""
    async with serve(say([])) as server, Rest(token="t", url=server.url, pause=0.001) as rest:
        with pytest.raises(Unavailable):
            await ask_starts(rest)


@pytest.mark.parametrize(("remaining", "enough"), [(None, True), (3, True), (2, True), (1, False), (0, False)])
def test_whether_it_is_enough(remaining: int | None, enough: bool) -> None:  # noqa: FBT001 - a parameter
    """Every shard takes one."""
    assert Starts(shards=2, remaining=remaining).enough is enough
