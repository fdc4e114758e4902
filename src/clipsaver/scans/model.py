"""What a scan is: who asked for it, how far it is, and how that looks to a person."""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from attrs import field, frozen

from clipsaver.channels.model import Channel
from clipsaver.clips.model import Portion
from clipsaver.discord import snowflakes
from clipsaver.postgres import ranges
from clipsaver.postgres.ranges import IdRange, Ranges

LEASE_LOST: Final = "Another worker reads this channel now, or the scan was canceled."


class Direction(StrEnum):
    """Which end of the range is read first."""

    BACKWARD = "backward"
    FORWARD = "forward"


class Rescan(StrEnum):
    """What happens to ids that were read before."""

    STOP = "stop"
    """Read only the gap at the end where the scan starts."""
    CONTINUE = "continue"
    """Read every gap, and nothing else."""
    UPDATE = "update"
    """Read the whole range again."""


class RunStatus(StrEnum):
    """The ``scan_status`` enum."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"

    @property
    def active(self) -> bool:
        """Whether a worker has this run, or will."""
        return self in {RunStatus.QUEUED, RunStatus.RUNNING}


@frozen(kw_only=True)
class ScanRequest:
    """What a moderator asks for."""

    guild_id: int
    channel_id: int
    requested_by: int
    direction: Direction | None = None
    """The server's ``scan_mode`` if left out."""
    limit: int | None = None
    """Messages to fetch at most."""
    since: datetime | None = None
    until: datetime | None = None
    rescan: Rescan = Rescan.CONTINUE
    progress_channel_id: int | None = None
    """Where an ordinary message shows progress; None where the bot may not write."""


@frozen(kw_only=True)
class Run:
    """A row of ``bot_channel_scan_runs``."""

    id: UUID
    channel_id: int
    guild_id: int
    direction: Direction
    rescan: Rescan
    status: RunStatus
    after_message_id: int | None = None
    """Exclusive."""
    before_message_id: int | None = None
    """Exclusive."""
    message_limit: int | None = None
    requested_by: int | None = None
    horizon: int | None = None
    """Where the run's ids end, exclusive; fixed when it first starts."""
    todo: Ranges | None = None
    """What is left to read; None before the run first starts."""
    newest_message_id: int | None = None
    """The newest message read so far."""
    messages_scanned: int = 0
    """Messages fetched and kept, each once; our own application's are not counted."""
    messages_matched: int = 0
    """Messages that hold a clip."""
    clips_found: int = 0
    skipped: Mapping[str, int] = field(factory=dict)
    """Reasons, and how often each: what looked like a clip and was left out, and payloads nobody could read."""
    error_message: str | None = None
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    last_page_at: datetime | None = None
    waiting_until: datetime | None = None
    """Discord asked to wait until then."""
    attempts: int = 0
    """Claims since progress was last committed."""
    progress_channel_id: int | None = None
    progress_message_id: int | None = None

    @property
    def span(self) -> IdRange | None:
        """The ids this run is about; None before its horizon is known or when there are none."""
        if self.horizon is None:
            return None
        start = 0 if self.after_message_id is None else self.after_message_id + 1
        stop = self.horizon if self.before_message_id is None else min(self.horizon, self.before_message_id)
        return IdRange(start, stop) if start < stop else None


@frozen(kw_only=True)
class ChannelRules:
    """What decides how a channel is read now, and under which rules it was."""

    guild_settings: Mapping[str, Any]
    settings: Mapping[str, Any]
    """The channel's overrides; a thread's lie over its parent's."""
    rules_hash: str | None
    coverage: Ranges = ()

    def same_as(self, other: "ChannelRules") -> bool:
        """Whether the settings are the same; the channel may have been read under other ones."""
        return self.guild_settings == other.guild_settings and self.settings == other.settings


@frozen(kw_only=True)
class Figures:
    """What a run has counted so far."""

    messages_scanned: int = 0
    messages_matched: int = 0
    clips_found: int = 0
    skipped: Mapping[str, int] = field(factory=dict)

    def plus(self, other: "Figures") -> "Figures":
        """Add up two counts."""
        return Figures(
            messages_scanned=self.messages_scanned + other.messages_scanned,
            messages_matched=self.messages_matched + other.messages_matched,
            clips_found=self.clips_found + other.clips_found,
            skipped=dict(Counter(self.skipped) + Counter(other.skipped)),
        )

    def beyond(self, earlier: "Figures") -> "Figures":
        """Tell what came on top of an earlier count; everything, when counting has begun again since."""
        if earlier.messages_scanned > self.messages_scanned:
            return self
        return Figures(
            messages_scanned=self.messages_scanned - earlier.messages_scanned,
            messages_matched=max(self.messages_matched - earlier.messages_matched, 0),
            clips_found=max(self.clips_found - earlier.clips_found, 0),
        )


@frozen(kw_only=True)
class Advance:
    """How far pages bring a run, once they are kept together with it."""

    run_id: UUID
    token: UUID
    """Of the lease that whoever read them holds."""
    todo: Ranges
    figures: Figures
    newest: int | None = None
    """The newest message the run has read."""
    marks_channel: bool = False
    """Whether what the run knows of its channel goes into the channel's indexed columns as well."""
    waiting_until: datetime | None = None
    """Discord makes the run wait until then for what comes next."""
    rules: ChannelRules
    """What the pages were looked through by."""
    portion: Portion

    def settled_by(self, now: ChannelRules) -> bool:
        """Whether the channel's rules are still those."""
        return now.same_as(self.rules) and now.rules_hash in {self.portion.rules_hash, self.portion.seen_hash}


@frozen(kw_only=True)
class Started:
    """The answer to a request: the run that reads the channel now."""

    run: Run
    channel: Channel
    already: bool
    """Whether it was there before the request."""


@frozen(kw_only=True)
class CoverageSummary:
    """How much of a channel has been read under its current rules."""

    percent: float
    """Of the time the channel has existed, 0 to 100; 100 only without a gap."""
    gaps: int


@frozen(kw_only=True)
class ScanStatus:
    """A channel's scan as a person sees it."""

    channel: Channel
    run: Run | None
    """The active run, or the latest."""
    coverage: CoverageSummary
    progress: float | None
    """From 0 to 1; None before the run's range is known."""
    rate: float | None
    """Messages a second since the run started."""
    time_left: timedelta | None
    rests_until: datetime | None = None
    """Nothing is read before then, because Discord refused too many requests."""
    token_refused: bool = False
    """Whether nothing is read at all, because Discord does not accept the bot's token."""


def summarise(channel: Channel, *, current_rules: bool) -> CoverageSummary:
    """Tell how much of `channel` is read; nothing of it counts when it was read under other rules."""
    covered = channel.coverage if current_rules else ()
    newest = covered[-1].stop if covered else 0
    if channel.last_message_id is not None:
        newest = max(newest, channel.last_message_id + 1)
    if channel.last_activity_at is not None:
        newest = max(newest, snowflakes.at(channel.last_activity_at))
    # A channel's own id is as old as the channel: nothing was posted before it.
    whole = IdRange(channel.channel_id, newest) if channel.channel_id < newest else None
    if whole is None:
        return CoverageSummary(percent=100.0 if covered else 0.0, gaps=0 if covered else 1)
    gaps = ranges.subtract((whole,), covered)
    if not gaps:
        return CoverageSummary(percent=100.0, gaps=0)
    percent = 100 * (1 - ranges.size(gaps) / (whole.stop - whole.start))
    return CoverageSummary(percent=min(percent, 99.9), gaps=len(gaps))


def look(channel: Channel, run: Run | None, *, current_rules: bool, now: datetime) -> ScanStatus:
    """Put a channel and its run into figures for a person."""
    done = None if run is None else _done(run)
    elapsed = None
    if run is not None and run.started_at is not None:
        end = run.finished_at or now
        elapsed = max((end - run.started_at).total_seconds(), 0.001)
    rate = None if run is None or elapsed is None else run.messages_scanned / elapsed
    left = None
    if run is not None and run.status.active and elapsed is not None and done is not None and done > 0.005:  # noqa: PLR2004 - below half a percent a guess is worth nothing
        left = timedelta(seconds=min(elapsed * (1 - done) / done, 86_400 * 365))
    return ScanStatus(
        channel=channel,
        run=run,
        coverage=summarise(channel, current_rules=current_rules),
        progress=done,
        rate=rate,
        time_left=left,
    )


def _done(run: Run) -> float | None:
    """Estimate the finished share of a run from the ids it has left, or from its limit when that is nearer."""
    if run.status is RunStatus.SUCCEEDED:
        return 1.0
    span = run.span
    if span is None or run.todo is None:
        return None
    since_channel = IdRange(max(span.start, min(run.channel_id, span.stop - 1)), span.stop)
    left = ranges.size(ranges.intersect(run.todo, (since_channel,)))
    share = 1 - left / (since_channel.stop - since_channel.start)
    if run.message_limit is not None:
        share = max(share, run.messages_scanned / run.message_limit)
    return min(max(share, 0.0), 1.0)
