"""Real files of every kind, through a real child: their facts, their pictures."""

import asyncio
import io
import os
from fractions import Fraction
from pathlib import Path

import pytest
from PIL import Image

from clipsaver.media.probe.model import Examined, Failed, Picture
from clipsaver.media.probe.studio import Studio
from clipsaver.media.sandbox.wire import Reason
from tests.media.films import Film, after_black, black, without_first


def image(picture: Picture) -> Image.Image:
    """A picture as a viewer sees it."""
    return Image.open(io.BytesIO(picture.data))


def sizes(examined: Examined) -> dict[str, tuple[int, int]]:
    """Every picture's size by its name, as its bytes say."""
    for picture in examined.pictures:
        assert (picture.width, picture.height) == image(picture).size
    return {picture.name: (picture.width, picture.height) for picture in examined.pictures}


def durations(picture: Picture) -> list[int]:
    """For how many milliseconds each frame of a moving picture is shown: its ANMF chunks, of RIFF's form."""
    found, position = [], 12
    while position < len(picture.data):
        size = int.from_bytes(picture.data[position + 4 : position + 8], "little")
        if picture.data[position : position + 4] == b"ANMF":
            found.append(int.from_bytes(picture.data[position + 20 : position + 23], "little"))
        position += 8 + size + size % 2
    return found


@pytest.mark.parametrize(
    ("container", "codec", "audio", "known_as", "video", "sound", "plays"),
    [
        ("mp4", "libx264", "aac", "mp4", "h264", "aac", True),
        ("mov", "libx264", "aac", "mov", "h264", "aac", False),
        ("matroska", "libx264", "libmp3lame", "matroska", "h264", "mp3", False),
        ("mp4", "libx265", "aac", "mp4", "hevc", "aac", False),
        ("mov", "libx265", None, "mov", "hevc", None, False),
        ("matroska", "libx265", "libopus", "matroska", "hevc", "opus", False),
        ("webm", "libvpx-vp9", "libopus", "webm", "vp9", "opus", True),
        ("mp4", "libvpx-vp9", None, "mp4", "vp9", None, False),
        ("matroska", "libvpx-vp9", "libopus", "matroska", "vp9", "opus", False),
        ("webm", "libsvtav1", "libopus", "webm", "av1", "opus", False),
        ("mp4", "libsvtav1", "aac", "mp4", "av1", "aac", False),
        ("matroska", "libsvtav1", None, "matroska", "av1", None, False),
        ("webm", "libvpx", "libopus", "webm", "vp8", "opus", True),
        ("avi", "mpeg4", "libmp3lame", "avi", "mpeg4", "mp3", False),
        ("mpegts", "libx264", "aac", "mpegts", "h264", "aac", False),
        ("flv", "libx264", "aac", "flv", "h264", "aac", False),
    ],
)
async def test_every_kind_of_file(
    tmp_path: Path, container: str, codec: str, audio: str, known_as: str, video: str, sound: str, *, plays: bool
) -> None:
    """A file of each container and codec gives its facts, both pictures and a preview."""
    path = Film(container=container, codec=codec, audio=audio).save(tmp_path / "film")
    examined = await Studio().examine(path)
    facts = examined.facts
    assert (known_as, video, sound) == (facts.container, facts.video_codec, facts.audio_codec)
    assert (160, 90, 0, plays) == (facts.width, facts.height, facts.rotation, facts.plays_in_browsers)
    assert facts.has_audio == (audio is not None)
    assert facts.duration == pytest.approx(1.2, abs=0.3)
    assert facts.frame_rate == pytest.approx(10, abs=1)
    assert {"320": (160, 90), "640": (160, 90), "preview": (160, 90)} == sizes(examined)


async def test_sizes(tmp_path: Path) -> None:
    """Pictures are 320 and 640 wide; the preview has a few frames, is 320 wide, and ends within three seconds."""
    path = Film(width=1280, height=720, frames=50).save(tmp_path / "film")
    examined = await Studio().examine(path)
    assert {"320": (320, 180), "640": (640, 360), "preview": (320, 180)} == sizes(examined)
    shown = durations(examined.pictures[-1])
    assert 20 <= len(shown) <= 24
    assert 2000 <= sum(shown) <= 3200
    assert len(examined.pictures[-1].data) <= 600_000


@pytest.mark.parametrize(
    ("turn", "mirrored", "rotation", "size"),
    [
        (-90.0, False, 90, (90, 160)),
        (90.0, False, 270, (90, 160)),
        (180.0, False, 180, (160, 90)),
        (0.0, True, 0, (160, 90)),
    ],
)
@pytest.mark.parametrize("container", ["mp4", "mov"])
async def test_turned(
    tmp_path: Path, container: str, turn: float, rotation: int, size: tuple[int, int], *, mirrored: bool
) -> None:
    """A camera held another way: facts and pictures are as people see the video."""

    def corner(number: int, line: int, lines: int) -> bytes:
        bright = bytes([235]) * (line // 4) + bytes([16]) * (line - line // 4)
        return bright * (lines // 3) + bytes([16]) * (line * (lines - lines // 3))

    path = Film(container=container, turn=turn, mirrored=mirrored, draw=corner).save(tmp_path / "film")
    examined = await Studio().examine(path)
    assert (rotation, *size) == (examined.facts.rotation, examined.facts.width, examined.facts.height)
    assert {"320": size, "640": size} == {name: each for name, each in sizes(examined).items() if name != "preview"}
    seen = image(examined.pictures[0]).convert("L")
    right, low = seen.width - 8, seen.height - 8
    lit = {(x > 8, y > 8) for x in (8, right) for y in (8, low) if seen.getpixel((x, y)) > 150}  # type: ignore[operator]
    wanted = {(-90.0, False): (True, False), (90.0, False): (False, True), (180.0, False): (True, True)}
    assert {wanted.get((turn, mirrored), (True, False))} == lit


@pytest.mark.parametrize(
    ("film", "size"),
    [
        (Film(container="webm", codec="libvpx-vp9", width=161, height=91), (161, 91)),
        (Film(width=75, height=51, pixel_format="yuv444p"), (75, 51)),
        (Film(container="webm", codec="libvpx-vp9", width=2, height=2), (2, 2)),
        (Film(container="webm", codec="libvpx-vp9", width=1000, height=8), (640, 5)),
        (Film(container="webm", codec="libvpx-vp9", width=16, height=1600), (13, 1280)),
    ],
)
async def test_odd_sizes(tmp_path: Path, film: Film, size: tuple[int, int]) -> None:
    """Odd, tiny and stretched pictures keep their shape, and are never made larger."""
    examined = await Studio().examine(film.save(tmp_path / "film"))
    assert (film.width, film.height) == (examined.facts.width, examined.facts.height)
    assert size == sizes(examined)["640"]


@pytest.mark.parametrize(("pixel", "size"), [(Fraction(2), (320, 90)), (Fraction(1, 2), (160, 180))])
async def test_wide_pixels(tmp_path: Path, pixel: Fraction, size: tuple[int, int]) -> None:
    """Pixels that are not square: the video is as large as on a screen."""
    examined = await Studio().examine(Film(pixel=pixel).save(tmp_path / "film"))
    assert size == (examined.facts.width, examined.facts.height)
    assert size == sizes(examined)["640"]


@pytest.mark.parametrize(("codec", "pixel_format"), [("libx265", "yuv420p10le"), ("libsvtav1", "yuv420p10le")])
async def test_ten_bits(tmp_path: Path, codec: str, pixel_format: str) -> None:
    """Ten bits a colour give pictures, and no promise that browsers play them."""
    examined = await Studio().examine(Film(codec=codec, pixel_format=pixel_format).save(tmp_path / "film"))
    assert (pixel_format, False) == (examined.facts.pixel_format, examined.facts.plays_in_browsers)
    assert {"320", "640", "preview"} == sizes(examined).keys()


async def test_uneven_frames(tmp_path: Path) -> None:
    """A screen recording with pauses: the preview keeps their rhythm."""
    path = Film(container="matroska", times=[0, 1, 2, 10, 11, 25, 26, 27, 28, 29, 45, 46]).save(tmp_path / "film")
    examined = await Studio().examine(path)
    assert max(durations(examined.pictures[-1])) > 500


@pytest.mark.parametrize("container", ["matroska", "mpegts"])
async def test_no_key_frame_at_the_start(tmp_path: Path, container: str) -> None:
    """A file that begins between key frames is shown from its first whole frame on."""
    options = {"g": "8", "x264-params": "scenecut=0"}
    whole = Film(container=container, frames=30, codec_options=options).save(tmp_path / "whole")
    target = tmp_path / ("film.mkv" if container == "matroska" else "film.ts")
    examined = await Studio().examine(without_first(whole, target, 3))
    assert {"320", "640", "preview"} == sizes(examined).keys()


@pytest.mark.parametrize("between_key_frames", ["5", "250"])
async def test_black_intro(tmp_path: Path, between_key_frames: str) -> None:
    """The picture is not the black beginning, with and without a key frame behind it."""
    film = Film(frames=40, draw=after_black(25), codec_options={"g": between_key_frames, "sc_threshold": "0"})
    examined = await Studio().examine(film.save(tmp_path / "film"))
    low, high = image(examined.pictures[0]).convert("L").getextrema()
    assert high - low > 100  # type: ignore[operator]


async def test_nothing_but_black(tmp_path: Path) -> None:
    """A black video has a black picture."""
    examined = await Studio().examine(Film(draw=black).save(tmp_path / "film"))
    assert {"320", "640"} <= sizes(examined).keys()


async def test_one_frame(tmp_path: Path) -> None:
    """What doesn't move has no preview."""
    examined = await Studio().examine(Film(frames=1).save(tmp_path / "film"))
    assert {"320", "640"} == sizes(examined).keys()


@pytest.mark.parametrize(
    ("container", "audio", "plays"), [("mp4", "aac", True), ("webm", "libopus", True), ("ogg", "libopus", False)]
)
async def test_sound_only(tmp_path: Path, container: str, audio: str, *, plays: bool) -> None:
    """A file with sound only has facts and no pictures, and that is no failure."""
    examined = await Studio().examine(Film(container=container, codec=None, audio=audio).save(tmp_path / "film"))
    assert ((), None, None, True) == (
        examined.pictures,
        examined.facts.video_codec,
        examined.facts.width,
        examined.facts.has_audio,
    )
    assert plays == examined.facts.plays_in_browsers


async def test_no_duration(tmp_path: Path) -> None:
    """A browser's recording doesn't say how long it is; it is counted."""
    path = Film(container="webm", codec="libvpx-vp9", options={"live": "1"}).save(tmp_path / "film")
    examined = await Studio().examine(path)
    assert examined.facts.duration == pytest.approx(1.2, abs=0.2)
    assert {"320", "640", "preview"} == sizes(examined).keys()


async def test_facts_alone(tmp_path: Path) -> None:
    """Without pictures wanted there are none; the facts are the same."""
    path = Film(turn=90.0).save(tmp_path / "film")
    assert (await Studio().examine(path)).facts == (alone := await Studio().examine(path, want_pictures=False)).facts
    assert () == alone.pictures


async def failure(path: Path, studio: Studio | None = None) -> Failed:
    """How looking at a file fails."""
    with pytest.raises(Failed) as caught:
        await (studio or Studio()).examine(path)
    return caught.value


async def test_cut_off(tmp_path: Path) -> None:
    """The end is missing, and with it the index: no video any more, however often one tries."""
    path = Film().save(tmp_path / "film")
    path.write_bytes(path.read_bytes()[:-600])
    failed = await failure(path)
    assert (Reason.CUT_OFF, True) == (failed.reason, failed.permanent)
    assert "The video is cut off: a part of the file is missing." == str(failed)


async def test_only_the_index(tmp_path: Path) -> None:
    """Index first, frames cut away: there are facts, and a reason for the missing pictures."""
    path = Film(options={"movflags": "faststart"}).save(tmp_path / "film")
    data = path.read_bytes()
    path.write_bytes(data[: data.index(b"mdat") + 4])
    failed = await failure(path)
    assert Reason.CUT_OFF == failed.reason
    assert failed.facts is None or failed.facts.video_codec == "h264"


async def test_damaged(tmp_path: Path) -> None:
    """Every frame overwritten: facts, and a sentence."""
    path = Film(container="matroska", options={"cluster_size_limit": "100000"}).save(tmp_path / "film")
    data = bytearray(path.read_bytes())
    begin = data.index(b"\x1f\x43\xb6\x75") + 30
    data[begin:-400] = os.urandom(1) * (len(data) - begin - 400)
    path.write_bytes(data)
    assert (await failure(path)).reason in {Reason.DAMAGED, Reason.CUT_OFF}


@pytest.mark.parametrize(
    "content", [b"", b"hello\n" * 1000, b"PK\x05\x06" + bytes(18), b"\x89PNG\r\n\x1a\n" + bytes(99)]
)
async def test_not_a_video(tmp_path: Path, content: bytes) -> None:
    """Text, an archive, a picture, nothing: not a video, for good."""
    path = tmp_path / "film.mp4"
    path.write_bytes(content)
    failed = await failure(path)
    assert (Reason.NOT_A_VIDEO, True, None) == (failed.reason, failed.permanent, failed.facts)


async def test_a_video_nobody_decodes(tmp_path: Path) -> None:
    """A codec that is not on the list is left alone, though libav knows it."""
    failed = await failure(Film(container="matroska", codec="ffv1").save(tmp_path / "film"))
    assert Reason.UNSUPPORTED == failed.reason
    assert failed.facts is not None
    assert "ffv1" == failed.facts.video_codec


async def test_too_large(tmp_path: Path) -> None:
    """More pixels than allowed are not decoded."""
    failed = await failure(Film().save(tmp_path / "film"), Studio(max_pixels=160 * 90 - 1))
    assert (Reason.TOO_LARGE, True) == (failed.reason, failed.permanent)


async def test_too_complex(tmp_path: Path) -> None:
    """More memory than allowed is not had."""
    path = Film(width=8192, height=4320, frames=2, draw=black).save(tmp_path / "film")
    failed = await failure(path, Studio(memory_mb=192))
    assert (Reason.TOO_COMPLEX, True) == (failed.reason, failed.permanent)


@pytest.mark.parametrize("kind", ["missing", "folder", "pipe"])
async def test_no_file(tmp_path: Path, kind: str) -> None:
    """What is no file is not handed to anybody."""
    path = tmp_path / "film"
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    assert (kind != "missing") == (await failure(path)).permanent


async def test_one_after_the_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There are never more children than allowed."""
    path = Film().save(tmp_path / "film")
    studio, living, most = Studio(children=2), 0, 0
    ask = studio._ask

    async def counted(source: int, *, want_pictures: bool) -> tuple[bytes, int | None]:
        nonlocal living, most
        living += 1
        most = max(most, living)
        try:
            return await ask(source, want_pictures=want_pictures)
        finally:
            living -= 1

    monkeypatch.setattr(
        Studio, "_ask", lambda _, source, *, want_pictures: counted(source, want_pictures=want_pictures)
    )
    found = await asyncio.gather(*(studio.examine(path) for _ in range(5)))
    assert (5, 2) == (len(found), most)
