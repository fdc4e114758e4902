"""One file, from its first bytes to its pictures; each piece of the answer leaves as soon as it is known."""

import contextlib
import json
import mmap
from typing import Any

import av.audio.stream
import av.logging
import av.subtitles.codeccontext
import av.subtitles.stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from PIL import Image
from PIL import WebPImagePlugin as _  # noqa: F401 - registers itself as the writer of WebP

from clipsaver.media.sandbox.looking import Looker
from clipsaver.media.sandbox.opening import (
    BROKEN,
    VIDEO_CODECS,
    codec_of,
    facts_of,
    head_of,
    is_cut_off,
    open_video,
    video_of,
)
from clipsaver.media.sandbox.pictures import animated, film, stills, webp
from clipsaver.media.sandbox.turning import View, view_of
from clipsaver.media.sandbox.wire import FACTS, PICTURE, PICTURE_HEADER, Reason, Send, Trouble

BYTES_A_PIXEL, FRAMES_HELD = 2, 3
"""What the simplest decoder takes, about."""

# No file can be opened once the child is confined: what PyAV and Pillow import late is imported above, and here.
Image.preinit()
av.logging.set_level(None)


def examine(source: int, send: Send, *, max_pixels: int, want_pictures: bool) -> None:
    """Say what the file is and show it; raises Trouble with the reason why not."""
    head = head_of(source)
    with open_video(source, head, max_pixels) as container:
        stream = video_of(container)
        facts = facts_of(container, stream, head)
        if stream is None and not facts["has_audio"]:
            raise Trouble(Reason.CUT_OFF if is_cut_off(source, head) else Reason.NOT_A_VIDEO)
        # Said twice: nobody knows whether decoding will end.
        _tell(send, facts)
        if stream is None:
            return
        _refuse(stream, max_pixels)
        looker = Looker(container, stream, max_pixels)
        frame = looker.pick(facts["duration"]) if want_pictures else looker.first()
        if frame is None:
            raise Trouble(_why_nothing(source, head, stream))
        view = view_of(frame, stream.sample_aspect_ratio)
        _tell(send, _turned(facts, view.degrees))
        if want_pictures:
            _show(looker, frame, view, send)


def _refuse(stream: VideoStream, max_pixels: int) -> None:
    """Raise when a stream must not be decoded: its size is checked before a single frame is."""
    if codec_of(stream) not in VIDEO_CODECS:
        raise Trouble(Reason.UNSUPPORTED)
    if stream.width * stream.height > max_pixels:
        raise Trouble(Reason.TOO_LARGE)


def _why_nothing(source: int, head: bytes, stream: VideoStream) -> Reason:
    """Why not one frame could be decoded; libav calls data invalid for which it had no memory."""
    if is_cut_off(source, head):
        return Reason.CUT_OFF
    try:
        mmap.mmap(-1, max(stream.width * stream.height, 1) * BYTES_A_PIXEL * FRAMES_HELD).close()
    except OSError:
        return Reason.TOO_COMPLEX
    return Reason.DAMAGED


def _show(looker: Looker, frame: VideoFrame, view: View, send: Send) -> None:
    try:
        for name, image in stills(frame, view):
            _picture(send, name, image.size, webp(image))
    except MemoryError:
        raise
    except BROKEN as error:
        raise Trouble(Reason.DAMAGED) from error
    # A preview is a welcome addition: whatever it can't be made from has its pictures already.
    with contextlib.suppress(*BROKEN, MemoryError, Trouble):
        images, shown = film(looker, view, looker.second_of(frame))
        moving = animated(images, shown)
        if moving is not None:
            _picture(send, "preview", images[0].size, moving)


def _turned(facts: dict[str, Any], degrees: int) -> dict[str, Any]:
    if degrees % 180 == 0:
        return facts | {"rotation": degrees}
    return facts | {"rotation": degrees, "width": facts["height"], "height": facts["width"]}


def _tell(send: Send, facts: dict[str, Any]) -> None:
    send(FACTS, json.dumps(facts).encode())


def _picture(send: Send, name: str, size: tuple[int, int], data: bytes) -> None:
    send(PICTURE, PICTURE_HEADER.pack(name.encode(), *size) + data)
