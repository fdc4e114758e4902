"""Whether every current browser plays a file as it is, without help from the system's own decoders."""

from typing import Final

EIGHT_BIT: Final = frozenset({"yuv420p", "yuvj420p"})
# Left out on purpose: HEVC, AV1 and 10 bits need the right device, MOV and Matroska the right browser.
PLAYED: Final = {
    "mp4": (frozenset({"h264"}), frozenset({"aac", "mp3"})),
    "webm": (frozenset({"vp8", "vp9"}), frozenset({"opus", "vorbis"})),
}


def plays_in_browsers(
    *, container: str, video_codec: str | None, audio_codec: str | None, pixel_format: str | None, has_audio: bool
) -> bool:
    """Say yes only where Chrome, Firefox, Safari and Edge all do."""
    if container not in PLAYED:
        return False
    video, audio = PLAYED[container]
    if has_audio and audio_codec not in audio:
        return False
    return has_audio if video_codec is None else video_codec in video and pixel_format in EIGHT_BIT
