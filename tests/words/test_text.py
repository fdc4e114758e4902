"""Numbers, names, durations and lists as people read them."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipsaver.words import text


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("clips", "clips"),
        ("my-clips", "my-clips"),
        ("*bold* _it_ ~~s~~ ||x||", r"\*bold\* \_it\_ \~\~s\~\~ \|\|x\|\|"),
        ("<@123> @everyone", r"\<\@123\> \@everyone"),
        ("[a](https://x.y)", r"\[a\]\(https\://x.y\)"),
        ("a\nb\u202ec", "a b c"),
        ("- list", r"\- list"),
        ("", "(no name)"),
        (None, "(no name)"),
    ],
)
def test_escape(name: str | None, expected: str) -> None:
    """A name stands for itself: no markdown, mention, link, line or turned direction."""
    assert expected == text.escape(name)


@given(st.text(max_size=300))
def test_escaped_names_are_bounded_and_one_line(name: str) -> None:
    """Whatever a name is, it takes one line and at most twice its limit."""
    shown = text.escape(name, 50)
    assert "\n" not in shown
    assert 0 < len(shown) <= 100


def test_code_cannot_be_ended() -> None:
    """A backtick inside doesn't end the code it stands in."""
    assert text.code("a`b") == "`a\u02cbb`"
    assert text.code(" ") == "(empty)"


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0.2, "less than a second"),
        (1, "1 second"),
        (59, "59 seconds"),
        (60, "1 minute"),
        (200, "3 minutes 20 seconds"),
        (3600, "1 hour"),
        (3660, "1 hour 1 minute"),
        (7322, "2 hours 2 minutes"),
        (86400, "1 day"),
        (90000, "1 day 1 hour"),
        (86400 * 3 + 7200, "3 days 2 hours"),
    ],
)
def test_duration(seconds: float, expected: str) -> None:
    """Durations have their two largest units."""
    assert expected == text.duration(timedelta(seconds=seconds))


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (20, "less than a minute"),
        (100, "about 2 minutes"),
        (3700, "about 1 hour"),
        (5400, "about 1 hour 30 minutes"),
        (90000, "about 1 day 1 hour"),
    ],
)
def test_estimate(seconds: float, expected: str) -> None:
    """A time left is rounded to what can be known."""
    assert expected == text.estimate(timedelta(seconds=seconds))


@pytest.mark.parametrize(
    ("share", "expected"),
    [(0, "0 %"), (0.004, "less than 1 %"), (0.29, "29 %"), (0.999, "99 %"), (1, "100 %"), (1.4, "100 %"), (-1, "0 %")],
)
def test_percent(share: float, expected: str) -> None:
    """100 % is only what is all."""
    assert expected == text.percent(share)


@pytest.mark.parametrize(
    ("amount", "expected"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (1023, "1,023 bytes"),
        (1024, "1 KB"),
        (1536, "1.5 KB"),
        (12 * 1024**2, "12 MB"),
        (1023 * 1024**3, "1,023 GB"),
        (2500 * 1024**4, "2,500 TB"),
    ],
)
def test_size(amount: int, expected: str) -> None:
    """In the largest unit of which there is one."""
    assert text.size(amount) == expected


def test_bar() -> None:
    """A bar is full only when it is all, and never longer."""
    assert text.bar(0, 4) == "▱▱▱▱"
    assert text.bar(0.5, 4) == "▰▰▱▱"
    assert text.bar(0.99, 4) == "▰▰▰▱"
    assert text.bar(2, 4) == "▰▰▰▰"


def test_mentions_and_moments() -> None:
    """Discord shows channels, people and moments in the reader's own way."""
    when = datetime(2026, 1, 31, tzinfo=UTC)
    assert text.channel(5) == "<#5>"
    assert text.person(6) == "<@6>"
    assert text.moment(when) == "<t:1769817600:R>"
    assert text.moment(when, "T") == "<t:1769817600:T>"
    assert text.number(1234567) == "1,234,567"


@pytest.mark.parametrize(
    ("names", "expected"), [([], ""), (["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c")]
)
def test_enumerated(names: list[str], expected: str) -> None:
    """Names are joined as one says them."""
    assert expected == text.enumerated(names)


def test_fit_keeps_what_fits() -> None:
    """Short lists stay whole."""
    assert text.fit(["a", "b"]) == "a\nb"


def test_fit_counts_what_is_left() -> None:
    """What doesn't fit is counted, not dropped silently."""
    lines = [letter * 8 for letter in "abcdef"]
    assert text.fit(lines, limit=40) == "aaaaaaaa\nbbbbbbbb\ncccccccc\n… and 3 more"
    assert text.fit(["a" * 40, "b"], limit=10) == "aaaaaaaaa…"


@given(st.lists(st.text(alphabet="abc", max_size=60), min_size=1, max_size=60))
def test_fit_is_bounded(lines: list[str]) -> None:
    """A message never grows over its limit."""
    assert len(text.fit(lines, limit=200)) <= 200
