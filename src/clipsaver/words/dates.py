"""Dates and ages as people type them, in UTC."""

import re
from datetime import UTC, datetime, timedelta

from clipsaver.discord.snowflakes import DISCORD_EPOCH_MS
from clipsaver.errors import BadInput
from clipsaver.words.language import say
from clipsaver.words.text import code

DISCORD_EPOCH = datetime.fromtimestamp(DISCORD_EPOCH_MS / 1000, UTC)
_AGE = re.compile(r"(\d{1,5})\s*([hdw])", re.ASCII)
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2})?Z?)?", re.ASCII)
_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}


def parse(text: str, *, now: datetime) -> datetime:
    """Return the moment a date (``2026-01-31``, ``2026-01-31 18:00``) or an age (``30d``, ``12h``, ``2w``) means."""
    typed = text.strip()
    if age := _AGE.fullmatch(typed.lower()):
        return max(now - int(age[1]) * _UNITS[age[2]], DISCORD_EPOCH)
    if _DAY.fullmatch(typed.upper()):
        try:
            when = datetime.fromisoformat(typed.upper().removesuffix("Z")).replace(tzinfo=UTC)
        except ValueError:
            raise BadInput(say("There is no such day: {text}.", text=code(typed))) from None
        return max(when, DISCORD_EPOCH)
    raise BadInput(
        say(
            "I can't read {text} as a date. Write a day like `2026-01-31`, or how long ago: `12h`, `30d`, `2w`.",
            text=code(typed),
        )
    )


def span(since: str | None, until: str | None, *, now: datetime) -> tuple[datetime | None, datetime | None]:
    """Return the moments two texts mean, from the first on and before the second; refuse what can hold nothing."""
    first = parse(since, now=now) if since else None
    last = parse(until, now=now) if until else None
    if first is not None and first >= now:
        raise BadInput(say("`since` lies in the future: there is nothing to read yet."))
    if first is not None and last is not None and first >= last:
        raise BadInput(say("`since` has to be earlier than `until`."))
    return first, last
