"""Discord's ids and the moments inside them."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Final

from msgspec import Meta

DISCORD_EPOCH_MS: Final = 1_420_070_400_000
"""Milliseconds from 1970 to the first second of 2015, where Discord starts counting."""
LARGEST: Final = 2**63 - 1
"""The largest id that fits the database's bigint; Discord gets there in the year 2084."""
Snowflake = Annotated[int, Meta(ge=0, le=LARGEST)]
"""An id as a number, or whatever else is counted from 0."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=DISCORD_EPOCH_MS)
_MILLISECOND: Final = timedelta(milliseconds=1)


def created_at(snowflake: int) -> datetime:
    """When the thing with this id was made, in UTC, to the millisecond."""
    return _EPOCH + timedelta(milliseconds=snowflake >> 22)


def at(moment: datetime) -> int:
    """The smallest id of that millisecond; 0 for anything before Discord's first."""
    return max(0, (moment - _EPOCH) // _MILLISECOND) << 22
