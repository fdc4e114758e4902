"""Channels and runs as the services hand them to the words."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from clipsaver.channels.model import Channel
from clipsaver.scans.model import CoverageSummary, Direction, Rescan, Run, RunStatus, ScanStatus

NOW = datetime(2026, 8, 1, 12, 0, tzinfo=UTC)
COVERAGE = CoverageSummary(percent=97.3, gaps=2)
RUN_ID = UUID("12345678-1234-5678-1234-567812345678")


def a_channel(channel_id: int = 5, **changes: Any) -> Channel:
    """Return a text channel that nobody reads."""
    facts: dict[str, Any] = {
        "channel_id": channel_id,
        "guild_id": 1,
        "name": "clips",
        "type": "text",
        "settings": {},
        "created_at": NOW,
        "updated_at": NOW,
    }
    return Channel(**(facts | changes))


def a_run(**changes: Any) -> Run:
    """Return a run that is under way."""
    facts: dict[str, Any] = {
        "id": RUN_ID,
        "channel_id": 5,
        "guild_id": 1,
        "direction": Direction.BACKWARD,
        "rescan": Rescan.CONTINUE,
        "status": RunStatus.RUNNING,
        "messages_scanned": 12300,
        "messages_matched": 80,
        "clips_found": 87,
        "requested_by": 9,
        "created_at": NOW - timedelta(minutes=3),
        "started_at": NOW - timedelta(minutes=2),
    }
    return Run(**(facts | changes))


def ended(status: RunStatus, **changes: Any) -> Run:
    """Return a run that is over."""
    facts = {"status": status, "finished_at": NOW + timedelta(seconds=80)}
    return a_run(**(facts | changes))


def a_status(run: Run | None = None, **changes: Any) -> ScanStatus:
    """Return how a channel stands, with a run that is half done unless another is given."""
    facts: dict[str, Any] = {
        "channel": a_channel(),
        "run": run,
        "coverage": COVERAGE,
        "progress": None if run is None else 0.5,
        "rate": None if run is None else 102.5,
        "time_left": None if run is None else timedelta(seconds=100),
    }
    return ScanStatus(**(facts | changes))
