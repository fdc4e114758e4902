"""From a configuration to a process that runs: in this very process, with each role."""

import asyncio
import os
import signal
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest
from structlog.testing import capture_logs

from clipsaver import app
from clipsaver.app import demo
from clipsaver.app import run as module
from clipsaver.app.run import Role, run
from clipsaver.config import Config
from clipsaver.errors import StartFailed
from clipsaver.simulator.server import Simulator
from tests.app.conftest import Configure
from tests.app.moderation import Moderation, clips
from tests.app.programs import ready, until


@pytest.fixture(autouse=True)
def no_force(monkeypatch: pytest.MonkeyPatch) -> None:
    """This process is the tests' own: it must not be ended by force."""
    monkeypatch.setattr(module, "LIMIT", None)


async def played(config: Config, role: Role, discord: Simulator, *, scan: bool = False) -> set[str]:
    """Run a role until it is ready, perhaps scan, and end it by a signal; the events that were logged."""
    with capture_logs() as lines:
        running = asyncio.create_task(run(config, role))
        there = "web.listening" if role is Role.WORKER else "commands.registered"
        await until(lambda: running.done() or there in {line["event"] for line in lines})
        if scan:
            await ready(next(line["port"] for line in lines if line["event"] == "web.listening"))
            moderation = Moderation(discord)
            await moderation.scan()
            await moderation.finished()
            assert moderation.truth == await clips(config.database.url)
        os.kill(os.getpid(), signal.SIGTERM)
        assert 0 == await asyncio.wait_for(running, 60)
    return {line["event"] for line in lines}


async def test_everything(configure: Configure, discord: Simulator) -> None:
    """One process does it all."""
    events = await played(configure(), Role.RUN, discord, scan=True)
    assert {"web.listening", "scan.succeeded", "process.ended"} <= events


async def test_the_bot_alone(configure: Configure, discord: Simulator) -> None:
    """Without a port it serves nothing."""
    events = await played(configure(CLIPSAVER_WEB_PORT=""), Role.BOT, discord)
    assert "web.listening" not in events


async def test_a_worker_alone(configure: Configure, discord: Simulator) -> None:
    """It needs no gateway."""
    await played(configure(), Role.WORKER, discord)
    assert not discord.gateway.sessions


async def test_an_end_while_it_starts(configure: Configure, discord: Simulator) -> None:
    """A signal ends a start that waits for Discord."""
    discord.faults.add("stall", "GET /applications/@me", seconds=600)
    running = asyncio.create_task(run(configure(), Role.RUN))
    await until(lambda: discord.faults.faults[0].happened)
    os.kill(os.getpid(), signal.SIGINT)
    assert 0 == await asyncio.wait_for(running, 60)


async def test_a_cancellation_is_no_signal(configure: Configure, discord: Simulator) -> None:
    """Who cancels the program hears of it."""
    discord.faults.add("stall", "GET /applications/@me", seconds=600)
    running = asyncio.create_task(run(configure(), Role.RUN))
    await until(lambda: discord.faults.faults[0].happened)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(running, 60)


async def test_a_start_that_fails(configure: Configure) -> None:
    """Its reason is the caller's."""
    with pytest.raises(StartFailed, match="bot token"):
        await run(configure(BOT_TOKEN=""), Role.RUN)


# ── what a command comes to ──


def carried_out(command: str, environ: Mapping[str, str], folder: Path, **more: Any) -> int:
    """Carry out a command as the command line does."""
    return app.main(Namespace(command=command, config=None, **more), environ=environ, cwd=folder)


def critical(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """Return the CRITICAL lines on standard output."""
    lines = [orjson.loads(line) for line in capsys.readouterr().out.splitlines()]
    return [line for line in lines if line["level"] == "critical"]


@pytest.mark.parametrize("command", ["run", "bot", "worker"])
def test_roles_without_a_token(command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One CRITICAL sentence, and status 1."""
    assert 1 == carried_out(command, {}, tmp_path)
    (line,) = critical(capsys)
    assert "BOT_TOKEN" in line["reason"]


def test_a_bad_configuration(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is told before anything else is tried."""
    assert 1 == carried_out("run", {"CLIPSAVER_WEB_PORT": "http"}, tmp_path)
    (line,) = critical(capsys)
    assert "web.port" in line["reason"]


def test_a_check_reports_on_standard_output(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The report and nothing else; what is logged goes to standard error."""
    environ = {"CLIPSAVER_DATA_DIR": str(tmp_path / "data")}
    assert 1 == carried_out("check", environ, tmp_path)
    captured = capsys.readouterr()
    assert all(line[:6].strip() in {"ok", "FAIL", "note"} for line in captured.out.splitlines())
    assert "database.embedded" in captured.err


@pytest.mark.parametrize("status", [0, 1])
def test_a_demo_needs_no_configuration(status: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is played whatever the installation's configuration says, and its status is the command's."""

    async def play(_: object) -> int:
        return status

    monkeypatch.setattr(demo, "demo", play)
    assert status == carried_out("demo", {"CLIPSAVER_WEB_PORT": "http"}, tmp_path)


def test_an_interrupt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C has the status that shells give it."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(app, "load", interrupt)
    assert 130 == carried_out("check", {}, tmp_path)
