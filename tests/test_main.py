"""The command line: what it takes, what it refuses, and that help costs nothing."""

import os
import signal
import subprocess
import sys
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import clipsaver
from clipsaver import __main__, app

SOURCE = str(Path(clipsaver.__file__).parents[1])
HELP = """
import sys
from clipsaver.__main__ import main
try:
    main(sys.argv[1:])
except SystemExit as end:
    assert end.code == 0
heavy = {"hikari", "lightbulb", "asyncpg", "aiohttp", "structlog"} & sys.modules.keys()
assert not heavy, heavy
"""


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Namespace]]:
    """Note what would be carried out, in place of doing it; signals do what they did before afterwards."""
    seen: list[Namespace] = []

    def main(options: Namespace, **_: Any) -> int:
        seen.append(options)
        return 7

    monkeypatch.setattr(app, "main", main)
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield seen
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize(
    "arguments", [["--help"], ["demo", "--help"], ["run", "--help"], ["export", "--help"], ["import", "--help"]]
)
def test_help_costs_nothing(arguments: list[str]) -> None:
    """Help is there without importing any of the program."""
    ended = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", HELP, *arguments],
        env={"PYTHONPATH": SOURCE},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert (0, "") == (ended.returncode, ended.stderr)
    assert "usage: clipsaver" in ended.stdout


@pytest.mark.parametrize("command", ["run", "bot", "worker", "check"])
def test_commands(command: str, asked: list[Namespace]) -> None:
    """Each takes a configuration, and ends with the status it is given."""
    assert 7 == __main__.main([command, "--config", "my.toml"])
    assert [(command, Path("my.toml"))] == [(options.command, options.config) for options in asked]


def test_the_demo_as_it_is(asked: list[Namespace]) -> None:
    """Without options it is small, limited as Discord is, and stays."""
    __main__.main(["demo"])
    expected = {"channels": 10, "messages": 5000, "videos": 10, "rate_limits": True, "once": False, "json": False}
    assert expected.items() <= vars(asked[0]).items()


def test_the_demo_as_it_is_wanted(asked: list[Namespace]) -> None:
    """Every option counts, bounds included."""
    __main__.main(
        ["demo", "--once", "--json", "--no-rate-limits", "--channels=500", "--messages=0", "--videos=100", "--seed=7"]
    )
    expected = {"channels": 500, "messages": 0, "videos": 100, "rate_limits": False, "once": True, "seed": 7}
    assert expected.items() <= vars(asked[0]).items()


def test_an_export_as_it_is_wanted(asked: list[Namespace]) -> None:
    """Every option counts; without any, everything is exported."""
    __main__.main(["export", "there"])
    assert {"folder": Path("there"), "guild": None, "channel": None, "since": None}.items() <= vars(asked[0]).items()
    __main__.main(["export", "there", "--guild", "1", f"--channel={2**63 - 1}", "--since=30d", "--config=my.toml"])
    expected = {"guild": 1, "channel": 2**63 - 1, "since": "30d", "config": Path("my.toml")}
    assert expected.items() <= vars(asked[1]).items()


def test_an_import_as_it_is_wanted(asked: list[Namespace]) -> None:
    """What is gone stays so unless it is asked for."""
    __main__.main(["import", "there"])
    __main__.main(["import", "there", "--gone"])
    assert [(Path("there"), False), (Path("there"), True)] == [(options.folder, options.gone) for options in asked]


@pytest.mark.parametrize(
    "arguments",
    [
        ["export"],
        ["export", "there", "--guild", "friends"],
        ["export", "there", "--channel", str(2**63)],
        ["import"],
        [],
        ["dance"],
        ["demo", "--channels", "0"],
        ["demo", "--channels", "501"],
        ["demo", "--messages", "-1"],
        ["demo", "--messages", "10000001"],
        ["demo", "--videos", "101"],
        ["demo", "--videos", "ten"],
        ["run", "--once"],
    ],
)
def test_what_is_refused(arguments: list[str], asked: list[Namespace], capsys: pytest.CaptureFixture[str]) -> None:
    """What makes no sense ends with status 2 and a line that says why; nothing is carried out."""
    with pytest.raises(SystemExit) as ended:
        __main__.main(arguments)
    assert (2, []) == (ended.value.code, asked)
    assert "error:" in capsys.readouterr().err


def test_bounds_are_told(asked: list[Namespace], capsys: pytest.CaptureFixture[str]) -> None:
    """A number out of bounds is answered with the bounds."""
    with pytest.raises(SystemExit):
        __main__.main(["demo", "--videos", "ten"])
    assert "'ten' is no whole number from 0 to 100" in capsys.readouterr().err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_importing(
    number: signal.Signals, monkeypatch: pytest.MonkeyPatch, asked: list[Namespace]
) -> None:
    """A role that has nothing open yet ends at once, and in order."""
    ended: list[int] = []
    monkeypatch.setattr(os, "_exit", ended.append)
    __main__.main(["worker"])
    signal.raise_signal(number)
    assert [0] == ended


def test_other_commands_leave_signals_alone(asked: list[Namespace]) -> None:
    """A check or a demo that is interrupted has not done what it was asked for."""
    before = signal.getsignal(signal.SIGTERM)
    __main__.main(["check"])
    assert before is signal.getsignal(signal.SIGTERM)
