"""What a file begins with."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipsaver.media.fetching.containers import container, is_dead_link, is_text
from clipsaver.simulator import videos


def boxed(brand: bytes, size: int = 24) -> bytes:
    """A ``ftyp`` box."""
    return struct.pack(">I4s4s", size, b"ftyp", brand) + bytes(12)


def ebml(doctype: bytes) -> bytes:
    """An EBML header as Matroska's are."""
    inner = b"\x42\x86\x81\x01\x42\x82" + bytes((0x80 | len(doctype),)) + doctype
    return b"\x1a\x45\xdf\xa3" + bytes((0x80 | len(inner),)) + inner


KNOWN = {
    "mp4": (boxed(b"isom"), "video/mp4"),
    "mp42": (boxed(b"mp42"), "video/mp4"),
    "m4v": (boxed(b"M4V "), "video/x-m4v"),
    "3gp": (boxed(b"3gp5"), "video/3gpp"),
    "mov": (boxed(b"qt  "), "video/quicktime"),
    "old mov": (struct.pack(">I4s", 8, b"wide") + struct.pack(">I4s", 0, b"mdat"), "video/quicktime"),
    "large mov": (struct.pack(">I4sQ", 1, b"mdat", 1 << 33), "video/quicktime"),
    "webm": (ebml(b"webm"), "video/webm"),
    "mkv": (ebml(b"matroska"), "video/x-matroska"),
    "padded mkv": (ebml(b"matroska\0\0"), "video/x-matroska"),
    "avi": (b"RIFF\x00\x10\x00\x00AVI LIST", "video/x-msvideo"),
    "flv": (b"FLV\x01\x05\x00\x00\x00\x09", "video/x-flv"),
    "ogv": (b"OggS\x00\x02" + bytes(20), "video/ogg"),
    "wmv": (bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c") + bytes(14), "video/x-ms-wmv"),
    "ps": (b"\x00\x00\x01\xba\x44", "video/mpeg"),
    "m1v": (b"\x00\x00\x01\xb3\x44", "video/mpeg"),
    "ts": ((b"\x47\x40\x00\x10" + bytes(184)) * 3, "video/mp2t"),
    "m2ts": ((bytes(4) + b"\x47" + bytes(187)) * 5, "video/mp2t"),
}
OTHERS = {
    "html": b"<!DOCTYPE html><html><head><title>502 Bad Gateway</title>",
    "json": b'{"message": "404: Not Found", "code": 0}',
    "text": b"This content is no longer available.",
    "text of Gs": b"G" * 40,
    "png": b"\x89PNG\r\n\x1a\n" + bytes(9),
    "jpg": b"\xff\xd8\xff\xe0" + bytes(9),
    "gif": b"GIF89a" + bytes(9),
    "wav": b"RIFF\x00\x10\x00\x00WAVEfmt ",
    "webp": b"RIFF\x00\x10\x00\x00WEBPVP8 ",
    "avif": boxed(b"avif"),
    "heic": boxed(b"heic"),
    "broken ftyp": boxed(b"isom", size=3),
    "zip": b"PK\x03\x04" + bytes(9),
    "gzip": b"\x1f\x8b\x08" + bytes(9),
    "other ebml": ebml(b"other"),
    "bare ebml": b"\x1a\x45\xdf\xa3" + bytes(40),
    "cut ebml": b"\x1a\x45\xdf\xa3\x9f\x42\x82",
    "odd ebml": b"\x1a\x45\xdf\xa3\x9f\x42\x82\x01abc",
    "exe": b"MZ\x90\x00" + bytes(9),
    "script": b"#EXTM3U\nhttp://127.0.0.1/x.ts",
    "concat": b"ffconcat version 1.0\nfile /etc/passwd",
    "zeros": bytes(4096),
    "nothing": b"",
}


@pytest.mark.parametrize("name", KNOWN)
def test_videos_are_known_by_their_beginning(name: str) -> None:
    """Each container."""
    head, kind = KNOWN[name]
    assert container(head) == kind
    assert not is_text(head)


@pytest.mark.parametrize("name", OTHERS)
def test_anything_else_is_none(name: str) -> None:
    """Pages, texts, pictures, archives, play lists."""
    assert container(OTHERS[name]) is None


@pytest.mark.parametrize("kind", videos.CODECS)
def test_real_videos_are_known(kind: str) -> None:
    """As libav writes them."""
    assert container(videos.base(kind)[:4096]) is not None


@pytest.mark.parametrize("name", ["html", "json", "text", "concat"])
def test_texts_read_like_texts(name: str) -> None:
    """With blanks or a byte order mark before them."""
    assert is_text(OTHERS[name])
    assert is_text(b"\xef\xbb\xbf\r\n " + OTHERS[name])


@pytest.mark.parametrize("name", ["png", "jpg", "zip", "zeros", "nothing"])
def test_other_files_do_not(name: str) -> None:
    """They have bytes that no text has."""
    assert not is_text(OTHERS[name])


@pytest.mark.parametrize("end", [b"", b".", b".\n", b"\r\n"])
def test_a_dead_link_is_known_by_its_page(end: bytes) -> None:
    """However it is set."""
    assert is_dead_link(b"This content is no longer available" + end)
    assert not is_dead_link(b"Content is available" + end)


@given(st.one_of(st.text().map(str.encode), st.binary(max_size=600)))
def test_no_bytes_are_too_strange(head: bytes) -> None:
    """Whatever they are, there is an answer, and no text is a video."""
    found = container(head)
    if is_text(head):
        assert found is None
