"""Tests of one setting's value: typed, stored, shown, suggested."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipsaver.errors import BadInput
from clipsaver.guilds.settings import SETTINGS, Kind, allowed, display, parse, suggest_keys, suggestions
from clipsaver.guilds.values import read


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("scan_nsfw", "Yes", True),
        ("scan_nsfw", " off ", False),
        ("scan_nsfw", "true", True),
        ("SCAN_NSFW ", "0", False),
        ("max_file_size_mb", "25", 25),
        ("max_file_size_mb", "25 MB", 25),
        ("max_file_size_mb", "2.50", 2.5),
        ("max_file_size_mb", "none", None),
        ("max_file_size_mb", "0", None),
        ("min_video_seconds", "3s", 3),
        ("min_video_seconds", "0", 0),
        ("retention_days", "30 days", 30),
        ("retention_days", "30.0", 30),
        ("retention_days", "None", None),
        ("video_formats", ".MP4, webm  mov,,mp4", ["mp4", "webm", "mov"]),
        ("video_formats", "none", []),
        ("allowed_mime_types", "Video/MP4, video/*", ["video/mp4", "video/*"]),
        ("match_regex", r"clutch|\bace\b", r"clutch|\bace\b"),
        ("match_regex", "none", None),
        ("match_regex", "", None),
        ("scan_mode", "Forward", "forward"),
        ("prefix", "none", "none"),
    ],
)
def test_what_people_type_becomes_a_value(key: str, text: str, value: Any) -> None:
    """Spelled in any of the usual ways."""
    found = parse(key, text)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("key", "text", "sentence"),
    [
        ("colour", "red", "There is no setting called `colour`. /settings view shows them all."),
        ("scan_nsfw", "maybe", "scan_nsfw takes yes or no."),
        ("scan_nsfw", "none", "scan_nsfw takes yes or no."),
        ("max_file_size_mb", "-1", "max_file_size_mb takes a number from 0.001 to 100,000 (MB), or none."),
        ("max_file_size_mb", "1e3", "max_file_size_mb takes a number from 0.001 to 100,000 (MB), or none."),
        ("max_file_size_mb", "nan", "max_file_size_mb takes a number from 0.001 to 100,000 (MB), or none."),
        ("retention_days", "1.5", "retention_days takes a whole number from 1 to 36,500 (days), or none."),
        ("video_formats", "", "video_formats takes up to 100 entries like mp4, separated by commas, or none."),
        ("scan_mode", "up", "scan_mode takes backward or forward."),
        ("default_visibility", "all", "default_visibility takes public, unlisted or private."),
        ("prefix", "", "prefix takes a text of 1 to 16 characters."),
        ("prefix", "!" * 17, "prefix takes a text of 1 to 16 characters."),
        ("match_regex", "x" * 501, "match_regex takes a regular expression (RE2) of up to 500 characters, or none."),
        ("match_regex", "a\0b", "match_regex takes a regular expression (RE2) of up to 500 characters, or none."),
        ("match_regex", "(", "match_regex: this regular expression can't be used: `missing ): (`."),
    ],
)
def test_what_cannot_be_used_is_answered_with_what_can(key: str, text: str, sentence: str) -> None:
    """One sentence that says what is allowed."""
    with pytest.raises(BadInput) as refused:
        parse(key, text)
    assert str(refused.value) == sentence


@pytest.mark.parametrize("text", ["mp/4", "a" * 11, "..mp4", "*"])
def test_an_entry_of_a_list_is_looked_at_too(text: str) -> None:
    """And shown in the answer."""
    with pytest.raises(BadInput, match="can't be an entry; it takes up to 100 entries like mp4"):
        parse("video_formats", f"webm,{text}")


def test_what_someone_typed_is_repeated_in_short() -> None:
    """Without the signs that would end its quotes."""
    with pytest.raises(BadInput) as refused:
        parse("`" + "k" * 200 + "\n", "1")
    assert str(refused.value) == f"There is no setting called ` {'k' * 48}…`. /settings view shows them all."


def test_an_expression_that_needs_too_much_is_refused() -> None:
    """RE2 takes linear time, but not any memory."""
    with pytest.raises(BadInput, match="can't be used"):
        parse("match_regex", r"((\pL{200}){200}){200}")


def test_half_a_surrogate_pair_is_refused() -> None:
    """It could not be stored either."""
    with pytest.raises(BadInput, match="can't be used"):
        parse("match_regex", "\ud800")


def test_lists_are_bounded() -> None:
    """A hundred entries and no more."""
    with pytest.raises(BadInput, match="up to 100 entries"):
        read("video_formats", [f"v{number}" for number in range(101)])


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("scan_nsfw", 1),
        ("max_file_size_mb", True),
        ("max_file_size_mb", "5"),
        ("max_file_size_mb", float("inf")),
        pytest.param("max_file_size_mb", 10**400, id="a number too large"),
        ("scan_mode", ["forward"]),
        ("video_formats", "mp4"),
        ("video_formats", [4]),
        ("prefix", None),
    ],
)
def test_stored_values_are_taken_at_their_word(key: str, value: Any) -> None:
    """A text is no number, and a number no truth."""
    with pytest.raises(BadInput):
        read(key, value)


VALUES = st.one_of(
    st.tuples(st.sampled_from([key for key, s in SETTINGS.items() if s.kind is Kind.BOOL]), st.booleans()),
    st.tuples(st.just("max_file_size_mb"), st.none() | st.decimals(1, 1000, places=3).map(float)),
    st.tuples(st.just("retention_days"), st.none() | st.integers(1, 36_500)),
    st.tuples(st.just("video_formats"), st.lists(st.from_regex("[a-z0-9]{1,10}", fullmatch=True), max_size=5)),
    st.tuples(st.just("scan_mode"), st.sampled_from(["backward", "forward"])),
)


@given(VALUES.filter(lambda pair: pair[1] not in (["none"], ["null"], ["nothing"], ["unlimited"])))
def test_typing_what_is_shown_gives_the_same(pair: tuple[str, Any]) -> None:
    """Showing and parsing are each other's opposite."""
    key, value = pair
    stored = read(key, value)
    assert parse(key, display(key, stored)) == stored


@given(st.sampled_from(list(SETTINGS)), st.text(max_size=200))
def test_typing_anything_gives_a_value_or_a_sentence(key: str, text: str) -> None:
    """And nothing else."""
    with suppress(BadInput):
        value = parse(key, text)
        assert read(key, value) == value


def test_a_whole_number_is_shown_without_a_fraction() -> None:
    """However it came to have one."""
    assert display("max_file_size_mb", 100.0) == "100"
    assert display("max_file_size_mb", 0.5) == "0.5"


def test_every_setting_says_what_it_takes_and_means() -> None:
    """In words that fit into one of Discord's choices beside the key."""
    for key, setting in SETTINGS.items():
        assert allowed(setting)
        assert len(f"{key} – {setting.description}") <= 120  # noqa: RUF001 - as it is shown


def test_values_are_suggested() -> None:
    """Beginnings first, and never more or longer than Discord takes."""
    assert suggestions("scan_nsfw", "") == ("yes", "no")
    assert suggestions("scan_mode", "fo") == ("forward",)
    assert suggestions("min_video_seconds", "", 7) == ("7", "0", "1", "3", "5", "10", "30")
    assert suggestions("storage_quota_gb", "1") == ("1", "10", "100")
    assert suggestions("retention_days", "no") == ("none",)
    assert suggestions("match_regex", "", "clutch") == ("clutch", "none")
    assert suggestions("prefix", "") == ("!",)
    assert suggestions("colour", "") == ()
    assert len(suggestions("video_formats", "")) <= 25
    assert all(len(text) <= 100 for key in SETTINGS for text in suggestions(key, ""))


def test_lists_are_completed_entry_by_entry() -> None:
    """What stands before the last comma stays."""
    assert suggestions("video_formats", "mp4, webm, mk") == ("mp4, webm, mkv",)
    assert suggestions("video_formats", "mp4,mp")[:2] == ("mp4, mpg", "mp4, mpeg")
    assert suggestions("video_formats", "", ["mp4", "mov"])[0] == "mp4, mov"


def test_keys_are_suggested() -> None:
    """All of them at first, then those that fit."""
    assert suggest_keys("") == tuple(SETTINGS)
    assert suggest_keys("Scan_") == ("scan_nsfw", "scan_mode", "auto_scan")[:2]
    assert suggest_keys("scan") == ("scan_nsfw", "scan_mode", "auto_scan")
