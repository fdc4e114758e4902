"""The parts of a message body that only messages sent over REST have: nonce, reference, poll."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from clipsaver.simulator.entities import Message
from clipsaver.simulator.interactions.forms import Form
from clipsaver.simulator.interactions.messages import Existing
from clipsaver.simulator.world import World

FORWARD: Final = 1
"""The type of a reference that is a forward."""


def read_nonce(body: Any) -> str | int | None:
    """The nonce of a message: a number, or a text of up to 25 characters."""
    nonce = body.get("nonce") if isinstance(body, dict) else None
    if nonce is None or (isinstance(nonce, int) and not isinstance(nonce, bool)):
        return nonce
    form = Form()
    text = form.text(("nonce",), nonce, most=25)
    form.check()
    return text


def read_reference(body: Any) -> Mapping[str, Any] | None:
    """What a message refers to, if anything: its ids are there and are ids."""
    asked = body.get("message_reference") if isinstance(body, dict) else None
    if asked is None:
        return None
    form = Form()
    reference = form.mapping(("message_reference",), asked) or {}
    form.choice(("message_reference", "type"), reference.get("type") or 0, (0, FORWARD))
    for name in ("message_id", "channel_id"):
        value = reference.get(name)
        if value is None and (name == "message_id" or reference.get("type") == FORWARD):
            form.required(("message_reference", name))
        elif value is not None and not str(value).isdecimal():
            form.add(("message_reference", name), "NUMBER_TYPE_COERCE", f'Value "{value}" is not snowflake.')
    form.check()
    return reference


def existing(message: Message) -> Existing:
    """What an edit has to know of a message."""
    files = (*message.attachments, *(one.attachment for one in message.media if one.attachment))
    return Existing(
        content=message.content,
        embeds=len(message.embeds),
        components=len(message.components),
        attachments={one.id: one.filename for one in files},
        flags=message.flags,
    )


def make_poll(asked: Any, world: World) -> dict[str, Any] | None:
    """A poll request as the poll it becomes."""
    if asked is None:
        return None
    form = Form()
    poll = form.mapping(("poll",), asked) or {}
    listed = form.items(("poll", "answers"), poll.get("answers"), least=1, most=10)
    if not isinstance(poll.get("question"), dict):
        form.required(("poll", "question"))
    form.integer(("poll", "duration"), poll.get("duration"), least=1, most=768)
    mappings = [form.mapping(("poll", "answers", place), one) or {} for place, one in enumerate(listed)]
    form.check()
    answers = [{"answer_id": n, "poll_media": one.get("poll_media") or {}} for n, one in enumerate(mappings, 1)]
    return {
        "question": poll["question"],
        "answers": answers,
        "expiry": (world.now() + timedelta(hours=int(poll.get("duration") or 24))).isoformat(),
        "allow_multiselect": bool(poll.get("allow_multiselect")),
        "layout_type": poll.get("layout_type") or 1,
        "results": {"is_finalized": False, "answer_counts": []},
    }
