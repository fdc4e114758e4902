"""Made-up jobs, facts and pictures."""

from typing import Any, Final

from attrs import evolve

from clipsaver.clips.picturing.model import Job
from clipsaver.media.probe.model import Examined, Facts, Picture

FACTS: Final = Facts(
    container="mp4",
    duration=1.5,
    width=160,
    height=90,
    rotation=0,
    frame_rate=10.0,
    video_codec="h264",
    audio_codec=None,
    has_audio=False,
    pixel_format="yuv420p",
)


def picture(name: str = "320") -> Picture:
    """Something that calls itself a picture."""
    return Picture(name=name, width=160, height=90, data=b"RIFF" + (8).to_bytes(4, "little") + b"WEBPVP8 ")


EXAMINED: Final = Examined(facts=FACTS, pictures=(picture("320"), picture("640")))


def job(**what: Any) -> Job:
    """A claimed video."""
    return evolve(Job(sha256=bytes(32), size=1, attempts=1), **what)
