"""What headers and bodies say about limits, and what is made of nonsense."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from clipsaver.discord.heard import LONGEST, Heard, hear

NAMES = [
    "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset", "X-RateLimit-Reset-After",
    "X-RateLimit-Bucket", "X-RateLimit-Scope", "X-RateLimit-Global", "Retry-After", "Date",
]  # fmt: skip
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def test_an_ordinary_answer() -> None:
    """Names are found however they are written."""
    headers = CIMultiDict(
        {
            "x-ratelimit-limit": "5",
            "x-ratelimit-remaining": "4",
            "x-ratelimit-reset": "1.5",
            "x-ratelimit-reset-after": "4.25",
            "x-ratelimit-bucket": "abc",
            "date": "Thu, 01 Jan 2026 12:00:00 GMT",
        },
    )
    assert hear(headers) == Heard(limit=5, remaining=4, reset_after=4.25, bucket="abc", date=NOON)


def test_the_larger_wait_counts() -> None:
    """A 429 says how long in its header and in its body."""
    assert hear({"Retry-After": "2"}, {"retry_after": 1.5}).retry_after == 2
    assert hear({"Retry-After": "1"}, {"retry_after": 1.5}).retry_after == 1.5
    assert hear({}, {"retry_after": 1e12}).retry_after == LONGEST


@pytest.mark.parametrize(
    ("headers", "body", "scope"),
    [
        ({}, None, None),
        ({"X-RateLimit-Scope": "Shared"}, {}, "shared"),
        ({"X-RateLimit-Scope": "user", "X-RateLimit-Global": "true"}, {}, "global"),
        ({}, {"global": True}, "global"),
        ({}, {"global": "yes"}, None),
    ],
)
def test_scopes(headers: dict[str, str], body: Any, scope: str | None) -> None:
    """A global limit is told in any of three ways."""
    assert hear(headers, body).scope == scope


def test_the_absolute_reset_is_read_on_discords_clock_only() -> None:
    """Without Reset-After, the Date beside it says how long that is; without a Date it says nothing."""
    reset = str(NOON.timestamp() + 3)
    assert hear({"X-RateLimit-Reset": reset, "Date": "Thu, 01 Jan 2026 12:00:00 GMT"}).reset_after == 3
    assert hear({"X-RateLimit-Reset": reset}).reset_after is None
    assert hear({"X-RateLimit-Reset": "soon", "Date": "Thu, 01 Jan 2026 12:00:00 -0000"}).reset_after is None


def test_discords_clock_without_a_date() -> None:
    """The reset's moment less the time until then is now."""
    reset = str(NOON.timestamp() + 3)
    assert hear({"X-RateLimit-Reset": reset, "X-RateLimit-Reset-After": "3"}).date == NOON
    assert hear({"X-RateLimit-Reset": "1e300", "X-RateLimit-Reset-After": "3"}).date is None


@pytest.mark.parametrize("value", ["", "nan", "inf", "-1", "one", "9" * 400])
def test_nonsense_is_nothing(value: str) -> None:
    """Numbers that can't be are as if they weren't there."""
    heard = hear(dict.fromkeys(NAMES[:4], value) | {"Retry-After": value, "Date": value})
    assert (heard.reset_after, heard.retry_after, heard.date) == (None, None, None)
    assert not heard.counted


def test_a_limit_of_nothing_is_none() -> None:
    """A bucket that holds nothing is not one."""
    assert hear({"X-RateLimit-Limit": "0", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset-After": "1"}).limit is None


@given(
    st.dictionaries(st.sampled_from(NAMES), st.text("0123456789.-einfa ,:GMTJan", max_size=30)),
    st.none()
    | st.dictionaries(st.sampled_from(["retry_after", "global"]), st.none() | st.floats() | st.text(max_size=3)),
)
def test_nothing_a_server_says_breaks_it(headers: dict[str, str], body: Any) -> None:
    """Waits are always finite and bounded."""
    heard = hear(headers, body)
    assert 0 <= (heard.retry_after or 0) <= LONGEST
    assert 0 <= (heard.reset_after or 0) <= LONGEST
