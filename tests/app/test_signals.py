"""The first signal asks for the end, the second is the end; and there is an end in any case."""

import asyncio
import os
import signal
import subprocess
import sys

import pytest

from clipsaver.app.signals import on_signals
from tests.app.programs import SOURCE

PROGRAM = """
import asyncio, sys
from clipsaver.app.signals import on_signals

async def main():
    with on_signals(lambda: print("told", flush=True), limit=float(sys.argv[1])):
        print("ready", flush=True)
        await asyncio.sleep(600)

asyncio.run(main())
"""


def begun(limit: float) -> "subprocess.Popen[str]":
    """Start a program that doesn't end by itself."""
    process = subprocess.Popen(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", PROGRAM, str(limit)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": SOURCE},
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def heard(process: "subprocess.Popen[str]", word: str) -> None:
    """Wait for a line that holds a word."""
    assert process.stdout is not None
    assert any(word in line for line in process.stdout)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_ends_the_process(number: signal.Signals) -> None:
    """After the first it goes on, told; after the second it is gone, with the status that shells give."""
    with begun(600) as process:
        process.send_signal(number)
        heard(process, "told")
        process.send_signal(number)
        assert 128 + number == process.wait(60)


def test_the_end_comes_in_any_case() -> None:
    """What doesn't end within the limit is ended."""
    with begun(0.2) as process:
        process.send_signal(signal.SIGTERM)
        assert 0 == process.wait(60)


async def test_handlers_are_taken_away() -> None:
    """In the block a signal calls the function, in the loop; afterwards the process has what it had."""
    told = asyncio.Event()
    with on_signals(told.set):
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.wait_for(told.wait(), 60)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


@pytest.mark.parametrize(("limit", "signals_sent", "status"), [(0.01, 1, 0), (None, 2, 128 + signal.SIGTERM)])
async def test_how_it_is_ended(
    limit: float | None, signals_sent: int, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the limit the process is ended in order, though by force; after a second signal as shells tell it."""
    loop = asyncio.get_running_loop()
    statuses: asyncio.Queue[int] = asyncio.Queue()
    told: asyncio.Queue[None] = asyncio.Queue()
    monkeypatch.setattr(os, "_exit", lambda status: loop.call_soon_threadsafe(statuses.put_nowait, status))
    with on_signals(lambda: told.put_nowait(None), limit=limit):
        for _ in range(signals_sent):
            os.kill(os.getpid(), signal.SIGTERM)
            await asyncio.wait_for(told.get(), 60)
        assert status == await asyncio.wait_for(statuses.get(), 60)


async def test_where_loops_take_no_signals(monkeypatch: pytest.MonkeyPatch) -> None:
    """On such a system the block runs all the same."""

    def refuse(*_: object) -> None:
        raise NotImplementedError

    monkeypatch.setattr(asyncio.get_running_loop(), "add_signal_handler", refuse)
    with on_signals(lambda: None):
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
