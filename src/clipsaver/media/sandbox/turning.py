"""How a camera was held: a display matrix, as one of the eight ways to turn and mirror a picture."""

import struct
from fractions import Fraction
from typing import Any, Final, NamedTuple

from av.video.frame import VideoFrame
from PIL.Image import Transpose

# A point goes to (a·x + c·y, b·x + d·y), y downwards: (a, b, c, d), the degrees clockwise, and Pillow's word for it.
TURNS: Final[dict[tuple[int, int, int, int], tuple[int, Transpose | None]]] = {
    (1, 0, 0, 1): (0, None),
    (0, 1, -1, 0): (90, Transpose.ROTATE_270),
    (-1, 0, 0, -1): (180, Transpose.ROTATE_180),
    (0, -1, 1, 0): (270, Transpose.ROTATE_90),
    (-1, 0, 0, 1): (0, Transpose.FLIP_LEFT_RIGHT),
    (1, 0, 0, -1): (180, Transpose.FLIP_TOP_BOTTOM),
    (0, 1, 1, 0): (90, Transpose.TRANSPOSE),
    (0, -1, -1, 0): (270, Transpose.TRANSVERSE),
}
MATRIX: Final = struct.Struct("=9i")


class View(NamedTuple):
    """How a video's frames are meant to be seen."""

    pixel: Fraction | None
    """Width of a pixel to its height; None for square ones."""
    degrees: int
    """Clockwise."""
    turn: Transpose | None
    """Pillow's word for the turn, mirroring included."""


def view_of(frame: VideoFrame, pixel: Fraction | None) -> View:
    """How to show this frame and those like it; slanted ones are taken to the nearest right angle.

    Asked once a video: a frame whose side data was looked at is part of a cycle, and lives until these are collected.
    """
    data: Any = frame.side_data.get("DISPLAYMATRIX")
    turned = TURNS[1, 0, 0, 1]
    if data is not None and len(bytes(data)) >= MATRIX.size:
        a, b, _, c, d, *_ = MATRIX.unpack_from(bytes(data))
        straight = abs(a) + abs(d) >= abs(b) + abs(c)
        turned = TURNS.get((_sign(a), 0, 0, _sign(d)) if straight else (0, _sign(b), _sign(c), 0), turned)
    return View(pixel, *turned)


def _sign(value: int) -> int:
    return (value > 0) - (value < 0)
