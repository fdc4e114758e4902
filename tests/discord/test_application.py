"""Who the bot is."""

from typing import Any

import pytest

from clipsaver.discord.application import Application, describe
from clipsaver.discord.rest import Rest, Unavailable
from tests.discord.servers import by_path, say, serve


@pytest.mark.parametrize(
    ("flags", "allowed"),
    [(1 << 18, True), (1 << 19, True), (1 << 12, False), (0, False), (None, None), ("odd", None)],
)
async def test_what_the_bot_was_given(flags: Any, allowed: bool | None) -> None:  # noqa: FBT001 - a parameter
    """The application's flags tell whether messages come with their content; without them nobody knows."""
    known = {
        "/applications/@me": say({"id": "4", "flags": flags, "bot": {"id": "9"}}),
        "/users/@me": say({"id": "9", "username": "cs"}),
    }
    async with serve(by_path(known)) as server, Rest(token="t", url=server.url) as rest:
        found = await describe(rest)
    assert found == Application(id=4, bot_id=9, name="cs", flags=flags if isinstance(flags, int) else None)
    assert found.may_read_content is allowed


async def test_flags_may_be_left_out() -> None:
    """An application without flags is one all the same; a body without an id is none."""
    known = {"/applications/@me": say({"id": "4"}), "/users/@me": say({"id": "9"})}
    async with serve(by_path(known)) as server, Rest(token="t", url=server.url) as rest:
        assert (await describe(rest)).may_read_content is None
    assert Application(id=4, bot_id=9).name == ""
    async with serve(say([])) as server, Rest(token="t", url=server.url, pause=0.001) as rest:
        with pytest.raises(Unavailable):
            await describe(rest)
