"""Looking at messages as they came, without reading all of them."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipsaver.discord.raw import RawMessage, read_messages
from clipsaver.discord.snapshots import structure_message
from clipsaver.discord.structuring import Mismatch, OddPayload
from tests.discord.payloads import attachment, message


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, False),
        ({"embeds": [{"type": "rich"}]}, False),
        ({"embeds": [{"type": "rich", "video": None}]}, False),
        ({"embeds": None, "attachments": None}, False),
        ({"attachments": [{}]}, True),
        ({"components": [{}]}, True),
        ({"message_snapshots": [{}]}, True),
        ({"embeds": [{"type": "rich"}, {"type": "video", "video": {"url": "https://youtu.be/x"}}]}, False),
        ({"embeds": [{}, {"video": {"url": "https://cdn.discordapp.com/attachments/1/2/a.mp4"}}]}, True),
        ({"embeds": "odd"}, True),
        ({"embeds": [5]}, True),
        ({"author": "somebody"}, True),
    ],
)
def test_only_some_messages_have_media(more: dict[str, Any], expected: bool) -> None:  # noqa: FBT001 - a parameter
    """A look is enough to pass over most messages; an odd one goes on, to tell what is wrong with it."""
    assert expected is RawMessage.of(message(**more)).has_media


def test_what_a_page_says_is_kept() -> None:
    """In its order, ids as numbers whether they came as text or not, and with the whole payload."""
    payloads = [message(id="12", author={"id": "5"}, application_id="6"), message(id=11, author=None)]
    page = read_messages(orjson.dumps(payloads))
    assert [(one.id, one.author and one.author.id, one.application_id) for one in page] == [
        (12, 5, 6),
        (11, None, None),
    ]
    assert [one.payload for one in page] == payloads
    assert [one.detach().payload for one in page] == payloads


def test_half_a_surrogate_pair_spoils_nothing() -> None:
    """Discord's JSON may hold what no text can: it is replaced, and the rest is as it was."""
    body = orjson.dumps([message(content="HALF"), message(id="2")]).replace(b"HALF", b"a\\ud800b")
    page = read_messages(body)
    assert (page[0].payload["content"], page[1].id) == ("a?b", 2)
    assert RawMessage.of(message(content="a\ud800b")).payload["content"] == "a?b"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"{}",
        b"<html>",
        b'[{"id": "1"}',
        b'[{"id": "1"}, 5]',
        b"[null]",
        b"[{}]",
        b'[{"id": null}]',
        b'[{"id": ""}]',
        b'[{"id": "x"}]',
        b'[{"id": "-1"}]',
        b'[{"id": "9223372036854775808"}]',
        b'[{"id": 1.5}]',
        b'[{"id": true}]',
        b'[{"id": []}]',
        b'[{"id": "1", "content": "\xff"}]x',
        b"[" * 100_000,
    ],
)
def test_what_is_no_list_of_messages_is_refused(body: bytes) -> None:
    """Also where one has no id: what such a page proves could not be told."""
    with pytest.raises(Mismatch):
        read_messages(body)


json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
keys = (
    "attachments",
    "embeds",
    "components",
    "message_snapshots",
    "author",
    "channel_id",
    "application_id",
    "raw",
    "odd",
)


@given(st.dictionaries(st.sampled_from(keys), json, max_size=5))
def test_whatever_a_message_is_it_has_its_id(changes: dict[str, Any]) -> None:
    """Every field but the id may be anything; where JSON has no word for it the page is refused."""
    try:
        one = RawMessage.of(message(id="77") | changes)
    except Mismatch:
        assert "NaN" in str(changes) or "nan" in str(changes) or "inf" in str(changes)
    else:
        assert one.id == 77
        assert isinstance(one.has_media, bool)


values = json | st.sampled_from(
    [
        "7",
        "007",
        "5.0",
        "null",
        "nan",
        "true",
        -1,
        2**31,
        2**63,
        1e300,
        "a\0b",
        "2024-01-01T00:00:00",
        "2024-01-01T02:00:00+02:00",
    ]
)
of_a_message = st.dictionaries(
    st.sampled_from(sorted({*message(), "webhook_id", "application_id", "flags"})), values, max_size=2
)
of_a_file = st.dictionaries(
    st.sampled_from(
        sorted({*attachment(), "duration_secs", "width", "flags", "application", "clip_created_at", "title"})
    ),
    values,
    max_size=2,
)


components = st.sampled_from(
    [
        None,
        "x",
        [],
        [None],
        [{"type": 13, "file": {"url": "attachment://a.mp4"}, "name": "a.mp4"}],
        [{"type": 9, "components": [{"type": 10}], "accessory": {"type": 11, "media": {"url": "u", "width": -1}}}],
        [{"type": 12, "items": [{"media": {"url": "u", "attachment_id": "5"}}, {"media": {"url": 3}}]}],
    ]
)
of_a_forward = st.fixed_dictionaries(
    {},
    optional={
        "content": values,
        "timestamp": values,
        "flags": values,
        "attachments": st.lists(of_a_file.map(lambda of_file: attachment() | of_file), max_size=2),
        "components": components,
        "media": components,
    },
)
entries = st.one_of(st.sampled_from([None, 3, {}, {"message": None}]), of_a_forward.map(lambda one: {"message": one}))
of_the_rest = st.fixed_dictionaries(
    {},
    optional={
        "components": components,
        "message_snapshots": st.one_of(st.none(), st.lists(entries, max_size=2)),
        "media": components,
        "forwarded": st.lists(of_a_forward, max_size=1),
    },
)


@given(of_a_message, of_a_file, of_the_rest)
def test_straight_from_json_or_the_longer_way_a_message_is_the_same(
    changes: dict[str, Any], of_file: dict[str, Any], rest: dict[str, Any]
) -> None:
    """Whatever the longer way can read is read alike; odd is no more than what is odd to it."""
    try:
        raw = RawMessage.of(message(id="77", attachments=[attachment() | of_file]) | rest | changes)
        expected = structure_message(raw.payload)
    except (Mismatch, OddPayload):
        return
    assert expected == raw.snapshot()


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"embeds": [{"type": "video", "provider": {"name": "V"}, "video": {"url": "https://v.example", "width": 640}}]},
        {"webhook_id": "3", "application_id": 4, "edited_timestamp": "2024-01-01T02:00:00+02:00"},
        {"attachments": [attachment(application={"id": "5", "name": "Game"}, duration_secs=12, clip_participants=[])]},
        {"message_snapshots": [{"message": {"attachments": [attachment()], "components": []}}, {"message": None}]},
        {"components": [{"type": 13, "file": {"url": "attachment://a.mp4", "attachment_id": "7"}, "name": "a.mp4"}]},
    ],
)
def test_what_is_as_it_should_be_takes_the_short_way(more: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise it would cost several times as much, and nobody would notice."""
    raw = RawMessage.of(message(**more))
    expected = structure_message(raw.payload)
    monkeypatch.delattr(RawMessage, "payload")
    assert expected == raw.snapshot()


@pytest.mark.parametrize("name", ["a\0b", "a\\u0000b"])
def test_texts_are_fit_for_the_database(name: str) -> None:
    """NUL is replaced; what only looks like it stays."""
    (file,) = RawMessage.of(message(attachments=[attachment(filename=name)])).snapshot().attachments
    assert name.replace("\0", "\ufffd") == file.filename


@pytest.mark.parametrize("size", ["1e999", "9" * 5000])
def test_a_number_beyond_all_bounds_is_odd_and_nothing_else(size: str) -> None:
    """What only the second parser stumbles over, deep in a message, leaves the others alone."""
    bad = b'{"id": "77", "channel_id": "5", "components": [{"type": 13, "size": %s, "file": {"url": "u"}}]}'
    odd, fine = read_messages(b"[" + bad % size.encode() + b"," + orjson.dumps(message(id="78")) + b"]")
    with pytest.raises(OddPayload, match="not readable as JSON"):
        odd.snapshot()
    assert fine.snapshot().id == 78
