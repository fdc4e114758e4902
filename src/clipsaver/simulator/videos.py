"""Real small files: each kind is made once a process, each file padded to its own size with its own id inside."""

import io
import struct
import zlib
from collections.abc import Iterator
from fractions import Fraction
from functools import cache
from typing import Final

import av
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from clipsaver.simulator.entities import Attachment

WIDTH, HEIGHT, FRAMES, RATE = 64, 36, 4, 10
CODECS: Final[dict[str, tuple[str, str]]] = {
    "mp4": ("mp4", "libx264"),
    "mov": ("mov", "libx264"),
    "webm": ("webm", "libvpx-vp9"),
    "mkv": ("matroska", "libx264"),
}
PIECE: Final = 64 * 1024
EMPTY_ZIP: Final = b"PK\x05\x06" + bytes(18)


@cache
def base(kind: str) -> bytes:
    """The smallest real file of a kind; kinds without a shape of their own are text."""
    if kind in CODECS:
        return _encode(kind)
    if kind in {"png", "jpg", "gif"}:
        return _picture()
    return EMPTY_ZIP if kind == "zip" else b"OggS" if kind == "ogg" else b"just some text\n"


def pieces(attachment: Attachment) -> Iterator[bytes]:
    """A file's bytes, in order; the many zeros of a huge one are never held at once."""
    start = base(attachment.kind)
    left = attachment.size - len(start)
    head = start + _padding_head(attachment.kind, left) + attachment.file_id.to_bytes(8, "big")
    yield head[: attachment.size]
    left = attachment.size - len(head)
    while left > 0:
        yield bytes(min(left, PIECE))
        left -= PIECE


def span(attachment: Attachment, start: int, stop: int) -> Iterator[bytes]:
    """The bytes from ``start`` up to ``stop``."""
    position = 0
    for piece in pieces(attachment):
        if position >= stop:
            return
        wanted = piece[max(start - position, 0) : stop - position]
        position += len(piece)
        if wanted:
            yield wanted


def _padding_head(kind: str, room: int) -> bytes:
    """The beginning of a part that players skip, as long as the room: a free box, or a Void element."""
    if kind in {"mp4", "mov"}:
        return struct.pack(">I4s", room, b"free")
    if kind in {"webm", "mkv"}:
        return b"\xec" + ((room - 9) | 1 << 56).to_bytes(8, "big")
    return b""


def _encode(kind: str) -> bytes:
    container_format, codec = CODECS[kind]
    target = io.BytesIO()
    with av.open(target, "w", format=container_format) as container:
        stream = container.add_stream(codec, rate=RATE, options=_codec_options(codec))
        if not isinstance(stream, VideoStream):  # pragma: no cover - both codecs are video
            raise TypeError(codec)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.time_base = Fraction(1, RATE)
        for number in range(FRAMES):
            container.mux(stream.encode(_frame(number)))
        container.mux(stream.encode(None))
    return target.getvalue()


def _codec_options(codec: str) -> dict[str, str]:
    return {"preset": "ultrafast", "crf": "40"} if codec == "libx264" else {"deadline": "realtime", "crf": "50"}


def _frame(number: int) -> VideoFrame:
    frame = VideoFrame(WIDTH, HEIGHT, "yuv420p")
    for index, plane in enumerate(frame.planes):
        plane.update(bytes((40 + 50 * number * (index + 1)) % 256 for _ in range(plane.buffer_size)))
    frame.pts = number
    frame.time_base = Fraction(1, RATE)
    return frame


def _picture() -> bytes:
    """A grey PNG of 16 by 16."""
    rows = (b"\x00" + b"\x80" * 16) * 16
    parts = (
        (b"IHDR", struct.pack(">IIBBBBB", 16, 16, 8, 0, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    )
    chunks = b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in parts
    )
    return b"\x89PNG\r\n\x1a\n" + chunks
