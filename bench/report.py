"""Medians, ratios, and the tables they are shown in."""

from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import Any, Final

CLIENTS: Final = {
    "clipsaver": "clipsaver, into PostgreSQL",
    "discord_py": "discord.py, fetch only",
    "hikari": "hikari, fetch only",
    "floor": "aiohttp + orjson, fetch only",
}
AIM: Final = 1.5
"""How many times discord.py's speed is promised, at least."""
FLAT: Final = 0.1
"""By how much of itself a figure may get worse when ten times as much is read."""

Runs = Sequence[Mapping[str, Any]]


def summary(runs: Runs) -> dict[str, Any]:
    """The medians of repeated runs, and how far apart they were."""
    speeds = [run["messages"] / run["seconds"] for run in runs]
    told = {
        "messages": runs[0]["messages"],
        "messages_per_second": median(speeds),
        "slowest": min(speeds),
        "fastest": max(speeds),
        "cpu_seconds_per_100k": median(run["cpu_seconds"] / run["messages"] * 1e5 for run in runs),
        "server_cpu_seconds_per_100k": median(run["server_cpu_seconds"] / run["messages"] * 1e5 for run in runs),
        "most_memory_mb": median(run["most_memory_mb"] for run in runs),
    }
    kept = [(run["postgres"], run["messages"]) for run in runs if "postgres" in run]
    if kept:
        told["postgres"] = {
            "ms_per_page": median(one["active_time"] / messages * 100 for one, messages in kept),
            "commits_per_page": median(one["xact_commit"] / messages * 100 for one, messages in kept),
            "wal_kb_per_page": median(one["wal_bytes"] / messages * 100 / 1024 for one, messages in kept),
            "cpu_seconds_per_100k": median(one["cpu_seconds"] / messages * 1e5 for one, messages in kept),
        }
    return told


def ratios(shape: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    """How many times as fast clipsaver was as each of the others."""
    ours = shape["clipsaver"]["messages_per_second"]
    return {name: ours / shape[name]["messages_per_second"] for name in shape if name != "clipsaver"}


def flatness(small: Runs, large: Runs) -> dict[str, Any]:
    """What the large runs' figures are of the small ones', as medians of the pairs; and whether that is flat."""
    pairs = [
        {
            "messages_per_second": more["messages"] / more["seconds"] * few["seconds"] / few["messages"],
            "most_memory_mb": more["most_memory_mb"] / few["most_memory_mb"],
        }
        for few, more in zip(small, large, strict=True)
    ]
    change = {name: median(pair[name] for pair in pairs) for name in ("messages_per_second", "most_memory_mb")}
    flat = {
        "messages_per_second": change["messages_per_second"] >= 1 - FLAT,
        "most_memory_mb": change["most_memory_mb"] <= 1 + FLAT,
    }
    return {"ratios": change, "flat": flat, "reached": all(flat.values()), "pairs": pairs}


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Markdown that can be read as it is."""
    lines = [list(head), *map(list, rows)]
    widths = [max(len(line[at]) for line in lines) for at in range(len(head))]
    rule = "|".join("-" * (width + 1) + ("-" if at == 0 else ":") for at, width in enumerate(widths))
    shown = [
        "| "
        + " | ".join(_padded(cell, width, at) for at, (cell, width) in enumerate(zip(line, widths, strict=True)))
        + " |"
        for line in lines
    ]
    return "\n".join((shown[0], f"|{rule}|", *shown[1:]))


def _padded(cell: str, width: int, at: int) -> str:
    return cell.ljust(width) if at == 0 else cell.rjust(width)


def text(result: Mapping[str, Any]) -> str:
    """All of it, for a person."""
    shapes: Mapping[str, Mapping[str, Any]] = result["channels"]
    names = [f"{channels} channel{'s' * (channels != '1')}" for channels in shapes]
    parts = [
        f"{result['messages']:,} messages, medians of {result['repeats']} runs",
        table(
            ["messages a second", *names],
            [
                *(_line(label, shapes, name, "messages_per_second", ",.0f") for name, label in CLIENTS.items()),
                *(
                    [
                        f"clipsaver / {name.replace('_', '.')}",
                        *(f"{shape['ratios'][name]:.2f}" for shape in shapes.values()),
                    ]
                    for name in ("discord_py", "hikari", "floor")
                ),
            ],
        ),
        table(
            ["CPU seconds for 100,000 messages", *names],
            [
                *(_line(label, shapes, name, "cpu_seconds_per_100k", ".2f") for name, label in CLIENTS.items()),
                _postgres("PostgreSQL beside clipsaver", shapes, "cpu_seconds_per_100k", ".2f"),
                _line("the page server beside clipsaver", shapes, "clipsaver", "server_cpu_seconds_per_100k", ".2f"),
            ],
        ),
        table(
            ["PostgreSQL, a page of 100", *names],
            [
                _postgres("ms in statements and commits", shapes, "ms_per_page", ".2f"),
                _postgres("commits", shapes, "commits_per_page", ".2f"),
                _postgres("kB of WAL", shapes, "wal_kb_per_page", ".1f"),
            ],
        ),
        table(
            ["most memory, MB", *names],
            [_line(label, shapes, name, "most_memory_mb", ".0f") for name, label in CLIENTS.items()],
        ),
        _flat(result["flat"]),
        _verdict(shapes, result["flat"]),
    ]
    return "\n\n".join(parts)


def _line(label: str, shapes: Mapping[str, Any], name: str, key: str, form: str) -> list[str]:
    return [label, *(format(shape["clients"][name][key], form) for shape in shapes.values())]


def _postgres(label: str, shapes: Mapping[str, Any], key: str, form: str) -> list[str]:
    return [label, *(format(shape["clients"]["clipsaver"]["postgres"][key], form) for shape in shapes.values())]


def _flat(flat: Mapping[str, Any]) -> str:
    """Few messages beside many, and whether that is flat."""
    rows = [
        [f"{one['messages']:,} messages", f"{one['messages_per_second']:,.0f}", f"{one['most_memory_mb']:.0f}"]
        for one in (flat["small"], flat["large"])
    ]
    change = flat["ratios"]
    rows.append(["large / small", *(f"{change[name]:.2f}" for name in ("messages_per_second", "most_memory_mb"))])
    rows.append([f"at most {FLAT:.0%} worse", *("yes" if flat["flat"][name] else "no" for name in flat["flat"])])
    head = [f"clipsaver, {flat['channels']} channels, pairs: {len(flat['pairs'])}"]
    return table([*head, "messages a second", "most memory, MB"], rows)


def _verdict(shapes: Mapping[str, Any], flat: Mapping[str, Any]) -> str:
    worst = min(shape["ratios"]["discord_py"] for shape in shapes.values())
    speed, memory = ("flat" if flat["flat"][name] else "not flat" for name in ("messages_per_second", "most_memory_mb"))
    return (
        f"clipsaver / discord.py is {worst:.2f} at worst; {AIM} {'is reached' if worst >= AIM else 'is missed'}. "
        f"With {flat['large']['messages'] / flat['small']['messages']:.0f} times the messages the speed is {speed}, "
        f"the memory {memory}."
    )
