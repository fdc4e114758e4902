"""Buttons, custom ids and pages."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipsaver.words import components
from clipsaver.words.components import Pressed

RUN = UUID("12345678-1234-5678-1234-567812345678")


def test_cancel_button_carries_its_run() -> None:
    """The cancel button says all that is needed to act on it after a restart."""
    (button,) = components.cancel_scan(RUN)["components"]
    pressed = components.parse_custom_id(button["custom_id"])
    assert Pressed(area="scan", action="cancel", subject=str(RUN)) == pressed
    assert pressed is not None
    assert components.run_id_of(pressed) == RUN


def test_confirmation_names_who_was_asked() -> None:
    """Both answers carry the person they wait for."""
    pressed = [components.parse_custom_id(b["custom_id"]) for b in components.confirm_read_none(7)["components"]]
    assert [
        Pressed(area="read", action="none", subject="7"),
        Pressed(area="read", action="keep", subject="7"),
    ] == pressed
    assert pressed[0] is not None
    assert components.number_of(pressed[0]) == 7


@pytest.mark.parametrize("custom_id", ["", "scan", "scan:cancel", "scan:cancel:", "a:b:c:d", "::"])
def test_other_custom_ids_are_not_ours(custom_id: str) -> None:
    """What doesn't have three parts asks for nothing."""
    assert components.parse_custom_id(custom_id) is None


def test_odd_subjects_name_nothing() -> None:
    """A subject that is no run and no number is none."""
    pressed = Pressed(area="scan", action="cancel", subject="x")
    assert components.run_id_of(pressed) is None
    assert components.number_of(pressed) is None


def test_short_lists_have_one_page() -> None:
    """A list that fits has no buttons."""
    reply = components.paged("head", ["a", "b"], what="things")
    assert reply.content == "head\na\nb"
    assert reply.components == ()


def test_pages_can_be_turned() -> None:
    """A long list has a way to every page, and none out of it."""
    lines = [f"line {n}" for n in range(45)]
    first = components.paged("head", lines, what="things")
    assert first.content.startswith("head · Page 1 of 3\nline 0\n")
    back, onward = first.components[0]["components"]
    assert back["disabled"]
    assert (onward["custom_id"], onward["disabled"]) == ("page:things:1", False)
    last = components.paged("head", lines, what="things", page=99)
    assert last.content.startswith("head · Page 3 of 3\nline 40\n")
    assert last.components[0]["components"][1]["disabled"]


@given(st.lists(st.text(alphabet="ab", min_size=1, max_size=3000), max_size=60), st.integers(-5, 200))
def test_pages_fit_into_messages(lines: list[str], page: int) -> None:
    """Every page of every list fits into one message, and its buttons have ids of their own."""
    reply = components.paged("head", lines, what="things", page=page)
    assert len(reply.content) <= 2000
    ids = [b["custom_id"] for row in reply.components for b in row["components"]]
    assert len(ids) == len(set(ids))
    assert all(len(custom_id) <= 100 for custom_id in ids)


@given(st.lists(st.integers(0, 10**6).map(lambda n: f"line {n}." + "x" * (n % 300)), max_size=80))
def test_no_line_is_lost_between_pages(lines: list[str]) -> None:
    """All pages together hold every line once."""
    found: list[str] = []
    for page in range(len(lines) + 1):
        reply = components.paged("head", lines, what="things", page=page)
        if page and not reply.components:
            break
        if page and f"Page {page + 1} of" not in reply.content:
            break
        found += reply.content.split("\n")[1:]
    assert lines == found
