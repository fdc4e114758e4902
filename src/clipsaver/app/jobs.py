"""What runs by the clock, with its schedule from the configuration."""

from collections.abc import Mapping
from datetime import timedelta

from clipsaver.app.ground import Ground
from clipsaver.installs.service import Installs
from clipsaver.scans.service import Scans
from clipsaver.work.cron import Job


def jobs(ground: Ground) -> list[Job]:
    """List the jobs of every process; whichever sees a tick first runs it."""
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
    return [Job(name=name, cron=settings[name]["cron"], run=run) for name, run in work.items()]
