"""Tests of how settings are merged, shown and checked."""

import tomllib
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipsaver.errors import BadInput
from clipsaver.guilds.settings import (
    SETTINGS,
    Settings,
    as_stored,
    check,
    problems,
    reset_keys,
    resolve,
    unknown,
    view,
)

STORABLE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
STORED = st.dictionaries(st.sampled_from([*SETTINGS, "colour"]), STORABLE, max_size=6)


def test_every_setting_is_a_field_with_the_same_default() -> None:
    """The class and the catalogue say the same."""
    assert list(SETTINGS) == [field.name for field in attrs.fields(Settings)]
    assert Settings() == resolve({}, {})
    assert {key: setting.default for key, setting in SETTINGS.items()} == as_stored(Settings())


def test_the_defaults_hide_nothing_but_age_restricted_channels() -> None:
    """Bots, threads, every common video, 100 MB."""
    settings = resolve({}, {})
    assert (settings.include_bots, settings.include_threads, settings.scan_nsfw) == (True, True, False)
    assert settings.max_file_size_mb == 100
    assert (settings.match_regex, settings.exclude_regex, settings.retention_days) == (None, None, None)
    assert {"mp4", "webm", "mov", "mkv", "avi", "m4v"} <= set(settings.video_formats)
    assert settings.allowed_mime_types == ("video/*",)


def test_the_shipped_configuration_can_be_used() -> None:
    """What config.toml says of guilds passes the check, and has no key that is none."""
    shipped = tomllib.loads((Path(__file__).parents[2] / "config.toml").read_text())["guild_defaults"]
    assert set(check(shipped)) <= set(SETTINGS)
    assert problems(check(shipped)) == ()


def test_a_channel_wins_over_its_server_and_the_server_over_the_defaults() -> None:
    """Each layer is asked in turn, key by key."""
    settings = resolve(
        {"min_video_seconds": 1, "scan_mode": "forward", "include_bots": False},
        {"min_video_seconds": 2, "scan_mode": "backward"},
        {"min_video_seconds": 3},
    )
    assert (settings.min_video_seconds, settings.scan_mode, settings.include_bots) == (3, "backward", False)


def test_a_null_is_a_value_where_a_setting_can_be_cleared() -> None:
    """A server without a limit is not a server without a word."""
    assert resolve({}, {"max_file_size_mb": None}).max_file_size_mb is None
    assert resolve({}, {"scan_nsfw": None}).scan_nsfw is False


def test_what_cannot_be_used_falls_through() -> None:
    """A value of the wrong kind is passed over, not guessed at."""
    stored = {"scan_nsfw": "perhaps", "max_file_size_mb": -1, "match_regex": "(", "video_formats": 7, "include_bots": 1}
    assert resolve({"max_file_size_mb": 5}, stored) == attrs.evolve(Settings(), max_file_size_mb=5)
    assert len(problems(stored)) == len(stored)


def test_unknown_keys_are_named() -> None:
    """The older programs write keys of their own."""
    assert unknown({"volume": 1, "prefix": "?", "colour": "red"}) == ("colour", "volume")


@given(defaults=STORED, guild=STORED, channel=STORED)
def test_whatever_is_stored_gives_settings_that_could_be_stored(
    defaults: dict[str, Any], guild: dict[str, Any], channel: dict[str, Any]
) -> None:
    """Resolving never fails, and what it gives is in order."""
    settings = resolve(defaults, guild, channel)
    assert problems(as_stored(settings)) == ()
    assert resolve({}, as_stored(settings)) == settings
    shown = view(defaults, guild, channel)
    assert {key: one.value for key, one in shown.values.items()} == attrs.asdict(settings)


def test_a_view_says_whose_word_each_value_is() -> None:
    """A value that only repeats what holds anyway is the other's word."""
    shown = view(
        {"scan_mode": "forward"},
        {"scan_mode": "forward", "min_video_seconds": 2, "scan_nsfw": True, "volume": 3},
        {"min_video_seconds": 2, "scan_nsfw": False, "include_bots": "often"},
    )
    sources = {key: shown.values[key].source for key in ("scan_mode", "min_video_seconds", "scan_nsfw", "save_bytes")}
    assert sources == {
        "scan_mode": "default",
        "min_video_seconds": "server",
        "scan_nsfw": "channel",
        "save_bytes": "default",
    }
    assert (shown.values["scan_nsfw"].value, shown.values["scan_nsfw"].inherited) == (False, True)
    assert shown.values["scan_nsfw"].text == "no"
    assert shown.unknown == ("volume",)
    assert shown.problems == ("include_bots takes yes or no.",)


def test_a_configuration_may_be_text_throughout() -> None:
    """The environment knows nothing else."""
    assert check({"save_bytes": "false", "max_file_size_mb": "25", "video_formats": "mp4,.MOV", "match_regex": ""}) == {
        "save_bytes": False,
        "max_file_size_mb": 25,
        "video_formats": ["mp4", "mov"],
        "match_regex": None,
    }


def test_a_configuration_with_an_unknown_key_is_refused_by_its_full_name() -> None:
    """The operator reads which one."""
    with pytest.raises(BadInput, match=r"^guild_defaults\.volume is no setting; known are auto_scan, "):
        check({"volume": 11})


def test_a_configuration_with_a_wrong_value_is_refused_by_its_full_name() -> None:
    """And what it takes."""
    with pytest.raises(BadInput, match=r"^guild_defaults\.scan_mode: scan_mode takes backward or forward\.$"):
        check({"scan_mode": "sideways"})


def test_a_reset_names_what_it_takes_away_and_what_that_changes() -> None:
    """A stored value that is the default's anyway changes nothing when it goes."""
    stored = {"scan_nsfw": True, "save_bytes": True, "volume": 3}
    before = view({}, stored)
    assert reset_keys(None, before, stored) == (("save_bytes", "scan_nsfw", "volume"), ("scan_nsfw", "volume"))
    assert reset_keys(" Scan_NSFW ", before, stored) == (("scan_nsfw",), ("scan_nsfw",))
    assert reset_keys("volume", before, stored) == (("volume",), ("volume",))
    assert reset_keys("include_bots", before, stored) == ((), ())
    with pytest.raises(BadInput, match="no setting called"):
        reset_keys("colour", before, stored)
