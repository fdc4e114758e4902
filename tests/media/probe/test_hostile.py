"""A child that got out of hand: it spins, sleeps, floods, lies, dies; the bot goes on."""

import asyncio
import contextlib
import json
import os
import resource
import textwrap
from pathlib import Path

import pytest

from clipsaver.media.probe import studio as studio_module
from clipsaver.media.probe.answers import LONGEST_ANSWER, read_answer
from clipsaver.media.probe.children import Hearing
from clipsaver.media.probe.model import Failed
from clipsaver.media.probe.studio import Studio
from clipsaver.media.sandbox.wire import DONE, FACTS, HELD, PICTURE, PICTURE_HEADER, Reason, piece

FACTS_OF_SOUND: dict[str, object] = {
    "container": "mp4",
    "duration": 1.5,
    "has_audio": True,
    "audio_codec": "aac",
    "video_codec": None,
    "width": None,
    "height": None,
    "rotation": 0,
    "frame_rate": None,
    "pixel_format": None,
}
WEBP = b"RIFF\x0c\x00\x00\x00WEBPVP8 \x00\x00\x00\x00"


def possessed(folder: Path, code: str, **limits: float) -> Studio:
    """A studio whose decoders are that code instead."""
    package = folder / "packages" / "av"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(textwrap.dedent(code))
    (folder / "film").write_bytes(b"anything")
    studio = Studio(**limits)  # type: ignore[arg-type]
    studio._folders.insert(0, str(package.parent))
    return studio


@pytest.mark.parametrize(
    ("code", "reason", "permanent"),
    [
        ("import time; time.sleep(600)", Reason.TOO_SLOW, False),
        ("import signal; signal.pause()", Reason.TOO_SLOW, False),
        ("import os, time; os.fork() or os.fork(); time.sleep(600)", Reason.TOO_SLOW, False),
        ("x = bytearray(10**10)", Reason.TOO_COMPLEX, True),
        ("x = []\nwhile True: x.append(bytearray(10**6))", Reason.TOO_COMPLEX, True),
        ("import os\nwhile True: os.write(1, bytes(10**6))", Reason.CRASHED, False),
        ("import os; os.kill(os.getpid(), 11)", Reason.CRASHED, False),
        ("import os; os.abort()", Reason.CRASHED, False),
        ("import os; os.kill(os.getpid(), 9)", Reason.UNAVAILABLE, False),
        ("import os; os._exit(0)", Reason.CRASHED, False),
        ("import os; os.write(1, b'what?' * 9); os._exit(0)", Reason.CRASHED, False),
        ("raise ImportError", Reason.UNAVAILABLE, False),
        ("raise SystemError", Reason.CRASHED, False),
        ("open('/dev/shm/clipsaver-was-here', 'wb', 0).write(b'x')", Reason.CRASHED, False),
    ],
)
async def test_out_of_hand(tmp_path: Path, code: str, reason: Reason, *, permanent: bool) -> None:
    """Whatever a child does, the bot gets a reason within the limit, and keeps its memory."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(Failed) as caught:
        await possessed(tmp_path, code, wall_seconds=2.0 if reason == Reason.TOO_SLOW else 60.0).examine(
            tmp_path / "film"
        )
    assert (reason, permanent) == (caught.value.reason, caught.value.permanent)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 * 1024
    with contextlib.suppress(FileNotFoundError):
        assert 0 == os.stat("/dev/shm/clipsaver-was-here").st_size  # noqa: PTH116, S108 - what a child may have left
        os.unlink("/dev/shm/clipsaver-was-here")  # noqa: PTH108, S108 - likewise


async def test_busy_for_ever(tmp_path: Path) -> None:
    """The processor's time is counted apart from the clock's."""
    with pytest.raises(Failed) as caught:
        await possessed(tmp_path, "while True: pass", cpu_seconds=1, wall_seconds=100.0).examine(tmp_path / "film")
    assert Reason.TOO_SLOW == caught.value.reason


def started(monkeypatch: pytest.MonkeyPatch) -> tuple["asyncio.Queue[int]", list[Hearing]]:
    """A queue that tells of every child's pid as it starts, and whoever hears them."""
    pids: asyncio.Queue[int] = asyncio.Queue()
    hearings: list[Hearing] = []
    made = Hearing.connection_made

    def heard(self: Hearing, transport: asyncio.BaseTransport) -> None:
        made(self, transport)
        assert isinstance(transport, asyncio.SubprocessTransport)
        hearings.append(self)
        pids.put_nowait(transport.get_pid())

    monkeypatch.setattr(Hearing, "connection_made", heard)
    return pids, hearings


@pytest.mark.parametrize("twice", [False, True])
async def test_cancelled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, twice: bool) -> None:
    """Whoever stops waiting leaves no child behind, and no open file, not even when told twice."""
    pids, hearings = started(monkeypatch)
    studio = possessed(tmp_path, "import time; time.sleep(600)")
    files = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - a number is all
    task = asyncio.create_task(studio.examine(tmp_path / "film"))
    pid = await pids.get()
    task.cancel()
    if twice:
        await asyncio.sleep(0)
        task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await hearings[0].exited
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert files >= len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - likewise
    assert not studio._room.locked()


async def test_no_room_to_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that can't start another program is no verdict on the video."""

    async def refuse(*args: str, **kwargs: object) -> None:
        raise BlockingIOError

    monkeypatch.setattr(asyncio.get_running_loop(), "subprocess_exec", refuse)
    with pytest.raises(Failed) as caught:
        await possessed(tmp_path, "").examine(tmp_path / "film")
    assert (Reason.UNAVAILABLE, False) == (caught.value.reason, caught.value.permanent)


def test_missing_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without its packages there is no studio, and the sentence names the one that is missing."""
    monkeypatch.setattr(studio_module, "PACKAGES", ("clipsaver", "no_such_package"))
    with pytest.raises(Failed, match="no_such_package"):
        Studio()


@pytest.mark.parametrize(
    "change",
    [
        {"container": "<script>"},
        {"container": None},
        {"duration": -1},
        {"duration": float("nan")},
        {"duration": "1"},
        {"width": 10**9},
        {"width": 1.5},
        {"rotation": 45},
        {"rotation": []},
        {"frame_rate": 10**6},
        {"video_codec": "h264\n"},
        {"has_audio": 1},
        {"more": 1},
    ],
)
def test_lies_about_facts(change: dict[str, object]) -> None:
    """Facts no child of ours would give are none."""
    answer = read_answer(piece(FACTS, json.dumps(FACTS_OF_SOUND | change).encode()) + piece(DONE, b""))
    assert (None, Reason.CRASHED) == (answer.facts, answer.trouble)


@pytest.mark.parametrize(
    ("name", "width", "height", "data"),
    [
        (b"320", 320, 180, b"<html>"),
        (b"320", 320, 180, WEBP + b"x"),
        (b"320", 0, 180, WEBP),
        (b"320", 320, 99999, WEBP),
        (b"../../x", 320, 180, WEBP),
        (b"\xff", 320, 180, WEBP),
    ],
)
def test_lies_about_pictures(name: bytes, width: int, height: int, data: bytes) -> None:
    """Pictures that are none of ours spoil the whole answer."""
    answer = read_answer(piece(PICTURE, PICTURE_HEADER.pack(name, width, height) + data))
    assert ({}, Reason.CRASHED) == (answer.pictures, answer.trouble)


@pytest.mark.parametrize(
    "data", [piece(b"what", b""), piece(FACTS, b"["), piece(FACTS, b"[" * 5000), piece(PICTURE, b"")]
)
def test_nonsense(data: bytes) -> None:
    """Nonsense is taken for what it is."""
    assert Reason.CRASHED == read_answer(piece(HELD, b'["limits"]') + data).trouble


def test_half_an_answer() -> None:
    """What was complete before the child died counts: both pictures are enough without a preview."""
    facts = FACTS_OF_SOUND | {"video_codec": "h264", "width": 4, "height": 4}
    said = piece(FACTS, json.dumps(facts).encode())
    said += b"".join(piece(PICTURE, PICTURE_HEADER.pack(name, 4, 4) + WEBP) for name in (b"640", b"320"))
    examined = read_answer(said + piece(PICTURE, b"never complete")[:9]).outcome(None, want_pictures=True)
    assert ["320", "640"] == [picture.name for picture in examined.pictures]
    with pytest.raises(Failed) as caught:
        read_answer(said[:-2]).outcome(None, want_pictures=True)
    assert caught.value.reason == Reason.TOO_SLOW
    assert caught.value.facts == examined.facts


def test_no_longer_than_agreed() -> None:
    """All pictures at their largest fit into the longest answer that is read."""
    assert LONGEST_ANSWER >= 600_000 + 2 * 640 * 1280
