"""25,000 channels in 500 servers: how soon the program is ready, and what it holds with everything at work."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median
from typing import Any, Final

import asyncpg
import imageio_ffmpeg  # type: ignore[import-untyped]  # it has none
from attrs import define, evolve, field, frozen

from bench.answers import LINES
from bench.database import family_cpu, queue
from bench.measuring import say
from bench.media_server import ENDING
from bench.pictures import Clip, draw
from bench.programs import Program, StandIn, family_memory, free_port, memory, program, settings_for, stand_in
from bench.saving import media_server
from bench.stand_in import Held
from clipsaver.postgres.embedded import Embedded

HELD: Final = Held(guilds=500, channels=50, roles=20, overwrites=3)
READY_GOAL: Final = 30.0
MEMORY_GOAL: Final = 400.0
TOGETHER_GOAL: Final = 512.0
LOOK: Final = 0.25
SCANS: Final = 150
"""Channels that are scanned at last, each in a server of its own: more than are at work at the same time."""
VIDEO: Final = Clip(
    name="clip.mp4", size="1280x720", rate=30, seconds=2, codec="libx264 -preset veryfast -crf 35 -pix_fmt yuv420p"
)
"""What every clip is."""
PATIENCE: Final = 60.0
"""Seconds until the first pictures have to be there once the stretch is over."""
COUNT: Final = "select count(*) from bot_channels where type = 'text'"
SAVED: Final = """
    select (select count(*) from blobs) as stored,
           (select count(*) from thumbnails where state = 'made') as pictured,
           (select count(*) from clips where reason is not null)
               + (select count(*) from thumbnails where reason is not null) as troubled,
           coalesce((select min(reason) from clips), (select min(reason) from thumbnails)) as trouble
"""


@frozen(kw_only=True)
class Form:
    """How much is measured."""

    repeats: int
    scanning: float
    """Seconds of scans."""


SHORT: Final = Form(repeats=1, scanning=8)
FULL: Final = Form(repeats=3, scanning=60)


@define
class Scale:
    """Looks at what a process and those below it hold, again and again."""

    pid: int
    most: float = 0.0
    own: dict[str, float] = field(factory=dict)

    async def watch(self) -> None:
        """Look until cancelled."""
        while True:
            self.look()
            await asyncio.sleep(LOOK)

    def look(self) -> None:
        """Look once."""
        self.own = memory(self.pid)
        self.most = max(self.most, family_memory(self.pid))

    def told(self) -> dict[str, float]:
        """What was seen."""
        self.look()
        return {**self.own, "together_mb": self.most}


@asynccontextmanager
async def started(there: StandIn, media: str, folder: Path) -> AsyncIterator[tuple[Program, Scale, dict[str, Any]]]:
    """Run clipsaver with its own database, to when it is ready and beyond."""
    await there.ask("reset")
    settings = settings_for(there.discord, folder=folder / "data", media=media, metered=False)
    async with program("run", folder, settings, port=free_port()) as running:
        scale = Scale(running.pid)
        watching = asyncio.create_task(scale.watch())
        try:
            ready = await running.ready()
            login = (await there.ask("seen"))["logins"][0]
            figures = {"ready_seconds": ready - login, "start_seconds": ready - running.begun}
            figures |= {"cpu_seconds": family_cpu(running.pid), **scale.told()}
            yield running, scale, figures
        finally:
            watching.cancel()


async def measure(folder: Path, form: Form) -> dict[str, Any]:
    """Start on an empty database, start again, and scan, while clips are saved and pictures made of them."""
    video = await asyncio.to_thread(draw, imageio_ffmpeg.get_ffmpeg_exe(), VIDEO, folder)
    size = video.stat().st_size + ENDING
    async with media_server(video) as media, stand_in(evolve(HELD, origin=media, file_size=size)) as there:
        async with started(there, media, folder) as (_, _, empty):
            await check(there, folder)
        async with started(there, media, folder) as (running, scale, full), Embedded(folder / "data") as database:
            await queue(database.url, spread(there))
            await there.ask("reset")
            talked, _ = await asyncio.gather(
                there.ask("talk", lines=LINES, times=int(form.scanning * 5), every=0.2), asyncio.sleep(form.scanning)
            )
            pages = len((await there.ask("seen"))["pages"])
            kept = await saved(database, running)
            scanning = {**scale.told(), "pages_per_second": pages / form.scanning, "failed": talked["failed"], **kept}
    return {"empty": empty, "full": full, "scanning": scanning}


async def saved(database: Embedded, running: Program) -> dict[str, int]:
    """How many files were stored and pictured so far; then wait until there are some of either, if there are none.

    Until then not everything was at work whose memory is measured.
    """
    async with asked(database) as conn, asyncio.timeout(PATIENCE):
        told = now = await conn.fetchrow(SAVED)
        while now is None or not (now["stored"] and now["pictured"]):
            running.alive()
            await asyncio.sleep(LOOK)
            now = await conn.fetchrow(SAVED)
    if now["trouble"] is not None:
        say(f"guilds: not everything was saved: {now['trouble']}")
    return {key: (told or now)[key] for key in ("stored", "pictured")} | {"troubled": now["troubled"]}


@asynccontextmanager
async def asked(database: Embedded) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    """One connection to the program's own database."""
    conn: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(database.url)
    try:
        yield conn
    finally:
        await conn.close()


async def check(there: StandIn, folder: Path) -> None:
    """Look whether all channels are in the database, as /ready says."""
    async with Embedded(folder / "data") as database, asked(database) as conn:
        known = await conn.fetchval(COUNT)
    if known != len(there.discord.channels):
        raise ValueError(f"{known} channels are known where there are {len(there.discord.channels)}.")


def spread(there: StandIn) -> dict[int, int]:
    """Some channels, each of another server, with their servers."""
    by_guild: dict[int, int] = {}
    for channel, guild in there.guilds.items():
        by_guild.setdefault(guild, channel)
    return {channel: guild for guild, channel in list(by_guild.items())[:SCANS]}


async def many(folder: Path, form: Form) -> dict[str, Any]:
    """Measure, as often as the form says."""
    runs = []
    for number in range(form.repeats):
        own = folder / f"many-{number}"
        own.mkdir()
        runs.append(one := await measure(own, form))
        await asyncio.to_thread(shutil.rmtree, own)
        scanning = one["scanning"]
        say(
            f"guilds: ready in {one['empty']['ready_seconds']:.1f} s, {scanning['most_mb']:.0f} MB, "
            f"{scanning['together_mb']:.0f} MB with everything; {scanning['stored']} clips stored, "
            f"{scanning['pictured']} pictured"
        )
    told = {
        state: {key: median(run[state][key] for run in runs) for key in runs[0][state]}
        for state in ("empty", "full", "scanning")
    }
    told["scanning"]["together_mb"] = max(run["scanning"]["together_mb"] for run in runs)  # a ceiling, for each run
    reached = (
        max(told[state]["ready_seconds"] for state in ("empty", "full")) < READY_GOAL
        and max(told[state]["most_mb"] for state in ("empty", "full")) < MEMORY_GOAL
        and told["scanning"]["together_mb"] < TOGETHER_GOAL
    )
    return {"guilds": HELD.guilds, "channels": HELD.guilds * HELD.channels, **told, "reached": reached, "runs": runs}
