"""A program that dies with us, and whose words we hear."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO

import structlog
from attrs import define, field

from clipsaver.postgres import launch
from clipsaver.postgres.binaries import Identity

log = structlog.get_logger("clipsaver.postgres")


@define(eq=False)
class Process:
    """A program started through the launcher, from a thread that lives exactly as long as it does.

    The kernel kills the program when the *thread* that started it ends, so the thread waits for it.
    """

    command: Sequence[str]
    identity: Identity
    death_signal: signal.Signals
    reach: Sequence[Path] = ()
    on_end: Callable[[], None] = lambda: None
    lines: deque[str] = field(factory=lambda: deque(maxlen=50), init=False)
    ended: threading.Event = field(factory=threading.Event, init=False)
    _started: threading.Event = field(factory=threading.Event, init=False)
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    def start(self) -> None:
        """Start it; returns when it has a pid."""
        threading.Thread(target=self._live, name="clipsaver-postgres", daemon=True).start()
        self._started.wait()

    @property
    def pid(self) -> int:
        """Its pid, or 0 when it could not be started at all."""
        return 0 if self._process is None else self._process.pid

    @property
    def status(self) -> int | None:
        """Its exit status, once it has ended."""
        return None if self._process is None else self._process.returncode

    def signal(self, number: signal.Signals) -> None:
        """Send a signal, if it is still there."""
        if self._process is not None and not self.ended.is_set():
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)

    def _live(self) -> None:
        try:
            self._run()
        except OSError as error:
            self.lines.append(str(error.strerror))
        finally:
            self.ended.set()
            self._started.set()
            self.on_end()

    def _run(self) -> None:
        order = {
            "parent": os.getpid(),
            "mapped": self.identity.mapped,
            "user": self.identity.user,
            "signal": int(self.death_signal),
            "reach": [str(path) for path in self.reach],
            "command": list(self.command),
        }
        with subprocess.Popen(  # noqa: S603 - our own launcher, no shell
            [sys.executable, "-I", "-S", launch.__file__, json.dumps(order)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env={"LC_ALL": "C", "TZ": "UTC", "PATH": os.defpath},
            cwd="/",
            start_new_session=True,
        ) as process:
            self._process = process
            self._started.set()
            assert process.stderr is not None  # noqa: S101 - for the type checker
            self._hear(process.stderr)

    def _hear(self, stream: IO[bytes]) -> None:
        for raw in stream:
            line = raw.decode("utf-8", "replace").strip()
            if line:
                self.lines.append(line)
                log.debug("postgres.said", line=line)
