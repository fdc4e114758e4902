"""Look for a frame worth showing, and the few that follow it, without ever decoding more than is allowed."""

import contextlib
import time
from collections.abc import Iterator
from fractions import Fraction
from typing import Final

from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from clipsaver.media.sandbox.opening import BROKEN
from clipsaver.media.sandbox.wire import Reason, Trouble

PLACES: Final = (0.1, 0.3, 0.5, 0.7, 0.9, 0.0)
"""Where to look, as shares of the length: the first seconds are often a fade or a title."""
PACKETS_FOR_ONE_FRAME: Final = 400
FRAMES: Final = 600
MISTAKES: Final = 60
SEARCH_SECONDS: Final = 3.0
"""Of processor time, for the search."""
LOOK_EVERY: Final = 0.2
"""Seconds of the video between two looks, where every frame has to be decoded anyway."""
SAMPLE: Final = 32
PLAIN: Final = 7.0
"""A picture whose brightness deviates less (of 255) is black, white or a plain colour."""
MICROSECONDS: Final = 1_000_000


class Looker:
    """Reads one stream of an opened file, within its limits."""

    def __init__(self, container: InputContainer, stream: VideoStream, max_pixels: int) -> None:
        self.container = container
        self.stream = stream
        self.max_pixels = max_pixels
        context = stream.codec_context
        context.options = {"max_pixels": str(max_pixels), "threads": "1"}
        context.thread_count = 1

    def pick(self, duration: float | None) -> VideoFrame | None:
        """A frame that shows something, else the liveliest there is; None when no frame could be decoded."""
        until = time.process_time() + SEARCH_SECONDS
        best: tuple[float, VideoFrame] | None = None
        for liveliness, frame in self._candidates(duration):
            if best is None or liveliness > best[0]:
                best = liveliness, frame
            if liveliness >= PLAIN or time.process_time() > until:
                break
        return None if best is None else best[1]

    def first(self) -> VideoFrame | None:
        """Any frame at all."""
        return next(self.onward(0), None)

    def onward(self, start: float) -> Iterator[VideoFrame]:
        """The frames from the key frame before that second on; damage is skipped, up to a point."""
        mistakes = decoded = 0
        self._seek(start)
        packets = self.container.demux(self.stream)
        while mistakes < MISTAKES and decoded < FRAMES:
            try:
                packet = next(packets)
                frames = packet.decode()
            except StopIteration:
                return
            except MemoryError:
                raise
            except BROKEN:
                mistakes += 1
                continue
            decoded += len(frames)
            for frame in frames:
                yield self._checked(frame)

    def second_of(self, frame: VideoFrame) -> float:
        """When a frame is shown, from the video's beginning; frames without a time count as the first."""
        begin = Fraction(self.container.start_time or 0, MICROSECONDS)
        if frame.pts is None or frame.time_base is None:
            return 0.0
        return max(float(frame.pts * frame.time_base - begin), 0.0)

    def _candidates(self, duration: float | None) -> Iterator[tuple[float, VideoFrame]]:
        """Key frames across the video, then, were all of them plain, frame by frame from the beginning."""
        seen = set()
        for place in PLACES if duration else PLACES[-1:]:
            frame = self._key_frame(place * (duration or 0))
            if frame is not None and frame.pts not in seen:
                seen.add(frame.pts)
                yield self._judged(frame)
        next_look = 0.0
        for frame in self.onward(0):
            second = self.second_of(frame)
            if not next_look or second >= next_look or second + 1 < next_look:
                next_look = second + LOOK_EVERY
                yield self._judged(frame)

    def _judged(self, frame: VideoFrame) -> tuple[float, VideoFrame]:
        liveliness = deviation(frame)
        return (liveliness / 10 if frame.is_corrupt else liveliness), frame

    def _key_frame(self, start: float) -> VideoFrame | None:
        """The key frame at or before that second, the only one decoded; None where there is none near."""
        self._seek(start)
        with contextlib.suppress(StopIteration):
            packets = self.container.demux(self.stream)
            for _ in range(PACKETS_FOR_ONE_FRAME):
                try:
                    packet = next(packets)
                    if packet.is_keyframe and packet.size:
                        frames = packet.decode() or self.stream.codec_context.decode(None)
                        return self._checked(frames[0]) if frames else None
                except MemoryError:
                    raise
                except BROKEN:
                    return None
        return None

    def _seek(self, start: float) -> None:
        """Go to the key frame before that second; where that can't be done, reading goes on from where it is."""
        begin = self.container.start_time or 0
        # Formats without an index go to the key frame after their very first time stamp, and to the first before it.
        place = begin + int(start * MICROSECONDS) if start > 0 else min(begin, 0)
        with contextlib.suppress(*BROKEN):
            self.container.seek(place)

    def _checked(self, frame: VideoFrame) -> VideoFrame:
        if frame.width * frame.height > self.max_pixels:
            raise Trouble(Reason.TOO_LARGE)
        return frame


def deviation(frame: VideoFrame) -> float:
    """How much a frame's brightness varies, from a tiny copy: 0 is one plain colour."""
    small = frame.reformat(SAMPLE, SAMPLE, "gray", threads=1)
    plane, line = bytes(small.planes[0]), small.planes[0].line_size
    pixels = [value for row in range(SAMPLE) for value in plane[row * line : row * line + SAMPLE]]
    mean = sum(pixels) / len(pixels)
    return float((sum((value - mean) ** 2 for value in pixels) / len(pixels)) ** 0.5)
