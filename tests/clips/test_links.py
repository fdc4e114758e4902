"""What attachment links say."""

from datetime import UTC, datetime

import pytest

from clipsaver.clips.links import AttachmentLink, attachment_link, expiry, filename_in

CDN = "https://cdn.discordapp.com"


@pytest.mark.parametrize(
    "url",
    [
        f"{CDN}/attachments/1/22/a%20clip.mp4?ex=66aa&is=66a8&hm=00&",
        "https://media.discordapp.net/attachments/1/22/a%20clip.mp4",
        "http://127.0.0.1:8080/attachments/1/22/a%20clip.mp4?ex=1",
        f"{CDN}/ephemeral-attachments/1/22/a%20clip.mp4",
    ],
)
def test_attachment_links_are_recognised(url: str) -> None:
    """On any host, signed or not."""
    assert AttachmentLink(attachment_id=22, filename="a clip.mp4") == attachment_link(url)


@pytest.mark.parametrize(
    "url",
    [
        None,
        "",
        "https://example.com/clip.mp4",
        f"{CDN}/attachments/1/clip.mp4",
        f"{CDN}/attachments/1/22/",
        f"{CDN}/attachments/one/two/clip.mp4",
        "ftp://cdn.discordapp.com/attachments/1/22/clip.mp4",
        "https://[broken/attachments/1/22/clip.mp4",
    ],
)
def test_other_links_are_not(url: str | None) -> None:
    """Neither other sites' nor what is no link at all."""
    assert attachment_link(url) is None


def test_names_come_from_the_path() -> None:
    """Decoded, and without what the database can't hold."""
    assert filename_in(f"{CDN}/a/b/gr%C3%BC%C3%9Fe%00.mp4?x=/y") == "grüße\ufffd.mp4"
    assert filename_in("https://[broken/clip.mp4") == ""


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("?ex=66aa0000&is=66a8&hm=1&", datetime(2024, 7, 31, 9, 12, 32, tzinfo=UTC)),
        ("?is=66a8&ex=66AA0000", datetime(2024, 7, 31, 9, 12, 32, tzinfo=UTC)),
        ("", None),
        ("?ex=&is=1", None),
        ("?ex=nothex", None),
        ("?index=66aa0000", None),
        ("?ex=ffffffffff", None),
        ("?ex=fffffffffffffffff", None),
    ],
)
def test_links_say_when_they_die(query: str, expected: datetime | None) -> None:
    """Seconds in hex; anything else says nothing."""
    assert expiry(f"{CDN}/attachments/1/2/clip.mp4{query}") == expected
