"""The demo: it finds exactly what is there, says so, and leaves nothing behind."""

import asyncio
import io
import os
import signal
import sys
import tempfile
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from attrs import evolve

from clipsaver.app.demo import demo
from clipsaver.app.demo import program as program_module
from clipsaver.app.demo import stage as stage_module
from clipsaver.app.demo.program import program
from clipsaver.app.demo.stage import Stage
from clipsaver.app.demo.summary import Summary
from clipsaver.errors import StartFailed
from clipsaver.postgres.pool import Pool
from clipsaver.simulator.server import Simulator
from tests.app.programs import SOURCE, is_alive, until

GOOD = Summary(
    channels=2,
    messages=1000,
    messages_read=1000,
    clips_there=120,
    clips_found=120,
    saved=7,
    saved_bytes=3 * 2**20,
    missing=0,
    unexpected=0,
    gaps=0,
    unfinished=0,
    requests=40,
    throttled=3,
    seconds=2.0,
    rate_limits=True,
    stopped_with=0,
)


# ── the summary ──


def test_exact() -> None:
    """All is found, all ended as it should."""
    assert GOOD.exact
    assert evolve(GOOD, stopped_with=None).exact
    assert GOOD.as_text().endswith("\nExactly what is there.")
    assert "saved by then    7, 3 MB\n" in GOOD.as_text()
    assert "3 in 40 requests\n" in GOOD.as_text()
    assert {"exact": True, "messages_per_second": 500.0, "clips_found": 120}.items() <= GOOD.as_json().items()


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"missing": 1}, "1 clips missing"),
        ({"unexpected": 2}, "2 that are not there"),
        ({"gaps": 1}, "gaps             1"),
        ({"unfinished": 1}, "1 scans did not succeed"),
        ({"stopped_with": 1}, "ended with status 1"),
    ],
)
def test_not_exact(change: dict[str, Any], part: str) -> None:
    """What isn't as it should be is named."""
    summary = evolve(GOOD, **change)
    assert not summary.exact
    assert summary.as_json()["exact"] is False
    assert part in summary.as_text()
    assert summary.as_text().endswith("\nThat is not what is there.")


def test_odd_figures() -> None:
    """A demo without limits says so; one that took no time has a rate all the same."""
    assert "(rate limits off)" in evolve(GOOD, rate_limits=False).as_text()
    assert evolve(GOOD, seconds=0.0).rate == 1_000_000


# ── a demo in this process ──


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where the demo makes its folder: nothing of it is left."""
    made = tmp_path / "temporary"
    made.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(made))
    monkeypatch.setenv("PYTHONPATH", SOURCE)
    monkeypatch.setenv("PYTHONPYCACHEPREFIX", str(tmp_path.parent / "compiled"))
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    monkeypatch.setenv("LOG_LEVEL", "NONSENSE")  # an installation's setting, which is no concern of the demo's
    yield made
    assert [] == list(made.glob("clipsaver-demo-*"))


def options(**more: Any) -> Namespace:
    """Return the options of a small demo."""
    given: dict[str, Any] = {"once": True, "channels": 2, "messages": 31, "videos": 50, "seed": 3, "json": False}
    return Namespace(**(given | {"rate_limits": False, "config": None} | more))


async def test_a_difference_in_json(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """One object on standard output and all else beside it; many channels are not all told; status 1, and why."""
    summarise = Stage._summary

    async def summary(*arguments: Any) -> Summary:
        return evolve(await summarise(*arguments), missing=1)

    monkeypatch.setattr(Stage, "_summary", summary)
    monkeypatch.setattr(stage_module, "MOST_SHOWN", 1)
    assert 1 == await demo(options(json=True, rate_limits=True))
    captured = capsys.readouterr()
    expected = {"exact": False, "missing": 1, "messages_read": 31, "stopped_with": 0}
    assert expected.items() <= orjson.loads(captured.out).items()
    assert "and the same in 1 more channels" in captured.err
    assert "The end of the bot's log" in captured.err


async def test_it_stays_until_it_is_interrupted(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Each command with its answer, then the summary; the bot goes on until Ctrl-C, and ends in order."""
    config = tmp_path / "my.toml"
    config.write_text('[log]\nlevel = "WARNING"\n')
    playing = asyncio.create_task(demo(options(once=False, config=config)))
    out = ""

    def look() -> bool:
        nonlocal out
        out += capsys.readouterr().out
        return playing.done() or "End with Ctrl-C" in out

    await until(look)
    os.kill(os.getpid(), signal.SIGINT)
    assert 0 == await asyncio.wait_for(playing, 60)
    assert out.count("/scan start channel:#") == 2
    assert "I read #" in out
    assert "messages read    31 of 31 in 2 channels" in out
    assert out.count("Exactly what is there.") == 1


async def test_an_interrupt_before_there_is_anything_to_show(folder: Path) -> None:
    """It ends at once, and nothing stays."""
    playing = asyncio.create_task(demo(options()))
    await until(lambda: list(folder.glob("*/clipsaver.log")))
    os.kill(os.getpid(), signal.SIGTERM)
    assert 130 == await asyncio.wait_for(playing, 60)


# ── the stage and the program under show ──


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Say yes."""
        return True


async def test_progress_is_shown_on_a_terminal(discord: Simulator, pool: Pool) -> None:
    """One line that is written over and over."""
    err = Terminal()
    (guild_id,) = discord.world.guilds
    stage = Stage(
        simulator=discord,
        pool=pool,
        guild_id=guild_id,
        channels=[],
        messages=0,
        rate_limits=False,
        out=io.StringIO(),
        err=err,
    )
    assert (await stage.watch(lambda: None)).exact
    assert "0 of 0 messages read, 0 clips, 0 of 0 scans done\n" in err.getvalue()


async def test_a_program_that_ends_is_noticed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever waits for it hears how it ended, and what it said last."""
    monkeypatch.setattr(program_module, "ROLE", ["-c", "print('last words'); raise SystemExit(3)"])
    async with program(folder, {}, config=None, port=1) as running:
        with pytest.raises(StartFailed, match=r"ended with status 3\.\nlast words"):
            await running.ready()
        with pytest.raises(StartFailed):
            running.alive()
        assert await running.stop() == 3


async def test_a_program_that_is_never_ready(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Patience is bounded, and so is that with its end."""
    monkeypatch.setattr(program_module, "START", 0.5)
    monkeypatch.setattr(program_module, "STOP", 0.2)
    deaf = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"
    )
    monkeypatch.setattr(program_module, "ROLE", ["-c", deaf])
    async with program(folder, {}, config=None, port=1) as running:
        with pytest.raises(StartFailed, match="not ready within"):
            await running.ready()
        await until(lambda: "deaf" in running.tail())
        assert await running.stop() == -signal.SIGKILL


async def test_no_program_stays_behind(tmp_path: Path) -> None:
    """However the demo ends, what it started ends with it."""
    code = f"""
import asyncio, pathlib
from clipsaver.app.demo import program as module
module.ROLE = ["-c", "import time; time.sleep(60)"]

async def main():
    async with module.program(pathlib.Path({str(tmp_path)!r}), {{}}, config=None, port=1) as running:
        print(running.process.pid, flush=True)
        await asyncio.sleep(60)

asyncio.run(main())
"""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE, env={**os.environ, "PYTHONPATH": SOURCE}
    )
    assert process.stdout is not None
    pid = int(await asyncio.wait_for(process.stdout.readline(), 60))
    begun = b"-c\0import time"
    await until(lambda: begun in Path(f"/proc/{pid}/cmdline").read_bytes())
    process.kill()
    await process.communicate()
    await until(lambda: not is_alive(pid))
