"""A channel's messages: a generated past that is never stored, and what was sent, edited and deleted since."""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Final, Protocol

from attrs import define, field

from clipsaver.simulator.entities import EPOCH_MS, Message

MASK: Final = (1 << 64) - 1
END: Final = 1 << 63
"""Above every id."""
QUIET_MS: Final = 64
"""The end of each slot stays empty, so that files' ids, moments before their messages', never meet a neighbour's."""
GOLDEN: Final = 0x9E3779B97F4A7C15


def mix(value: int) -> int:
    """Spread a number over 64 bits (splitmix64's finish): the same in every process, unlike ``hash``."""
    value = (value * GOLDEN) & MASK
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & MASK
    return value ^ (value >> 31)


class Author(Protocol):
    """Whatever can write the n-th message of a channel's past."""

    def message(self, index: int, message_id: int) -> Message:
        """The message itself, the same at every call."""

    def has_clips(self, index: int) -> bool:
        """Whether it holds clips, without making it."""


@define(kw_only=True)
class Slots:
    """Message ids from arithmetic: the n-th lies in the n-th time slot, so id and index follow from one another."""

    seed: int
    ordinal: int
    """The channel's number in its world: kept in the ids' low bits, so that no two channels share an id."""
    count: int
    start_ms: int
    step_ms: int

    def id_of(self, index: int) -> int:
        """The id of the n-th message; ids grow with the index."""
        chance = mix(self.seed + index)
        moment = self.start_ms + index * self.step_ms + (chance >> 24) % (self.step_ms - QUIET_MS)
        return ((moment - EPOCH_MS) << 22) | ((self.ordinal & 0x7FF) << 10) | (chance & 0x3FF)

    def first_from(self, message_id: int) -> int:
        """The index of the first message whose id is at least this one; ``count`` if there is none."""
        index = ((message_id >> 22) + EPOCH_MS - self.start_ms) // self.step_ms
        if index < 0:
            return 0
        if index >= self.count:
            return self.count
        return index if self.id_of(index) >= message_id else index + 1


@define(kw_only=True)
class History:
    """One channel's messages, past and present."""

    slots: Slots | None = None
    author: Author | None = None
    _sent: list[int] = field(factory=list, init=False)
    """Ids of messages that no generator wrote, in order."""
    _kept: dict[int, Message] = field(factory=dict, init=False)
    """Sent messages, and edited versions of generated ones."""
    _deleted: set[int] = field(factory=set, init=False)
    """Generated messages that are gone."""

    @property
    def generated(self) -> int:
        """How many messages the past began with."""
        return self.slots.count if self.slots is not None else 0

    def __len__(self) -> int:
        return self.generated - len(self._deleted) + len(self._sent)

    def get(self, message_id: int) -> Message | None:
        """The message as it is now."""
        kept = self._kept.get(message_id)
        if kept is not None or message_id in self._deleted:
            return kept
        index = self._index(message_id)
        return None if index is None else self._write(index, message_id)

    def put(self, message: Message) -> None:
        """Keep a new message, or the new version of one that is there."""
        if message.id in self._deleted:
            self._deleted.remove(message.id)
        elif self.get(message.id) is None:
            insort(self._sent, message.id)
        self._kept[message.id] = message

    def delete(self, message_id: int) -> bool:
        """Forget a message; whether it was there."""
        if self.get(message_id) is None:
            return False
        self._kept.pop(message_id, None)
        if self._index(message_id) is not None:
            self._deleted.add(message_id)
        else:
            del self._sent[bisect_left(self._sent, message_id)]
        return True

    def before(self, message_id: int, limit: int) -> list[Message]:
        """Up to ``limit`` messages older than an id, newest first."""
        return self._take(self._backward(message_id), limit)

    def after(self, message_id: int, limit: int) -> list[Message]:
        """Up to ``limit`` messages right after an id, newest first as Discord gives them."""
        return self._take(self._forward(message_id), limit)[::-1]

    def around(self, message_id: int, limit: int) -> list[Message]:
        """Messages on both sides of an id, itself included, newest first."""
        there = self.get(message_id)
        middle = [] if there is None else [there]
        newer = self.after(message_id, limit // 2)
        older = self.before(message_id, max(limit - limit // 2 - 1, 0) if middle else limit - limit // 2)
        return (newer + middle + older)[:limit]

    def last_id(self) -> int | None:
        """The newest message's id."""
        return next(self._backward(1 << 63), (None, 0))[0]

    def ids(self) -> Iterator[int]:
        """Every message's id, oldest first."""
        return (message_id for message_id, _ in self._forward(-1))

    def clips(self) -> Iterator[tuple[int, tuple[str, ...]]]:
        """Messages with clips and what they hold, oldest first, made without building the others."""
        for message_id, index in self._forward(-1):
            written = message_id not in self._kept
            if written and self.author is not None and not self.author.has_clips(index):
                continue
            message = self._make(message_id, index)
            if message.clips:
                yield message_id, message.clips

    def changed(self) -> Mapping[int, Message]:
        """Messages that differ from the generated past: sent or edited."""
        return self._kept

    def _make(self, message_id: int, index: int) -> Message:
        """A message that is there: kept, or written anew from its index."""
        return self._kept.get(message_id) or self._write(index, message_id)

    def _write(self, index: int, message_id: int) -> Message:
        if self.author is None:
            msg = "a generated past needs an author"
            raise RuntimeError(msg)
        return self.author.message(index, message_id)

    def _index(self, message_id: int) -> int | None:
        if self.slots is None:
            return None
        index = self.slots.first_from(message_id)
        return index if index < self.slots.count and self.slots.id_of(index) == message_id else None

    def _take(self, ids: Iterator[tuple[int, int]], limit: int) -> list[Message]:
        return [self._make(message_id, index) for message_id, index in islice(ids, limit)]

    def _backward(self, message_id: int) -> Iterator[tuple[int, int]]:
        """Ids below the given one with their index, newest first, all merged; sent ones have index -1."""
        index = (self.slots.first_from(message_id) if self.slots else 0) - 1
        position = bisect_left(self._sent, message_id) - 1
        generated = self.slots.id_of(index) if self.slots and index >= 0 else -1
        while generated >= 0 or position >= 0:
            if position >= 0 and self._sent[position] > generated:
                yield self._sent[position], -1
                position -= 1
                continue
            if generated not in self._deleted:
                yield generated, index
            index -= 1
            generated = self.slots.id_of(index) if self.slots and index >= 0 else -1

    def _forward(self, message_id: int) -> Iterator[tuple[int, int]]:
        """Ids above the given one with their index, oldest first."""
        count = self.generated
        index = self.slots.first_from(message_id + 1) if self.slots else 0
        position = bisect_right(self._sent, message_id)
        generated = self.slots.id_of(index) if self.slots and index < count else END
        while generated < END or position < len(self._sent):
            if position < len(self._sent) and self._sent[position] < generated:
                yield self._sent[position], -1
                position += 1
                continue
            if generated not in self._deleted:
                yield generated, index
            index += 1
            generated = self.slots.id_of(index) if self.slots and index < count else END
