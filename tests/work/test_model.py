"""Ticks, by plain values."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipsaver.work.model import latest_tick, next_tick

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("cron", "now", "latest", "following"),
    [
        ("*/30 * * * *", NOON, NOON, NOON + timedelta(minutes=30)),
        ("*/30 * * * *", NOON + timedelta(microseconds=1), NOON, NOON + timedelta(minutes=30)),
        ("*/30 * * * *", NOON - timedelta(microseconds=1), NOON - timedelta(minutes=30), NOON),
        ("0 0 * * *", NOON, NOON - timedelta(hours=12), NOON + timedelta(hours=12)),
        ("0 0 29 2 *", NOON, datetime(2024, 2, 29, tzinfo=UTC), datetime(2028, 2, 29, tzinfo=UTC)),
        (
            "0 0 * * *",
            NOON.astimezone(timezone(timedelta(hours=14))),
            NOON - timedelta(hours=12),
            NOON + timedelta(hours=12),
        ),
    ],
)
def test_ticks_lie_around_now(cron: str, now: datetime, latest: datetime, following: datetime) -> None:
    """A tick belongs to the moment it names; all of them are in UTC."""
    assert (latest_tick(cron, now), next_tick(cron, now)) == (latest, following)


@given(
    st.sampled_from(["* * * * *", "*/7 * * * *", "15 3 * * *", "0 0 * * 1", "0 0 31 * *"]),
    st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - hypothesis adds it
)
def test_there_is_no_tick_in_between(cron: str, now: datetime) -> None:
    """The next tick after the latest one is the next one after now."""
    latest = latest_tick(cron, now)

    assert latest <= now < next_tick(cron, now)
    assert next_tick(cron, latest) == next_tick(cron, now)
