"""What headers say of a file."""

from datetime import UTC, datetime

import pytest

from clipsaver.media.fetching.answers import (
    Part,
    is_encoded,
    media_type,
    part_of,
    retry_after,
    same_file,
    validator_of,
)

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
EARLIER, NOW_TEXT = "Sun, 01 Mar 2026 11:00:00 GMT", "Sun, 01 Mar 2026 12:00:00 GMT"


def test_a_200_holds_everything() -> None:
    """As long as it says, if it says so."""
    assert part_of(200, {"Content-Length": "10"}) == Part(stop=10, total=10)
    assert part_of(200, {}) == part_of(200, {"Content-Length": "x"}) == Part()


def test_a_206_says_where_it_lies() -> None:
    """Half-open; its own length has to fit."""
    assert part_of(206, {"Content-Range": "bytes 5-9/20"}) == Part(start=5, stop=10, total=20)
    assert part_of(206, {"Content-Range": "bytes 5-9/20", "Content-Length": "5"}) is not None


@pytest.mark.parametrize(
    "said",
    ["", "bytes 5-9/*", "bytes */20", "bytes 9-5/20", "bytes 5-20/20", "items 5-9/20", "bytes -5-9/20", "5-9/20"],
)
def test_a_206_that_does_not_is_of_no_use(said: str) -> None:
    """Nor are several ranges at once."""
    assert part_of(206, {"Content-Range": said}) is None
    assert part_of(206, {"Content-Type": "multipart/byteranges; boundary=x"}) is None


def test_a_206_of_another_length_is_of_no_use() -> None:
    """One of the two is wrong."""
    assert part_of(206, {"Content-Range": "bytes 5-9/20", "Content-Length": "6"}) is None


@pytest.mark.parametrize(
    ("headers", "validator"),
    [
        ({"ETag": '"abc"'}, '"abc"'),
        ({"ETag": '"abc"', "Last-Modified": EARLIER, "Date": NOW_TEXT}, '"abc"'),
        ({"ETag": 'W/"abc"'}, None),
        ({"ETag": "abc"}, None),
        ({"ETag": '""'}, None),
        ({"Last-Modified": EARLIER, "Date": NOW_TEXT}, EARLIER),
        ({"Last-Modified": NOW_TEXT, "Date": NOW_TEXT}, None),
        ({"Last-Modified": EARLIER}, None),
        ({"Last-Modified": "yesterday", "Date": NOW_TEXT}, None),
        ({"ETag": '"abc"', "Accept-Ranges": "none"}, None),
        ({}, None),
    ],
)
def test_what_tells_a_file_from_another(headers: dict[str, str], validator: str | None) -> None:
    """A strong tag, or a date that is good for it."""
    assert validator_of(headers) == validator


def test_whether_it_is_the_same_file() -> None:
    """As far as it is said."""
    assert same_file('"abc"', {"ETag": '"abc"'})
    assert same_file('"abc"', {})
    assert not same_file('"abc"', {"ETag": '"other"'})
    assert same_file(EARLIER, {"Last-Modified": EARLIER, "ETag": '"other"'})
    assert not same_file(EARLIER, {"Last-Modified": NOW_TEXT})


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("5", 5.0),
        ("0.25", 0.25),
        ("999999", 3600.0),
        ("Sun, 01 Mar 2026 12:00:30 GMT", 30.0),
        ("Sun, 01 Mar 2026 12:00:30 -0000", 30.0),
        (EARLIER, None),
        ("-1", None),
        ("nan", None),
        ("soon", None),
        ("", None),
    ],
)
def test_how_long_to_wait(said: str, seconds: float | None) -> None:
    """Seconds or a date, within bounds."""
    assert retry_after({"Retry-After": said}, NOW) == seconds


def test_encodings_and_types() -> None:
    """Plain is plain, whatever it is called."""
    assert [is_encoded({"Content-Encoding": one}) for one in ("", "identity", "gzip", "br")] == [
        False,
        False,
        True,
        True,
    ]
    assert not is_encoded({})
    assert media_type({"Content-Type": "Video/MP4; codecs=x"}) == "video/mp4"
    assert media_type({}) is None
