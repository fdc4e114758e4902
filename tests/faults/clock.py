"""The machine's wall clock as a program sees it, moved while it runs.

libfaketime would do it from outside, but it is a system package that a machine may lack, and what these tests need has
to come with the project. So the launcher puts functions of ours in the place of ``time.time`` and ``datetime.now``. The
monotonic clock goes on, as it does on a real machine.
"""

import datetime as dt
import importlib
import struct
import sys
import time
from mmap import mmap
from pathlib import Path
from typing import Any, Final

from attrs import field, frozen

SECONDS: Final = struct.Struct("d")
MODULES: Final = ("clipsaver", "hikari", "lightbulb")
"""Whose ``datetime`` tells the moved time."""


@frozen
class Clock:
    """A file with the seconds by which the clock is off; whoever holds it moves it, and a program follows."""

    file: Path
    _real: Any = field(default=time.time, init=False, repr=False)

    def set(self, seconds: float) -> None:
        """Move it: so far from the right time."""
        if not self.file.exists():
            self.file.write_bytes(SECONDS.pack(seconds))
            return
        with self.file.open("r+b") as out:
            out.write(SECONDS.pack(seconds))

    def rule(self) -> None:
        """Be the clock of this process from now on."""
        with self.file.open("r+b") as opened:
            shared = mmap(opened.fileno(), SECONDS.size)
        real, real_ns = time.time, time.time_ns

        def off() -> float:
            return float(SECONDS.unpack_from(shared)[0])

        moved = _moved(lambda: real() + off())
        time.time = lambda: real() + off()
        time.time_ns = lambda: real_ns() + int(off() * 1e9)
        _import_all()
        for name, module in list(sys.modules.items()):
            if name.split(".")[0] in MODULES:
                for known, value in list(vars(module).items()):
                    if value is dt.datetime:
                        setattr(module, known, moved)


def _moved(now: Any) -> type[dt.datetime]:
    """A ``datetime`` whose ``now`` is moved; what it makes is the ordinary kind, which it takes for its own."""

    class Kind(type):
        def __instancecheck__(cls, value: object) -> bool:
            return isinstance(value, dt.datetime)

    class Moved(dt.datetime, metaclass=Kind):
        @classmethod
        def now(cls, tz: dt.tzinfo | None = None) -> Any:
            return dt.datetime.fromtimestamp(now(), tz)

        def __new__(cls, *args: Any, **options: Any) -> Any:
            return dt.datetime(*args, **options)  # noqa: DTZ001 - as it was asked for

    return Moved


def _import_all() -> None:
    """Have every module there that would otherwise take the real ``datetime`` later."""
    importlib.import_module("clipsaver.app.run")
