"""The bot's own messages."""

from uuid import UUID

import pytest

from clipsaver.discord.messages import Messages
from clipsaver.discord.rest import NotFound, Rest
from tests.discord.servers import one_by_one, say, serve

RUN = UUID("12345678-1234-5678-1234-567812345678")


async def test_sending() -> None:
    """A message rings nobody, and sent again after trouble it is still one."""
    async with (
        serve(one_by_one([say(None, 500), say([]), say({"id": "5"})])) as server,
        Rest(token="t", url=server.url, pause=0.001) as rest,
    ):
        assert await Messages(rest=rest).send(2, {"content": "hi"}, nonce=RUN) == 5
    assert server.paths == ["/api/v10/channels/2/messages"] * 3
    assert server.asked[0].body == server.asked[2].body
    assert server.asked[0].body == {
        "content": "hi",
        "allowed_mentions": {"parse": []},
        "nonce": RUN.hex[:25],
        "enforce_nonce": True,
    }


async def test_every_message_has_its_own_nonce() -> None:
    """Unless told otherwise, two messages are two."""
    async with serve(say({"id": 5})) as server, Rest(token="t", url=server.url) as rest:
        for _ in range(2):
            await Messages(rest=rest).send(2, {"content": "hi"})
    assert server.asked[0].body["nonce"] != server.asked[1].body["nonce"]


async def test_editing() -> None:
    """An edit rings nobody either; a message that is gone is said."""
    async with (
        serve(one_by_one([say({"id": "5"}), say({"code": 10008}, 404)])) as server,
        Rest(token="t", url=server.url) as rest,
    ):
        await Messages(rest=rest).edit(2, 5, {"content": "hi"})
        with pytest.raises(NotFound, match="not there any more"):
            await Messages(rest=rest).edit(2, 5, {"content": "hi"})
    assert (server.asked[0].method, server.asked[0].path) == ("PATCH", "/api/v10/channels/2/messages/5")
    assert server.asked[0].body == {"content": "hi", "allowed_mentions": {"parse": []}}


async def test_deleting() -> None:
    """A message that is gone already is as good as deleted."""
    async with (
        serve(one_by_one([say(status=204), say({"code": 10008}, 404)])) as server,
        Rest(token="t", url=server.url) as rest,
    ):
        await Messages(rest=rest).delete(2, 5)
        await Messages(rest=rest).delete(2, 5)
    assert [asked.method for asked in server.asked] == ["DELETE"] * 2
