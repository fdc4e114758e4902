"""Lines of lists: what was written is read again, and what somebody else wrote is not believed."""

import string
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from attrs import fields
from hypothesis import given
from hypothesis import strategies as st

from clipsaver.clips.portable import lines
from clipsaver.clips.portable.lines import End, must_be_ours, read, write
from clipsaver.clips.portable.model import Clip, Place
from clipsaver.discord.snowflakes import LARGEST
from clipsaver.errors import BadInput
from tests.clips.portable.build import clip, place

TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
IDS = st.integers(0, LARGEST)
MOMENTS = st.datetimes(datetime(1970, 1, 2), datetime(2999, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - bounds


def maybe(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """The values, and None."""
    return st.none() | values


CLIPS = st.builds(
    lambda message_id, attachment_id, **more: Clip(
        clip_id=f"{message_id}-{'e3' if attachment_id is None else attachment_id}",
        message_id=message_id,
        attachment_id=attachment_id,
        **more,
    ),
    message_id=IDS,
    attachment_id=maybe(IDS),
    author_id=maybe(IDS),
    author_username=maybe(TEXTS),
    posted_at=MOMENTS,
    edited_at=maybe(MOMENTS),
    content=maybe(TEXTS),
    filename=TEXTS,
    url=TEXTS,
    size=maybe(st.integers(0, LARGEST)),
    width=maybe(st.integers(-(2**31) + 1, 2**31 - 1)),
    duration_seconds=maybe(st.floats(0, allow_infinity=False)),
    is_spoiler=st.booleans(),
    participants=st.lists(IDS, max_size=5).map(tuple),
    sha256=st.binary(min_size=32, max_size=32),
    bytes=st.integers(0, LARGEST),
    media_type=maybe(st.just("video/mp4")),
    file=st.text(string.ascii_letters, min_size=1).map(lambda name: f"clips/a/b/_{name}"),
    gone_since=maybe(MOMENTS),
)
PLACES = st.builds(
    Place,
    guild_id=IDS,
    guild_name=TEXTS,
    channel_id=IDS,
    channel_name=maybe(TEXTS),
    is_nsfw=st.booleans(),
    parent_id=maybe(IDS),
    position=st.integers(-(2**31) + 1, 2**31 - 1),
    folder=st.just("clips/a/b"),
)


@given(CLIPS | PLACES | st.builds(End, clips=IDS, bytes=IDS))
def test_there_and_back(line: Clip | Place | End) -> None:
    """Nothing is lost on the way, it is one line, and ids are texts."""
    written = write(line)
    assert (b"\n", 1) == (written[-1:], written.count(b"\n"))
    assert line == read(written)
    values = orjson.loads(written)
    assert all(isinstance(values[name], str) for name in values if name.endswith("_id"))


def test_every_field_is_looked_at() -> None:
    """What is written down can be read: none was forgotten."""
    assert {one.name for one in fields(Clip)} == lines.CLIP.keys()
    assert {one.name for one in fields(Place)} == lines.PLACE.keys()


def test_what_is_not_known_is_left_out() -> None:
    """Neither null nor false is said."""
    written = write(clip(title=None, is_clip=False))
    assert b"null" not in written
    assert b"false" not in written


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"kind": "clop"}, "its kind is 'clop', which is none of"),
        ({"kind": None}, "its kind is null"),
        ({"clip_id": None}, "clip_id is missing"),
        ({"clip_id": "x"}, "clip_id is 'x', which is not the message's id and another"),
        ({"clip_id": "1-7"}, "which is not the message's id"),
        ({"clip_id": ["x"]}, 'clip_id is ["x"], and no text'),
        ({"attachment_id": "8"}, "clip_id and attachment_id are not the same"),
        ({"message_id": 5}, "message_id is 5, and no id"),
        ({"message_id": "9" * 19}, "and no id"),
        ({"message_id": "-1"}, "and no id"),
        ({"author_id": "\N{ARABIC-INDIC DIGIT ONE}"}, "and no id"),
        ({"bytes": -1}, "bytes is -1, and no whole number from 0"),
        ({"bytes": 2**63}, "and no whole number"),
        ({"bytes": 10**19 - 1}, "and no whole number"),
        ({"bytes": True}, "bytes is true, and no whole number"),
        ({"bytes": 1.5}, "and no whole number"),
        ({"width": 2**31}, "and no whole number"),
        ({"duration_seconds": "1"}, "and no number of seconds"),
        ({"duration_seconds": -1}, "and no number of seconds"),
        ({"is_clip": "yes"}, "and neither true nor false"),
        ({"posted_at": "yesterday"}, "and no moment with its time zone"),
        ({"posted_at": "2026-01-02T03:04:05"}, "and no moment with its time zone"),
        ({"posted_at": "0001-01-01T00:00:00+14:00"}, "and no moment with its time zone"),
        ({"posted_at": 5}, "and no moment"),
        ({"sha256": "00"}, "and no SHA-256"),
        ({"sha256": "G" * 64}, "and no SHA-256"),
        ({"title": "a\0b"}, "title is 'a\\x00b', and no text"),
        ({"title": "x" * 10_001}, "xxx…, and longer than 10000 characters"),
        ({"media_type": "video"}, "and no media type"),
        ({"media_type": "video/mp4\r\nX: y"}, "and no media type"),
        ({"participants": "1"}, "and no list of ids"),
        ({"participants": ["1"] * 1001}, "and no list of ids"),
        ({"participants": [1]}, "and no id"),
        ({"file": 5}, "and no path"),
        ({"file": "../../etc/passwd"}, "which does not lie in clips/"),
        ({"file": "/etc/passwd"}, "which does not lie in clips/"),
        ({"file": "clips/../../etc"}, "which does not lie in clips/"),
        ({"file": "clips/a/../b"}, "which does not lie in clips/"),
        ({"file": "clips/a\\..\\b/c/d"}, "which does not lie in clips/"),
        ({"file": "clips/a/b"}, "which does not lie in clips/"),
        ({"file": "clips/a/b/c/d"}, "which does not lie in clips/"),
        ({"file": "clips/a/b/C:"}, "which does not lie in clips/"),
        ({"file": "clips/a/b/nul"}, "which does not lie in clips/"),
        ({"file": "manifest/1/2/3"}, "which does not lie in clips/"),
        ({"file": "c" * 10_001}, "and no path"),
    ],
)
def test_what_is_refused(changed: dict[str, Any], said: str) -> None:
    """Each in words of its own."""
    values = {key: value for key, value in (orjson.loads(write(clip())) | changed).items() if value is not None}
    with pytest.raises(BadInput) as refused:
        read(dumped(values))
    assert said in refused.value.message


def dumped(values: Any) -> bytes:
    """As JSON, however large the numbers."""
    import json  # noqa: PLC0415 - orjson refuses them

    return json.dumps(values).encode()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"{", "it is no JSON"),
        (b"\xff\xfe", "it is no JSON"),
        (b'{"kind": "clip", "x": ' + b"1" * 400 + b"}", ""),
        (b"[" * 2000, "it is no JSON"),
        (b'"\\ud800"', "it is no JSON"),
        (b"[]", "it is no JSON object"),
        (b"5", "it is no JSON object"),
        (b'{"kind": "end", "clips": "5", "bytes": 1}', "no whole number"),
        (b'{"kind": "channel"}', "it is no clipsaver-export"),
        (b" " * (lines.LONGEST_LINE + 1), "it is too long"),
    ],
)
def test_what_is_no_line(line: bytes, said: str) -> None:
    """Whatever the bytes are, it is a sentence."""
    with pytest.raises(BadInput) as refused:
        read(line)
    assert said in refused.value.message


@given(st.binary() | st.text().map(str.encode))
def test_any_bytes(line: bytes) -> None:
    """Nothing but a sentence comes of what is no line."""
    with pytest.raises(BadInput):
        read(line)


@pytest.mark.parametrize("version", [0, 2, "1", True, None, [1]])
def test_versions(version: Any) -> None:
    """One that is not known is refused, and both are named."""
    with pytest.raises(BadInput, match="this clipsaver reads version 1"):
        must_be_ours({"format": "clipsaver-export", "version": version})


def test_a_folder_is_one_of_a_channel() -> None:
    """Neither deeper nor higher."""
    for folder in ("clips", "clips/a", "clips/a/b/c", "clips/a/.."):
        with pytest.raises(BadInput, match="does not lie in clips/"):
            read(write(place(folder=folder)))
