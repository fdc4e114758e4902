"""How a scan looks to a person."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from attrs import evolve

from clipsaver.channels.model import Channel
from clipsaver.discord import snowflakes
from clipsaver.postgres.ranges import IdRange
from clipsaver.scans.model import CoverageSummary, Direction, Figures, Rescan, Run, RunStatus, look, summarise

NOW = datetime(2026, 6, 1, tzinfo=UTC)
BORN = snowflakes.at(NOW - timedelta(days=100))
HORIZON = snowflakes.at(NOW)
DAY = snowflakes.at(NOW) - snowflakes.at(NOW - timedelta(days=1))
CHANNEL = Channel(
    channel_id=BORN,
    guild_id=1,
    name="clips",
    type="text",
    is_nsfw=False,
    is_reading=True,
    settings={},
    created_at=NOW,
    updated_at=NOW,
)
RUN = Run(
    id=UUID(int=1),
    channel_id=BORN,
    guild_id=1,
    direction=Direction.BACKWARD,
    rescan=Rescan.CONTINUE,
    status=RunStatus.RUNNING,
    created_at=NOW,
)


def test_coverage_is_a_share_of_the_channels_life() -> None:
    """Ids from before the channel was made are no gap, and a gap is counted once."""
    channel = evolve(
        CHANNEL,
        coverage=(IdRange(BORN + 25 * DAY, BORN + 50 * DAY), IdRange(BORN + 75 * DAY, HORIZON)),
    )
    assert CoverageSummary(percent=50.0, gaps=2) == summarise(channel, current_rules=True)
    assert CoverageSummary(percent=100.0, gaps=0) == summarise(
        evolve(channel, coverage=(IdRange(0, HORIZON),)), current_rules=True
    )


def test_coverage_under_other_rules_counts_for_nothing() -> None:
    """After a change of settings everything is a gap."""
    channel = evolve(CHANNEL, coverage=(IdRange(0, HORIZON),), last_message_id=HORIZON - 1)
    assert CoverageSummary(percent=0.0, gaps=1) == summarise(channel, current_rules=False)


def test_what_was_posted_since_is_a_gap() -> None:
    """Activity after the covered ids shows, and never rounds up to everything."""
    channel = evolve(CHANNEL, coverage=(IdRange(0, HORIZON),), last_activity_at=NOW + timedelta(seconds=1))
    assert CoverageSummary(percent=99.9, gaps=1) == summarise(channel, current_rules=True)


def test_a_channel_nobody_read_has_one_gap() -> None:
    """Neither read nor written in: nothing is known of it."""
    assert CoverageSummary(percent=0.0, gaps=1) == summarise(CHANNEL, current_rules=True)


def test_progress_rate_and_time_left() -> None:
    """Half of the ids in ten seconds: ten more to go."""
    run = evolve(
        RUN,
        horizon=HORIZON,
        todo=(IdRange(0, BORN + 50 * DAY),),
        messages_scanned=500,
        started_at=NOW - timedelta(seconds=10),
    )
    status = look(CHANNEL, run, current_rules=True, now=NOW)
    assert status.progress == 0.5
    assert status.rate == 50
    assert status.time_left == timedelta(seconds=10)


def test_a_limit_can_be_nearer_than_the_end() -> None:
    """Nine of ten messages asked for: nine tenths done, however long the channel is."""
    run = evolve(RUN, horizon=HORIZON, todo=(IdRange(0, HORIZON - 1),), message_limit=10, messages_scanned=9)
    assert look(CHANNEL, run, current_rules=True, now=NOW).progress == 0.9


def test_nothing_is_claimed_before_the_range_is_known() -> None:
    """A queued run has no progress, no rate and no end."""
    for run in (None, RUN, evolve(RUN, horizon=BORN, after_message_id=HORIZON, todo=())):
        status = look(CHANNEL, run, current_rules=True, now=NOW)
        assert (None, None, None) == (status.progress, status.rate, status.time_left)


def test_a_finished_run_is_finished() -> None:
    """Succeeded is all of it, with nothing left; the rate is over the run's own time."""
    run = evolve(
        RUN,
        status=RunStatus.SUCCEEDED,
        started_at=NOW - timedelta(hours=2),
        finished_at=NOW - timedelta(hours=2) + timedelta(seconds=10),
        messages_scanned=100,
    )
    status = look(CHANNEL, run, current_rules=True, now=NOW)
    assert (1.0, 10.0, None) == (status.progress, status.rate, status.time_left)


def test_bounds_are_exclusive() -> None:
    """`after_message_id` and `before_message_id` themselves are not read."""
    assert IdRange(11, 20) == evolve(RUN, horizon=50, after_message_id=10, before_message_id=20).span
    assert IdRange(0, 50) == evolve(RUN, horizon=50).span
    assert evolve(RUN, horizon=50, after_message_id=49).span is None
    assert RUN.span is None


def test_figures_add_up() -> None:
    """Counts and reasons of two batches."""
    one = Figures(messages_scanned=1, messages_matched=1, clips_found=2, skipped={"too_large": 1})
    two = Figures(messages_scanned=3, skipped={"too_large": 1, "odd": 1})
    assert Figures(
        messages_scanned=4, messages_matched=1, clips_found=2, skipped={"too_large": 2, "odd": 1}
    ) == one.plus(two)
