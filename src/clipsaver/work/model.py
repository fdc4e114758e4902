"""Ticks, runs of jobs, and what is said about them. Pure."""

from datetime import UTC, datetime, timedelta
from typing import Any

from attrs import frozen
from cronsim import CronSim


@frozen(kw_only=True)
class CronRun:
    """One tick of a job."""

    job: str
    tick: datetime
    """When it was due."""
    started_at: datetime
    finished_at: datetime | None
    """None while it runs, and for ever if its process died."""
    outcome: str | None
    """succeeded or failed; first_seen for the tick before the job was known, which nobody ran."""
    error: str | None


@frozen(kw_only=True)
class JobStatus:
    """Where a job stands."""

    cron: str
    next_tick: datetime
    last: CronRun | None
    """Of any process."""
    running: bool
    """In this process."""

    def as_json(self) -> dict[str, Any]:
        """What a probe reads; the last run only once there was one."""
        last = {} if self.last is None else {"last": self.last.tick.isoformat(), "outcome": self.last.outcome}
        return {"cron": self.cron, "next": self.next_tick.isoformat(), "running": self.running, **last}


def latest_tick(cron: str, now: datetime) -> datetime:
    """The last tick that is not after now."""
    tick: datetime = next(CronSim(cron, _whole(now) + timedelta(seconds=1), reverse=True))
    return tick


def next_tick(cron: str, now: datetime) -> datetime:
    """The first tick after now."""
    tick: datetime = next(CronSim(cron, _whole(now)))
    return tick


def _whole(now: datetime) -> datetime:
    return now.astimezone(UTC).replace(microsecond=0)
