"""Runs clipsaver in this process, which gets a signal when it passes a numbered point for the n-th time.

``python -m tests.faults.launched '{"point": "before a commit", "passes": 3}' run`` is ``clipsaver run`` that kills
itself; `Order` has what else can be asked for.
"""

import json
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from attrs import asdict, define, field, frozen

from tests.faults.clock import Clock
from tests.faults.points import Watch
from tests.faults.processes import send, working_in


@frozen(kw_only=True)
class Order:
    """What is to happen to the process."""

    point: str = ""
    passes: int = 1
    """How often the point has to be passed."""
    signal: int = signal.SIGKILL
    with_folder: str = ""
    """Whoever works in this folder is killed at the same moment: the database that the program has started."""
    record: str = ""
    """A file that gets the statements of the transactions that keep pages, as JSON."""
    clock: str = ""
    """A file with the seconds by which the wall clock is off."""

    def command(self, *arguments: str) -> tuple[str, ...]:
        """The arguments of a Python that carries this out."""
        return "-m", "tests.faults.launched", json.dumps(asdict(self)), *arguments


@define(kw_only=True)
class Fuse:
    """Counts how often the point was passed."""

    order: Order
    passed: int = field(default=0, init=False)

    def __call__(self) -> None:
        """Count; and it is over, or stands still."""
        self.passed += 1
        if self.passed == self.order.passes:
            if self.order.with_folder:
                send(working_in(Path(self.order.with_folder)), signal.SIGKILL)
            os.kill(os.getpid(), self.order.signal)


def main(arguments: Sequence[str]) -> int:
    """Wrap what has to be wrapped, and be clipsaver."""
    order = Order(**json.loads(arguments[0]))
    if order.clock:
        Clock(Path(order.clock)).rule()
    watch = Watch(point=order.point, passed=Fuse(order=order))
    if order.record:
        watch.learned = lambda: write(Path(order.record), watch.keeping)
    if order.point or order.record:
        watch.begin()
    from clipsaver.__main__ import main as clipsaver  # noqa: PLC0415 - after the clock was put in its place

    return clipsaver(arguments[1:])


def write(file: Path, keeping: dict[str, str]) -> None:
    """Have the whole of it there, or what was there before."""
    beside = file.with_suffix(".new")
    beside.write_text(json.dumps(keeping), "utf-8")
    beside.replace(file)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
