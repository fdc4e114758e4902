"""What happens in the demo, in order."""

import asyncio
import shutil
import socket
import sys
import tempfile
from argparse import Namespace
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Final

import orjson
from attrs import evolve

from clipsaver import logs
from clipsaver.app.demo.program import Program, program
from clipsaver.app.demo.stage import Stage
from clipsaver.app.demo.summary import Summary
from clipsaver.app.signals import on_signals
from clipsaver.postgres.embedded import Embedded
from clipsaver.postgres.pool import open_pool
from clipsaver.simulator.entities import TEXT
from clipsaver.simulator.limits import Limits
from clipsaver.simulator.server import Simulator
from clipsaver.simulator.world import World

INTERRUPTED: Final = 130


async def demo(options: Namespace) -> int:
    """Play the demo; the exit status is 0 only if what was found is exactly what is there."""
    logs.configure(level="WARNING", stream=sys.stderr)
    shown, leave = asyncio.Event(), asyncio.Event()
    playing = asyncio.create_task(_play(options, shown=shown, leave=leave))
    # With everything shown the program is still to be stopped in order; before that there is nothing to keep.
    with on_signals(lambda: leave.set() if shown.is_set() else playing.cancel()):
        try:
            summary = await playing
        except asyncio.CancelledError:
            return INTERRUPTED
    return 0 if summary.exact else 1


async def _play(options: Namespace, *, shown: asyncio.Event, leave: asyncio.Event) -> Summary:
    out = sys.stderr if options.json else sys.stdout
    each, more = divmod(options.messages, options.channels)
    world = World.from_seed(
        options.seed, channels=options.channels, messages=each, one_more=more, videos_percent=options.videos
    )
    limits = Limits() if options.rate_limits else None
    with _folder() as folder:
        async with Simulator(world, rate_limits=limits) as simulator:
            print("Starting a Discord of our own, and a bot with its database …", file=out, flush=True)
            async with program(folder, _settings(simulator, folder), config=options.config, port=_free_port()) as bot:
                await bot.ready()
                print(f"The bot is ready; {bot.url}/ready says so. Now a moderator goes to work.\n", file=out)
                async with _stage(simulator, options, folder) as stage:
                    await stage.command()
                    summary = await stage.watch(bot.alive)
                if not options.once:
                    _tell(summary, options)
                    print(f"\nThe bot goes on, at {bot.url}. End with Ctrl-C.", file=out, flush=True)
                    shown.set()
                    await leave.wait()
                summary = evolve(summary, stopped_with=await bot.stop())
                if options.once or not summary.exact:
                    _tell(summary, options)
                    _complain(summary, bot)
                return summary


def _tell(summary: Summary, options: Namespace) -> None:
    if options.json:
        text = orjson.dumps(summary.as_json(), option=orjson.OPT_INDENT_2).decode()
    else:
        text = f"\n{summary.as_text()}"
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _complain(summary: Summary, bot: Program) -> None:
    if not summary.exact:
        sys.stderr.write(f"\nThe end of the bot's log:\n{bot.tail()}\n")


@asynccontextmanager
async def _stage(simulator: Simulator, options: Namespace, folder: Path) -> AsyncIterator[Stage]:
    """Look into the program's own database beside it."""
    (guild_id,) = simulator.world.guilds
    async with Embedded(folder / "data") as database, await open_pool(database.url, size=2) as pool:
        yield Stage(
            simulator=simulator,
            pool=pool,
            guild_id=guild_id,
            channels=[one for one in simulator.world.channels_of(guild_id) if one.type == TEXT],
            messages=options.messages,
            rate_limits=options.rate_limits,
            out=sys.stderr if options.json else sys.stdout,
            err=sys.stderr,
        )


def _settings(simulator: Simulator, folder: Path) -> dict[str, str]:
    return {
        "BOT_TOKEN": simulator.token,
        "CLIPSAVER_DISCORD_REST_URL": simulator.rest_url,
        "CLIPSAVER_DISCORD_MEDIA_ORIGINS": simulator.cdn_origin,
        "CLIPSAVER_DISCORD_REQUESTS_PER_SECOND": "48" if simulator.limits else "0",
        "CLIPSAVER_DATA_DIR": str(folder / "data"),
        "CLIPSAVER_DATABASE_URL": "",
        "CLIPSAVER_LOG_FORMAT": "json",
    }


@contextmanager
def _folder() -> Iterator[Path]:
    """A folder that is gone afterwards, whatever is in it."""
    folder = Path(tempfile.mkdtemp(prefix="clipsaver-demo-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
