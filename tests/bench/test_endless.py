"""Messages that are made up when they are asked for."""

import re
from typing import Any

import orjson
import pytest
from bench.endless import Endless, first_from, id_of

CHANNEL = 4711


@pytest.fixture(scope="module")
def endless() -> Endless:
    """One channel with 1,050 messages."""
    return Endless.of({CHANNEL: 1_050})


def ask(endless: Endless, **query: int) -> list[dict[str, Any]]:
    """Read a page."""
    count, body = endless.page(CHANNEL, {name: [str(value)] for name, value in query.items()})
    page: list[dict[str, Any]] = orjson.loads(body)
    assert count == len(page)
    return page


def test_backward_to_the_beginning(endless: Endless) -> None:
    """Page after page, newest first, every message comes once, and the last page is short."""
    seen: list[int] = []
    before = 1 << 62
    while page := ask(endless, before=before, limit=100):
        ids = [int(message["id"]) for message in page]
        assert ids == sorted(ids, reverse=True)
        assert max(ids) < before
        seen += ids
        before = ids[-1]
    assert seen == [id_of(index) for index in range(1_049, -1, -1)]


def test_forward_to_the_end(endless: Endless) -> None:
    """Forward pages are newest first too, and begin right after the bound."""
    page = ask(endless, after=id_of(1_000), limit=100)
    assert [int(message["id"]) for message in page] == [id_of(index) for index in range(1_049, 1_000, -1)]
    assert ask(endless, after=id_of(1_049), limit=100) == []


def test_messages_are_the_channels(endless: Endless) -> None:
    """What was drawn for another channel says that it is of this one; some hold files."""
    page = ask(endless, before=1 << 62, limit=100)
    assert {message["channel_id"] for message in page} == {str(CHANNEL)}
    assert any(message["attachments"] for message in page)


def test_where_an_id_lies() -> None:
    """The first message from an id on is found, whether there is one with that very id or not."""
    assert [first_from(id_of(7) + more) for more in (-1, 0, 1)] == [7, 7, 8]
    assert first_from(0) == 0


def test_files_are_where_they_are_served() -> None:
    """With an origin of its own every link leads there, and every file is as long as what is sent."""
    whole = {"limit": ["500"]}
    _, page = Endless.of({CHANNEL: 500}, origin="http://127.0.0.1:9", file_size=77).page(CHANNEL, whole)
    assert set(re.findall(rb'"size":(\d+)', page)) == {b"77"}
    assert b"//cdn.discordapp" not in page
    assert b"//media.discordapp" not in page
    files = [file for message in orjson.loads(page) for file in message["attachments"]]
    assert {(file["size"], file["url"].partition("/attachments/")[0]) for file in files} == {(77, "http://127.0.0.1:9")}
