"""What is known of a video once somebody has looked at it, and why somebody could not."""

from typing import Final

from attrs import field, frozen

from clipsaver.errors import ClipsaverError
from clipsaver.media.probe.browsers import plays_in_browsers
from clipsaver.media.sandbox.wire import Reason

STILLS: Final = ("320", "640")
PREVIEW: Final = "preview"
WIDEST_PICTURE, HIGHEST_PICTURE = 640, 1280


@frozen(kw_only=True)
class Facts:
    """What a file says about itself, and its first frames confirm."""

    container: str
    """mp4, mov, webm, matroska, avi, flv, mpegts, mpeg, asf, ogg, mxf …"""
    duration: float | None
    """Seconds; None where the file does not say, and counting would take too long."""
    width: int | None
    """As it is meant to be seen: turned the right way, with square pixels."""
    height: int | None
    rotation: int
    """Degrees clockwise that players turn the stored picture by."""
    frame_rate: float | None
    """Frames a second, on average."""
    video_codec: str | None
    """libav's name: h264, hevc, vp9, av1 …; None for files that hold sound only."""
    audio_codec: str | None
    has_audio: bool
    pixel_format: str | None

    @property
    def plays_in_browsers(self) -> bool:
        """Whether every current browser plays it as it is."""
        return plays_in_browsers(
            container=self.container,
            video_codec=self.video_codec,
            audio_codec=self.audio_codec,
            pixel_format=self.pixel_format,
            has_audio=self.has_audio,
        )


@frozen(kw_only=True)
class Picture:
    """A WebP picture of a video."""

    name: str
    """How wide it may be, ``320`` or ``640``; or ``preview``, which moves and is at most 320 wide."""
    width: int
    """What it is; less than its name says where the video is smaller."""
    height: int
    data: bytes = field(repr=False)

    def __attrs_post_init__(self) -> None:
        head, length = self.data[:12], int.from_bytes(self.data[4:8], "little") + 8
        if head[:4] != b"RIFF" or head[8:] != b"WEBP" or length != len(self.data):
            raise ValueError("not a WebP picture")
        if not (0 < self.width <= WIDEST_PICTURE and 0 < self.height <= HIGHEST_PICTURE):
            raise ValueError("not one of our sizes")
        if self.name not in {*STILLS, PREVIEW}:
            raise ValueError("not one of our pictures")


@frozen(kw_only=True)
class Examined:
    """All that came of looking at a file."""

    facts: Facts
    pictures: tuple[Picture, ...] = ()
    """Both sizes and, where something moves, a preview; none for files that hold sound only."""


SENTENCES: Final = {
    Reason.NOT_A_VIDEO: "This file is not a video.",
    Reason.CUT_OFF: "The video is cut off: a part of the file is missing.",
    Reason.DAMAGED: "The video is damaged: not one of its frames can be read.",
    Reason.UNSUPPORTED: "The video is in a format that can't be decoded here.",
    Reason.TOO_LARGE: "The video's picture is too large to decode.",
    Reason.TOO_COMPLEX: "The video is too complex: decoding it takes more memory than is allowed.",
    Reason.TOO_SLOW: "Looking at the video took too long.",
    Reason.CRASHED: "The video made the program that looks at it fail.",
    Reason.UNAVAILABLE: "The video could not be looked at: the program for it did not start.",
}
WORTH_A_RETRY: Final = frozenset({Reason.TOO_SLOW, Reason.CRASHED, Reason.UNAVAILABLE})
"""What may have been the machine's fault; the others are the file's, and stay."""
CERTAIN: Final = frozenset({Reason.UNSUPPORTED, Reason.TOO_LARGE})
"""What a file's whole head has said; the rest of the file's own faults are also what a bad disk makes of good bytes."""


class Failed(ClipsaverError):
    """A video gave no pictures, or not even facts; the sentence says why."""

    def __init__(self, reason: Reason, facts: Facts | None = None, sentence: str = "") -> None:
        super().__init__(sentence or SENTENCES[reason], permanent=reason not in WORTH_A_RETRY)
        self.reason = reason
        self.facts = facts
        """What was known before it failed."""

    @property
    def certain(self) -> bool:
        """Whether the same bytes will fail in the same way, however they are read."""
        return self.reason in CERTAIN

    @property
    def is_ours(self) -> bool:
        """Whether the program that looks at videos did not come to looking: others would fare no better."""
        return self.reason is Reason.UNAVAILABLE
