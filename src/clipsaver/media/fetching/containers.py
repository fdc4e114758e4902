"""What a file begins with: the video containers we know, and what is certainly none. Pure."""

import re
from typing import Final

HEAD: Final = 4_096
"""Bytes from a file's beginning that decide."""
DEAD: Final = b"this content is no longer available"
"""What Discord says in a dead link's place, in small letters and without its full stop."""

_EBML: Final = b"\x1a\x45\xdf\xa3"
_DOCTYPE: Final = b"\x42\x82"
_ASF: Final = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
_PICTURES: Final = frozenset({b"avif", b"avis", b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1"})
"""Brands of pictures in the same box format."""
_MOV_BOXES: Final = frozenset({b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot", b"uuid"})
"""What a QuickTime file without ``ftyp`` may begin with."""
_MPEG_TS: Final = ((188, 0), (192, 4), (204, 0))
"""Packet length and where in it the sync byte is: plain, with time codes (M2TS), with error correction."""
_SYNC: Final = 0x47
_TEXT: Final = re.compile(rb"(?:\xef\xbb\xbf)?\s*[<{\[\"A-Za-z]")
_CONTROL: Final = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")


def container(head: bytes) -> str | None:
    """The container that a file beginning like this is in, as a media type; None for anything else."""
    return _boxes(head) or _magic(head) or _transport_stream(head)


def is_dead_link(head: bytes) -> bool:
    """Whether this is Discord's page for a link that no longer works."""
    return head[:128].strip().lower().startswith(DEAD)


def is_text(head: bytes) -> bool:
    """Whether this reads like HTML, JSON or another text."""
    return _TEXT.match(head) is not None and _CONTROL.search(head) is None


def _boxes(head: bytes) -> str | None:
    """MP4, MOV, M4V, 3GP and their kin (ISO/IEC 14496-12; Apple's QuickTime File Format)."""
    size, kind, brand = int.from_bytes(head[:4], "big"), head[4:8], head[8:12]
    if kind == b"ftyp":
        if size not in range(16, HEAD) or brand in _PICTURES:
            return None
        return {b"qt  ": "video/quicktime", b"M4V ": "video/x-m4v"}.get(
            brand, "video/3gpp" if brand.startswith((b"3gp", b"3g2", b"3ge", b"3gs")) else "video/mp4"
        )
    if kind in _MOV_BOXES and (size in {0, 1} or size >= 8):  # noqa: PLR2004 - a box is at least its own head
        return "video/quicktime"
    return None


def _magic(head: bytes) -> str | None:
    """The containers that begin with bytes of their own."""
    if head.startswith(_EBML):
        doctype = _doctype(head)
        return {b"webm": "video/webm", b"matroska": "video/x-matroska"}.get(doctype)
    if head.startswith(b"RIFF"):
        return "video/x-msvideo" if head[8:12] in {b"AVI ", b"AVIX"} else None
    if head.startswith(b"FLV\x01"):
        return "video/x-flv"
    if head.startswith(b"OggS\x00"):
        return "video/ogg"
    if head.startswith(_ASF):
        return "video/x-ms-wmv"
    # A pack's header, or an MPEG video's own (ISO/IEC 11172-1, 13818-1).
    return "video/mpeg" if head.startswith((b"\x00\x00\x01\xba", b"\x00\x00\x01\xb3")) else None


def _doctype(head: bytes) -> bytes:
    """The DocType in an EBML header (RFC 8794)."""
    found = head.find(_DOCTYPE, len(_EBML), 128)
    if found < 0 or found + 2 >= len(head) or not head[found + 2] & 0x80:
        return b""
    start = found + 3
    return head[start : start + (head[found + 2] & 0x7F)].rstrip(b"\x00")


def _transport_stream(head: bytes) -> str | None:
    """MPEG-TS: the sync byte at the beginning of every packet (ISO/IEC 13818-1), of three at least."""
    for length, first in _MPEG_TS:
        packets = range(first, len(head), length)
        if len(packets) >= 3 and all(head[place] == _SYNC for place in packets):  # noqa: PLR2004 - fewer are chance
            return "video/mp2t"
    return None
