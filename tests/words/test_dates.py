"""Dates and ages as people type them."""

import contextlib
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipsaver.errors import BadInput
from clipsaver.words import dates

NOW = datetime(2026, 8, 1, 12, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("2026-01-31", datetime(2026, 1, 31, tzinfo=UTC)),
        (" 2026-01-31 18:05 ", datetime(2026, 1, 31, 18, 5, tzinfo=UTC)),
        ("2026-01-31T18:05:06Z", datetime(2026, 1, 31, 18, 5, 6, tzinfo=UTC)),
        ("2026-01-31t18:05z", datetime(2026, 1, 31, 18, 5, tzinfo=UTC)),
        ("30d", NOW - timedelta(days=30)),
        ("12h", NOW - timedelta(hours=12)),
        ("2W", NOW - timedelta(weeks=2)),
        ("3 d", NOW - timedelta(days=3)),
        ("5000d", dates.DISCORD_EPOCH),
        ("1999-01-01", dates.DISCORD_EPOCH),
    ],
)
def test_parse(typed: str, expected: datetime) -> None:
    """Days, moments and ages are read in UTC; before Discord there is nothing."""
    assert expected == dates.parse(typed, now=NOW)


@pytest.mark.parametrize("typed", ["", "soon", "31.01.2026", "30", "-3d", "3x", "2026-1-1", "٣d", "1" * 40])
def test_refused(typed: str) -> None:
    """What is no date is refused with an example of what is."""
    with pytest.raises(BadInput, match="2026-01-31"):
        dates.parse(typed, now=NOW)


@pytest.mark.parametrize("typed", ["2026-02-30", "2026-13-01", "2026-01-31 25:00"])
def test_no_such_day(typed: str) -> None:
    """A day that doesn't exist is called that."""
    with pytest.raises(BadInput, match="no such day"):
        dates.parse(typed, now=NOW)


@given(st.text(max_size=60))
def test_parse_never_breaks(typed: str) -> None:
    """Whatever is typed is a moment from Discord's time or a refusal."""
    with contextlib.suppress(BadInput):
        assert dates.parse(typed, now=NOW) >= dates.DISCORD_EPOCH


def test_ages_before_the_calendar() -> None:
    """An age that no calendar has is as old as Discord."""
    assert dates.parse("99999w", now=NOW) == dates.DISCORD_EPOCH


def test_span() -> None:
    """A span is from the first on and before the second; either may be open."""
    assert dates.span(None, None, now=NOW) == (None, None)
    assert (NOW - timedelta(days=30), NOW - timedelta(days=1)) == dates.span("30d", "1d", now=NOW)


@pytest.mark.parametrize(("since", "until"), [("2027-01-01", None), ("1d", "2d"), ("2026-01-01", "2026-01-01")])
def test_empty_spans_are_refused(since: str, until: str | None) -> None:
    """A span that can hold nothing is refused."""
    with pytest.raises(BadInput, match="since"):
        dates.span(since, until, now=NOW)
