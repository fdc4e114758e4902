"""Channels of any length, whose messages are made up when they are asked for: a million take no memory."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson
from attrs import frozen

from clipsaver.simulator.world import World

API: Final = "/api/v10"
FIRST: Final = 1_700_000_000_000 - 1_420_070_400_000
"""Milliseconds between Discord's epoch and the oldest message."""
STEP: Final = 1_000
"""Milliseconds between two messages."""
TEMPLATES: Final = 500
"""Messages that are made for good; the others repeat them under ids of their own."""
CHANNEL: Final = b"#channel#"
Page = tuple[int, bytes]
"""How many messages, and the body."""


def id_of(index: int) -> int:
    """The id of a channel's n-th message."""
    return (FIRST + index * STEP) << 22


def first_from(message_id: int) -> int:
    """The index of the first message whose id is not below this one."""
    moment = -(-message_id >> 22)
    return max(0, -((FIRST - moment) // STEP))


@frozen
class Endless:
    """Answers Get Channel Messages for channels that differ in nothing but their length."""

    lengths: Mapping[int, int]
    """Messages by channel."""
    templates: Sequence[Sequence[bytes]]
    """Encoded messages, divided where their id stands."""

    @classmethod
    def of(cls, lengths: Mapping[int, int], *, origin: str | None = None, file_size: int | None = None) -> "Endless":
        """Take messages of a drawn world for patterns; files are at an origin, and as long as what is served there."""
        world = World.from_seed(7, channels=1, messages=TEMPLATES, videos_percent=10)
        if origin is not None:
            world.links.origin = world.links.proxy_origin = origin
        ((channel_id, history),) = ((one, past) for one, past in world.histories.items() if len(past))
        templates = []
        for message in history.before(1 << 63, TEMPLATES):
            payload = world.payload_of(message)
            if file_size is not None:
                _resize(payload, file_size)
            encoded = orjson.dumps(payload).replace(str(channel_id).encode(), CHANNEL)
            templates.append(encoded.split(str(message.id).encode()))
        return cls(lengths, templates)

    def page(self, channel_id: int, query: Mapping[str, Sequence[str]]) -> Page:
        """One answer: newest first, whichever side was asked for."""
        limit = int(query.get("limit", ["50"])[0])
        length = self.lengths[channel_id]
        if "after" in query:
            start = min(first_from(int(query["after"][0]) + 1), length)
            stop = min(start + limit, length)
        else:
            stop = min(first_from(int(query["before"][0])), length) if "before" in query else length
            start = max(stop - limit, 0)
        many = len(self.templates)
        parts = [str(id_of(at)).encode().join(self.templates[at % many]) for at in range(stop - 1, start - 1, -1)]
        body = b"[" + b",".join(parts) + b"]"
        return len(parts), body.replace(CHANNEL, str(channel_id).encode())


def _resize(told: Any, size: int) -> None:
    """Give every file in a message one size, wherever in it the file is: attachments and components have one."""
    if isinstance(told, dict):
        if "size" in told:
            told["size"] = size
        told = list(told.values())
    for one in told if isinstance(told, list | tuple) else ():
        _resize(one, size)
