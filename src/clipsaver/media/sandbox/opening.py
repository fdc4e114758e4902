"""Open the file and say what it is: container, codecs, size, length; nothing of the picture is decoded here."""

import math
import os
import re
import struct
import time
from collections.abc import Mapping
from fractions import Fraction
from typing import Any, Final

import av
import av.error
from av.container import InputContainer
from av.video.stream import VideoStream

from clipsaver.media.sandbox.wire import Reason, Trouble

# Only what holds videos on its own: playlists and lists of files (hls, dash, concat, …) would read their neighbours.
FORMATS: Final = "mov,matroska,webm,avi,flv,live_flv,mpegts,mpeg,mpegvideo,asf,ogg,mxf"
VIDEO_CODECS: Final = frozenset(
    {
        *("h264", "hevc", "vp8", "vp9", "av1", "mpeg4", "mpeg1video", "mpeg2video", "mjpeg", "theora", "h263", "flv1"),
        *("vp6", "vp6f", "wmv1", "wmv2", "wmv3", "vc1", "msmpeg4v1", "msmpeg4v2", "msmpeg4v3", "prores", "dnxhd"),
    }
)
"""By their canonical names; whatever else a file holds is not decoded."""
DECODERS: Final = ",".join(
    sorted(
        VIDEO_CODECS
        | {"libdav1d", "flv", "mpegvideo", "msmpeg4", "aac", "mp3", "mp3float", "mp2", "mp2float", "opus", "vorbis"}
        | {"flac", "alac", "ac3", "eac3", "wmav1", "wmav2", "amrnb", "amrwb", "pcm_s16le", "pcm_s16be", "pcm_s24le"}
    )
)
"""What may be tried while the streams' parameters are looked for, by the decoders' own names."""
STREAMS: Final = 64
HEAD: Final = 4096
LONGEST: Final = 7 * 24 * 3600
"""Seconds; what claims to be longer lies."""
FASTEST: Final = 1000
LONGEST_SIDE: Final = 1_000_000
WIDEST_PIXEL: Final = 8
COUNTED_PACKETS: Final = 300_000
COUNTING_SECONDS: Final = 2.0
BOXES: Final = 1000
KNOWN: Final = re.compile(
    rb"....(?:ftyp|moov|mdat|free|skip|wide|pnot)|\x1a\x45\xdf\xa3|RIFF....AVI |FLV\x01|OggS"
    rb"|\x30\x26\xb2\x75\x8e\x66\xcf\x11|\x00\x00\x01[\xba\xb3]|\x47.{187}\x47|.{4}\x47.{191}\x47|\x06\x0e\x2b\x34",
    re.DOTALL,
)
DOCTYPE: Final = re.compile(rb"\x42\x82[\x84-\x8f](webm|matroska)")
# What a broken file does to PyAV. Out of memory is one of libav's errors too, and has to be caught before.
BROKEN: Final = (av.error.FFmpegError, ValueError, ArithmeticError, LookupError, AttributeError)


def head_of(source: int) -> bytes:
    """The file's first bytes; the next reader starts at the beginning again."""
    os.lseek(source, 0, os.SEEK_SET)
    head = os.read(source, HEAD)
    os.lseek(source, 0, os.SEEK_SET)
    return head


def open_video(source: int, head: bytes, max_pixels: int) -> InputContainer:
    """Open the descriptor's file; libav can reach no other and no other protocol."""
    options = {
        "fd": str(source),
        "protocol_whitelist": "fd",
        "format_whitelist": FORMATS,
        "codec_whitelist": DECODERS,
        "max_streams": str(STREAMS),
        "max_pixels": str(max_pixels),
        "threads": "1",
    }
    try:
        return av.open("fd:", "r", options=options, metadata_errors="replace")
    except MemoryError:
        raise
    except BROKEN as error:
        raise Trouble(_why(source, head, error)) from error


def _why(source: int, head: bytes, error: BaseException) -> Reason:
    if not KNOWN.match(head):
        return Reason.NOT_A_VIDEO
    if isinstance(error, av.error.EOFError) or is_cut_off(source, head):
        return Reason.CUT_OFF
    return Reason.DAMAGED


def is_cut_off(source: int, head: bytes) -> bool:
    """Whether an MP4 or MOV file ends before its last box does, or lacks the box that says what it holds."""
    if head[4:8] not in {b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide"}:
        return False
    end, position, seen = os.fstat(source).st_size, 0, set()
    for _ in range(BOXES):
        if position + 8 > end:
            break
        os.lseek(source, position, os.SEEK_SET)
        size, name, large = struct.unpack(">I4sQ", os.read(source, 16).ljust(16, b"\0"))
        seen.add(name)
        length = large if size == 1 else size or end - position
        position += max(length, 8)
    return position > end or b"moov" not in seen


def video_of(container: InputContainer) -> VideoStream | None:
    """The stream that is the video; a cover picture is none."""
    moving = [stream for stream in container.streams.video if not stream.disposition & stream.disposition.attached_pic]
    best = container.streams.best("video")
    return next(
        (stream for stream in moving if stream is best or stream.index == getattr(best, "index", -1)), None
    ) or (moving[0] if moving else None)


def facts_of(container: InputContainer, stream: VideoStream | None, head: bytes) -> dict[str, Any]:
    """What the container says, as plain values; sizes as stored, not yet turned."""
    audio = container.streams.audio[0] if container.streams.audio else None
    facts: dict[str, Any] = {
        "container": _container(container.format.name, container.metadata, head),
        "duration": duration_of(container),
        "has_audio": audio is not None,
        "audio_codec": None if audio is None else codec_of(audio),
        "video_codec": None,
        "width": None,
        "height": None,
        "rotation": 0,
        "frame_rate": None,
        "pixel_format": None,
    }
    if stream is not None:
        facts["video_codec"] = codec_of(stream)
        if stream.codec_context is not None:
            width, height = shown_size(stream.width, stream.height, stream.sample_aspect_ratio)
            facts |= {"width": _side(width), "height": _side(height), "pixel_format": stream.codec_context.pix_fmt}
        facts["frame_rate"] = _rate(stream.average_rate or stream.guessed_rate)
    return facts


def codec_of(stream: Any) -> str | None:
    """A codec's usual name, whoever decodes it; None where nothing here could."""
    return None if stream.codec_context is None else str(stream.codec_context.codec.canonical_name)


def shown_size(width: int, height: int, pixel: Fraction | None) -> tuple[int, int]:
    """The size on a screen, whose pixels are square: one side is stretched, none is shrunk."""
    if not pixel or not Fraction(1, WIDEST_PIXEL) <= pixel <= WIDEST_PIXEL:
        return width, height
    return (round(width * pixel), height) if pixel >= 1 else (width, round(height / pixel))


def duration_of(container: InputContainer) -> float | None:
    """Seconds: what the container says, or, when a recorder left it out, what its packets come to."""
    if container.duration is not None:
        seconds = container.duration / 1_000_000
        return seconds if 0 < seconds <= LONGEST else None
    first, last, until = math.inf, 0.0, time.process_time() + COUNTING_SECONDS
    try:
        for number, packet in enumerate(container.demux()):
            if packet.pts is not None and packet.time_base is not None:
                begin = float(packet.pts * packet.time_base)
                first, last = min(first, begin), max(last, begin + float((packet.duration or 0) * packet.time_base))
            if number > COUNTED_PACKETS or time.process_time() > until:
                return None
        container.seek(0)
    except MemoryError:
        raise
    except BROKEN:
        return None
    return last - first if 0 < last - first <= LONGEST else None


def _side(pixels: int) -> int | None:
    return pixels if 0 < pixels <= LONGEST_SIDE else None


def _rate(rate: Fraction | None) -> float | None:
    """Frames a second; None for what is no rate, or none that could be written down."""
    return (round(float(rate), 3) if rate and 0 < rate <= FASTEST else 0) or None


def _container(name: str, metadata: Mapping[str, str], head: bytes) -> str:
    """One word for the container; libav has one reader for MP4 and MOV, and one for Matroska and WebM."""
    if name.startswith("mov,"):
        return "mov" if metadata.get("major_brand", "qt  ").startswith("qt") else "mp4"
    if name.startswith("matroska"):
        doctype = DOCTYPE.search(head)
        return "webm" if doctype and doctype[1] == b"webm" else "matroska"
    return name.partition(",")[0]
