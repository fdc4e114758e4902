"""What the figures were measured on."""

import os
import platform
import statistics
import time
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

LIBRARIES = ("aiohttp", "asyncpg", "discord.py", "hikari", "orjson")


def describe(folder: Path, postgres: str) -> dict[str, Any]:
    """The machine, and the programs on it; ``folder`` is where the database lies."""
    return {
        "cpu": _first("/proc/cpuinfo", "model name"),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(int(_first("/proc/meminfo", "MemTotal").split()[0]) / 2**20, 1),
        "kernel": platform.release(),
        "load_before": round(os.getloadavg()[0], 2),
        "fsync_ms": _fsync(folder),
        "python": platform.python_version(),
        "postgresql": postgres,
        "libraries": {name: version(name) for name in LIBRARIES},
    }


def text(result: Mapping[str, Any]) -> str:
    """The machine, for a person."""
    machine = result["machine"]
    return (
        f"{result['date']}: {machine['cpu']}, {machine['cores']} cores, {machine['memory_gb']} GB; "
        f"Python {machine['python']}, PostgreSQL {machine['postgresql']}; "
        f"an fsync takes {machine['fsync_ms']} ms; load before: {machine['load_before']}; "
        f"{result['took_seconds']:.0f} s in all"
    )


def _first(file: str, key: str) -> str:
    """The value of the first line that begins with a key."""
    for line in Path(file).read_text(encoding="utf-8").splitlines():
        if line.startswith(key):
            return line.partition(":")[2].strip()
    return "0 unknown"


def _fsync(folder: Path) -> float:
    """Milliseconds that 8 kB take to reach the disk, the median of many."""
    probe, taken = folder / "probe", []
    with probe.open("wb", buffering=0) as file:
        for _ in range(50):
            begun = time.perf_counter()
            file.write(bytes(8192))
            os.fdatasync(file.fileno())
            taken.append((time.perf_counter() - begun) * 1_000)
    probe.unlink()
    return round(statistics.median(taken), 3)
