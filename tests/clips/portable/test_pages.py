"""Pages: what somebody called something changes nothing about them, and they ask nobody for anything."""

import re
from html.parser import HTMLParser
from typing import Any
from urllib.parse import unquote, urlsplit

from hypothesis import given
from hypothesis import strategies as st

from clipsaver.clips.portable import pages
from clipsaver.clips.portable.pages import Summed
from tests.clips.portable.build import clip, place
from tests.clips.portable.house import moment

HOSTILE = (
    "</title><script>alert(1)</script><img src=https://evil.example onerror=alert(2)>\"'&\N{RIGHT-TO-LEFT OVERRIDE}"
)
ADDRESSES = frozenset({"href", "src", "poster", "action", "srcset", "data"})


class Reader(HTMLParser):
    """What a browser would see."""

    def __init__(self, data: bytes) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(data.decode())
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note it."""
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        """Note it."""
        self.text += data

    def addresses(self) -> list[str]:
        """Wherever it leads."""
        return [value or "" for _, attrs in self.tags for name, value in attrs.items() if name in ADDRESSES]

    def all_of(self, tag: str) -> list[dict[str, Any]]:
        """Every tag of a kind."""
        return [attrs for name, attrs in self.tags if name == tag]


def page(*clips: Any, number: int = 1, count: int = 1, pictures: frozenset[bytes] = frozenset(), **of: Any) -> Reader:
    """A channel's page."""
    return Reader(pages.page(place(**of), clips, number=number, pages=count, pictures=pictures))


@given(st.text() | st.just(HOSTILE))
def test_names_are_only_text(text: str) -> None:
    """The tags are the same whatever they are, and each name can be read as it is."""
    made = page(clip(title=text, author_global_name=text), channel_name=text, guild_name=text)
    plain = page(clip(title="x", author_global_name="x"), channel_name="x", guild_name="x")
    assert [tag for tag, _ in plain.tags] == [tag for tag, _ in made.tags]
    assert not any(name.startswith("on") for _, attrs in made.tags for name in attrs)


def test_nothing_leads_elsewhere() -> None:
    """Every address is a relative one, and browsers are told to load nothing from elsewhere."""
    made = page(clip(title=HOSTILE, file="clips/a b/#c%d/é ? \N{EN DASH}.mp4"), count=3)
    for address in made.addresses():
        parts = urlsplit(address)
        assert ("", "", "", "") == (parts.scheme, parts.netloc, parts.query, parts.fragment)
    assert "clips/a b/#c%d/é ? \N{EN DASH}.mp4" == unquote(made.all_of("video")[0]["src"]).removeprefix("../../")
    (policy,) = [one["content"] for one in made.all_of("meta") if one.get("http-equiv") == "Content-Security-Policy"]
    assert policy.startswith("default-src 'none';")
    assert not made.all_of("script")


def test_videos_wait_until_they_are_wanted() -> None:
    """They can be played, and nothing of them is loaded before."""
    (video,) = page(clip()).all_of("video")
    assert "none" == video["preload"]
    assert "controls" in video
    assert "poster" not in video


def test_pictures() -> None:
    """Where there is one it is shown, but for a spoiler."""
    made = page(clip(), clip(1, is_spoiler=True), pictures=frozenset({bytes(32)}))
    plain, spoiler = made.all_of("video")
    assert f"../../pictures/00/{'00' * 32}.webp" == plain["poster"]
    assert "poster" not in spoiler
    assert "spoiler" in made.text


def test_what_is_gone_says_so() -> None:
    """With the day that it was found out."""
    assert "not saved elsewhere since 2026-01-02" in page(clip(gone_since=moment())).text


def test_the_way_to_other_pages() -> None:
    """Nearby, first and last, and far ones; each once."""
    made = page(clip(), number=500, count=2000)
    numbers = [int(found[1]) for one in made.addresses() if (found := re.fullmatch(r"500-(\d+)\.html", one))]
    half = numbers[: len(numbers) // 2]
    assert half + half == numbers
    assert [1, 400, 490, 497, 498, 499, 501, 502, 503, 510, 600, 1500, 2000] == half
    assert [] == page(clip(), number=1, count=1).all_of("b")


def test_how_many_pages() -> None:
    """None for nothing."""
    assert [0, 1, 1, 2] == [pages.pages_of(clips) for clips in (0, 1, 50, 51)]


def test_the_first_page() -> None:
    """Every server once, every channel with its first page."""
    channels = [
        Summed(place=place(channel_id=1, guild_name=HOSTILE), clips=1, bytes=1_500_000),
        Summed(place=place(channel_id=2, channel_name=None), clips=1_000, bytes=0),
        Summed(place=place(channel_id=3, guild_id=11), clips=0, bytes=0),
    ]
    made = Reader(pages.index(channels))
    assert ["pages/10/1-1.html", "pages/10/2-1.html", "pages/11/3-1.html"] == made.addresses()
    assert 2 == len(made.all_of("h2"))
    assert "1,001 clips, 1.4 MB" in made.text
    assert HOSTILE in made.text
    assert not made.all_of("script")
    assert "0 clips, 0 bytes" in Reader(pages.index([])).text
