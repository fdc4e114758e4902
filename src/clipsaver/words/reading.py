"""What people read about which channels are read."""

from collections.abc import Sequence

from clipsaver.channels.model import Channel
from clipsaver.discord.components import Reply
from clipsaver.words.components import confirm_read_none, paged
from clipsaver.words.language import count, say
from clipsaver.words.text import channel


def switched(known: Channel) -> Reply:
    """Say whether a channel is read now, and what that does not cover."""
    where = channel(known.channel_id)
    if known.is_reading:
        return Reply(
            content=say("I read {channel} now. `/scan start` finds the clips it already holds.", channel=where)
        )
    return Reply(content=say("I don't read {channel} any more. The clips found there stay.", channel=where))


def being_read(known: Sequence[Channel]) -> Sequence[Channel]:
    """Return the channels that are read; threads only where the channel they are in isn't, since they follow it."""
    reading = {one.channel_id for one in known if one.is_reading}
    return [one for one in known if one.is_reading and not (one.is_thread and one.parent_id in reading)]


def listed(known: Sequence[Channel], *, page: int = 0) -> Reply:
    """List the channels that are read."""
    reading = being_read(known)
    if not reading:
        return Reply(content=say("I don't read any channel here. `/read on` changes that."))
    head = count(len(reading), "**I read {n} channel**", "**I read {n} channels**")
    return paged(head, [channel(one.channel_id) for one in reading], what="reading", page=page)


def all_on(changed: int) -> Reply:
    """Say that every channel the person can see is read now."""
    if not changed:
        return Reply(content=say("I read every channel that you can see here already."))
    return Reply(content=count(changed, "I read {n} more channel now.", "I read {n} more channels now."))


def ask_none(known: Sequence[Channel], *, user_id: int) -> Reply:
    """Ask whether reading should really stop everywhere."""
    reading = len(being_read(known))
    if not reading:
        return Reply(content=say("I don't read any channel here."))
    question = count(
        reading,
        "Should I stop reading {n} channel? The clips found there stay.",
        "Should I stop reading {n} channels? The clips found there stay.",
    )
    return Reply(content=question, components=(confirm_read_none(user_id),))


def all_off(changed: int) -> Reply:
    """Say that no channel is read any more."""
    return Reply(content=count(changed, "I stopped reading {n} channel.", "I stopped reading {n} channels."))


def left_alone() -> Reply:
    """Say that nothing was changed."""
    return Reply(content=say("Nothing was changed."))
