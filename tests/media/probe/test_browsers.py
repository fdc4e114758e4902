"""What every browser plays: few combinations, and no others."""

import pytest

from clipsaver.media.probe.browsers import plays_in_browsers


@pytest.mark.parametrize(
    ("container", "video", "audio", "pixels", "plays"),
    [
        ("mp4", "h264", "aac", "yuv420p", True),
        ("mp4", "h264", None, "yuvj420p", True),
        ("mp4", "h264", "ac3", "yuv420p", False),
        ("mp4", "h264", "aac", "yuv422p", False),
        ("mp4", "hevc", "aac", "yuv420p", False),
        ("mp4", None, "aac", None, True),
        ("mp4", None, None, None, False),
        ("webm", "vp9", "vorbis", "yuv420p", True),
        ("webm", "vp9", "opus", "yuv420p10le", False),
        ("webm", "h264", "opus", "yuv420p", False),
        ("mov", "h264", "aac", "yuv420p", False),
        ("matroska", "vp9", "opus", "yuv420p", False),
    ],
)
def test_combinations(container: str, video: str | None, audio: str | None, pixels: str | None, *, plays: bool) -> None:
    """Container, codecs and pixels all have to be among the usual ones."""
    assert plays == plays_in_browsers(
        container=container, video_codec=video, audio_codec=audio, pixel_format=pixels, has_audio=audio is not None
    )
