"""Turn frames into WebP: two sizes of one, and a short silent film of the few that follow."""

import io
import time
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from av.video.frame import VideoFrame
from PIL import Image

from clipsaver.media.sandbox.looking import Looker
from clipsaver.media.sandbox.opening import shown_size
from clipsaver.media.sandbox.turning import View

SIZES: Final = (640, 320)
TALLEST: Final = 2
"""A picture is at most so many times as high as it may be wide."""
QUALITY, EFFORT = 80, 2
PREVIEW_WIDTH: Final = 320
PREVIEW_SECONDS: Final = 3.0
PREVIEW_RATE: Final = 8
PREVIEW_FRAMES: Final = 24
STEP: Final = 1 / PREVIEW_RATE
PREVIEW_QUALITIES: Final = (50, 25)
PREVIEW_EFFORT: Final = 1
PREVIEW_BYTES: Final = 600_000
PREVIEW_PROCESSOR_SECONDS: Final = 2.5
MANY_A_SECOND: Final = 24
"""From so many frames a second on, those that no other needs are left out of the preview's source."""
SHORTEST_SHOWN, LONGEST_SHOWN = 40, 1000
"""Milliseconds."""


def picture(frame: VideoFrame, view: View, width: int) -> Image.Image:
    """The frame as it is meant to be seen, at most so wide, never larger than it is."""
    wide, high = shown_size(frame.width, frame.height, view.pixel)
    box = (width, width * TALLEST) if view.degrees % 180 == 0 else (width * TALLEST, width)
    scaled = frame.reformat(*fit(wide, high, box), "rgb24", dst_color_range="JPEG", threads=1)
    plane = scaled.planes[0]
    image = Image.frombuffer("RGB", (scaled.width, scaled.height), bytes(plane), "raw", "RGB", plane.line_size, 1)
    return image if view.turn is None else image.transpose(view.turn)


def fit(wide: int, high: int, box: tuple[int, int]) -> tuple[int, int]:
    """The largest size of that shape inside the box that is no larger than the original."""
    scale = min(1.0, box[0] / wide, box[1] / high)
    return max(1, round(wide * scale)), max(1, round(high * scale))


def stills(frame: VideoFrame, view: View) -> list[tuple[str, Image.Image]]:
    """The frame in each size, the larger first; the smaller is made from it."""
    large = picture(frame, view, SIZES[0])
    made = [(str(SIZES[0]), large)]
    for width in SIZES[1:]:
        size = fit(large.width, large.height, (width, width * TALLEST))
        made.append((str(width), large.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)))
    return made


def webp(image: Image.Image) -> bytes:
    """One picture's bytes."""
    target = io.BytesIO()
    image.save(target, "WEBP", quality=QUALITY, method=EFFORT)
    return target.getvalue()


def film(looker: Looker, view: View, start: float) -> tuple[list[Image.Image], list[int]]:
    """Small pictures from that second on, and for how many milliseconds each is shown; as many as time allows."""
    until = time.process_time() + PREVIEW_PROCESSOR_SECONDS
    rate = looker.stream.average_rate
    looker.stream.codec_context.skip_frame = "NONREF" if rate and rate >= MANY_A_SECOND else "DEFAULT"
    taken: list[tuple[float, Image.Image]] = []
    # Formats without an index may find nothing behind their last key frame.
    for begin in dict.fromkeys((start, 0.0)):
        taken = _taken(looker, view, begin, until)
        if len(taken) > 1:
            break
    seconds = [second for second, _ in taken]
    shown = [round(1000 * (after - before)) for before, after in pairwise(seconds)]
    shown.append(1000 // PREVIEW_RATE)
    return [image for _, image in taken], [min(max(each, SHORTEST_SHOWN), LONGEST_SHOWN) for each in shown]


def _taken(looker: Looker, view: View, start: float, until: float) -> list[tuple[float, Image.Image]]:
    taken: list[tuple[float, Image.Image]] = []
    due = start
    for frame in looker.onward(start):
        second = looker.second_of(frame)
        if second >= start + PREVIEW_SECONDS or len(taken) >= PREVIEW_FRAMES or time.process_time() > until:
            break
        if second >= due:
            due = max(due + STEP, second + STEP / 2)
            taken.append((second, picture(frame, view, PREVIEW_WIDTH)))
    return taken


def animated(images: Sequence[Image.Image], shown: Sequence[int]) -> bytes | None:
    """The film's bytes; None when nothing moves, or when it would be too large."""
    same_size = [image for image in images if image.size == images[0].size]
    if len(same_size) < 2 or len(same_size) < len(images):  # noqa: PLR2004 - one picture is no film
        return None
    for quality in PREVIEW_QUALITIES:
        target = io.BytesIO()
        images[0].save(
            target,
            "WEBP",
            save_all=True,
            append_images=images[1:],
            duration=list(shown),
            loop=0,
            quality=quality,
            method=PREVIEW_EFFORT,
        )
        if target.tell() <= PREVIEW_BYTES:
            return target.getvalue()
    return None
