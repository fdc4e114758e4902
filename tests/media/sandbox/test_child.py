"""The child's work, done here without its confinement, so that every branch of it is seen."""

import ctypes
import json
import mmap
import os
import resource
import signal
import sys
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest
from PIL import Image
from PIL.Image import Transpose

from clipsaver.media.sandbox import child, confine, examining, filters, opening, pictures
from clipsaver.media.sandbox.looking import Looker
from clipsaver.media.sandbox.turning import MATRIX, TURNS, view_of
from clipsaver.media.sandbox.wire import DONE, FACTS, HELD, PICTURE, TROUBLE, Reason, Trouble, piece, pieces
from tests.media.films import Film, after_black

PIXELS = 10_000_000


def examined(path: Path, *, max_pixels: int = PIXELS, want_pictures: bool = True) -> list[tuple[bytes, bytes]]:
    """Everything the child would send about a file."""
    sent: list[tuple[bytes, bytes]] = []
    with path.open("rb") as file:
        examining.examine(
            file.fileno(),
            lambda tag, body: sent.append((tag, body)),
            max_pixels=max_pixels,
            want_pictures=want_pictures,
        )
    return sent


def trouble(path: Path, **wanted: Any) -> Reason:
    """Why nothing came of a file."""
    with pytest.raises(Trouble) as caught:
        examined(path, **wanted)
    return caught.value.reason


@pytest.mark.parametrize(
    "film",
    [
        Film(audio="aac", turn=90.0),
        Film(container="webm", codec="libvpx-vp9", options={"live": "1"}),
        Film(container="matroska", codec="libx265"),
        Film(container="mpegts"),
        Film(rate=30, frames=30, draw=after_black(20)),
    ],
)
def test_whole_files(tmp_path: Path, film: Film) -> None:
    """Facts, facts again once a frame was seen, the larger picture, the smaller, the preview."""
    sent = examined(film.save(tmp_path / "film"))
    assert [FACTS, FACTS, PICTURE, PICTURE, PICTURE] == [tag for tag, _ in sent]
    assert [FACTS, FACTS] == [tag for tag, _ in examined(tmp_path / "film", want_pictures=False)]


def test_sound_only(tmp_path: Path) -> None:
    """Facts are all there is."""
    assert [FACTS] == [tag for tag, _ in examined(Film(codec=None, audio="aac").save(tmp_path / "film"))]


def test_reasons(tmp_path: Path) -> None:
    """Each way a file can be unusable has its reason."""
    path = Film().save(tmp_path / "film")
    whole = path.read_bytes()
    assert Reason.TOO_LARGE == trouble(path, max_pixels=100)
    path.write_bytes(whole[:-600])
    assert Reason.CUT_OFF == trouble(path)
    path.write_bytes(whole[: len(whole) // 2])
    assert Reason.CUT_OFF == trouble(path)
    path.write_bytes(b"\x1a\x45\xdf\xa3" + bytes(3000))
    assert trouble(path) in {Reason.DAMAGED, Reason.CUT_OFF}
    path.write_bytes(b"text")
    assert Reason.NOT_A_VIDEO == trouble(path)
    assert Reason.UNSUPPORTED == trouble(Film(container="matroska", codec="ffv1").save(path))


def test_no_frame(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without one frame the file is cut off, or damaged, or there was no memory for it."""
    path = Film(container="matroska").save(tmp_path / "film")
    monkeypatch.setattr(Looker, "pick", lambda *_: None)
    assert Reason.DAMAGED == trouble(path)

    def full(*_: int) -> None:
        raise OSError

    monkeypatch.setattr(mmap, "mmap", full)
    assert Reason.TOO_COMPLEX == trouble(path)
    monkeypatch.setattr(examining, "is_cut_off", lambda *_: True)
    assert Reason.CUT_OFF == trouble(path)


@pytest.mark.parametrize(("error", "expected"), [(MemoryError, MemoryError), (ValueError, Trouble)])
def test_no_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type[Exception], expected: type[Exception]
) -> None:
    """A picture that can't be made is trouble; a preview that can't is none."""
    path = Film().save(tmp_path / "film")

    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(examining, "film", fail)
    assert [FACTS, FACTS, PICTURE, PICTURE] == [tag for tag, _ in examined(path)]
    monkeypatch.setattr(examining, "stills", fail)
    with pytest.raises(expected):
        examined(path)


def test_memory_is_never_a_mistake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Out of memory ends the child's work wherever it happens: it is not one of a file's mistakes."""

    class Full:
        is_keyframe, size = True, 1
        pts = time_base = None

        @property
        def duration(self) -> None:
            raise MemoryError

        def decode(self) -> None:
            raise MemoryError

    class Stub:
        duration = start_time = None

        def demux(self, *_: object) -> Any:
            packet: Any = Full()
            packet.__class__.pts = packet.__class__.time_base = 1
            return iter([packet])

        def seek(self, *_: object) -> None:
            pass

    container: Any = Stub()
    with pytest.raises(MemoryError):
        opening.duration_of(container)
    with av.open(str(Film().save(tmp_path / "film"))) as real:
        looker = Looker(container, real.streams.video[0], PIXELS)
        with pytest.raises(MemoryError):
            looker.first()
        with pytest.raises(MemoryError):
            looker.pick(None)

    def full(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr(av, "open", full)
    with pytest.raises(MemoryError):
        opening.open_video(0, b"", PIXELS)


def test_damage_is_skipped(tmp_path: Path) -> None:
    """A file with damage here and there still has its pictures."""
    path = Film(container="mpegts", frames=60, codec_options={"g": "5"}).save(tmp_path / "film")
    data = bytearray(path.read_bytes())
    for place in range(5000, len(data), 3000):
        data[place : place + 300] = bytes(300)
    path.write_bytes(data)
    assert [PICTURE, PICTURE] == [tag for tag, _ in examined(path) if tag == PICTURE][:2]


def test_size_changes_midway(tmp_path: Path) -> None:
    """A frame larger than allowed is refused even where the container promised a small one."""
    with av.open(str(Film().save(tmp_path / "film"))) as container:
        looker = Looker(container, container.streams.video[0], PIXELS)
        looker.max_pixels = 100
        with pytest.raises(Trouble):
            looker.first()


def test_counting_gives_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A length that takes too long to count stays unknown."""
    path = Film(container="webm", codec="libvpx-vp9", options={"live": "1"}).save(tmp_path / "film")
    monkeypatch.setattr(opening, "COUNTED_PACKETS", 3)
    assert json.loads(examined(path)[0][1])["duration"] is None


@pytest.mark.parametrize(
    ("name", "brand", "head", "word"),
    [
        ("mov,mp4,m4a,3gp,3g2,mj2", "isom", b"", "mp4"),
        ("mov,mp4,m4a,3gp,3g2,mj2", "qt  ", b"", "mov"),
        ("matroska,webm", "", b"\x1a\x45\xdf\xa3\x93\x42\x82\x84webm", "webm"),
        ("matroska,webm", "", b"\x1a\x45\xdf\xa3\x93\x42\x82\x88matroska", "matroska"),
        ("matroska,webm", "", b"", "matroska"),
        ("avi", "", b"", "avi"),
    ],
)
def test_container(name: str, brand: str, head: bytes, word: str) -> None:
    """One word for each container."""
    assert word == opening._container(name, {"major_brand": brand}, head)


@pytest.mark.parametrize(
    ("pixel", "size"),
    [
        (None, (160, 90)),
        (Fraction(1), (160, 90)),
        (Fraction(2), (320, 90)),
        (Fraction(1, 2), (160, 180)),
        (Fraction(100), (160, 90)),
    ],
)
def test_shown_size(pixel: Fraction | None, size: tuple[int, int]) -> None:
    """Pixels stretch one side, never shrink one, and nonsense is ignored."""
    assert size == opening.shown_size(160, 90, pixel)


@pytest.mark.parametrize(
    ("data", "cut"),
    [
        (b"\0\0\0\x08ftyp\0\0\0\x08moov", False),
        (b"\0\0\0\x08ftyp\0\0\0\x08mdat", True),
        (b"\0\0\0\x08ftyp\0\0\0\x10moov", True),
        (b"\0\0\0\x08ftyp\0\0\0\x01moov\0\0\0\0\0\0\0\x10", False),
        (b"\0\0\0\x08moov\0\0\0\x00mdat", False),
        (b"\0\0\0\x02ftyp\0\0\0\x08moov\0\0\0\x01", False),
        (b"\0\0\0\x08ftyp" + b"\0\0\0\x08free" * 2000, True),
        (b"nothing like it", False),
    ],
)
def test_cut_off(tmp_path: Path, data: bytes, *, cut: bool) -> None:
    """Boxes are walked through, as far as there are any."""
    path = tmp_path / "film"
    path.write_bytes(data)
    with path.open("rb") as file:
        assert cut == opening.is_cut_off(file.fileno(), data)


@pytest.mark.parametrize(
    ("rate", "told"),
    [(None, None), (Fraction(30), 30.0), (Fraction(1, 9999), None), (Fraction(9999), None), (Fraction(-1), None)],
)
def test_rates(rate: Fraction | None, told: float | None) -> None:
    """A rate that is none, or rounds to none, is not told."""
    assert told == opening._rate(rate)


@pytest.mark.parametrize(("side", "told"), [(0, None), (90, 90), (1 << 30, None)])
def test_sides(side: int, told: int | None) -> None:
    """A side that no picture has is not told, so that the reason why not is."""
    assert told == opening._side(side)


def test_lost_stream(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream that PyAV can't find again, as happens with broken files, is damage like any other."""

    class Lost:
        start_time = None

        def demux(self, *_: object) -> Any:
            streams: list[Any] = []
            return (streams[number] for number in range(9))

        def seek(self, *_: object) -> None:
            pass

    container: Any = Lost()
    with av.open(str(Film().save(tmp_path / "film"))) as real:
        assert Looker(container, real.streams.video[0], PIXELS).pick(1.0) is None


class Turned:
    """A frame with a display matrix."""

    def __init__(self, data: bytes | None) -> None:
        self.side_data: Mapping[str, bytes] = {} if data is None else {"DISPLAYMATRIX": data}


@pytest.mark.parametrize("turn", TURNS)
def test_turns(turn: tuple[int, int, int, int]) -> None:
    """All eight ways of turning and mirroring are told apart, also when the matrix is a little off."""
    a, b, c, d = (value * 65536 for value in turn)
    frame: Any = Turned(MATRIX.pack(a, b, 0, c, d, 0, 0, 0, 1 << 30))
    assert (None, *TURNS[turn]) == view_of(frame, None)


@pytest.mark.parametrize("data", [None, b"short", bytes(36)])
def test_no_turn(data: bytes | None) -> None:
    """Without a matrix, or with a nonsensical one, the picture stays as it is."""
    frame: Any = Turned(data)
    assert (0, None) == view_of(frame, None)[1:]


def test_turns_are_what_they_say() -> None:
    """Each matrix moves a point as Pillow's word for it does."""
    image = Image.new("L", (2, 2))
    image.putpixel((1, 0), 255)
    for (a, b, c, d), (_, turn) in TURNS.items():
        moved = image if turn is None else image.transpose(turn)
        x, y = a * 1 + c * -1, b * 1 + d * -1
        assert 255 == moved.getpixel((max(x, 0), max(y, 0)))
    assert Transpose.ROTATE_270 == TURNS[0, 1, -1, 0][1]


def test_a_film_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """A preview that stays too large is left out; frames of two sizes make none."""
    images = [Image.effect_noise((64, 64), 90).convert("RGB") for _ in range(3)]
    assert pictures.animated(images, [100] * 3) is not None
    assert pictures.animated([*images, Image.new("RGB", (2, 2))], [100] * 4) is None
    monkeypatch.setattr(pictures, "PREVIEW_BYTES", 10)
    assert pictures.animated(images, [100] * 3) is None


ORDER = {
    "limits": {"memory": 1 << 29, "cpu_seconds": 10, "wall_seconds": 17.0},
    "parent": 1,
    "max_pixels": PIXELS,
    "want_pictures": True,
}


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (None, None),
        (Trouble(Reason.DAMAGED), "damaged"),
        (MemoryError(), "too_complex"),
        (ImportError(), "unavailable"),
    ],
)
def test_answer(monkeypatch: pytest.MonkeyPatch, error: Exception | None, reason: str | None) -> None:
    """What was held comes first, what went wrong last."""
    monkeypatch.setattr(confine, "limit", lambda **_: ["limits"])
    monkeypatch.setattr(confine, "seal", lambda **_: ["network"])
    sent: list[tuple[bytes, bytes]] = []

    def look(*_: object, **__: object) -> None:
        if error is not None:
            raise error

    assert 0 == child.answer(ORDER, lambda: look, lambda tag, body: sent.append((tag, body)))
    assert (HELD, b'["limits", "network"]') == sent[0]
    assert ((DONE, b"") if reason is None else (TROUBLE, reason.encode())) == sent[-1]


def test_main(monkeypatch: pytest.MonkeyPatch) -> None:
    """The child reads its standard input and writes to its standard output."""
    source, answer = os.pipe()
    monkeypatch.setattr(child, "ANSWER", answer)
    monkeypatch.setattr(confine, "limit", lambda **_: [])
    monkeypatch.setattr(confine, "seal", lambda **_: [])
    monkeypatch.setattr(examining, "examine", lambda *_, **__: None)
    assert 0 == child.main(ORDER)
    os.close(answer)
    with os.fdopen(source, "rb") as said:
        assert piece(HELD, b"[]") + piece(DONE, b"") == said.read()


def test_pieces() -> None:
    """Pieces come back as they were written; a half one doesn't."""
    whole = piece(FACTS, b"{}") + piece(DONE, b"")
    assert [(FACTS, b"{}"), (DONE, b"")] == list(pieces(whole))
    assert [(FACTS, b"{}")] == list(pieces(whole[:-1]))
    assert [] == list(pieces(whole[:9]))


def test_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limits are set as asked, never above what we are allowed ourselves; a refused one is not fatal."""
    asked: dict[int, tuple[int, int]] = {}

    def refuse_memory(what: int, bounds: tuple[int, int]) -> None:
        if what == resource.RLIMIT_AS:
            raise ValueError
        asked[what] = bounds

    monkeypatch.setattr(resource, "setrlimit", refuse_memory)
    monkeypatch.setattr(
        resource, "getrlimit", lambda what: (0, 20 if what == resource.RLIMIT_NOFILE else resource.RLIM_INFINITY)
    )
    monkeypatch.setattr(signal, "setitimer", lambda *_: None)
    assert ["limits"] == confine.limit(memory=1, cpu_seconds=10, wall_seconds=15)
    assert (20, 20) == asked[resource.RLIMIT_NOFILE]
    assert (10, 11) == asked[resource.RLIMIT_CPU]
    assert (0, 0) == asked[resource.RLIMIT_FSIZE]
    monkeypatch.setattr(os, "name", "nt")
    assert [] == confine.limit(memory=1, cpu_seconds=10, wall_seconds=15)


class Libc:
    """A system that grants everything, or nothing."""

    def __init__(self, answer: int) -> None:
        self.answer = answer

    def unshare(self, _: int) -> int:
        """A new namespace."""
        return self.answer

    def prctl(self, *_: object) -> int:
        """Anything about this process."""
        return self.answer


@pytest.mark.parametrize(("grants", "held"), [(True, ["network", "user", "landlock", "seccomp"]), (False, [])])
def test_seal(monkeypatch: pytest.MonkeyPatch, held: list[str], *, grants: bool) -> None:
    """Everything that can be given up is, and what can't is left out of the answer."""
    monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: Libc(0 if grants else -1))
    monkeypatch.setattr(filters, "landlock", lambda _: grants)
    monkeypatch.setattr(filters, "seccomp", lambda *_: grants)
    monkeypatch.setattr(os, "geteuid", lambda: 0)

    def become(*_: object) -> None:
        if not grants:
            raise PermissionError

    for name in ("setgroups", "setresgid", "setresuid"):
        monkeypatch.setattr(os, name, become)
    assert held == confine.seal(parent=os.getppid())
    with pytest.raises(SystemExit):
        confine.seal(parent=-1)
    monkeypatch.setattr(sys, "platform", "darwin")
    assert [] == confine.seal(parent=os.getppid())
