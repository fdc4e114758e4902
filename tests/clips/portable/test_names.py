"""Names that every system takes, whatever somebody called a server, a channel or a clip."""

import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipsaver.clips.portable.names import (
    FILE_UNITS,
    channel_folder,
    component,
    ending,
    file_names,
    fold,
    guild_folder,
    is_plain,
)
from tests.clips.portable.build import clip, place

DEVICES = ("CON", "con", "PRN", "aux.txt", "NUL ", "com1", "COM\N{SUPERSCRIPT TWO}", "lpt9.tar.gz", "CONIN$")


def named(text: str) -> str:
    """What a name becomes."""
    return component(text, units=40, fallback="nobody")


@given(st.text(), st.sampled_from([1, 5, 40]))
def test_every_system_takes_it(text: str, units: int) -> None:
    """Never empty, never too long, in one normal form, nobody's device, and no way out; and it stays as it is."""
    made = component(text, units=units, fallback="n")
    assert is_plain(made)
    assert len(made.encode("utf-16-le")) <= 2 * units
    assert len(made.encode()) <= 2 * units
    assert unicodedata.is_normalized("NFC", made)
    assert not set(made) & set('<>:"/\\|?*[]\0')
    assert made == component(made, units=units, fallback="n")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("clips", "clips"),
        ("  many   spaces\n", "many spaces"),
        ("what? a/b\\c: <d>", "what_ a_b_c_ _d_"),
        ("../../etc/passwd", "_.._etc_passwd"),
        ("...", "nobody"),
        ("", "nobody"),
        ("trailing. . .", "trailing"),
        (".hidden", "hidden"),
        ("--help", "help"),
        ("[tag]", "(tag)"),
        ("cafe\N{COMBINING ACUTE ACCENT}", "caf\N{LATIN SMALL LETTER E WITH ACUTE}"),
        ("exe.\N{RIGHT-TO-LEFT OVERRIDE}4pm", "exe.4pm"),
        ("\N{ZERO WIDTH SPACE}\N{ZERO WIDTH JOINER}", "nobody"),
        ("\ud800lone", "lone"),
        ("日本語", "日本語"),
    ],
)
def test_what_it_becomes(text: str, expected: str) -> None:
    """As much of it as can stay does."""
    assert expected == named(text)


@pytest.mark.parametrize("name", DEVICES)
def test_devices_of_windows(name: str) -> None:
    """Nobody's name is a device, with or without an ending."""
    assert not is_plain(name)
    assert named(name).startswith("_")


@pytest.mark.parametrize(
    "name", ["", ".", "..", "a/b", "a\\b", "c:", "x ", "x.", " x", ".x", "a\nb", "a\0b", "x" * 201]
)
def test_what_is_not_plain(name: str) -> None:
    """Nothing of it is opened."""
    assert not is_plain(name)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Clip", "cLIP"),
        ("caf\N{LATIN SMALL LETTER E WITH ACUTE}", "CAFE\N{COMBINING ACUTE ACCENT}"),
        ("stra\N{LATIN SMALL LETTER SHARP S}e", "STRASSE"),
        ("\N{LATIN SMALL LIGATURE FI}", "FI"),
        ("\N{LATIN SMALL LETTER DOTLESS I}", "I"),
    ],
)
def test_one_and_the_same(one: str, other: str) -> None:
    """On some system these two are one name."""
    assert fold(one) == fold(other)


def test_letters_are_not_cut_apart() -> None:
    """A mark goes with the letter that it belongs to."""
    text = "ab" + "q\N{COMBINING TILDE}" * 3
    assert "abq\N{COMBINING TILDE}" == component(text, units=5, fallback="n")


@pytest.mark.parametrize(
    ("filename", "media_type", "content_type", "expected"),
    [
        ("a.MP4", None, None, "mp4"),
        ("a.html", "video/webm", None, "webm"),
        ("a.exe", None, "video/quicktime", "mov"),
        ("noending", "video/x-matroska", "video/mp4", "mkv"),
        ("a.lnk", "application/x", None, "video"),
    ],
)
def test_endings(filename: str, media_type: str | None, content_type: str | None, expected: str) -> None:
    """Nothing is opened as anything but a video."""
    assert expected == ending(clip(filename=filename, media_type=media_type, content_type=content_type))


@given(st.text(), st.text(), st.sampled_from(["a.mp4", "b.webm", "", "x" * 300]))
def test_files(title: str, author: str, filename: str) -> None:
    """Both names can be had, begin with the moment, keep their ending, and one has the clip's id in it."""
    made = clip(title=title, author_global_name=author, filename=filename)
    for name in file_names(made):
        assert is_plain(name)
        assert name.startswith("2026-01-02 03.04.05 ")
        assert name.endswith(f".{ending(made)}")
        assert len(name.encode("utf-16-le")) <= 2 * FILE_UNITS
    for_people, its_own = file_names(made)
    assert f" [{made.clip_id}]." in its_own
    assert "[" not in for_people


def test_who_nobody_knows() -> None:
    """A clip without an author or a title has a name, too."""
    made = clip(title=None, author_global_name=None, author_username=None, filename="")
    assert "2026-01-02 03.04.05 \N{EN DASH} someone \N{EN DASH} clip.mp4" == file_names(made)[0]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, ("clips", "clips [500]")),
        ({"channel_name": None}, ("channel 500", "channel 500 [500]")),
        (
            {"channel_name": "goals", "channel_type": "public_thread", "parent_name": "football"},
            ("football \N{EN DASH} goals", "football \N{EN DASH} goals [500]"),
        ),
        ({"channel_name": "x", "parent_name": "a category"}, ("x", "x [500]")),
    ],
)
def test_channels(fields: dict[str, Any], expected: tuple[str, str]) -> None:
    """A thread's folder begins with its channel's name."""
    assert expected == channel_folder(place(**fields))


def test_servers() -> None:
    """The second name can't be another's."""
    assert ("Friends", "Friends [10]") == guild_folder(place())
    assert ("server 10", "server 10 [10]") == guild_folder(place(guild_name=" .. "))
