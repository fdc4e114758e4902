"""One PostgreSQL server on one folder: made, started and stopped; plain threads, no event loop."""

import contextlib
import os
import shutil
import signal
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
from clipsaver.postgres.process import Process

START_TIMEOUT: Final = 120.0
"""Seconds a start may take; after a crash a lot may have to be read again."""
INIT_TIMEOUT: Final = 120.0
STOP_TIMEOUTS: Final = ((signal.SIGINT, 5.0), (signal.SIGQUIT, 2.0), (signal.SIGKILL, 2.0))
"""Fast, immediate, at once: each with the seconds it is given."""
POLL: Final = 0.005

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
    "timezone": "UTC",
    "log_timezone": "UTC",
    # Statements and values stay out of the log: who sent them hears of their errors.
    "log_min_messages": "log",
    "log_error_verbosity": "terse",
    "log_line_prefix": "",
    "log_checkpoints": "off",
    "logging_collector": "off",
}


@define(eq=False)
class Server:
    """A server on ``folder``/data, heard through a socket in ``sockets``; whoever uses it holds the folder's lock."""

    folder: Path
    sockets: Path
    binaries: Binaries
    settings: Mapping[str, str] = field(factory=dict)
    on_end: Callable[[], None] = lambda: None
    _identity: Identity | None = field(default=None, init=False)
    _process: Process | None = field(default=None, init=False)

    @property
    def data(self) -> Path:
        """PostgreSQL's own folder."""
        return self.folder / "data"

    @property
    def url(self) -> str:
        """For asyncpg and libpq."""
        return f"postgresql://postgres@/postgres?host={quote(str(self.sockets), safe='/')}"

    @property
    def pid(self) -> int:
        """The postmaster's pid; 0 before the first start."""
        return 0 if self._process is None else self._process.pid

    def start(self) -> None:
        """Make the data folder if there is none, and start; returns when it takes connections."""
        self._check_version()
        for identity in identities(self.data):
            self._identity = identity
            try:
                if not self.data.exists():
                    self._initialise(identity)
                self._start(identity)
            except PermissionError:
                continue
            return
        raise StartFailed(
            "PostgreSQL can't run as root, and this machine lets us be nobody else; "
            "run clipsaver as another user, or set database.url."
        )

    def stop(self) -> None:
        """Stop it: gently, then less so; bounded."""
        if self._process is None:
            return
        for number, seconds in STOP_TIMEOUTS:
            self._process.signal(number)
            if self._process.ended.wait(seconds):
                return

    def _check_version(self) -> None:
        file = self.data / "PG_VERSION"
        if not self.data.exists():
            return
        found = file.read_text("ascii").strip() if file.is_file() else "nothing"
        if found != str(self.binaries.version):
            raise StartFailed(
                f"The database in {self.data} was made by PostgreSQL {found}, and this clipsaver brings PostgreSQL "
                f"{self.binaries.version}: dump it with the old one and restore it, or choose another data_dir."
            )

    def _initialise(self, identity: Identity) -> None:
        """Make the data folder beside its place, and move it there whole."""
        for old in self.folder.glob("new-*"):
            shutil.rmtree(old, ignore_errors=True)
        new = Path(tempfile.mkdtemp(prefix="new-", dir=self.folder))
        try:
            self._give(new, identity)
            command = [
                str(self.binaries.folder / "initdb"),
                *("-D", str(new), "-U", "postgres", "-E", "UTF8", "--locale=C"),
                *("--auth-local=trust", "--auth-host=reject", "--no-instructions"),
            ]
            if self.binaries.version >= 17:  # noqa: PLR2004 - the first with a builtin provider
                command += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
            if self.settings.get("fsync") == "off":
                command.append("--no-sync")
            process = Process(command, identity, signal.SIGKILL, reach=[self.binaries.folder, new])
            process.start()
            if not process.ended.wait(INIT_TIMEOUT):
                process.signal(signal.SIGKILL)
            self._check_end(process)
            new.rename(self.data)
        except BaseException:
            shutil.rmtree(new, ignore_errors=True)
            raise

    def _start(self, identity: Identity) -> None:
        self._give(self.sockets, identity)
        settings = {
            **SETTINGS,
            "unix_socket_directories": '"' + str(self.sockets).replace('"', '""') + '"',
            **({"io_method": "sync"} if self.binaries.version >= 18 else {}),  # noqa: PLR2004 - new in 18
            **self.settings,
        }
        command = [str(self.binaries.folder / "postgres"), "-D", str(self.data)]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        process = Process(
            command, identity, signal.SIGQUIT, reach=[self.binaries.folder, self.data], on_end=self.on_end
        )
        self._process = process
        process.start()
        deadline = time.monotonic() + START_TIMEOUT
        while not self._ready():
            if process.ended.wait(POLL):
                self._check_end(process)
                raise StartFailed(f"PostgreSQL ended while it was starting: {_reason(process)}.")
            if time.monotonic() > deadline:
                self.stop()
                raise StartFailed(f"PostgreSQL did not start within {START_TIMEOUT:.0f} seconds: {_reason(process)}.")

    def _ready(self) -> bool:
        """Whether the server itself says so in its pid file."""
        with contextlib.suppress(OSError, ValueError, IndexError):
            lines = (self.data / "postmaster.pid").read_text("utf-8").splitlines()
            return int(lines[0]) == self.pid and lines[7].strip() == "ready"
        return False

    def _check_end(self, process: Process) -> None:
        if process.status == launch.REFUSED:
            raise PermissionError(_reason(process))
        if process.status == launch.UNREACHABLE:
            raise StartFailed(
                f"PostgreSQL can't run as root, and as another user it can't get to {_reason(process)}; "
                "run clipsaver as an ordinary user, or set database.url."
            )
        if process.status != 0:
            raise StartFailed(f"PostgreSQL could not be started: {_reason(process)}.")

    @staticmethod
    def _give(folder: Path, identity: Identity) -> None:
        if identity.user is not None:
            os.chown(folder, *identity.user)


def _reason(process: Process) -> str:
    """The line that says most about why it ended."""
    telling = [line for line in process.lines if "FATAL" in line or "PANIC" in line or "error:" in line]
    lines = telling or list(process.lines) or [f"exit status {process.status}"]
    return lines[-1].rstrip(".")
