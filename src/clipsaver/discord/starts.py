"""How often a bot may begin a gateway session: Discord allows a number a day, and resets the token beyond it."""

from collections.abc import Mapping
from typing import Any

from attrs import frozen

from clipsaver.discord.rest import Priority, Rest, Route
from clipsaver.discord.structuring import Mismatch, whole


@frozen(kw_only=True)
class Starts:
    """What Get Gateway Bot says."""

    shards: int = 1
    """How many sessions the bot needs."""
    remaining: int | None = None
    """How many it may still begin; None if Discord didn't say."""
    reset_after: float = 0.0
    """Seconds until it may begin more."""

    @property
    def enough(self) -> bool:
        """Whether all sessions may be begun now."""
        return self.remaining is None or self.remaining >= self.shards


async def ask_starts(rest: Rest) -> Starts:
    """Ask Discord; what it leaves out is taken for no limit."""
    answer = await rest.request(Route("GET", "/gateway/bot"), priority=Priority.PEOPLE, check=_is_object)
    limit = answer.body.get("session_start_limit")
    told: Mapping[str, Any] = limit if isinstance(limit, Mapping) else {}
    return Starts(
        shards=_number(answer.body.get("shards")) or 1,
        remaining=_number(told.get("remaining")),
        reset_after=(_number(told.get("reset_after")) or 0) / 1000,
    )


def _is_object(body: object) -> bool:
    return isinstance(body, Mapping)


def _number(value: object) -> int | None:
    try:
        return whole(value)
    except Mismatch:
        return None
