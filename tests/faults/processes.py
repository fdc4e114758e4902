"""Processes that are stopped, woken and killed, by their ids."""

import os
import signal
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.flows.waiting import eventually

PROC = Path("/proc")


def family(pid: int) -> list[int]:
    """A process and its children, itself first: PostgreSQL's postmaster and all who work for it."""
    return [pid, *(one for one in _all() if _parent(one) == pid)]


def working_in(folder: Path) -> list[int]:
    """Every process that works in a folder: a PostgreSQL on it, whoever started it."""
    found = []
    for one in _all():
        with suppress(OSError):
            if (PROC / str(one) / "cwd").readlink().is_relative_to(folder.resolve()):
                found.append(one)
    return found


def send(pids: Iterable[int], number: signal.Signals) -> None:
    """Send a signal to those that are still there."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


@contextmanager
def standing_still(pids: Iterable[int]) -> Iterator[None]:
    """Let processes stand still until the block ends; the first of them stops first and goes on last."""
    stopped = list(pids)
    send(stopped, signal.SIGSTOP)
    try:
        yield
    finally:
        send(reversed(stopped), signal.SIGCONT)


async def gone(pids: Iterable[int]) -> None:
    """Wait until none of them runs any more."""
    left = set(pids)

    async def look() -> bool:
        return not any(state_of(pid) not in {"", "Z"} for pid in left)

    await eventually(look)


def state_of(pid: int) -> str:
    """One letter, as ps shows it: T for one that stands still, Z for one that has ended; empty when it is gone."""
    fields = _stat(pid)
    return fields[0] if fields else ""


def _parent(pid: int) -> int:
    fields = _stat(pid)
    return int(fields[1]) if fields else 0


def _stat(pid: int) -> list[str]:
    """What follows a process's name in its ``stat``: its state, its parent, and more."""
    with suppress(OSError):
        return (PROC / str(pid) / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    return []


def _all() -> list[int]:
    return [int(entry.name) for entry in PROC.iterdir() if entry.name.isdigit()]
