"""What decides whether something is a clip."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipsaver.clips.rules import MEBIBYTE, Rules
from clipsaver.guilds.settings import Settings
from tests.clips.build import rules


def test_the_hash_is_the_same_everywhere() -> None:
    """It is stored: a change of it makes every channel be read again, so it changes only on purpose."""
    small = Rules(video_formats=("mp4",), allowed_mime_types=("video/mp4",))
    assert small.hash == "2de9273e66be74b2bfbadc1d4ee3cbcf490637d9bdc76af84fe0010be9a13421"


@pytest.mark.parametrize(
    "same",
    [
        {"video_formats": ("webm", "mp4", "mp4")},
        {"video_formats": (".MP4", " webm ")},
        {"video_formats": ("mp4", "webm", "")},
    ],
)
def test_spelling_and_order_make_no_other_rules(same: dict[str, Any]) -> None:
    """Only what decides counts."""
    assert rules(video_formats=("mp4", "webm")).hash == rules(**same).hash


@pytest.mark.parametrize(
    "irrelevant",
    [
        {"enable_message_content_storage": True},
        {"auto_scan": False},
        {"save_bytes": False},
        {"retention_days": 3},
        {"scan_mode": "forward"},
        {"match_regex": ""},
        {"min_video_seconds": 0},
    ],
)
def test_other_settings_make_no_other_rules(irrelevant: dict[str, Any]) -> None:
    """What decides nothing about clips must not make a channel be read again."""
    assert rules().hash == rules(**irrelevant).hash


@pytest.mark.parametrize(
    "changed",
    [
        {"video_formats": ("mp4",)},
        {"allowed_mime_types": ("video/mp4",)},
        {"match_regex": "goal"},
        {"exclude_regex": "goal"},
        {"min_video_seconds": 3},
        {"max_file_size_mb": 50},
        {"max_file_size_mb": None},
        {"include_bots": False},
    ],
)
def test_what_decides_makes_other_rules(changed: dict[str, Any]) -> None:
    """Each setting that can change what is a clip changes the hash."""
    assert rules().hash != rules(**changed).hash


@given(st.permutations(Settings().video_formats), st.permutations(Settings().allowed_mime_types))
def test_no_order_of_names_makes_other_rules(formats: list[str], types: list[str]) -> None:
    """Lists are sets here."""
    assert rules().hash == rules(video_formats=tuple(formats), allowed_mime_types=tuple(types)).hash


@pytest.mark.parametrize(
    ("filename", "content_type"),
    [
        ("clip.mp4", None),
        ("clip.MP4", "application/octet-stream"),
        ("clip.mp4", "image/png"),
        ("clip.mp4 ", ""),
        ("clip", "video/mp4"),
        ("clip.bin", "VIDEO/MP4; codecs=avc1"),
        ("", " video/webm ;x"),
        ("a.b.c.webm", "nonsense"),
        (".mp4", None),
    ],
)
def test_a_video_by_type_or_by_name(filename: str, content_type: str | None) -> None:
    """Either is enough, however it is written and whatever the other says."""
    assert rules().allows(filename=filename, content_type=content_type)


@pytest.mark.parametrize(
    ("filename", "content_type"),
    [("mp4", None), ("clip.png", "image/png"), ("", None), ("clip.mp4.txt", "text/plain")],
)
def test_not_a_video(filename: str, content_type: str | None) -> None:
    """Neither the type nor the ending is one."""
    assert not rules().allows(filename=filename, content_type=content_type)


def test_a_family_of_types() -> None:
    """``video/*`` stands for every video."""
    every = Rules(video_formats=(), allowed_mime_types=("video/*",))
    assert every.allows(filename="x", content_type="video/something-new")
    assert not every.allows(filename="x.mp4", content_type="image/png")


def test_texts_are_matched() -> None:
    """One pattern has to be there, the other must not."""
    picky = rules(match_regex="(?i)goal", exclude_regex="own goal")
    assert picky.wants("What a GOAL") is None
    assert picky.wants("What a pass") == "not_matched"
    assert picky.wants("an own goal") == "excluded"
    assert rules(match_regex="é").wants("caf\udce9 é") is None


@pytest.mark.parametrize("broken", ["(", "a{9999}", "(?=lookahead)", "\ud800"])
def test_a_pattern_that_does_not_compile_hides_nothing(broken: str) -> None:
    """One written past our checks is as good as none."""
    assert rules(match_regex=broken, exclude_regex=broken).wants("anything") is None
    assert rules().hash == rules(match_regex=broken).hash


def test_sizes_and_lengths() -> None:
    """What is known to be too much or too little is left out, at exactly the bound."""
    bounded = rules(max_file_size_mb=0.5, min_video_seconds=3)
    assert bounded.fits(size=MEBIBYTE // 2, seconds=3.0) is None
    assert bounded.fits(size=MEBIBYTE // 2 + 1, seconds=3.0) == "too_large"
    assert bounded.fits(size=1, seconds=2.9) == "too_short"


def test_the_unknown_excludes_nothing() -> None:
    """Neither an unknown size nor an unknown length, and no bound that is not set."""
    assert rules(max_file_size_mb=1, min_video_seconds=3).fits(size=None, seconds=None) is None
    assert rules(max_file_size_mb=None, min_video_seconds=0).fits(size=10**12, seconds=0.0) is None
