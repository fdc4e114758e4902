"""Start a program, hear it out, and see it gone: within its time, and whatever happens to whoever waits."""

import asyncio
import contextlib
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, cast

SIGKILL: Final = 9
FAILED: Final = 1
"""Exit status of a program that failed; also that of one that said more than agreed."""


class Hearing(asyncio.SubprocessProtocol):
    """Takes in what a program says, up to a limit; asyncio's own streams stop reading there, and wait for ever."""

    def __init__(self, longest: int) -> None:
        self.said = bytearray()
        self.too_much = False
        loop = asyncio.get_running_loop()
        self.exited: asyncio.Future[None] = loop.create_future()
        self.ended: asyncio.Future[None] = loop.create_future()
        """It has exited and everything it said is here."""
        self._longest = longest
        self._transport: asyncio.SubprocessTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep hold of the program, in case it has to be stopped."""
        self._transport = cast("asyncio.SubprocessTransport", transport)

    def pipe_data_received(self, fd: int, data: bytes) -> None:  # noqa: ARG002 - it has one pipe
        """Take in a piece, or stop a program that says too much."""
        if len(self.said) + len(data) <= self._longest:
            self.said += data
        elif self._transport is not None and not self.too_much:
            self.too_much = True
            kill(self._transport)

    def process_exited(self) -> None:
        """It is gone, and reaped."""
        _settle(self.exited)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - how a pipe ended says nothing
        """It is gone, and nothing more is to come."""
        _settle(self.ended)


async def hear(
    command: Sequence[str], *, source: int, environment: Mapping[str, str], seconds: float, longest: int
) -> tuple[bytes, int | None]:
    """Run a program with that file as its input: what it said, and its exit status; None when its time was up."""
    loop = asyncio.get_running_loop()
    hearing = Hearing(longest)
    transport: asyncio.SubprocessTransport | None = None
    try:
        async with asyncio.timeout(seconds):
            transport, _ = await loop.subprocess_exec(
                lambda: hearing,
                *command,
                stdin=source,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                env=environment,
                cwd=Path(sys.executable).anchor,
                start_new_session=True,
            )
            await hearing.ended
        return bytes(hearing.said), FAILED if hearing.too_much else transport.get_returncode()
    except TimeoutError:
        return bytes(hearing.said), None
    finally:
        if transport is not None:
            kill(transport)
            transport.close()
            # Nothing comes between a killed program and its end, not even a second cancellation.
            await asyncio.shield(hearing.exited)


def kill(transport: asyncio.SubprocessTransport) -> None:
    """End a program and whatever it may have started."""
    if transport.get_returncode() is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        if sys.platform == "win32":
            transport.kill()
        else:
            os.killpg(transport.get_pid(), SIGKILL)


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
