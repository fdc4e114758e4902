"""Programs that die with us, and whose words are heard."""

import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from clipsaver.postgres import launch
from clipsaver.postgres.binaries import Identity
from clipsaver.postgres.process import SIGKILL, Process


def started(*command: str, **options: Any) -> Process:
    """A program under way."""
    one = Process(command=command, identity=Identity(), at_our_death=SIGKILL, **options)
    one.start()
    return one


def test_what_it_says() -> None:
    """Its last lines on stderr are kept, its status too, and someone is told of the end."""
    told = threading.Event()
    one = started("/bin/sh", "-c", "echo first >&2; echo second >&2; exit 7", on_end=told.set)
    assert told.wait(60)
    assert one.ended.is_set()
    assert (["first", "second"], 7) == (list(one.lines), one.status)


def test_it_is_on_its_own() -> None:
    """A session of its own, so that a Ctrl-C on the terminal is not for it; nothing of our environment."""
    one = started("/bin/sh", "-c", "ps -o sid= -p $$ >&2 || cut -d' ' -f6 /proc/$$/stat >&2; env >&2")
    assert one.ended.wait(60)
    assert str(one.pid) in [line.strip() for line in one.lines]
    assert not [line for line in one.lines if line.startswith(("HOME=", "PYTHONPATH="))]


def test_signals() -> None:
    """It can be ended; a signal to what has ended does nothing."""
    one = started("/bin/sleep", "60")
    one.signal(SIGKILL)
    assert one.ended.wait(60)
    assert one.status == -SIGKILL
    one.signal(SIGKILL)


def test_what_it_can_not_get_to(tmp_path: Path) -> None:
    """The launcher says so."""
    one = started("/bin/true", reach=[tmp_path / "missing"])
    assert one.ended.wait(60)
    assert (launch.UNREACHABLE, [str(tmp_path / "missing")]) == (one.status, list(one.lines))


def test_what_can_not_be_started_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """No interpreter, no program: it ends at once, and says why."""
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    one = started("/bin/true")
    assert one.ended.wait(60)
    assert (0, None) == (one.pid, one.status)
    assert list(one.lines) == ["No such file or directory: /nowhere/python"]
    one.signal(SIGKILL)
