"""Broken files by the hundred, each through a real child: a reason or pictures, in time, within the cap."""

import asyncio
import multiprocessing
import os
import random
import resource
import socket
import struct
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from fractions import Fraction
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from clipsaver.media.probe.model import Examined, Failed
from clipsaver.media.probe.studio import Studio
from clipsaver.media.sandbox.wire import Reason
from tests.discord import servers
from tests.media.films import Film, black

COUNT = int(os.environ.get("CLIPSAVER_TEST_MUTATIONS") or 200)
AT_ONCE = 3
PARTS = 20
"""So many tests share the mutations, so that several processes can."""
MEMORY_MB = 512
WALL_SECONDS = 15.0
SLACK = 10
"""Seconds a busy machine may need to start a child, and to see a killed one gone."""

ORIGINALS = (
    Film(audio="aac"),
    Film(container="mov", codec="libx265", turn=90.0),
    Film(container="matroska", codec="libx264", audio="libopus"),
    Film(container="webm", codec="libvpx-vp9", audio="libopus"),
    Film(container="webm", codec="libvpx"),
    Film(codec="libsvtav1"),
    Film(container="avi", codec="mpeg4", audio="libmp3lame"),
    Film(container="avi", codec="mjpeg", pixel_format="yuvj420p"),
    Film(container="mpegts", audio="aac"),
    Film(container="flv", audio="aac"),
    Film(container="mp4", options={"movflags": "frag_keyframe+empty_moov"}, pixel=Fraction(3, 2)),
)

TAKEN_OVER = """
import socket, sys
del sys.path[0], sys.modules["av"]
import av

def attempt(*_, **__):
    refused = 0
    for what in (lambda: open({canary!r}, "rb").read(), lambda: socket.socket().connect(("127.0.0.1", {port}))):
        try:
            what()
        except OSError:
            refused += 1
    raise MemoryError if refused == 2 else SystemError

av.open = attempt
"""
"""The decoders, but whoever opens a file with them reaches for the canaries first; out of memory: both were refused."""

Mutate = Callable[[random.Random, bytearray, Sequence[bytes]], None]


def flip(chance: random.Random, data: bytearray, _: Sequence[bytes]) -> None:
    """A few bits, anywhere."""
    for _time in range(chance.choice((1, 4, 30, 300))):
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)


def flip_in_head(chance: random.Random, data: bytearray, _: Sequence[bytes]) -> None:
    """Bits where the container describes itself: at its beginning or its end."""
    for _time in range(chance.choice((1, 8, 40))):
        place = chance.randrange(min(1200, len(data)))
        data[place if chance.random() < 0.5 else -place - 1] = chance.randrange(256)


def truncate(chance: random.Random, data: bytearray, _: Sequence[bytes]) -> None:
    """Cut off."""
    del data[chance.randrange(len(data)) :]


def splice(chance: random.Random, data: bytearray, others: Sequence[bytes]) -> None:
    """A piece of another file, over or into this one."""
    other = chance.choice(others)
    begin, length = chance.randrange(len(other)), chance.randrange(1, 4000)
    place = chance.randrange(len(data))
    data[place : place + chance.choice((0, length))] = other[begin : begin + length]


def repeat(chance: random.Random, data: bytearray, _: Sequence[bytes]) -> None:
    """The same piece many times over."""
    begin = chance.randrange(len(data))
    data[begin:begin] = data[begin : begin + chance.randrange(1, 400)] * chance.randrange(2, 500)


def huge_numbers(chance: random.Random, data: bytearray, _: Sequence[bytes]) -> None:
    """Sizes, counts and dimensions of billions, where 32-bit numbers lie."""
    for _time in range(chance.choice((1, 3, 10))):
        place = chance.randrange(max(len(data) - 4, 1))
        data[place : place + 4] = struct.pack(
            ">I", chance.choice((0xFFFFFFFF, 0x7FFFFFFF, 0x80000000, 0x00FFFFFF, 0, 1))
        )


def huge_dimensions(chance: random.Random, data: bytearray, _: Sequence[bytes]) -> None:
    """The picture's size, wherever it is written, replaced by a huge one."""
    for order in (">", "<"):
        for width in (">H", ">I"):
            form = order + width[1]
            wanted = (65535, 16384, 8192) if width[1] == "H" else (0x7FFFFFFF, 65535, 16384)
            for number in (160, 90):
                old = struct.pack(form, number)
                if chance.random() < 0.8:
                    data[:] = data.replace(old, struct.pack(form, chance.choice(wanted)))


MUTATIONS: tuple[Mutate, ...] = (flip, flip_in_head, truncate, splice, repeat, huge_numbers, huge_dimensions)


def ebml(identity: str, *parts: bytes | int | str) -> bytes:
    """An element of Matroska's."""
    body = b"".join(
        part.to_bytes(max((part.bit_length() + 7) // 8, 1), "big")
        if isinstance(part, int)
        else part.encode()
        if isinstance(part, str)
        else part
        for part in parts
    )
    return bytes.fromhex(identity) + (len(body) | 1 << 56).to_bytes(8, "big") + body


def zlib_bomb() -> bytes:
    """Matroska whose frames are compressed zeros: a few kilobytes that become a hundred times more."""
    compression = ebml(
        "6D80", ebml("6240", ebml("5031", 0), ebml("5032", 1), ebml("5033", 0), ebml("5034", ebml("4254", 0)))
    )
    video = ebml("E0", ebml("B0", 4096), ebml("BA", 4096))
    track = ebml("AE", ebml("D7", 1), ebml("73C5", 1), ebml("83", 1), ebml("86", "V_MPEG4/ISO/ASP"), video, compression)
    frame = b"\x81\0\0\x80" + zlib.compress(bytes(9_000_000), 9)
    cluster = ebml("1F43B675", ebml("E7", 0), *(ebml("A3", frame) for _ in range(40)))
    head = ebml("1A45DFA3", ebml("4282", "matroska"), ebml("4287", 4), ebml("4285", 2))
    return head + ebml("18538067", ebml("1549A966", ebml("2AD7B1", 1_000_000)), ebml("1654AE6B", track), cluster)


@pytest.fixture(scope="module")
def small_process() -> Iterator[ProcessPoolExecutor]:
    """A process of its own: Linux counts a parent's memory among its child's, and a test runner's is large."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        yield pool


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """Whole files of every kind."""
    folder = tmp_path_factory.mktemp("originals")
    return [film.save(folder / str(number)).read_bytes() for number, film in enumerate(ORIGINALS)]


def mutant(seed: int, originals: Sequence[bytes]) -> bytes:
    """The file of that number: always the same one."""
    chance = random.Random(seed)  # noqa: S311 - always the same files
    data = bytearray(originals[seed % len(originals)])
    for mutate in chance.choices(MUTATIONS, k=chance.choice((1, 1, 2, 3))):
        mutate(chance, data, originals)
        data = data or bytearray(b"\0")
    return bytes(data)


class Watched:
    """Counts what became of files, and how long each took."""

    def __init__(self) -> None:
        self.outcomes: list[Examined | Failed] = []
        self.longest = 0.0

    async def look(self, studio: Studio, path: Path, room: asyncio.Semaphore) -> None:
        """One file, from its start to its outcome."""
        async with room:
            begun = time.monotonic()
            try:
                self.outcomes.append(await studio.examine(path))
            except Failed as failed:
                self.outcomes.append(failed)
            self.longest = max(self.longest, time.monotonic() - begun)


def megabytes(who: int) -> float:
    """The most memory that we, or the largest of our children, ever had."""
    return resource.getrusage(who).ru_maxrss / 1024


def set_canary(folder: Path) -> Path:
    """A file that nobody has read since 1970; whoever does is seen by its time."""
    canary = folder / "canary.mp4"
    canary.write_bytes(b"secret")
    os.utime(canary, (0, canary.stat().st_mtime))
    return canary


async def outcomes(paths: Sequence[Path], folder: Path) -> list[Examined | Failed]:
    """What becomes of those files; checks that no limit was passed and nothing else was read."""
    canary = set_canary(folder)
    studio, watched, room = (
        Studio(memory_mb=MEMORY_MB, children=AT_ONCE, wall_seconds=WALL_SECONDS),
        Watched(),
        asyncio.Semaphore(AT_ONCE),
    )
    expected = sorted(await studio.barriers())
    before = megabytes(resource.RUSAGE_SELF)
    with socket.create_server(("127.0.0.1", 0)) as listener, capture_logs() as logs:
        listener.settimeout(0)
        async with servers.watched() as stalls:
            await asyncio.gather(*(watched.look(studio, path, room) for path in paths))
        with pytest.raises(BlockingIOError):
            listener.accept()
    assert [expected] * len(paths) == [line["held"] for line in logs if line["event"] == "media.examined"]
    assert watched.longest < WALL_SECONDS + SLACK + stalls.long
    assert megabytes(resource.RUSAGE_CHILDREN) < MEMORY_MB
    assert megabytes(resource.RUSAGE_SELF) - before < 100
    assert 0 == canary.stat().st_atime
    return watched.outcomes


async def looked_at(paths: Sequence[Path], folder: Path, process: ProcessPoolExecutor) -> list[Examined | Reason]:
    """What becomes of those files in that process."""
    return await asyncio.get_running_loop().run_in_executor(process, reasons, paths, folder)


def reasons(paths: Sequence[Path], folder: Path) -> list[Examined | Reason]:
    """As ``outcomes``, told in what one process can send another."""
    return [each.reason if isinstance(each, Failed) else each for each in asyncio.run(outcomes(paths, folder))]


async def test_canaries(tmp_path: Path) -> None:
    """A child that does reach for them, confined as those of the mutants are, is refused; others would be noticed."""
    canary, decoders, film = set_canary(tmp_path), tmp_path / "packages" / "av", tmp_path / "film"
    film.write_bytes(b"anything")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0)
        decoders.mkdir(parents=True)
        code = TAKEN_OVER.format(canary=str(canary), port=listener.getsockname()[1])
        (decoders / "__init__.py").write_text(code)
        studio = Studio()
        if "seccomp" in await studio.barriers():
            studio._folders.insert(0, str(decoders.parent))
            with pytest.raises(Failed) as caught:
                await studio.examine(film)
            assert Reason.TOO_COMPLEX == caught.value.reason
            assert 0 == canary.stat().st_atime
            with pytest.raises(BlockingIOError):
                listener.accept()
        assert b"secret" == canary.read_bytes()
        assert canary.stat().st_atime > 0 or os.statvfs(canary).f_flag & os.ST_NOATIME
        with socket.create_connection(listener.getsockname()):
            listener.accept()[0].close()


@pytest.mark.timeout(900)
@pytest.mark.parametrize("part", range(PARTS))
async def test_mutated(tmp_path: Path, originals: list[bytes], part: int, small_process: ProcessPoolExecutor) -> None:
    """Every mutant ends in pictures or in a reason; nothing hangs, nothing grows, nothing else is read."""
    paths = []
    for seed in range(part, COUNT, PARTS):
        path = tmp_path / f"{seed}"
        path.write_bytes(mutant(seed, originals))
        paths.append(path)
    found = await looked_at(paths, tmp_path, small_process)
    assert len(paths) == len(found)
    assert Reason.UNAVAILABLE not in found


async def test_bombs(tmp_path: Path, small_process: ProcessPoolExecutor) -> None:
    """Little files that unfold into much: the limits hold for them too."""
    large = Film(width=4096, height=4096, frames=40, draw=black, codec_options={"g": "1000"}).save(tmp_path / "large")
    bomb = tmp_path / "zlib"
    bomb.write_bytes(zlib_bomb())
    index = tmp_path / "index"
    data = Film().save(index).read_bytes()
    place = data.index(b"stts") + 8
    index.write_bytes(data[:place] + struct.pack(">III", 1, 0x7FFFFFFF, 1) + data[place + 12 :])
    found = await looked_at([large, bomb, index], tmp_path, small_process)
    assert 3 == len(found)


async def test_originals(tmp_path: Path, originals: list[bytes], small_process: ProcessPoolExecutor) -> None:
    """Unharmed, each of them has pictures, so that what the mutants meet is the whole way."""
    paths = [tmp_path / str(number) for number in range(len(originals))]
    for path, data in zip(paths, originals, strict=True):
        path.write_bytes(data)
    found = await looked_at(paths, tmp_path, small_process)
    assert [3] * len(originals) == [len(each.pictures) for each in found if isinstance(each, Examined)]
