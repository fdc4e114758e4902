"""What is made of the clips that were stored, and the tables it is shown in."""

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any, Final

from bench.report import table

CLIENTS: Final = {
    "clipsaver": "clipsaver worker, to the last commit",
    "bare": "aiohttp, written",
    "checked": "aiohttp, written, hashed, fsync",
}
GOAL: Final = 0.8
"""Of bare aiohttp's bytes a second."""


def summary(runs: Mapping[str, Sequence[Mapping[str, float]]]) -> dict[str, Any]:
    """Medians, and how fast clipsaver is beside the others: the median of the ratios of each turn."""
    clients = {
        client: {
            "bytes_per_second": median(run["bytes"] / run["seconds"] for run in taken),
            "cpu_seconds_per_gb": median(run["cpu_seconds"] / run["bytes"] * 1e9 for run in taken),
            "most_memory_mb": max(run["most_memory_mb"] for run in taken),
        }
        for client, taken in runs.items()
    }
    clients["clipsaver"]["postgres_cpu_seconds_per_gb"] = median(
        run["postgres_cpu_seconds"] / run["bytes"] * 1e9 for run in runs["clipsaver"]
    )
    ratios = {
        client: median(
            theirs["seconds"] / ours["seconds"] for ours, theirs in zip(runs["clipsaver"], taken, strict=True)
        )
        for client, taken in runs.items()
        if client != "clipsaver"
    }
    return {"clients": clients, "ratios": ratios, "reached": ratios["bare"] >= GOAL, "runs": runs}


def text(result: Mapping[str, Any]) -> str:
    """All of it, for a person."""
    sizes: Mapping[str, Mapping[str, Any]] = result["sizes"]
    names = [f"{one['files']} x {name}" for name, one in sizes.items()]

    def line(label: str, client: str, key: str, form: str, scale: float = 1) -> list[str]:
        return [label, *(format(one["clients"][client][key] * scale, form) for one in sizes.values())]

    def all_of(key: str, form: str, scale: float = 1) -> list[list[str]]:
        return [line(label, client, key, form, scale) for client, label in CLIENTS.items()]

    ratios = [
        [f"clipsaver / {CLIENTS[client]}", *(f"{one['ratios'][client]:.2f}" for one in sizes.values())]
        for client in ("bare", "checked")
    ]
    beside = line("PostgreSQL beside clipsaver", "clipsaver", "postgres_cpu_seconds_per_gb", ".2f")
    held = result["memory"]
    flat = [
        [
            f"{files} x {held['bytes'] / 1e6:.0f} MB",
            f"{run['bytes'] / run['seconds'] / 1e6:,.0f}",
            f"{run['most_memory_mb']:.0f}",
        ]
        for files, run in zip(held["files"], held["runs"], strict=True)
    ]
    parts = [
        table(
            [f"MB a second, {result['at_once']} at once", *names], [*all_of("bytes_per_second", ",.0f", 1e-6), *ratios]
        ),
        table(["CPU seconds for 1 GB", *names], [*all_of("cpu_seconds_per_gb", ".2f"), beside]),
        table(["most memory, MB", *names], all_of("most_memory_mb", ".0f")),
        table(
            ["clipsaver, one worker", "MB a second", "most memory, MB"],
            [*flat, ["many / few", "", f"{held['ratio']:.2f}"]],
        ),
    ]
    speed = " and ".join(f"{'reached' if one['reached'] else 'missed'} with {name}" for name, one in sizes.items())
    memory = "" if held["flat"] else "not "
    return "\n\n".join([*parts, f"{GOAL} times bare aiohttp is {speed}; the memory is {memory}flat."])
