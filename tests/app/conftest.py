"""What tests of the composition root start from."""

import logging
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog

from clipsaver.config import Config, load
from clipsaver.simulator.server import Simulator
from tests.app.programs import settings
from tests.fixtures.discord import StartSimulator

Configure = Callable[..., Config]
"""``configure(CLIPSAVER_KEY="value")``: a configuration for the simulator and the test's own database."""


@pytest.fixture
async def discord(simulate: StartSimulator) -> Simulator:
    """A Discord with a channel that holds 250 messages, where a bot may start as often as it likes."""
    made = await simulate(plan={"messages": 250})
    made.gateway.starts.window = 0
    return made


@pytest.fixture
def configure(discord: Simulator, database_url: str, tmp_path: Path) -> Configure:
    """Make configurations."""

    def made(**more: str) -> Config:
        environ = settings(discord, tmp_path, CLIPSAVER_DATABASE_URL=database_url)
        return load(None, environ | more, tmp_path)

    return made


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """Undo what a program does to its process: where it logs, and what it does at crashes and signals."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    hooks = sys.excepthook, threading.excepthook, sys.unraisablehook
    signals = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in signals.items():
        signal.signal(number, handler)
    sys.excepthook, threading.excepthook, sys.unraisablehook = hooks
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(capture=False)
    structlog.contextvars.clear_contextvars()
    structlog.reset_defaults()
