"""clipsaver and its Discord as processes: begun, asked, looked at, and ended by their own pids."""

import asyncio
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, Literal

import aiohttp
import orjson
from attrs import define, frozen

from bench.measuring import Discord
from bench.stand_in import Held
from clipsaver.app.demo.program import SETTINGS

START: Final = 120.0
STOP: Final = 15.0
LOOK: Final = 0.02
LONGEST_LINE: Final = 2**26
OK: Final = 200


@define
class StandIn:
    """A running Discord."""

    process: asyncio.subprocess.Process
    discord: Discord
    guilds: Mapping[int, int]
    """By channel."""

    async def ask(self, ask: str, **more: Any) -> Any:
        """Ask it something; see ``stand_in.Desk``."""
        stdin, stdout = self.process.stdin, self.process.stdout
        if stdin is None or stdout is None:
            raise RuntimeError("a process without its pipes")
        stdin.write(orjson.dumps({"ask": ask, **more}) + b"\n")
        if not (answer := await stdout.readline()):
            raise RuntimeError("The Discord has ended.")
        return orjson.loads(answer)


@asynccontextmanager
async def stand_in(held: Held) -> AsyncIterator[StandIn]:
    """Serve a Discord for as long as this is entered."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.stand_in", held.told()),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=LONGEST_LINE,
    )
    if process.stdin is None or process.stdout is None:
        raise RuntimeError("a process without its pipes")
    try:
        told = orjson.loads(await asyncio.wait_for(process.stdout.readline(), START))
        guilds = dict(told.pop("guilds"))
        yield StandIn(process, Discord(**told), guilds)
    finally:
        process.stdin.close()
        await end(process)


async def end(process: asyncio.subprocess.Process) -> int:
    """Wait for a process that is about to end; what doesn't is killed."""
    try:
        return await asyncio.wait_for(process.wait(), STOP)
    except TimeoutError:
        process.kill()
        return await process.wait()


@frozen(kw_only=True)
class Program:
    """A running clipsaver."""

    process: asyncio.subprocess.Process
    begun: float
    log: Path
    url: str = ""

    @property
    def pid(self) -> int:
        """The process itself."""
        return self.process.pid

    async def ready(self) -> float:
        """Wait until /ready says so; when, by the monotonic clock."""
        async with asyncio.timeout(START), aiohttp.ClientSession() as session:
            while True:
                self.alive()
                try:
                    async with session.get(f"{self.url}/ready") as response:
                        if response.status == OK:
                            return time.monotonic()
                except aiohttp.ClientError:
                    pass
                await asyncio.sleep(LOOK)

    def alive(self) -> None:
        """Pass if it still runs."""
        if self.process.returncode is not None:
            raise RuntimeError(f"clipsaver ended with {self.process.returncode}:\n{self.tail()}")

    def tail(self) -> str:
        """The end of its log."""
        return "\n".join(self.log.read_text("utf-8", "replace").splitlines()[-20:])


@asynccontextmanager
async def program(
    role: Literal["run", "worker"], folder: Path, settings: Mapping[str, str], *, port: int | None = None
) -> AsyncIterator[Program]:
    """Run clipsaver in a role, with these settings and no others."""
    log = folder / f"{role}-{time.monotonic_ns()}.log"
    own = {name: value for name, value in os.environ.items() if not name.startswith(SETTINGS)}
    web = {} if port is None else {"CLIPSAVER_WEB_PORT": str(port)}
    begun = time.monotonic()
    with log.open("wb") as out:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "clipsaver", role),
            cwd=folder,
            env={**own, **settings, **web, "CLIPSAVER_LOG_FORMAT": "json", "PYTHONPATH": os.pathsep.join(sys.path)},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=out,
            stderr=out,
        )
    running = Program(process=process, begun=begun, log=log, url=f"http://127.0.0.1:{port}")
    try:
        yield running
        running.alive()
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        status = await end(process)
    if status:
        raise RuntimeError(f"clipsaver ended with {status}:\n{running.tail()}")


def settings_for(
    discord: Discord, *, database: str = "", folder: Path | None = None, media: str | None = None, metered: bool
) -> dict[str, str]:
    """What tells clipsaver where its Discord and its database are; the budget is as it ships, or off.

    ``media`` is the only origin that clips are fetched from; without it they are found, and nothing is fetched.
    """
    told = {"BOT_TOKEN": discord.token, "CLIPSAVER_DISCORD_REST_URL": discord.url, "CLIPSAVER_DATABASE_URL": database}
    if media is None:
        told["CLIPSAVER_GUILD_DEFAULTS_SAVE_BYTES"] = "false"
    else:
        told["CLIPSAVER_DISCORD_MEDIA_ORIGINS"] = media
    if folder is not None:
        told["CLIPSAVER_DATA_DIR"] = str(folder)
    return told if metered else told | {"CLIPSAVER_DISCORD_REQUESTS_PER_SECOND": "0"}


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def memory(pid: int) -> dict[str, float]:
    """Megabytes of one process: now, and the most there ever was."""
    told = {}
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace").splitlines():
        key, _, value = line.partition(":")
        if key in {"VmHWM", "VmRSS"}:
            told[{"VmHWM": "most_mb", "VmRSS": "now_mb"}[key]] = int(value.split()[0]) / 1024
    return told


def family(pid: int) -> list[int]:
    """A process and all below it."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            told = stat.read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue  # ended meanwhile
        parents[int(stat.parent.name)] = int(told.rpartition(")")[2].split()[1])
    found = []
    for one in parents:
        above: int | None = one
        while above is not None and above != pid:
            above = parents.get(above)
        if above == pid:
            found.append(one)
    return found


def family_memory(pid: int) -> float:
    """Megabytes of a process and all below it, what they share counted once."""
    return sum(map(_share, family(pid))) / 1024


def _share(pid: int) -> int:
    """Kilobytes that a process holds, its share of what it holds together with others included."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
