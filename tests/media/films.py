"""Real video files, made when a test asks; an encoder that is missing fails the test."""

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
from attrs import field, frozen
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

Draw = Callable[[int, int, int], bytes]
"""From a frame's number and the size of a plane's line and its lines: the bytes of its brightness."""

QUICK = {
    "libx264": {"preset": "ultrafast"},
    "libx265": {"preset": "ultrafast", "x265-params": "log-level=none"},
    "libvpx-vp9": {"deadline": "realtime", "cpu-used": "8"},
    "libsvtav1": {"preset": "13"},
}


def lively(number: int, line: int, lines: int) -> bytes:
    """Stripes that wander: light and dark everywhere, and no two frames the same."""
    stripe = bytes((x * 5 + number * 11) % 256 for x in range(line))
    return b"".join(bytes([stripe[(row * 3) % line]]) * 3 + stripe[3:] for row in range(lines))


def black(number: int, line: int, lines: int) -> bytes:
    """Nothing at all."""
    return bytes([16]) * (line * lines)


def after_black(count: int) -> Draw:
    """So many black frames, then lively ones."""
    return lambda number, line, lines: (black if number < count else lively)(number, line, lines)


@frozen(kw_only=True)
class Film:
    """What a file should hold."""

    container: str = "mp4"
    codec: str | None = "libx264"
    audio: str | None = None
    width: int = 160
    height: int = 90
    frames: int = 12
    rate: int = 10
    pixel_format: str = "yuv420p"
    draw: Draw = lively
    turn: float | None = None
    """Degrees against the clock, as display matrices have it."""
    mirrored: bool = False
    pixel: Fraction | None = None
    times: Sequence[int] | None = None
    """When each frame is shown, in frames; all alike otherwise."""
    options: dict[str, str] = field(factory=dict)
    codec_options: dict[str, str] = field(factory=dict)

    def save(self, path: Path) -> Path:
        """Make the file."""
        with av.open(str(path), "w", format=self.container, options=self.options) as target:
            picture = self._video(target) if self.codec else None
            sound = target.add_stream(self.audio, rate=48000) if self.audio else None
            if picture is not None:
                self._pictures(target, picture)
            if isinstance(sound, AudioStream):
                self._sound(target, sound)
        return path

    def _video(self, target: OutputContainer) -> VideoStream:
        options = QUICK.get(self.codec or "", {}) | self.codec_options
        stream = target.add_stream(str(self.codec), rate=self.rate, options=options)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = self.width, self.height, self.pixel_format
        stream.time_base = Fraction(1, self.rate)
        stream.codec_context.thread_count = 1
        if self.pixel is not None:
            stream.codec_context.sample_aspect_ratio = self.pixel
        if self.turn is not None or self.mirrored:
            stream.set_display_rotation(self.turn or 0.0, hflip=self.mirrored)
        return stream

    def _pictures(self, target: OutputContainer, stream: VideoStream) -> None:
        for number in range(self.frames):
            frame = VideoFrame(self.width, self.height, "yuv420p")
            for plane, value in zip(frame.planes, (None, 100, 150), strict=True):
                size = plane.line_size * plane.height
                plane.update(
                    self.draw(number, plane.line_size, plane.height) if value is None else bytes([value]) * size
                )
            frame.pts = number if self.times is None else self.times[number]
            frame.time_base = Fraction(1, self.rate)
            target.mux(stream.encode(frame.reformat(format=self.pixel_format)))
        target.mux(stream.encode(None))

    def _sound(self, target: OutputContainer, stream: AudioStream) -> None:
        for number in range(50):
            frame = AudioFrame(format=stream.codec_context.format.name, layout="stereo", samples=960)
            for plane in frame.planes:
                plane.update(bytes(plane.buffer_size))
            frame.sample_rate, frame.pts, frame.time_base = 48000, number * 960, Fraction(1, 48000)
            target.mux(stream.encode(frame))
        target.mux(stream.encode(None))


def without_first(source: Path, target: Path, packets: int) -> Path:
    """Copy a video but its first packets, so that it begins between two key frames."""
    with av.open(str(source)) as old, av.open(str(target), "w") as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        for number, packet in enumerate(old.demux(video=0)):
            if number >= packets and packet.dts is not None:
                packet.stream = stream
                new.mux(packet)
    return target
