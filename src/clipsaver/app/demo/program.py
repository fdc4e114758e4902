"""The program under show: `clipsaver run` in a process of its own, as an operator would start it."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import aiohttp
from attrs import frozen

from clipsaver.errors import StartFailed
from clipsaver.postgres import launch

START: Final = 60.0
"""Seconds until the program must be ready."""
STOP: Final = 15.0
"""Seconds until it must have ended after SIGTERM; it promises ten."""
ROLE: Final = ("-m", "clipsaver", "run")
"""What is started."""
TAIL: Final = 20
"""Log lines that are shown when it fails."""


@frozen(kw_only=True)
class Program:
    """A running `clipsaver run`."""

    process: asyncio.subprocess.Process
    log: Path
    url: str

    async def ready(self) -> None:
        """Wait until /ready says so; StartFailed with the log's end when it doesn't in time."""
        try:
            async with asyncio.timeout(START), aiohttp.ClientSession() as session:
                while not await self._is_ready(session):  # noqa: ASYNC110 - another process's state
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise StartFailed(f"The program was not ready within {START:.0f} seconds.\n{self.tail()}") from None

    async def _is_ready(self, session: aiohttp.ClientSession) -> bool:
        self.alive()
        try:
            async with session.get(f"{self.url}/ready") as response:
                return response.status == 200  # noqa: PLR2004 - OK
        except aiohttp.ClientError:
            return False

    def alive(self) -> None:
        """Pass if it still runs; else StartFailed with the log's end."""
        if self.process.returncode is not None:
            raise StartFailed(f"The program ended with status {self.process.returncode}.\n{self.tail()}")

    async def stop(self) -> int:
        """Send SIGTERM and wait; the exit status, or -9 when it had to be killed."""
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(STOP):
                return await self.process.wait()
        except TimeoutError:
            self.process.kill()
            return await self.process.wait()

    def tail(self) -> str:
        """The end of its log."""
        return "\n".join(self.log.read_text("utf-8", "replace").splitlines()[-TAIL:])


@asynccontextmanager
async def program(
    folder: Path, settings: Mapping[str, str], *, config: Path | None, port: int
) -> AsyncIterator[Program]:
    """Start `clipsaver run` with these settings over the given environment; killed when left while running."""
    log = folder / "clipsaver.log"
    command = [sys.executable, *ROLE]
    if config is not None:
        command += ["--config", str(config.absolute())]  # noqa: ASYNC240 - joins two texts, reads nothing
    # However the demo ends, the program must not stay behind: through the launcher it gets SIGTERM when we are gone.
    order = {
        "parent": os.getpid(),
        "mapped": None,
        "user": None,
        "signal": signal.SIGTERM,
        "reach": [],
        "command": command,
    }
    launcher = [sys.executable, "-I", "-S", launch.__file__, json.dumps(order)]
    own = {name: value for name, value in os.environ.items() if not name.startswith(SETTINGS)}
    with log.open("wb") as out:
        process = await asyncio.create_subprocess_exec(
            *launcher,
            cwd=folder,
            env={**own, **settings, "CLIPSAVER_WEB_PORT": str(port)},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,  # Ctrl-C is for the demo, which then ends the program in order
        )
    try:
        yield Program(process=process, log=log, url=f"http://127.0.0.1:{port}")
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


SETTINGS: Final = (
    "CLIPSAVER_",
    "BOT_TOKEN",
    "DISCORD_",
    "DATABASE_URL",
    "POSTGRES_",
    "DB_",
    "REDIS_URL",
    "LOG_LEVEL",
    "INSTALL_INTENT_",
    "DEFAULT_SETTINGS_PATH",
)
"""Variables of an installation that have no business in a demo."""
