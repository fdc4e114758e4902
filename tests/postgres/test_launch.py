"""The launcher: who it becomes, and what it refuses."""

import ctypes
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from clipsaver.postgres import launch


class Turned(Exception):
    """Instead of turning into the program."""


class FakeC:
    """A C library that notes what it was asked."""

    def __init__(self, *, refuses: bool = False) -> None:
        self.refuses = refuses
        self.asked: list[tuple[Any, ...]] = []

    def prctl(self, *arguments: int) -> int:
        """Note it."""
        self.asked.append(("prctl", *arguments))
        return 0

    def unshare(self, flags: int) -> int:
        """Note it, and refuse if so made."""
        self.asked.append(("unshare", flags))
        return -1 if self.refuses else 0


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> FakeC:
    """Nothing here touches the test's own process."""
    fake = FakeC()

    def turn(*arguments: Any) -> None:
        raise Turned(*arguments)

    monkeypatch.setattr(ctypes, "CDLL", lambda *_args, **_options: fake)
    monkeypatch.setattr(os, "umask", lambda _mask: 0)
    monkeypatch.setattr(os, "execv", turn)
    return fake


@pytest.fixture
def run(library: FakeC) -> Callable[..., int]:
    """Run the launcher with an order."""

    def started(**order: Any) -> int:
        usual = {
            "parent": os.getppid(),
            "mapped": None,
            "user": None,
            "signal": 3,
            "reach": [],
            "command": ["/p", "-x"],
        }
        return launch.main([json.dumps({**usual, **order})])

    return started


def test_as_ourselves(run: Callable[..., int], library: FakeC) -> None:
    """The signal is asked for, then it becomes the program."""
    with pytest.raises(Turned, match="/p"):
        run(reach=["/"])
    assert library.asked == [("prctl", 1, 3, 0, 0, 0)]


def test_an_owner_that_is_gone(run: Callable[..., int]) -> None:
    """Whoever began after the owner's end doesn't begin."""
    assert launch.ORPHANED == run(parent=-1)


def test_what_it_can_not_get_to(run: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The path is named."""
    assert launch.UNREACHABLE == run(reach=["/", str(tmp_path / "missing")])
    assert f"{tmp_path / 'missing'}\n" == capsys.readouterr().err


def test_as_another_user(run: Callable[..., int], library: FakeC, monkeypatch: pytest.MonkeyPatch) -> None:
    """Groups first, then the user, and only then the signal, which a change clears."""
    monkeypatch.setattr(os, "setgroups", lambda groups: library.asked.append(("groups", groups)))
    monkeypatch.setattr(os, "setresgid", lambda *ids: library.asked.append(("gid", ids)))
    monkeypatch.setattr(os, "setresuid", lambda *ids: library.asked.append(("uid", ids)))
    with pytest.raises(Turned):
        run(user=[65534, 65533])
    assert library.asked == [
        ("groups", []),
        ("gid", (65533, 65533, 65533)),
        ("uid", (65534, 65534, 65534)),
        ("prctl", 1, 3, 0, 0, 0),
    ]


def test_under_another_number(
    run: Callable[..., int], library: FakeC, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The namespace maps that number to who we are."""
    monkeypatch.setattr(launch, "Path", lambda _path: tmp_path)
    with pytest.raises(Turned):
        run(mapped=[1000, 1001])
    assert library.asked == [("unshare", launch.CLONE_NEWUSER), ("prctl", 1, 3, 0, 0, 0)]
    assert (tmp_path / "setgroups").read_text() == "deny"
    assert (tmp_path / "uid_map").read_text() == f"1000 {os.geteuid()} 1"
    assert (tmp_path / "gid_map").read_text() == f"1001 {os.getegid()} 1"


def test_where_namespaces_are_refused(
    run: Callable[..., int], library: FakeC, capsys: pytest.CaptureFixture[str]
) -> None:
    """That is an answer of its own, so that something else can be tried."""
    library.refuses = True
    assert launch.REFUSED == run(mapped=[1000, 1000])
    assert capsys.readouterr().err
