"""clipsaver: the queued scans of all channels, worked off as `clipsaver worker` does, up to the last commit."""

import asyncio
import logging
import os
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import structlog

from bench.measuring import Discord, Stopwatch, measured
from clipsaver.app.ground import ground
from clipsaver.app.memory import collect_seldom
from clipsaver.config import load
from clipsaver.postgres.pool import Pool
from clipsaver.scans import store
from clipsaver.scans.model import RunStatus
from clipsaver.scans.station import ScanWork
from clipsaver.work.worker import Worker

LOOK = 0.005
"""Seconds between two looks at how much is read; each takes time from what is measured."""
LAST_LOOK = 0.001
"""Likewise once all is read: by so much the end may seem later."""
POLL = timedelta(seconds=1)


async def succeeded(pool: Pool, runs: int) -> bool:
    """Whether all runs have; one that failed ends the measurement."""
    async with pool.acquire() as conn:
        statuses = await store.runs_by_status(conn)
    if statuses.get(RunStatus.FAILED):
        sys.exit("A scan has failed.")
    return statuses.get(RunStatus.SUCCEEDED, 0) == runs


async def run(discord: Discord) -> dict[str, Any]:
    """Work off what is queued in the database that CLIPSAVER_DATABASE_URL names."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    environ = {
        "CLIPSAVER_DATABASE_URL": os.environ["CLIPSAVER_DATABASE_URL"],
        "BOT_TOKEN": discord.token,
        "CLIPSAVER_DISCORD_REST_URL": discord.url,
        "CLIPSAVER_DISCORD_REQUESTS_PER_SECOND": "0",
    }
    collect_seldom()
    config = load(None, environ, Path("/"))
    async with ground(config) as below:
        work = ScanWork(
            pool=below.pool,
            history=below.history,
            access=below.access,
            clips=below.clips,
            defaults=below.defaults,
            application_id=below.application.id,
            bot_id=below.application.bot_id,
            lease_time=timedelta(seconds=config.scans.lease_seconds),
        )
        worker = Worker([work.station(concurrency=config.scans.concurrency, poll=POLL)])
        watch = Stopwatch()
        working = asyncio.create_task(worker.run())
        # The worker's own count is looked at until it is complete; only then is the database asked.
        while work.tally.messages < discord.messages or not await succeeded(below.pool, len(discord.channels)):
            if working.done():
                await working
            await asyncio.sleep(LOOK if work.tally.messages < discord.messages else LAST_LOOK)
        result = watch.read(work.tally.messages)
        worker.stop()
        await working
    return result


if __name__ == "__main__":
    measured(run)
