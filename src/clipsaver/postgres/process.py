"""A program that dies with us, and whose words we hear."""

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import structlog
from attrs import define, field

from clipsaver.postgres import launch
from clipsaver.postgres.binaries import Identity

log = structlog.get_logger("clipsaver.postgres")

# Numbers, since Windows lacks the names and must be able to import this.
SIGINT: Final = 2
SIGQUIT: Final = 3
SIGKILL: Final = 9


@define(eq=False, kw_only=True)
class Process:
    """A program started through the launcher, from a thread that lives exactly as long as it does.

    The kernel signals the program when the *thread* that started it ends, so that thread stays to listen.
    """

    command: Sequence[str]
    identity: Identity
    at_our_death: int
    """The signal it gets when we are gone."""
    reach: Sequence[Path] = ()
    """What it must be able to get to."""
    on_end: Callable[[], None] = lambda: None
    """Called in the thread, when the program and whatever it started have ended."""
    lines: deque[str] = field(factory=lambda: deque(maxlen=50), init=False)
    """The last it said on stderr."""
    ended: threading.Event = field(factory=threading.Event, init=False)
    _started: threading.Event = field(factory=threading.Event, init=False)
    _process: "subprocess.Popen[bytes] | None" = field(default=None, init=False)

    def start(self) -> None:
        """Start it; returns when it has a pid, or could not be started."""
        threading.Thread(target=self._live, name="clipsaver-postgres", daemon=True).start()
        self._started.wait()

    @property
    def pid(self) -> int:
        """Its pid; 0 when it could not be started at all."""
        return 0 if self._process is None else self._process.pid

    @property
    def status(self) -> int | None:
        """Its exit status, once it has ended."""
        return None if self._process is None else self._process.returncode

    def signal(self, number: int) -> None:
        """Send a signal, if it is still there."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)

    def _live(self) -> None:
        try:
            self._run()
        except OSError as error:
            self.lines.append(f"{error.strerror}: {error.filename}")
        finally:
            self.ended.set()
            self._started.set()
            self.on_end()

    def _run(self) -> None:
        order = {
            "parent": os.getpid(),
            "mapped": self.identity.mapped,
            "user": self.identity.user,
            "signal": self.at_our_death,
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
            start_new_session=True,  # a Ctrl-C is for us: we stop it when we are done
        ) as process:
            self._process = process
            self._started.set()
            for raw in process.stderr or ():
                line = raw.decode("utf-8", "replace").strip()
                self.lines.append(line)
                log.debug("postgres.said", line=line)
