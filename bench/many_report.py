"""What is made of 25,000 channels: the table it is shown in."""

from collections.abc import Mapping, Sequence
from typing import Any

from bench.report import table


def text(result: Mapping[str, Any]) -> str:
    """All of it, for a person."""
    head = [
        f"{result['channels']:,} channels in {result['guilds']} servers",
        *("ready after login, s", "after the start, s", "CPU s", "MB", "most MB", "with PostgreSQL, MB"),
    ]
    rows = [
        _row(label, result[state])
        for label, state in (
            ("empty database", "empty"),
            ("full database", "full"),
            ("scanning, saving and picturing", "scanning"),
        )
    ]
    scanning = result["scanning"]
    meanwhile = (
        f"Meanwhile {scanning['pages_per_second']:,.0f} pages a second were read without limits, "
        f"{scanning['stored']:.0f} clips stored and {scanning['pictured']:.0f} of them pictured; "
        f"{scanning['troubled']:.0f} met with trouble, {scanning['failed']:.0f} commands had no answer."
    )
    reached = f"The aims (30 s, 400 MB, 512 MB in all) are {'' if result['reached'] else 'not '}reached."
    return "\n\n".join([table(head, rows), meanwhile, reached])


def _row(label: str, one: Mapping[str, float]) -> Sequence[str]:
    keys = {"ready_seconds": ".1f", "start_seconds": ".1f", "cpu_seconds": ".1f", "now_mb": ".0f", "most_mb": ".0f"}
    return [
        label,
        *(format(one[key], form) if key in one else "" for key, form in (keys | {"together_mb": ".0f"}).items()),
    ]
