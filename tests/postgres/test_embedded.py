"""The embedded server: who owns it, who joins, and what survives which kill."""

import asyncio
import json
import os
import select
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, Self

import asyncpg
import pytest
from attrs import define, field

from clipsaver.errors import StartFailed
from clipsaver.postgres import binaries, embedded, server, sockets_folder
from clipsaver.postgres.binaries import NOBODY
from clipsaver.postgres.embedded import Embedded
from clipsaver.postgres.pool import Connection, Pool, in_transaction, open_pool

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the embedded database is for Linux")

ROOT = Path(__file__).parents[2]
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has to become someone else")


SITE = Path(asyncpg.__file__).parents[1]


def python_for_all() -> str | None:
    """A Python like this one that every user can run; only root can try."""
    if os.geteuid() == 0:
        for python in (sys.executable, f"/usr/bin/python3.{sys.version_info.minor}"):
            with suppress(OSError):
                command = [python, "-c", "import asyncpg"]
                path = {"PYTHONPATH": str(SITE), "PYTHONDONTWRITEBYTECODE": "1"}
                tried = subprocess.run(command, user=NOBODY, env=path, check=False, capture_output=True)  # noqa: S603 - ours
                if tried.returncode == 0:
                    return python
    return None


PYTHON_FOR_ALL = python_for_all()


@define
class Owner:
    """A process that opens the embedded database."""

    process: "subprocess.Popen[str]"
    said: dict[str, Any] = field(factory=dict)

    @classmethod
    def start(cls, data_dir: Path, *, version: int = 18, user: int | None = None) -> Self:
        """Start it, as another user if wanted; it has not said anything yet."""
        environment = {key: value for key, value in os.environ.items() if user is None or "COVERAGE" not in key}
        python = sys.executable if user is None else PYTHON_FOR_ALL
        return cls(
            subprocess.Popen(  # noqa: S603 - our own module
                [str(python), "-m", "tests.postgres.owner", str(data_dir), str(version)],
                cwd=ROOT,
                env={**environment, "PYTHONPATH": f"src:.:{SITE}", "PYTHONDONTWRITEBYTECODE": "1"},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                user=user,
                group=user,
                extra_groups=None if user is None else [],
            )
        )

    def hear(self) -> dict[str, Any]:
        """What it says next, log lines left out."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith("{"):
                self.said = json.loads(line)
                return self.said
        raise AssertionError("it ended without a word")

    def ask(self) -> dict[str, Any]:
        """Have it say how things are."""
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return self.hear()

    def end(self) -> int:
        """Have it end by itself."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        return self.process.wait(60)

    def kill(self) -> None:
        """Kill it at once."""
        self.process.kill()
        self.process.wait(60)

    def clean_up(self) -> None:
        """Leave nothing of it."""
        self.kill()
        for stream in (self.process.stdin, self.process.stdout):
            with suppress(BrokenPipeError):
                if stream is not None:
                    stream.close()


@pytest.fixture
def start_owner() -> Iterator[Callable[..., Owner]]:
    """Start owners; whatever is left of them at the end is killed."""
    started: list[Owner] = []

    def start(*args: Any, **options: Any) -> Owner:
        started.append(Owner.start(*args, **options))
        return started[-1]

    yield start
    for owner in started:
        owner.clean_up()


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A data folder that any user can get to."""
    folder = Path(tempfile.mkdtemp(prefix="clipsaver-open-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
async def opened(tmp_path: Path) -> AsyncIterator[Embedded]:
    """An embedded server that is ours."""
    async with Embedded(tmp_path) as one:
        yield one


def processes_on(data_dir: Path) -> list[int]:
    """Handles of every process that works in the database's folder."""
    handles = []
    for entry in Path("/proc").iterdir():
        with suppress(OSError):
            if entry.name.isdigit() and (entry / "cwd").readlink() == (data_dir / "postgres" / "data").resolve():
                handles.append(os.pidfd_open(int(entry.name)))
    return handles


def wait_for_the_end_of(handles: list[int], seconds: float = 60) -> bool:
    """Whether all of those processes end in time."""
    deadline = time.monotonic() + seconds
    waiting = set(handles)
    while waiting and time.monotonic() < deadline:
        waiting -= set(select.select(waiting, [], [], deadline - time.monotonic())[0])
    for handle in handles:
        os.close(handle)
    return not waiting


async def insert(conn: Connection, n: int) -> None:
    """Some work that leaves something behind, and may be done twice."""
    await conn.execute("insert into t values ($1) on conflict do nothing", n)


async def until(what: Callable[[], object]) -> None:
    """Look until it is so."""
    async with asyncio.timeout(60):
        while not what():  # noqa: ASYNC110 - a look at another program
            await asyncio.sleep(0.001)


def has(some: list[int], count: int) -> bool:
    """Whether it is that long."""
    return len(some) >= count


def is_other(server: Embedded, pid: int) -> bool:
    """Whether its server is another by now."""
    return server.pid != pid


async def one(conn: Connection) -> int:
    """Some work."""
    return int(await conn.fetchval("select 1"))


async def test_opening_and_opening_again(tmp_path: Path) -> None:
    """What was written is there the next time, and nothing but the data folder is left."""
    async with Embedded(tmp_path) as first:
        assert first.owner
        conn = await asyncpg.connect(first.url)
        await conn.execute("create table t as select 7 as n")
        assert await conn.fetchval("show fsync") == "on"
        assert await conn.fetchval("show listen_addresses") == ""
        assert await conn.fetchval("show server_encoding") == "UTF8"
        assert await conn.fetchval("select datlocale from pg_database where datname = current_database()") == "C.UTF-8"
        await conn.close()
        sockets = sockets_folder.noted(tmp_path / "postgres")
        assert sockets is not None
        assert stat.S_IMODE(sockets.stat().st_mode) == 0o700
    assert not sockets.exists()
    assert wait_for_the_end_of(processes_on(tmp_path), 0)
    async with Embedded(tmp_path) as second:
        conn = await asyncpg.connect(second.url)
        assert await conn.fetchval("select n from t") == 7
        await conn.close()
    assert sorted(path.name for path in (tmp_path / "postgres").iterdir()) == ["data", "lock", "socket"]


async def test_opened_files_are_ours(opened: Embedded, tmp_path: Path) -> None:
    """Whoever we are, the data folder's files belong to us where the system lets us."""
    owners = {path.lstat().st_uid for path in (tmp_path / "postgres").rglob("*")}
    assert os.geteuid() in owners
    assert len(owners) == 1 or os.geteuid() == 0


@pytest.mark.parametrize("name", ["with spaces, commas and 'quotes\"", "x" * 200], ids=["odd", "long"])
async def test_folders_with_odd_names(tmp_path: Path, name: str) -> None:
    """Neither length nor characters of the data folder's path matter."""
    data_dir = tmp_path / name / name
    async with Embedded(data_dir) as first, Embedded(data_dir) as second, await open_pool(second.url) as pool:
        assert (first.owner, second.owner) == (True, False)
        assert await in_transaction(pool, one) == 1


async def test_a_killed_server_comes_back(opened: Embedded) -> None:
    """Kill -9 of the server: the pool carries on, and every acknowledged commit is there."""
    async with await open_pool(opened.url, size=4) as pool:
        await pool.execute("create table t (n bigint primary key)")
        acknowledged: list[int] = []

        async def write(first: int) -> None:
            for n in range(first, first + 150):
                await in_transaction(pool, partial(insert, n=n))
                acknowledged.append(n)

        async def kill() -> None:
            for count in (60, 250, 400):
                await until(partial(has, acknowledged, count))
                os.kill(opened.pid, signal.SIGKILL)
                await until(partial(is_other, opened, opened.pid))

        async with asyncio.TaskGroup() as tasks:
            for first in range(0, 600, 150):
                tasks.create_task(retried(write, first))
            tasks.create_task(kill())
        assert set(acknowledged) <= {row["n"] for row in await pool.fetch("select n from t")}
        assert opened.owner


async def retried(write: Callable[[int], Any], first: int) -> None:
    """As a worker would: what is lost during a commit is simply done again."""
    for _ in range(5):
        try:
            await write(first)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError):
            continue
        return
    raise AssertionError("it never came back")


async def test_a_backend_that_crashes(opened: Embedded) -> None:
    """One killed connection makes PostgreSQL start over by itself; the pool carries on."""
    async with await open_pool(opened.url) as pool:
        os.kill(await pool.fetchval("select pg_backend_pid()"), signal.SIGKILL)
        assert await in_transaction(pool, one) == 1


def test_a_killed_owner_leaves_no_server(tmp_path: Path, start_owner: Callable[..., Owner]) -> None:
    """Kill -9 of the owner: every process of its server ends, and the next start finds what was committed."""
    owner = start_owner(tmp_path)
    url = owner.hear()["url"]

    async def write() -> None:
        conn = await asyncpg.connect(url)
        await conn.execute("create table t as select 7 as n")
        await conn.close()

    asyncio.run(write())
    handles = processes_on(tmp_path)
    assert len(handles) > 3
    owner.kill()
    assert wait_for_the_end_of(handles)

    async def read() -> int:
        async with Embedded(tmp_path) as again, await open_pool(again.url) as pool:
            return int(await pool.fetchval("select n from t"))

    assert asyncio.run(read()) == 7


async def test_taking_over_from_a_killed_owner(tmp_path: Path, start_owner: Callable[..., Owner]) -> None:
    """Whoever joined takes over on the same socket, and its pool carries on."""
    owner = start_owner(tmp_path)
    await asyncio.to_thread(owner.hear)
    async with Embedded(tmp_path) as joined, await open_pool(joined.url) as pool:
        assert (joined.owner, joined.pid) == (False, 0)
        await pool.execute("create table t as select 7 as n")
        handles = processes_on(tmp_path)
        owner.kill()
        # Its server hears of that a moment later, and answers until then.
        assert await asyncio.to_thread(wait_for_the_end_of, handles)
        assert await in_transaction(pool, lambda conn: conn.fetchval("select n from t")) == 7
        assert joined.owner
        assert joined.pid > 0
    assert wait_for_the_end_of(processes_on(tmp_path), 0)


async def test_taking_over_from_an_owner_that_ends(tmp_path: Path, start_owner: Callable[..., Owner]) -> None:
    """An owner that ends properly is followed likewise, although it took its socket's folder away."""
    owner = start_owner(tmp_path)
    await asyncio.to_thread(owner.hear)
    async with Embedded(tmp_path) as joined, await open_pool(joined.url) as pool:
        assert await asyncio.to_thread(owner.end) == 0
        assert await in_transaction(pool, one) == 1
        assert joined.owner


def test_several_start_together(tmp_path: Path, start_owner: Callable[..., Owner]) -> None:
    """One becomes the owner, the others join; when it ends, one of them takes over."""
    owners = [start_owner(tmp_path) for _ in range(3)]
    assert sorted(owner.hear()["owner"] for owner in owners) == [False, False, True]
    assert len({owner.said["url"] for owner in owners}) == 1
    first = next(owner for owner in owners if owner.said["owner"])
    assert first.end() == 0
    others = [owner for owner in owners if owner is not first]
    deadline = time.monotonic() + 60
    while not any(owner.ask()["owner"] for owner in others):
        assert time.monotonic() < deadline
    assert sum(owner.said["owner"] for owner in others) == 1
    assert [owner.end() for owner in others] == [0, 0]
    assert wait_for_the_end_of(processes_on(tmp_path), 0)


async def test_another_versions_folder(tmp_path: Path) -> None:
    """A folder that another major version made is left alone, with a sentence."""
    async with Embedded(tmp_path, version=16) as old, await open_pool(old.url) as pool:
        assert pool.get_size() > 0
    with pytest.raises(StartFailed, match="was made by PostgreSQL 16, and this clipsaver brings PostgreSQL 18"):
        async with Embedded(tmp_path):
            pass
    async with Embedded(tmp_path, version=16) as old, await open_pool(old.url) as pool:
        assert await in_transaction(pool, one) == 1


async def test_a_folder_that_is_no_database(tmp_path: Path) -> None:
    """Something else in its place is left alone, too."""
    (tmp_path / "postgres" / "data").mkdir(parents=True)
    with pytest.raises(StartFailed, match="was made by PostgreSQL something else"):
        async with Embedded(tmp_path):
            pass


async def test_pids_that_belong_to_others_by_now(tmp_path: Path) -> None:
    """Pid files that were left behind don't matter when their pid is another program's."""
    async with Embedded(tmp_path) as first:
        left = (tmp_path / "postgres" / "data" / "postmaster.pid").read_text("utf-8")
        url = first.url
    (tmp_path / "postgres" / "data" / "postmaster.pid").write_text(left.replace(str(first.pid), str(os.getpid()), 1))
    sockets = sockets_folder.noted(tmp_path / "postgres")
    assert sockets is not None
    sockets.mkdir(mode=0o700)
    (sockets / f"{server.SOCKET}.lock").write_text(f"{os.getpid()}\n")
    async with Embedded(tmp_path) as second, await open_pool(second.url) as pool:
        assert url == second.url
        assert await in_transaction(pool, one) == 1


async def test_pid_files_of_the_dead(tmp_path: Path) -> None:
    """Nor when nobody has it."""
    async with Embedded(tmp_path) as first:
        left = (tmp_path / "postgres" / "data" / "postmaster.pid").read_text("utf-8")
    (tmp_path / "postgres" / "data" / "postmaster.pid").write_text(left)
    async with Embedded(tmp_path) as second:
        assert second.pid != first.pid


@contextmanager
def a_zombie() -> Iterator[int]:
    """A process that has ended, and whose parent has not asked about it: where nobody does, it stays."""
    with subprocess.Popen([sys.executable, "-I", "-S", "-c", ""]) as process:
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        yield process.pid


@contextmanager
def working(program: Path, folder: Path) -> Iterator[int]:
    """A program of that name that works in a folder; its pid."""
    program.write_text("#!/bin/sh\nread -r until_it_ends\n")
    program.chmod(0o700)
    with subprocess.Popen([str(program)], cwd=folder, stdin=subprocess.PIPE) as process:  # noqa: S603 - just written
        yield process.pid  # its input ends with the block, and it with that


async def test_a_zombie_is_no_server(tmp_path: Path) -> None:
    """A killed server's pid may be taken by its remains for long: in a container, often nobody asks about orphans."""
    async with Embedded(tmp_path) as first:
        left = (tmp_path / "postgres" / "data" / "postmaster.pid").read_text("utf-8")
    with a_zombie() as pid:
        (tmp_path / "postgres" / "data" / "postmaster.pid").write_text(left.replace(str(first.pid), str(pid), 1))
        async with Embedded(tmp_path) as second, await open_pool(second.url) as pool:
            assert await in_transaction(pool, one) == 1


async def test_children_of_a_zombie(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As long as a dead server's children write to the folder, no other starts there."""
    monkeypatch.setattr(server, "LEFTOVER_TIMEOUT", 0.1)
    data = tmp_path / "postgres" / "data"
    async with Embedded(tmp_path) as first:
        left = (data / "postmaster.pid").read_text("utf-8")
    (tmp_path / "elsewhere").mkdir()
    with a_zombie() as pid, working(tmp_path / "elsewhere" / "postgres", data) as writing:
        (data / "postmaster.pid").write_text(left.replace(str(first.pid), str(pid), 1))
        with pytest.raises(StartFailed, match=rf"Another PostgreSQL \(pid {writing}\) is running on"):
            async with Embedded(tmp_path):
                pass
    async with Embedded(tmp_path) as second, await open_pool(second.url) as pool:
        assert await in_transaction(pool, one) == 1


@pytest.mark.parametrize("left", ["", "\n", "no pid\n"])
async def test_pid_files_without_a_pid(tmp_path: Path, left: str) -> None:
    """A server that is killed while it starts may have made its pid file, and written nothing into it."""
    async with Embedded(tmp_path):
        pass
    sockets = sockets_folder.noted(tmp_path / "postgres")
    assert sockets is not None
    sockets.mkdir(mode=0o700)
    for file in (tmp_path / "postgres" / "data" / "postmaster.pid", sockets / f"{server.SOCKET}.lock"):
        file.write_text(left)
    async with Embedded(tmp_path) as second, await open_pool(second.url) as pool:
        assert await in_transaction(pool, one) == 1


async def test_a_server_that_someone_else_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that runs on the folder without holding the lock is left alone, and named."""
    monkeypatch.setattr(server, "LEFTOVER_TIMEOUT", 0.1)
    async with Embedded(tmp_path) as first:
        (tmp_path / "postgres" / "lock").unlink()
        with pytest.raises(StartFailed, match=rf"Another PostgreSQL \(pid {first.pid}\) is running on .*: stop it"):
            async with Embedded(tmp_path):
                pass
        async with await open_pool(first.url) as pool:
            assert await in_transaction(pool, one) == 1


async def test_an_owner_without_a_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the lock is held but nothing answers, the start fails with a sentence."""
    monkeypatch.setattr(embedded, "JOIN_TIMEOUT", 0.1)
    async with Embedded(tmp_path) as first:
        (tmp_path / "postgres" / "socket").unlink()
        with pytest.raises(StartFailed, match="Another clipsaver holds the database"):
            async with Embedded(tmp_path):
                pass
        sockets_folder._note(tmp_path / "postgres", tmp_path)
        with pytest.raises(StartFailed, match="but it doesn't answer"):
            async with Embedded(tmp_path):
                pass
        assert first.owner


async def test_a_copy_of_the_folder(opened: Embedded, tmp_path: Path) -> None:
    """A copy made while the server ran has a server and a socket of its own."""
    copy = tmp_path / "copy"
    shutil.copytree(tmp_path / "postgres", copy / "postgres", ignore=shutil.ignore_patterns("postmaster.pid"))
    async with Embedded(copy) as other, await open_pool(other.url) as pool:
        assert other.owner
        assert other.url != opened.url
        assert await in_transaction(pool, one) == 1


async def test_a_socket_folder_that_someone_else_took(tmp_path: Path) -> None:
    """A folder of the noted name that others can get to is not used."""
    async with Embedded(tmp_path) as first:
        url = first.url
    sockets = sockets_folder.noted(tmp_path / "postgres")
    assert sockets is not None
    sockets.mkdir(mode=0o755)
    try:
        async with Embedded(tmp_path) as second:
            assert url != second.url
    finally:
        sockets.rmdir()


async def test_a_server_that_does_not_start_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is tried again until it does."""
    monkeypatch.setattr(embedded, "LOOK", 0.01)
    async with Embedded(tmp_path) as one_of_ours:
        version = tmp_path / "postgres" / "data" / "PG_VERSION"
        version.write_text("17\n")
        os.kill(one_of_ours.pid, signal.SIGKILL)
        said = ""
        while "start_failed" not in said:
            said += capsys.readouterr().out
            await asyncio.sleep(0.001)
        version.write_text("18\n")
        async with await open_pool_again(one_of_ours.url) as pool:
            assert await in_transaction(pool, one) == 1


async def open_pool_again(url: str) -> Pool:
    """Open a pool as soon as there is something to open it on."""
    while True:
        with suppress(StartFailed):
            return await open_pool(url)
        await asyncio.sleep(0.001)


async def test_a_start_that_is_cancelled(tmp_path: Path) -> None:
    """Whatever was under way is ended, and the lock is free."""
    for delay in (0.0, 0.05, 0.2, 0.4):
        with suppress(TimeoutError):
            async with asyncio.timeout(delay), Embedded(tmp_path):
                pass
    async with Embedded(tmp_path) as at_last:
        assert at_last.owner
    assert wait_for_the_end_of(processes_on(tmp_path))


async def test_no_url_before(tmp_path: Path) -> None:
    """The address is there only while it is open."""
    with pytest.raises(RuntimeError, match="not open"):
        _ = Embedded(tmp_path).url


async def test_other_systems(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it doesn't run, the sentence says what to set."""
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(StartFailed, match=r"set database\.url"):
        async with Embedded(tmp_path):
            pass


def test_importing_where_posix_is_missing() -> None:
    """Nothing POSIX-only is needed to import it."""
    code = (
        "import sys, signal\n"
        "for name in ('fcntl', 'pwd', 'grp', 'resource'): sys.modules[name] = None\n"
        "import clipsaver.postgres.embedded, clipsaver.postgres.schema\n"
    )
    environment = {**os.environ, "PYTHONPATH": "src"}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment, cwd=ROOT)  # noqa: S603 - our own code


async def test_folders_that_can_not_be_made(tmp_path: Path) -> None:
    """A file in the way becomes a sentence."""
    (tmp_path / "file").touch()
    with pytest.raises(StartFailed, match=r"The folder .*file/postgres can't be made: Not a directory"):
        async with Embedded(tmp_path / "file"):
            pass
    (tmp_path / "postgres" / "lock").mkdir(parents=True)
    with pytest.raises(StartFailed, match=r"can't be used: Is a directory: .*lock"):
        async with Embedded(tmp_path):
            pass


async def test_without_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Missing binaries become a sentence."""
    monkeypatch.setattr(binaries, "find_spec", lambda _name: None)
    with pytest.raises(StartFailed, match="PostgreSQL 18 is not installed here"):
        async with Embedded(tmp_path):
            pass


@pytest.mark.skipif(PYTHON_FOR_ALL is None, reason="no other user can run this Python")
def test_as_an_ordinary_user(open_folder: Path, start_owner: Callable[..., Owner]) -> None:
    """A user without rights needs nothing special; root joins and takes over later, and gives it back."""
    os.chown(open_folder, NOBODY, NOBODY)
    ordinary = start_owner(open_folder, user=NOBODY)
    assert ordinary.hear()["owner"]
    root = start_owner(open_folder)
    assert not root.hear()["owner"]
    assert ordinary.end() == 0
    deadline = time.monotonic() + 60
    while not root.ask()["owner"]:
        assert time.monotonic() < deadline
    assert root.end() == 0
    assert {NOBODY} == {path.lstat().st_uid for path in (open_folder / "postgres" / "data").rglob("*")}
    again = start_owner(open_folder, user=NOBODY)
    assert again.hear()["owner"]
    handles = processes_on(open_folder)
    again.kill()
    assert wait_for_the_end_of(handles)
    last = start_owner(open_folder, user=NOBODY)
    assert last.hear()["owner"]
    assert last.end() == 0


@pytest.mark.skipif(PYTHON_FOR_ALL is None, reason="no other user can run this Python")
def test_as_a_user_without_a_name(open_folder: Path, start_owner: Callable[..., Owner]) -> None:
    """A number that the system has no name for, as containers use them, works as well."""
    os.chown(open_folder, 123456, 123456)
    nameless = start_owner(open_folder, user=123456)
    assert nameless.hear().get("owner"), nameless.said
    assert nameless.end() == 0
    again = start_owner(open_folder, user=123456)
    assert again.hear().get("owner"), again.said
    assert again.end() == 0
