"""Speed, limits, answers, 500 servers, fairness, saving and pictures: one command measures it all.

Run by ``nox -s bench``; ``--short`` takes about two minutes, ``--only`` runs some of the parts.
"""

import argparse
import asyncio
import logging
import sys
import tempfile
import time
import traceback
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import orjson
import structlog
from attrs import define, field

from bench import answers, limited, machine, many, many_report, pictures, report, saving, saving_report, small, speed
from bench.database import Database
from clipsaver.postgres.embedded import Embedded


@define(kw_only=True)
class Bench:
    """What the parts are measured with."""

    database: Database
    folder: Path
    short: bool
    _small: asyncio.Task[dict[str, Any]] | None = field(default=None, init=False)

    async def speed(self) -> dict[str, Any]:
        """Without limits, beside other libraries."""
        return await speed.speed(self.database, speed.SHORT if self.short else speed.FULL)

    async def limits(self) -> dict[str, Any]:
        """With limits."""
        if not self.short:
            return await limited.limited(self.database, self.folder, limited.FULL)
        # Neither needs much of the machine, and there is little time.
        measuring = asyncio.create_task(limited.limited(self.database, self.folder, limited.SHORT))
        await asyncio.gather(measuring, self.small_under_limits())
        return measuring.result()

    async def answers(self) -> dict[str, Any]:
        """People beside scans."""
        return await answers.answers(self.database, self.folder, answers.SHORT if self.short else answers.FULL)

    async def guilds(self) -> dict[str, Any]:
        """Many servers."""
        return await many.many(self.folder, many.SHORT if self.short else many.FULL)

    async def small(self) -> dict[str, Any]:
        """A small scan beside a large one."""
        form = small.SHORT if self.short else small.FULL
        return {
            "off": await small.small(self.database, self.folder, form.off, limits=False),
            "on": await self.small_under_limits(),
        }

    async def saving(self) -> dict[str, Any]:
        """Clips stored."""
        return await saving.saving(self.database, self.folder, saving.SHORT if self.short else saving.FULL)

    async def pictures(self) -> dict[str, Any]:
        """Pictures of videos."""
        own = self.folder / "pictures"
        own.mkdir()
        return await pictures.pictures(own, pictures.SHORT if self.short else pictures.FULL)

    async def small_under_limits(self) -> dict[str, Any]:
        """The half of it that is nearly all waiting; asked for twice, measured once."""
        if self._small is None:
            form = small.SHORT if self.short else small.FULL
            self._small = asyncio.create_task(small.small(self.database, self.folder, form.on, limits=True))
        return await self._small


PARTS: Final[Mapping[str, tuple[Callable[[Bench], Awaitable[dict[str, Any]]], Callable[[Mapping[str, Any]], str]]]] = {
    "speed": (Bench.speed, report.text),
    "limits": (Bench.limits, limited.text),
    "answers": (Bench.answers, answers.text),
    "guilds": (Bench.guilds, many_report.text),
    "small": (Bench.small, small.text),
    "saving": (Bench.saving, saving_report.text),
    "pictures": (Bench.pictures, pictures.text),
}


async def main(parts: Sequence[str], folder: Path, *, short: bool) -> dict[str, Any]:
    """Measure these parts."""
    begun = time.monotonic()
    measured: dict[str, Any] = {}
    async with Embedded(folder / "database") as server:
        database = Database(server)
        told = machine.describe(folder, await database.prepare())
        bench = Bench(database=database, folder=folder, short=short)
        for part in parts:
            since = time.monotonic()
            measured[part] = await attempt(part, bench)
            measured[part]["took_seconds"] = round(time.monotonic() - since, 1)
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "took_seconds": round(time.monotonic() - begun, 1),
        "short": short,
        "machine": told,
        **measured,
    }


async def attempt(part: str, bench: Bench) -> dict[str, Any]:
    """Measure one part; one that fails leaves the others their figures."""
    measure, _ = PARTS[part]
    try:
        return await measure(bench)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is shown, and the exit status says so
        traceback.print_exception(error)
        return {"error": repr(error)}


def text(result: Mapping[str, Any]) -> str:
    """All of it, for a person."""
    shown = [
        f"{part} could not be measured: {result[part]['error']}" if "error" in result[part] else show(result[part])
        for part, (_, show) in PARTS.items()
        if part in result
    ]
    return "\n\n".join([machine.text(result), *shown])


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--short", action="store_true", help="less of everything, fewer repeats")
    parser.add_argument("--only", action="append", choices=PARTS, help="one part; can be given more than once")
    parser.add_argument("--json", type=Path, default=Path("bench.json"), help="where the figures are written")
    parser.add_argument(
        "--folder", type=Path, help="where the databases are made; on a real disk, or fsync costs nothing"
    )
    return parser.parse_args()


if __name__ == "__main__":
    asked = arguments()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    wanted = [part for part in PARTS if asked.only is None or part in asked.only]
    with tempfile.TemporaryDirectory(prefix="clipsaver-bench-", dir=asked.folder) as scratch:
        measurements = asyncio.run(main(wanted, Path(scratch), short=asked.short))
    asked.json.write_bytes(orjson.dumps(measurements, option=orjson.OPT_INDENT_2))
    print(text(measurements))
    print(f"\nThe same as JSON, with every single run: {asked.json}")
    sys.exit(any("error" in measurements[part] for part in wanted))
