"""Numbers, durations, names and lists as people read them in Discord."""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta

from clipsaver.words.language import count, say

MESSAGE_LENGTH = 2000
NAME_LENGTH = 100
BAR_WIDTH = 20
MINUTE, HOUR, DAY = 60, 3600, 86400

_MARKDOWN = re.compile(r"([\\*_~`|<>@\[\]()#]|^[-+]|:(?=//))")
_UNSEEN = re.compile(r"[\x00-\x1f\x7f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")


def escape(name: str | None, limit: int = NAME_LENGTH) -> str:
    """Return a name that stands for itself: no markdown, mention or link, one line, bounded."""
    plain = _UNSEEN.sub(" ", name or "").strip()
    return _MARKDOWN.sub(r"\\\1", cut(plain, limit)) or say("(no name)")


def code(text: str, limit: int = NAME_LENGTH) -> str:
    """Return the text as inline code, which nothing in it can end."""
    plain = cut(_UNSEEN.sub(" ", text), limit).replace("`", "\u02cb")
    return f"`{plain}`" if plain.strip() else say("(empty)")


def cut(text: str, limit: int) -> str:
    """Return the text, or its beginning with an ellipsis when it is longer than the limit."""
    return text if len(text) <= limit else text[: max(limit - 1, 0)] + "…"


def channel(channel_id: int) -> str:
    """Mention a channel: Discord shows its name to those who may see it, and to nobody else."""
    return f"<#{channel_id}>"


def person(user_id: int) -> str:
    """Mention a person; nobody is called, since every message allows no mentions."""
    return f"<@{user_id}>"


def number(value: int) -> str:
    """Return a number with separators between the thousands."""
    return f"{value:,}"


def size(amount: int) -> str:
    """Return a number of bytes in the largest unit of which there is at least one; 1 GB has 1024 MB, as in settings."""
    for unit, name in ((1 << 40, "TB"), (1 << 30, "GB"), (1 << 20, "MB"), (1 << 10, "KB")):
        if amount >= unit:
            shown = f"{amount / unit:,.1f}".removesuffix(".0")
            return say("{n} {unit}", n=shown, unit=name)
    return count(amount, "{n} byte", "{n} bytes")


def moment(when: datetime, style: str = "R") -> str:
    """Return a moment that Discord shows in the reader's own time; R is relative, f a date with time."""
    return f"<t:{int(when.timestamp())}:{style}>"


def duration(span: timedelta) -> str:
    """Return a duration as people say it, in its two largest units."""
    seconds = round(span.total_seconds())
    if seconds < 1:
        return say("less than a second")
    if seconds < MINUTE:
        return count(seconds, "{n} second", "{n} seconds")
    if seconds < HOUR:
        return _two(
            count(seconds // MINUTE, "{n} minute", "{n} minutes"),
            seconds % MINUTE,
            count(seconds % MINUTE, "{n} second", "{n} seconds"),
        )
    minutes = seconds // MINUTE
    if seconds < DAY:
        return _two(
            count(minutes // 60, "{n} hour", "{n} hours"),
            minutes % 60,
            count(minutes % 60, "{n} minute", "{n} minutes"),
        )
    hours = seconds // HOUR
    return _two(count(hours // 24, "{n} day", "{n} days"), hours % 24, count(hours % 24, "{n} hour", "{n} hours"))


def _two(large: str, rest: int, small: str) -> str:
    return f"{large} {small}" if rest else large


def estimate(span: timedelta) -> str:
    """Return a time left, no more exact than it can be known."""
    seconds = span.total_seconds()
    if seconds < MINUTE:
        return say("less than a minute")
    step = MINUTE if seconds < HOUR else 5 * MINUTE if seconds < DAY else HOUR
    return say("about {span}", span=duration(timedelta(seconds=round(seconds / step) * step)))


def percent(share: float) -> str:
    """Return a share between 0 and 1 as a whole percentage; 100 only when it is all."""
    if 0 < share < 0.01:  # noqa: PLR2004 - one percent
        return say("less than 1 %")
    return say("{n} %", n=min(max(int(share * 100 + 1e-9), 0), 100))


def bar(share: float, width: int = BAR_WIDTH) -> str:
    """Draw a share between 0 and 1; full only when it is all."""
    full = min(max(int(share * width + 1e-9), 0), width)
    return "▰" * full + "▱" * (width - full)


def fit(lines: Sequence[str], *, limit: int = MESSAGE_LENGTH) -> str:
    """Join lines into one message; what doesn't fit is counted at the end, never dropped silently."""
    whole = "\n".join(lines)
    if len(whole) <= limit:
        return whole
    kept: list[str] = []
    room = limit - len(_more(len(lines)))
    for line in lines:
        if len(line) + 1 > room:
            break
        kept.append(line)
        room -= len(line) + 1
    if not kept:
        return cut(lines[0], limit)
    return "\n".join([*kept, _more(len(lines) - len(kept))])


def _more(left: int) -> str:
    return say("… and {n} more", n=number(left))


def enumerated(names: Sequence[str]) -> str:
    """Join names as one says them: a, b and c."""
    if len(names) <= 1:
        return "".join(names)
    return say("{first} and {last}", first=", ".join(names[:-1]), last=names[-1])
