"""What a measured process says about itself."""

import asyncio
import resource
import sys
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import orjson
from attrs import asdict, field, frozen


@frozen(kw_only=True)
class Discord:
    """Where the canned pages are, and what is in them."""

    url: str
    token: str
    guild: int
    channels: tuple[int, ...] = field(converter=tuple)
    messages: int
    clips: int

    def told(self) -> str:
        """All of it, for another process's command line."""
        return orjson.dumps(asdict(self)).decode()


class Stopwatch:
    """Time, our own CPU time, and the most memory we ever held."""

    def __init__(self) -> None:
        self._begun, self._used = time.perf_counter(), _cpu()

    def read(self, messages: int) -> dict[str, Any]:
        """Say what it took to get so many messages."""
        return {
            "messages": messages,
            "seconds": time.perf_counter() - self._begun,
            "cpu_seconds": _cpu() - self._used,
            "most_memory_mb": _most_memory(),
        }


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _most_memory() -> float:
    """Megabytes; the kernel's own count, since getrusage's would begin with what our parent held."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return 0.0


def measured(client: Callable[[Discord], Coroutine[Any, Any, dict[str, Any]]]) -> None:
    """Run a client on what the command line describes, and print what it measured."""
    discord = Discord(**orjson.loads(sys.argv[1]))
    result = asyncio.run(client(discord))
    if result["messages"] != discord.messages:
        sys.exit(f"{result['messages']} messages were read where there are {discord.messages}.")
    print(orjson.dumps(result).decode())


def say(line: str) -> None:
    """Show what is going on."""
    print(line, file=sys.stderr, flush=True)
