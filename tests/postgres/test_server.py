"""One server on one folder, with programs that misbehave as wanted."""

import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from clipsaver.errors import StartFailed
from clipsaver.postgres import launch, server
from clipsaver.postgres.binaries import NOBODY, Binaries, Identity
from clipsaver.postgres.process import SIGINT, SIGKILL
from clipsaver.postgres.server import Server

MAKES = 'echo 18 > "$2/PG_VERSION"'
SAYS_READY = 'printf "%s\\n%s\\n0\\n5432\\n/s\\n\\n0\\nready\\n" $$ "$2" > "$2/postmaster.pid"'
STAYS = "exec sleep 600"
OURSELVES = Identity(user=(os.geteuid(), os.getegid()))


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Make servers whose programs are little scripts; they are stopped at the end."""
    made: list[Server] = []

    def one(*, initdb: str = MAKES, postgres: str = f"{SAYS_READY}; {STAYS}") -> Server:
        for name, script in (("initdb", initdb), ("postgres", postgres)):
            (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
            (tmp_path / name).chmod(0o755)
        (tmp_path / "s").mkdir(mode=0o700, exist_ok=True)
        made.append(Server(folder=tmp_path, sockets=tmp_path / "s", binaries=Binaries(tmp_path, 18)))
        return made[-1]

    yield one
    for started in made:
        started.stop()


@pytest.fixture
def launcher(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Put another launcher in its place, which does what it is told for mapped identities only."""

    def put(answer: str) -> None:
        fake = tmp_path / "launcher.py"
        fake.write_text(
            "import json, os, sys\norder = json.loads(sys.argv[1])\n"
            f"if order['mapped']:\n    {answer}\nos.execv(order['command'][0], order['command'])\n"
        )
        monkeypatch.setattr(launch, "__file__", str(fake))

    return put


def test_started_once(make: Callable[..., Server]) -> None:
    """Starting what runs does nothing; what was stopped doesn't start again."""
    one = make()
    one.start()
    pid = one.pid
    one.start()
    assert pid == one.pid
    one.stop()
    with pytest.raises(StartFailed, match="was stopped"):
        one.start()


def test_stopping_what_never_started(make: Callable[..., Server]) -> None:
    """There is nothing to do."""
    one = make()
    one.stop()
    assert one.pid == 0


def test_someone_is_told_of_the_end(make: Callable[..., Server]) -> None:
    """Once it had been ready, and only then."""
    told = threading.Event()
    one = make(postgres="exit 1")
    one.on_end = told.set
    with pytest.raises(StartFailed):
        one.start()
    assert not told.is_set()
    other = make()
    other.on_end = told.set
    other.start()
    other.stop()
    assert told.wait(60)


def test_one_that_ended_as_soon_as_it_was_ready(make: Callable[..., Server], monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for it in vain."""
    told = threading.Event()
    one = make(postgres="exit 0")
    one.on_end = told.set

    def ready() -> bool:
        return one._process is not None and one._process.ended.wait(60)

    monkeypatch.setattr(Server, "_ready", lambda _self: ready())
    one.start()
    assert told.wait(60)


def test_one_that_won_t_stop(make: Callable[..., Server], monkeypatch: pytest.MonkeyPatch) -> None:
    """In the end it has to."""
    monkeypatch.setattr(server, "STOP", ((SIGINT, 0.05), (SIGKILL, 20.0)))
    one = make(postgres=f"trap '' INT; {SAYS_READY}; {STAYS}")
    one.start()
    one.stop()
    assert one._process is not None
    assert one._process.status == -SIGKILL


def test_one_that_outlives_everything(make: Callable[..., Server], monkeypatch: pytest.MonkeyPatch) -> None:
    """Stopping is bounded all the same."""
    one = make()
    one.start()
    monkeypatch.setattr(server, "STOP", ((0, 0.01),))
    one.stop()
    assert one._ready()
    monkeypatch.undo()


def test_one_that_never_gets_ready(make: Callable[..., Server], monkeypatch: pytest.MonkeyPatch) -> None:
    """It is given up."""
    one = make(postgres=STAYS)
    one.data.mkdir()
    (one.data / "PG_VERSION").write_text("18\n")
    monkeypatch.setattr(server, "START_TIMEOUT", 0.3)
    with pytest.raises(StartFailed, match="did not start within 0 seconds: exit status None"):
        one.start()


def test_a_folder_that_never_gets_made(make: Callable[..., Server], monkeypatch: pytest.MonkeyPatch) -> None:
    """Likewise; nothing of it is left."""
    monkeypatch.setattr(server, "START_TIMEOUT", 0.3)
    one = make(initdb=STAYS)
    with pytest.raises(StartFailed, match="could not be started: exit status -9"):
        one.start()
    assert not list(one.folder.glob("new-*"))


def test_what_an_earlier_attempt_left(make: Callable[..., Server]) -> None:
    """A folder that was not finished is taken away."""
    one = make()
    (one.folder / "new-unfinished").mkdir()
    one.start()
    assert not list(one.folder.glob("new-*"))


@pytest.mark.parametrize("remains", ["shared memory block is still in use", 'lock file "x" already exists'])
def test_remains_of_an_earlier_server(make: Callable[..., Server], remains: str) -> None:
    """They are waited for."""
    first = f"[ -e $2/tried ] || {{ touch $2/tried; echo 'FATAL:  {remains}' >&2; exit 1; }}"
    one = make(postgres=f"{first}; {SAYS_READY}; {STAYS}")
    one.start()
    assert (one.data / "tried").exists()


def test_remains_that_stay(make: Callable[..., Server], monkeypatch: pytest.MonkeyPatch) -> None:
    """But not for ever."""
    monkeypatch.setattr(server, "LEFTOVER_TIMEOUT", 0)
    with pytest.raises(StartFailed, match=r"Another PostgreSQL is running on .*: stop it first"):
        make(postgres="echo 'FATAL:  is still in use' >&2; exit 1").start()


@pytest.mark.parametrize(
    ("script", "sentence"),
    [
        (
            "echo 'LOG:  x' >&2; echo 'FATAL:  no space left.' >&2; exit 1",
            "could not be started: FATAL:  no space left.",
        ),
        ("exit 0", "ended while it was starting: exit status 0."),
        ("echo so >&2; exit 0", "ended while it was starting: so."),
    ],
)
def test_one_that_ends_at_once(make: Callable[..., Server], script: str, sentence: str) -> None:
    """Its own words tell why."""
    with pytest.raises(StartFailed) as caught:
        make(postgres=script).start()
    assert str(caught.value) == f"PostgreSQL {sentence}"


def test_where_no_other_identity_is_allowed(
    make: Callable[..., Server], launcher: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everything is tried; the sentence has each reason."""
    launcher("sys.stderr.write(f\"{order['mapped'][0]}\\n\"); sys.exit(order['mapped'][1])")
    tried = [Identity(mapped=(5, launch.REFUSED)), Identity(mapped=(6, launch.UNREACHABLE))]
    monkeypatch.setattr(server, "identities", lambda _data: iter(tried))
    with pytest.raises(StartFailed, match=r"can't run as another user here \(5; it can't get to 6\)"):
        make().start()


def test_the_next_identity(
    make: Callable[..., Server], launcher: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What one may not, another may; the folder becomes theirs."""
    launcher(f"sys.exit({launch.REFUSED})")
    monkeypatch.setattr(server, "identities", lambda _data: iter([Identity(mapped=(5, 5)), OURSELVES]))
    one = make()
    one.start()
    assert one.data.stat().st_uid == os.geteuid()


def _for_everyone(binaries: Binaries, folder: Path) -> Binaries:
    """The same programs where every user gets to them; a virtual environment may lie in a private folder."""
    package = binaries.folder.parent.parent
    made = binaries.folder.parent.relative_to(package.parent)
    for part in (made, Path(f"{package.name}.libs")):
        shutil.copytree(package.parent / part, folder / part, symlinks=True)
    return Binaries(folder / made / "bin", binaries.version)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become nobody")
def test_really_as_nobody() -> None:
    """Where namespaces are refused, root's server runs as nobody, also on a folder that was root's."""
    folder = Path(tempfile.mkdtemp(prefix="clipsaver-nobody-"))
    folder.chmod(0o755)
    try:
        binaries = _for_everyone(Binaries.of_wheel(), folder / "programs")
        for number in range(3):
            (folder / "s").mkdir(mode=0o700)
            one = Server(folder=folder, sockets=folder / "s", binaries=binaries, settings={"fsync": "off"})
            with pytest.MonkeyPatch.context() as patch:
                if number != 1:
                    patch.setattr(server, "identities", lambda _data: iter([Identity(user=(NOBODY, NOBODY))]))
                one.start()
                assert Path(f"/proc/{one.pid}").stat().st_uid == NOBODY
                one.stop()
            assert {NOBODY} == {path.lstat().st_uid for path in one.data.rglob("*")}
            shutil.rmtree(folder / "s")
            if number == 1:
                subprocess.run(["/bin/chown", "-R", "0:0", str(one.data)], check=True)  # noqa: S603 - ours
    finally:
        shutil.rmtree(folder)
