"""The program in a process of its own, as an operator runs it, and what a test does with it."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import orjson
from attrs import define

import clipsaver
from clipsaver.app.demo.program import SETTINGS
from clipsaver.simulator.server import Simulator
from tests.discord.servers import watched

SOURCE = str(Path(clipsaver.__file__).parents[1])
TOP = str(Path(__file__).parents[2])
"""Where the tests are importable from, for those that launch the program in their own way."""
COMPILING = ("PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX")
PATIENCE = 60.0
"""Seconds that anything may take on a busy machine."""
PROMISED = 10.0
"""Seconds from a signal to the end; what the machine held up comes on top."""


async def until(what: Callable[[], Any], *, seconds: float = PATIENCE) -> Any:
    """Look again and again until there is something, and return it; a TimeoutError when it takes too long."""
    async with asyncio.timeout(seconds):
        while not (found := what()):  # noqa: ASYNC110 - of another process, or of many parts
            await asyncio.sleep(0.02)
        return found


async def get(port: int, path: str) -> tuple[int, str]:
    """Ask an HTTP server of this machine; the status and the body."""
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}{path}") as response:
        return response.status, await response.text()


async def ready(port: int) -> None:
    """Wait until /ready says yes."""
    async with asyncio.timeout(PATIENCE):
        while (await get(port, "/ready"))[0] != 200:  # noqa: ASYNC110 - a program's state
            await asyncio.sleep(0.02)


@define(eq=False, kw_only=True)
class Program:
    """One process, and what it wrote."""

    process: asyncio.subprocess.Process
    out: Path
    err: Path

    @property
    def lines(self) -> list[dict[str, Any]]:
        """What it logged so far; every whole line is a JSON object."""
        whole = self.out.read_bytes().rpartition(b"\n")[0]
        return [orjson.loads(line) for line in whole.splitlines()]

    def said(self, *events: str) -> dict[str, Any] | None:
        """Return the first line about an event, or about one of several."""
        return next((line for line in self.lines if line["event"] in events), None)

    async def hear(self, *events: str) -> dict[str, Any]:
        """Wait for a line about an event, or about one of several."""

        def look() -> dict[str, Any] | None:
            ended = self.process.returncode is not None  # asked first, since the last lines come before
            if (found := self.said(*events)) is None and ended:
                raise AssertionError(f"ended without {' or '.join(events)}:\n{self.everything}")
            return found

        found: dict[str, Any] = await until(look)
        return found

    @property
    def everything(self) -> str:
        """All it wrote, to either stream."""
        return self.out.read_text("utf-8") + self.err.read_text("utf-8")

    @property
    def critical(self) -> list[dict[str, Any]]:
        """The lines about why it could not go on."""
        return [line for line in self.lines if line["level"] == "critical"]

    async def get(self, path: str) -> tuple[int, str]:
        """Ask its HTTP server; the status and the body."""
        return await get((await self.hear("web.listening"))["port"], path)

    async def ready(self) -> None:
        """Wait until /ready says yes."""
        await ready((await self.hear("web.listening"))["port"])

    async def ended(self, *, seconds: float = PATIENCE) -> int:
        """Wait for its end; the exit status."""
        async with asyncio.timeout(seconds):
            return await self.process.wait()

    async def stop(self, number: int = signal.SIGTERM, *, within: float = PROMISED) -> int:
        """Ask it to end; the exit status, which has to come within the time that is promised."""
        async with watched() as stalls:
            began = time.monotonic()
            self.process.send_signal(number)
            status = await self.ended()
            assert time.monotonic() - began - stalls.long < within
        return status


def settings(simulator: Simulator, folder: Path, **more: str) -> dict[str, str]:
    """Return the environment of a program that talks to a simulator."""
    return {
        "BOT_TOKEN": simulator.token,
        "CLIPSAVER_DISCORD_REST_URL": simulator.rest_url,
        "CLIPSAVER_DISCORD_REQUESTS_PER_SECOND": "0",
        "CLIPSAVER_DATA_DIR": str(folder / "data"),
        "CLIPSAVER_WEB_PORT": "0",
    } | more


def _outputs(folder: Path) -> tuple[Path, Path]:
    """Where the next program of a folder writes to."""
    number = len(list(folder.glob("*.out")))
    return folder / f"{number}.out", folder / f"{number}.err"


@asynccontextmanager
async def program(
    role: str, environ: Mapping[str, str], folder: Path, *, launcher: Sequence[str] = ("-m", "clipsaver")
) -> AsyncIterator[Program]:
    """Start a role in a folder; whatever happens it is gone afterwards. ``launcher``: what Python is told to run."""
    out, err = _outputs(folder)
    own = {name: value for name, value in os.environ.items() if not name.startswith((*SETTINGS, *COMPILING))}
    # What a start compiles serves the next one as well.
    own |= {"PYTHONPATH": f"{SOURCE}{os.pathsep}{TOP}", "PYTHONPYCACHEPREFIX": str(folder.parent / "compiled")}
    with out.open("wb") as to_out, err.open("wb") as to_err:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, *launcher, role),
            cwd=folder,
            env={**own, **environ},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=to_out,
            stderr=to_err,
        )
    running = Program(process=process, out=out, err=err)
    try:
        yield running
    finally:
        if process.returncode is None:
            process.kill()
            await running.ended()


def postmaster(folder: Path) -> int:
    """Return the process id of the embedded server on a program's data folder; 0 when there is none."""
    for file in (folder / "data").rglob("postmaster.pid"):
        if lines := file.read_text("ascii").split():
            return int(lines[0])
    return 0


def is_alive(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"
