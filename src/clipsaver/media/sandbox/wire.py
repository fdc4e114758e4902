"""How the child's answer is written and read: tagged pieces, each with its length before it.

Whatever was complete before a child died counts, so pieces are sent as soon as they are known.
"""

import struct
from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import Final

HEADER: Final = struct.Struct(">4sI")
PICTURE_HEADER: Final = struct.Struct(">8sII")
"""A picture's name, width and height, before its bytes."""

HELD: Final = b"held"
FACTS: Final = b"fact"
PICTURE: Final = b"pict"
TROUBLE: Final = b"fail"
DONE: Final = b"done"

Send = Callable[[bytes, bytes], None]


class Reason(StrEnum):
    """Why a video gave no facts, or no pictures."""

    NOT_A_VIDEO = "not_a_video"
    CUT_OFF = "cut_off"
    DAMAGED = "damaged"
    UNSUPPORTED = "unsupported"
    TOO_LARGE = "too_large"
    TOO_COMPLEX = "too_complex"
    TOO_SLOW = "too_slow"
    CRASHED = "crashed"
    UNAVAILABLE = "unavailable"


class Trouble(Exception):
    """The child can't go on; only the reason leaves it."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.value)
        self.reason = reason


def piece(tag: bytes, body: bytes) -> bytes:
    """One piece of an answer."""
    return HEADER.pack(tag, len(body)) + body


def pieces(answer: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Every complete piece, in order; what a dying child left half is not among them."""
    position = 0
    while position + HEADER.size <= len(answer):
        tag, length = HEADER.unpack_from(answer, position)
        position += HEADER.size
        if position + length > len(answer):
            return
        yield tag, answer[position : position + length]
        position += length
