"""The names that bytes lie under: ``blobs/ab/<sha256>``, and ``thumbnails/ab/<sha256>-<what>`` for pictures of them."""

import re
from typing import Final

BLOBS: Final = "blobs"
THUMBNAILS: Final = "thumbnails"

LABEL: Final = "storage-label"
"""The file that says which storage this is."""
LONGEST_LABEL: Final = 100

DIGEST_SIZE: Final = 32
"""Bytes of a SHA-256."""

_BLOB: Final = re.compile(rf"{BLOBS}/([0-9a-f]{{2}})/\1[0-9a-f]{{62}}")
_THUMBNAIL: Final = re.compile(rf"{THUMBNAILS}/([0-9a-f]{{2}})/\1[0-9a-f]{{62}}-[0-9a-z]{{1,20}}\.[0-9a-z]{{1,5}}")
_FOLDER: Final = re.compile(rf"({BLOBS}|{THUMBNAILS})(/[0-9a-f]{{2}})?")


def blob_name(sha256: bytes) -> str:
    """Where the bytes with this hash lie."""
    return _below(BLOBS, sha256)


def picture_name(sha256: bytes, what: int | str) -> str:
    """Where the picture, so many pixels wide, of the bytes with this hash lies; or another, as ``preview``."""
    return checked(f"{_below(THUMBNAILS, sha256)}-{what}.webp")


def _below(folder: str, sha256: bytes) -> str:
    if len(sha256) != DIGEST_SIZE:
        raise ValueError("a SHA-256 has 32 bytes")
    return f"{folder}/{sha256[:1].hex()}/{sha256.hex()}"


def hash_of(name: str) -> bytes:
    """The SHA-256 that a blob's name, or a picture's, is about."""
    return bytes.fromhex(checked(name).split("/")[2][: 2 * DIGEST_SIZE])


def is_name(text: str) -> bool:
    """Whether something can lie under this name."""
    return bool(_BLOB.fullmatch(text) or _THUMBNAIL.fullmatch(text))


def checked(name: str) -> str:
    """The name, if it is one; there is no way out of the storage."""
    if not is_name(name):
        raise ValueError(f"{name!r} is no name in a storage")
    return name


def checked_thumbnail(name: str) -> str:
    """The name, if it is that of a picture."""
    if not _THUMBNAIL.fullmatch(name):
        raise ValueError(f"{name!r} is no picture's name")
    return name


def checked_folder(prefix: str) -> str:
    """What can be listed: ``blobs``, ``thumbnails``, or one of their 256 folders."""
    if not _FOLDER.fullmatch(prefix):
        raise ValueError(f"{prefix!r} is no folder of a storage")
    return prefix


def is_folder(text: str) -> bool:
    """Whether it is one of the 256 folders."""
    return "/" in text and bool(_FOLDER.fullmatch(text))
