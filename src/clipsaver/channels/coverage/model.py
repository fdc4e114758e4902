"""What a channel remembers of its reading. Pure."""

from collections.abc import Sequence
from typing import Final

from attrs import frozen

from clipsaver.postgres.ranges import Ranges

MAX_PIECES: Final = 1_000
"""A channel's coverage has no more pieces than this: beyond it the smallest are forgotten, and read again one day."""


@frozen(kw_only=True)
class Coverage:
    """What of a channel has been read."""

    covered: Ranges
    """Under the rules named by ``rules_hash``."""
    stale: Ranges
    """Under earlier rules, and not since."""
    rules_hash: str | None
    message_count: int
    """Messages in what was ever covered, each once."""


@frozen(kw_only=True)
class Reading:
    """What was read of one channel."""

    channel_id: int
    covers: Ranges
    """The ids this proves read."""
    message_ids: Sequence[int]
    """The messages among them."""
    rules_hash: str
    """Of the rules they were read under."""
    seen_hash: str | None
    """The channel's own ``rules_hash`` when those rules were settled."""


@frozen(kw_only=True)
class Extended:
    """What one reading added to a channel."""

    channel_id: int
    messages_new: int
    """Messages in nothing that was covered before, under whatever rules."""
    pieces: int
    """Pieces of the coverage now."""
    stale_pieces: int
