"""SIGINT and SIGTERM: the first asks the program to end, the second ends it at once."""

import asyncio
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog

log = structlog.get_logger("clipsaver.app")

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def on_signals(end: Callable[[], object], *, limit: float | None = None) -> Iterator[None]:
    """Call `end` at the first signal, in the running loop; a second signal ends the process there and then.

    With a ``limit`` the process ends that many seconds after the first signal, whatever holds it up.
    """
    loop = asyncio.get_running_loop()
    told = False

    def received(number: int) -> None:
        nonlocal told
        log.info("process.signal", signal=signal.Signals(number).name, again=told)
        if told:
            os._exit(128 + number)
        told = True
        if limit is not None:
            _end_after(limit)
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


def _end_after(seconds: float) -> None:
    """End the process then, from a thread: neither a blocked loop nor other threads can be in the way."""

    def force() -> None:
        log.error("process.ended_by_force", seconds=seconds)
        os._exit(0)

    timer = threading.Timer(seconds, force)
    timer.daemon = True
    timer.start()
