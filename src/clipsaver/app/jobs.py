"""What runs by the clock, with its schedule from the configuration."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from clipsaver.app.ground import Ground
from clipsaver.clips.storehouse.model import CollectRules, VerifyRules
from clipsaver.clips.storehouse.service import Storehouse
from clipsaver.installs.service import Installs
from clipsaver.scans.service import Scans
from clipsaver.work.cron import Job
from clipsaver.work.model import next_tick

MEGABYTE: Final = 1_000_000
PATIENCE: Final = timedelta(hours=10)
"""How long the stored bytes are read again at a time; what is left is read the next time."""
LIMIT: Final = timedelta(hours=12)
"""How long a job may take that goes through the whole storage."""


def jobs(ground: Ground, storehouse: Storehouse | None = None) -> list[Job]:
    """List the jobs of a process; whichever sees a tick first runs it. Those on the storage need one."""
    settings = ground.config.jobs
    grace = timedelta(seconds=settings["purge_install_intents"]["grace_seconds"])
    runs_kept = timedelta(days=settings["purge_scan_runs"]["keep_days"])
    odd_kept = timedelta(days=settings["purge_odd_payloads"]["keep_days"])
    installs = Installs(pool=ground.pool, grace=grace)
    scans = Scans(pool=ground.pool, defaults=ground.defaults)

    async def purge_scan_runs() -> Mapping[str, object]:
        return await scans.purge(runs_kept)

    async def purge_odd_payloads() -> Mapping[str, object]:
        return {"deleted": await ground.clips.purge_odd_payloads(older_than=odd_kept), "keep_days": odd_kept.days}

    work = {
        "purge_install_intents": installs.purge,
        "purge_scan_runs": purge_scan_runs,
        "purge_odd_payloads": purge_odd_payloads,
    }
    made = [Job(name=name, cron=settings[name]["cron"], run=run) for name, run in work.items()]
    return made if storehouse is None else [*made, *_of_storage(settings, storehouse)]


def _of_storage(settings: Mapping[str, Mapping[str, int | str]], storehouse: Storehouse) -> list[Job]:
    verifying, collecting = settings["verify_blobs"], settings["collect_garbage"]

    async def verify_blobs() -> Mapping[str, object]:
        rules = VerifyRules(
            share=share_of_all(str(verifying["cron"]), timedelta(days=int(verifying["every_days"]))),
            bytes_per_second=float(verifying["mb_per_second"]) * MEGABYTE,
            patience=PATIENCE,
            most=int(verifying["most_percent"]) / 100,
        )
        return await storehouse.verify(rules)

    async def collect_garbage() -> Mapping[str, object]:
        rules = CollectRules(
            grace=timedelta(hours=int(collecting["grace_hours"])), most=int(collecting["most_percent"]) / 100
        )
        return await storehouse.collect(rules)

    return [
        Job(name="verify_blobs", cron=str(verifying["cron"]), run=verify_blobs, limit=LIMIT),
        Job(name="collect_garbage", cron=str(collecting["cron"]), run=collect_garbage, limit=LIMIT),
    ]


def share_of_all(cron: str, whole: timedelta, *, now: datetime | None = None) -> float:
    """How much of something one run has to do, so that all of it is done in so much time."""
    first = next_tick(cron, now or datetime.now(UTC))
    return min((next_tick(cron, first) - first) / whole, 1.0) if whole else 1.0
