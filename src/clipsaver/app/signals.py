"""SIGINT and SIGTERM: the first asks the program to end, the second ends it at once."""

import asyncio
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog

log = structlog.get_logger("clipsaver.app")

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def on_signals(end: Callable[[], None]) -> Iterator[None]:
    """Call `end` at the first signal, in the running loop; a second signal ends the process there and then."""
    loop = asyncio.get_running_loop()
    told = False

    def received(number: int) -> None:
        nonlocal told
        log.info("process.signal", signal=signal.Signals(number).name, again=told)
        if told:
            os._exit(128 + number)
        told = True
        end()

    try:
        for number in SIGNALS:
            loop.add_signal_handler(number, received, number)
    except NotImplementedError:  # Windows: Ctrl-C raises KeyboardInterrupt instead
        yield
        return
    try:
        yield
    finally:
        for number in SIGNALS:
            loop.remove_signal_handler(number)
