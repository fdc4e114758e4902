"""What a child can't do any more: canaries for files, networks and other processes."""

import contextlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from clipsaver.media.probe.model import Failed
from clipsaver.media.probe.studio import Studio
from clipsaver.media.sandbox import confine, filters
from tests.media.films import Film

ATTEMPTS = """
import json, os, socket, sys
sys.path.insert(0, sys.argv[1])
from clipsaver.media.sandbox import confine
held = confine.limit(memory=512 * 1024 * 1024, cpu_seconds=10, wall_seconds=20)
held += confine.seal(parent=os.getppid())

def attempt(what):
    try:
        what()
    except OSError as error:
        return type(error).__name__
    return "done"

def connect():
    with socket.socket() as there:
        there.connect(("127.0.0.1", int(sys.argv[3])))

results = {
    "read": attempt(lambda: open(sys.argv[2]).close()),
    "write": attempt(lambda: open(sys.argv[2] + ".new", "w").close()),
    "remove": attempt(lambda: os.unlink(sys.argv[2])),
    "list": attempt(lambda: os.listdir(os.path.dirname(sys.argv[2]))),
    "connect": attempt(connect),
    "fork": attempt(lambda: os.fork() or os._exit(0)),
    "execute": attempt(lambda: os.execv("/bin/true", ["true"])),
    "kill": attempt(lambda: os.kill(os.getppid(), 0)),
}
print(json.dumps([held, results]))
"""


ORPHAN = """
import os, sys, time
sys.path.insert(0, sys.argv[1])
from clipsaver.media.sandbox import confine
confine.limit(memory=512 * 1024 * 1024, cpu_seconds=10, wall_seconds=1000)
confine.seal(parent=os.getppid())
print("sealed", flush=True)
time.sleep(1000)
"""
OWNER = "import subprocess, sys; subprocess.run([sys.executable, '-I', '-c', sys.argv[2], sys.argv[1]])"


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A canary that sings when somebody connects."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0)
        yield server


def visited(listener: socket.socket) -> bool:
    """Whether anybody connected."""
    try:
        listener.accept()
    except BlockingIOError:
        return False
    return True


def test_sealed(tmp_path: Path, listener: socket.socket) -> None:
    """Sealed off: every attempt to reach out fails, as far as this machine's kernel has the means."""
    canary = tmp_path / "canary"
    canary.write_text("secret")
    source = Path(confine.__file__).parents[3]
    done = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-I", "-c", ATTEMPTS, str(source), str(canary), str(listener.getsockname()[1])],
        check=True,
        capture_output=True,
        env={},
    )
    held, results = json.loads(done.stdout)
    files = bool({"landlock", "seccomp"} & set(held))
    assert "limits" in held
    assert {results[each] for each in ("read", "write", "remove", "list")} == {"PermissionError"} or not files
    assert results["connect"] != "done" or not {"network", "seccomp", "landlock"} & set(held)
    assert {results[each] for each in ("fork", "execute", "kill")} == {"PermissionError"} or "seccomp" not in held
    assert not visited(listener) or not {"network", "seccomp", "landlock"} & set(held)
    assert canary.read_text() == "secret" or not files


def test_orphaned() -> None:
    """A child whose bot is killed is gone at once: nobody holds its answer's pipe any more."""
    source = str(Path(confine.__file__).parents[3])
    command = [sys.executable, "-I", "-c", OWNER, source, ORPHAN]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as owner:  # noqa: S603 - our own interpreter
        assert owner.stdout is not None
        assert b"sealed\n" == owner.stdout.readline()
        owner.kill()
        assert b"" == owner.stdout.read()


@pytest.mark.parametrize(
    "content",
    [
        "ffconcat version 1.0\nfile 'secret.mp4'\n",
        "ffconcat version 1.0\nfile '{path}'\n",
        "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nsecret.mp4\n#EXT-X-ENDLIST\n",
        "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nhttp://127.0.0.1:{port}/x.ts\n#EXT-X-ENDLIST\n",
        "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nconcat:{path}|http://127.0.0.1:{port}/\n#EXT-X-ENDLIST\n",
        '<MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><Period><BaseURL>http://127.0.0.1:{port}/</BaseURL></Period></MPD>',
        "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video {port} RTP/AVP 96\n",
        "RTSPtextRTSP://127.0.0.1:{port}/x\n",
    ],
)
async def test_lists_of_other_files(tmp_path: Path, listener: socket.socket, content: str) -> None:
    """A list of other files is not a video, and neither its neighbours nor the network are asked."""
    canary = Film().save(tmp_path / "secret.mp4")
    os.utime(canary, (0, os.stat(canary).st_mtime))  # noqa: PTH116 - its time of reading goes back to the beginning
    path = tmp_path / "film.mp4"
    path.write_text(content.format(path=canary, port=listener.getsockname()[1]))
    with pytest.raises(Failed, match="not a video"):
        await Studio().examine(path)
    assert 0 == canary.stat().st_atime
    assert not visited(listener)


async def test_tracks_in_other_files(tmp_path: Path) -> None:
    """A MOV whose frames are said to lie in another file is not followed there, whatever is seen in it."""
    canary = Film(container="mov").save(tmp_path / "secret.mov")
    os.utime(canary, (0, 0))
    data = canary.read_bytes()
    os.utime(canary, (0, 0))
    name = str(canary).encode()
    alias = b"\0\0\0\1" + len(name).to_bytes(2, "big") + name
    data = data.replace(b"url \0\0\0\1", b"\x61lis\0\0\0\0").replace(b"mdat", b"free") + alias
    path = tmp_path / "film.mov"
    path.write_bytes(data)
    with contextlib.suppress(Failed):
        await Studio().examine(path)
    assert 0 == canary.stat().st_atime


async def test_what_is_held_here(tmp_path: Path) -> None:
    """The studio can say what its children give up; limits are always among it."""
    assert "limits" in await Studio().barriers()


def test_unknown_machine() -> None:
    """A machine whose calls are not listed has no filter; nothing is guessed."""
    assert filters.seccomp(None, "pdp11") is False


@pytest.mark.parametrize("machine", filters.MACHINES)
def test_program(machine: str) -> None:
    """The filter is short enough for the kernel, refuses what is listed and ends by allowing."""
    code = filters.program(machine)
    assert len(code) % 8 == 0
    assert len(code) // 8 <= 4096
    assert code.endswith(filters.ALLOW.to_bytes(4, "little"))
    for refused in (*filters.MACHINES[machine][2], *filters.EVERYWHERE):
        assert refused.to_bytes(4, "little") in code


class Kernel:
    """Answers system calls as a kernel of some version would."""

    def __init__(self, landlock: int = 0, prctl: int = 0, unshare: int = 0) -> None:
        self.version = landlock
        self.prctl_answer = prctl
        self.unshare_answer = unshare
        self.ruleset = b""
        self.asked: list[tuple[int, ...]] = []

    def syscall(self, number: int, attributes: bytes | None, *_: object) -> int:
        """Landlock's three calls."""
        if number == filters.LANDLOCK_CREATE_RULESET:
            if attributes is None:
                return self.version
            self.ruleset = attributes
            return 9
        return 0

    def prctl(self, *arguments: int) -> int:
        """Any prctl."""
        self.asked.append(arguments)
        return self.prctl_answer

    def unshare(self, flags: int) -> int:
        """Refuse the first way in, when told so."""
        self.asked.append((flags,))
        return self.unshare_answer if flags == confine.CLONE_NEWNET else 0


@pytest.mark.parametrize(
    ("version", "held"), [(-1, False), (0, False), (1, True), (3, True), (4, True), (6, True), (99, True)]
)
def test_every_landlock(version: int, *, held: bool) -> None:
    """Each version is asked for what it knows, and those without it say so."""
    kernel = Kernel(landlock=version)
    assert held == filters.landlock(kernel)
    rights = [int.from_bytes(kernel.ruleset[at : at + 8], "little") for at in (0, 8, 16)]
    assert (rights[1] != 0, rights[2] != 0) == (version >= 4, version >= 6)


@pytest.mark.parametrize("refusal", [0, -1])
def test_filter_is_set(refusal: int) -> None:
    """The kernel's answer decides whether the filter counts as held."""
    kernel = Kernel(prctl=refusal)
    assert (refusal == 0) == filters.seccomp(kernel, "x86_64")


@pytest.mark.parametrize("rights", [0, -1])
def test_network_is_left(rights: int) -> None:
    """Without rights the network is left through a user namespace of our own."""
    assert confine._without_network(Kernel(unshare=rights))
