"""One PostgreSQL server on one folder: made, started and stopped; plain threads, no event loop."""

import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final
from urllib.parse import quote

from attrs import define, field

from clipsaver.errors import StartFailed
from clipsaver.postgres import launch
from clipsaver.postgres.binaries import Binaries, Identity, identities
from clipsaver.postgres.process import SIGINT, SIGKILL, SIGQUIT, Process

START_TIMEOUT: Final = 120.0
"""Seconds for making the folder, and for starting: after a crash a lot may have to be read again."""
LEFTOVER_TIMEOUT: Final = 15.0
"""Seconds that the server of an owner who is gone may take to end."""
STOP: Final = ((SIGINT, 5.0), (SIGQUIT, 2.0), (SIGKILL, 2.0))
"""Fast, immediate, at once: each with the seconds it is given."""
POLL: Final = 0.005
SOCKET: Final = ".s.PGSQL.5432"

SETTINGS: Final[Mapping[str, str]] = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "cluster_name": "clipsaver",
    "max_connections": "60",
    "shared_buffers": "48MB",
    "effective_cache_size": "512MB",
    "random_page_cost": "1.1",
    "max_parallel_workers_per_gather": "0",
    "jit": "off",
    "max_wal_size": "256MB",
    # In the data folder: a container's /dev/shm is small, and a killed server's pieces would stay there.
    "dynamic_shared_memory_type": "mmap",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # Statements and values stay out of the log: whoever sent them hears of their errors.
    "log_min_messages": "log",
    "log_error_verbosity": "terse",
    "log_line_prefix": "",
    "log_checkpoints": "off",
    "logging_collector": "off",
}


class _TryAnother(Exception):
    """PostgreSQL can't run as that identity here."""


@define(eq=False, kw_only=True)
class Server:
    """A server on ``folder``/data, reached through a socket in ``sockets``; who uses it holds the folder's lock."""

    folder: Path
    sockets: Path
    binaries: Binaries
    settings: Mapping[str, str] = field(factory=dict)
    on_end: Callable[[], None] = lambda: None
    """Called from a thread when a server that had been ready has ended, for whatever reason."""
    _process: Process | None = field(default=None, init=False)
    _stopped: bool = field(default=False, init=False)

    @property
    def data(self) -> Path:
        """PostgreSQL's own folder."""
        return self.folder / "data"

    @property
    def url(self) -> str:
        """For asyncpg and libpq; no password, since only we can get to the socket."""
        return f"postgresql://postgres@/postgres?host={quote(str(self.sockets), safe='/')}"

    @property
    def pid(self) -> int:
        """The postmaster's pid; 0 before the first start."""
        return 0 if self._process is None else self._process.pid

    def start(self) -> None:
        """Make the data folder if there is none, and start; returns when connections are taken.

        A server that runs is left alone; one that was stopped does not start again.
        """
        if self._ready():
            return
        self._check_version()
        reasons = []
        for identity in identities(self.data):
            try:
                if not self.data.exists():
                    self._make(identity)
                self._start_when_free(identity)
            except _TryAnother as error:
                reasons.append(str(error))
            else:
                return
        raise StartFailed(
            f"PostgreSQL, which refuses to be root, can't run as another user here ({'; '.join(reasons)}): "
            "run clipsaver as an ordinary user, or set database.url."
        )

    def stop(self) -> None:
        """Stop it, even while it starts: gently, then less so; bounded."""
        self._stopped = True
        process = self._process
        if process is None:
            return
        for number, seconds in STOP:
            process.signal(number)
            if process.ended.wait(seconds):
                return

    def _run(self, process: Process) -> None:
        self._process = process
        process.start()
        if self._stopped:  # from another thread, perhaps before there was anything to stop
            process.signal(SIGKILL)
            raise StartFailed("PostgreSQL was stopped while it was starting.")

    def _check_version(self) -> None:
        if not self.data.exists():
            return
        file = self.data / "PG_VERSION"
        found = file.read_text("ascii").strip() if file.is_file() else "something else"
        if found != str(self.binaries.version):
            raise StartFailed(
                f"The database in {self.data} was made by PostgreSQL {found}, and this clipsaver brings PostgreSQL "
                f"{self.binaries.version}: dump it with the old one and restore it here, or choose another data_dir."
            )

    def _make(self, identity: Identity) -> None:
        """Make the data folder beside its place, and move it there whole."""
        for unfinished in self.folder.glob("new-*"):
            shutil.rmtree(unfinished, ignore_errors=True)
        new = Path(tempfile.mkdtemp(prefix="new-", dir=self.folder))
        try:
            _give(new, identity)
            command = [
                str(self.binaries.folder / "initdb"),
                *("-D", str(new), "-U", "postgres", "-E", "UTF8", "--locale=C"),
                *("--auth-local=trust", "--auth-host=reject"),
            ]
            if self.binaries.version >= 17:  # noqa: PLR2004 - the first with a locale of its own
                command += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
            if self.settings.get("fsync") == "off":
                command.append("--no-sync")
            process = Process(
                command=command, identity=identity, at_our_death=SIGKILL, reach=[self.binaries.folder, new]
            )
            self._run(process)
            if not process.ended.wait(START_TIMEOUT):
                process.signal(SIGKILL)
                process.ended.wait()
            _raise_for(process)
            new.rename(self.data)
            _sync(self.folder)
        finally:
            shutil.rmtree(new, ignore_errors=True)

    def _start_when_free(self, identity: Identity) -> None:
        """Start, once whatever a former owner left behind has ended."""
        deadline = time.monotonic() + LEFTOVER_TIMEOUT
        while True:
            pid = self._clear_leftovers()
            if pid is None and self._start(identity):
                return
            if time.monotonic() > deadline:
                who = f" (pid {pid})" if pid else ""
                raise StartFailed(f"Another PostgreSQL{who} is running on {self.data}: stop it first.")
            time.sleep(0.05)

    def _clear_leftovers(self) -> int | None:
        """Remove pid files of servers that are gone; the pid of one that still works in the folder."""
        for file in (self.data / "postmaster.pid", self.sockets / f"{SOCKET}.lock"):
            with contextlib.suppress(FileNotFoundError):
                if _is_in_the_way(file.read_bytes()):
                    if (working := _working_in(self.data.resolve())) is not None:
                        return working
                    file.unlink()
        return None

    def _start(self, identity: Identity) -> bool:
        """Start and wait until it is ready; False when the remains of an earlier one are in the way."""
        _give(self.sockets, identity)
        if self.data.stat().st_uid == 0:
            _give_all(self.data, identity)
        process = Process(
            command=self._command(),
            identity=identity,
            at_our_death=SIGQUIT,
            reach=[self.binaries.folder, self.data],
        )
        self._run(process)
        deadline = time.monotonic() + START_TIMEOUT
        while not self._ready():
            if process.ended.wait(POLL):
                if "already exists" in _reason(process) or "still in use" in _reason(process):
                    return False
                _raise_for(process)
                raise StartFailed(f"PostgreSQL ended while it was starting: {_reason(process)}.")
            if time.monotonic() > deadline:
                process.signal(SIGKILL)
                raise StartFailed(f"PostgreSQL did not start within {START_TIMEOUT:.0f} seconds: {_reason(process)}.")
        process.on_end = self.on_end
        if process.ended.is_set():
            self.on_end()
        return True

    def _command(self) -> list[str]:
        settings = {
            **SETTINGS,
            "unix_socket_directories": '"' + str(self.sockets).replace('"', '""') + '"',
            **({"io_method": "sync"} if self.binaries.version >= 18 else {}),  # noqa: PLR2004 - new in 18
            **self.settings,
        }
        command = [str(self.binaries.folder / "postgres"), "-D", str(self.data)]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        return command

    def _ready(self) -> bool:
        """Whether the server says so itself, in its pid file."""
        if self._process is None or self._process.ended.is_set():
            return False
        with contextlib.suppress(OSError, ValueError, IndexError):
            lines = (self.data / "postmaster.pid").read_text("utf-8").split("\n")
            return int(lines[0]) == self.pid and lines[7].strip() == "ready"
        return False


def _is_in_the_way(noted: bytes) -> bool:
    """Whether PostgreSQL would not start for what is noted in a pid file.

    That is so for a pid that another program has by now, or an unburied dead one: where nobody asks about orphans, as
    in many containers, what is left of a killed server keeps its pid for ever. And for a file without a pid, which is
    what a server leaves that was killed just before it wrote it.
    """
    try:
        process = Path("/proc") / str(abs(int(noted.split(b"\n", 1)[0])))
        (process / "cwd").readlink()
    except PermissionError:
        return False  # somebody else's: PostgreSQL knows that it is none of its own
    except FileNotFoundError:
        return process.exists()
    except ValueError:
        return True
    return True


def _working_in(folder: Path) -> int | None:
    """The pid of a PostgreSQL that works in a folder: the server or one of its children. The ended work nowhere."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):  # gone, or nobody whom we may look at
                if (entry / "cwd").readlink() == folder and (entry / "comm").read_text("utf-8") == "postgres\n":
                    return int(entry.name)
    return None


def _raise_for(process: Process) -> None:
    """Say why a program ended, unless it did what it should."""
    if process.status == launch.REFUSED:
        raise _TryAnother(_reason(process))
    if process.status == launch.UNREACHABLE:
        raise _TryAnother(f"it can't get to {_reason(process)}")
    if process.status != 0:
        raise StartFailed(f"PostgreSQL could not be started: {_reason(process)}.")


def _reason(process: Process) -> str:
    """The line that says most about why it ended."""
    telling = [line for line in process.lines if "FATAL" in line or "PANIC" in line or "error:" in line]
    lines = telling or list(process.lines) or [f"exit status {process.status}"]
    return lines[0].rstrip(".")


def _give(path: Path, identity: Identity) -> None:
    """Make it theirs, when they are not us."""
    if identity.user is not None:
        os.chown(path, *identity.user, follow_symlinks=False)


def _give_all(folder: Path, identity: Identity) -> None:
    """Likewise with everything inside."""
    if identity.user is not None:
        for path in (folder, *folder.rglob("*")):
            _give(path, identity)


def _sync(folder: Path) -> None:
    """Make a rename in the folder last."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
