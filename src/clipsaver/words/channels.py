"""What people read about a server's channels."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from clipsaver.channels.model import Channel
from clipsaver.discord.components import Reply
from clipsaver.scans.model import ScanStatus
from clipsaver.words import scans
from clipsaver.words.components import paged
from clipsaver.words.language import count, say
from clipsaver.words.text import channel, code, escape, fit, moment

KINDS: Final[Mapping[str, str]] = {
    "text": "text channel",
    "announcement": "announcement channel",
    "voice": "voice channel",
    "stage": "stage channel",
    "public_thread": "thread",
    "announcement_thread": "thread",
    "private_thread": "private thread",
}


def listed(known: Sequence[Channel], *, page: int = 0) -> Reply:
    """List channels with what is known of each, and how many threads are in it."""
    readable = [one for one in known if one.can_be_read and not one.is_thread]
    if not readable:
        return Reply(content=say("I know no channel here that you can see."))
    threads = Counter(one.parent_id for one in known if one.is_thread)
    head = count(len(readable), "**{n} channel**", "**{n} channels**")
    return paged(head, [_line(one, threads[one.channel_id]) for one in readable], what="channels", page=page)


def shown(status: ScanStatus) -> Reply:
    """Tell everything known of one channel."""
    known = status.channel
    lines = [
        f"**{channel(known.channel_id)}** · {kind(known.type)}",
        say("Reading: on") if known.is_reading else say("Reading: off"),
        scans.covered(status.coverage),
        count(known.message_count, "{n} message read in all", "{n} messages read in all"),
    ]
    if known.is_nsfw:
        lines.append(say("Age-restricted"))
    if known.last_scanned_at is not None:
        lines.append(say("Last scanned {when}", when=moment(known.last_scanned_at)))
    if known.last_activity_at is not None:
        lines.append(say("Last message {when}", when=moment(known.last_activity_at)))
    if known.settings:
        keys = ", ".join(code(key, 40) for key in sorted(known.settings))
        lines.append(say("Settings of its own: {keys}", keys=keys))
    return Reply(content=fit(lines))


def kind(name: str | None) -> str:
    """Return a channel's type in words."""
    if name is not None and name in KINDS:
        return say(KINDS[name])
    return escape((name or say("channel")).replace("_", " "))


def _line(known: Channel, threads: int) -> str:
    parts = [channel(known.channel_id), kind(known.type)]
    if known.is_nsfw:
        parts.append(say("age-restricted"))
    if known.is_reading:
        parts.append(say("reading"))
    if known.message_count:
        parts.append(count(known.message_count, "{n} message read", "{n} messages read"))
    if threads:
        parts.append(count(threads, "{n} thread", "{n} threads"))
    return " · ".join(parts)
