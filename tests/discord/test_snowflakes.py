"""Ids and the moments inside them."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from clipsaver.discord.snowflakes import DISCORD_EPOCH_MS, at, created_at

moments = st.datetimes(datetime(2015, 1, 1), datetime(2080, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - st adds it


def test_the_documented_example() -> None:
    """Discord's own example of a snowflake is from the last day of April 2016."""
    assert datetime(2016, 4, 30, 11, 18, 25, 796000, tzinfo=UTC) == created_at(175928847299117063)


def test_the_first_moment_is_id_zero() -> None:
    """Discord counts from the first second of 2015, and what is earlier can't be an id."""
    first = datetime.fromtimestamp(DISCORD_EPOCH_MS / 1000, UTC)
    assert at(first) == 0
    assert at(first - timedelta(days=1)) == 0


@given(moments)
def test_at_is_the_smallest_id_of_its_millisecond(moment: datetime) -> None:
    """One id less belongs to an earlier millisecond."""
    snowflake = at(moment)
    assert timedelta(0) <= moment - created_at(snowflake) < timedelta(milliseconds=1)
    if snowflake:
        assert created_at(snowflake - 1) < created_at(snowflake)
