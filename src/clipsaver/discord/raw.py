"""Messages as Discord sent them, looked at just closely enough to tell which may hold a clip.

Nine messages in ten hold none, and everything in them would be parsed for nothing. So a page is cut into its messages
first; of each, the few fields that decide are decoded, and the whole payload only of those that go on.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Self, TypeVar

import msgspec
import orjson
from attrs import evolve
from msgspec import Raw, Struct

from clipsaver.discord.media import media_in
from clipsaver.discord.snapshots import ForwardSnapshot, MessageSnapshot, structure_message
from clipsaver.discord.snowflakes import Snowflake
from clipsaver.discord.structuring import Mismatch, OddPayload

M = TypeVar("M", MessageSnapshot, ForwardSnapshot)

UNREADABLE: Final = (msgspec.DecodeError, RecursionError)
"""What msgspec says of what is no JSON, or not of the kind that is wanted, or nested beyond all bounds."""
FILES: Final = b"attachments"
"""What is in every link to a file that Discord keeps, however its slashes are written."""
NOTHING: Final = (b"", b"null")
NUL: Final = b"\\u0000"
"""The one character that PostgreSQL's texts can't hold, as JSON has to write it."""


class Author(Struct, gc=False):
    """Who wrote a message."""

    id: Snowflake | None = None


class Attached(Struct, gc=False):
    """What an attachment calls itself."""

    filename: str | None = None
    content_type: str | None = None


class Embedded(Struct, gc=False):
    """What an embed shows."""

    video: Raw = Raw()


class RawMessage(Struct, gc=False):
    """One message, and its payload as it came."""

    id: Snowflake
    channel_id: Snowflake | None = None
    application_id: Snowflake | None = None
    author: Author | None = None
    attachments: list[Attached] | None = None
    embeds: list[Embedded] | None = None
    components: list[Raw] | None = None
    message_snapshots: list[Raw] | None = None
    raw: Raw = Raw()
    """The payload's JSON, set by whoever decodes it; a view into the page that it came with until ``detach``."""
    odd: bool = False
    """Whether a field that was looked at is not what it should be; likewise set afterwards."""

    @classmethod
    def of(cls, payload: Mapping[str, Any]) -> "RawMessage":
        """Look at a payload that was parsed already; raises Mismatch if it has no id."""
        return _look(Raw(_encoded(payload)))

    @property
    def payload(self) -> dict[str, Any]:
        """The whole payload; raises OddPayload where something in it is beyond all bounds."""
        try:
            payload: dict[str, Any] = orjson.loads(memoryview(self.raw))
        except orjson.JSONDecodeError:
            raise OddPayload("a message", "not readable as JSON") from None
        return payload

    @property
    def has_media(self) -> bool:
        """Whether there is a file in it, or anything else that may be one."""
        return bool(self.attachments) or self.has_more_than_files

    @property
    def has_more_than_files(self) -> bool:
        """Whether there is a forward, a component or an embed of a file in it; an odd one is taken to have."""
        return bool(
            self.components
            or self.message_snapshots
            or self.odd
            or (self.embeds and any(FILES in bytes(embed.video) for embed in self.embeds))
        )

    def detach(self) -> Self:
        """Let go of the page around it."""
        self.raw = self.raw.copy()
        return self

    def snapshot(self) -> MessageSnapshot:
        """Read the whole message; raises OddPayload.

        Straight from its JSON as long as all in it is what it should be; whatever else there is takes the longer way,
        which knows what to make of odd values.
        """
        if self.odd or _holds_nul(bytes(self.raw)):
            return structure_message(self.payload)
        try:
            return self._straight()
        except (ValueError, *UNREADABLE):  # a Mismatch, or what orjson says
            return structure_message(self.payload)

    def _straight(self) -> MessageSnapshot:
        message = _shown(_WHOLE.decode(self.raw), self.components)
        inside = [_ENTRY.decode(entry).message for entry in self.message_snapshots or ()]
        forwarded = tuple([_forward(one) for one in inside if bytes(one) not in NOTHING])
        return evolve(message, forwarded=forwarded) if forwarded or message.forwarded else message


class _Named(Struct, gc=False):
    """The one field that a message can't be without."""

    id: Snowflake


class _Entry(Struct, gc=False):
    """One of the messages that a forward holds."""

    message: Raw = Raw()


class _Placed(Struct, gc=False):
    """Where a forwarded message has its media besides files."""

    components: list[Raw] | None = None


_PAGE: Final = msgspec.json.Decoder(list[Raw])
# Discord writes ids as text; not being strict means that numbers are read from text as well.
_MESSAGE: Final = msgspec.json.Decoder(RawMessage, strict=False)
_WHOLE: Final = msgspec.json.Decoder(MessageSnapshot, strict=False)
_ENTRY: Final = msgspec.json.Decoder(_Entry)
_FORWARD: Final = msgspec.json.Decoder(ForwardSnapshot, strict=False)
_PLACED: Final = msgspec.json.Decoder(_Placed)
_NAMED: Final = msgspec.json.Decoder(_Named, strict=False)


def read_messages(body: bytes) -> list[RawMessage]:
    """Read a list of messages in its order; raises Mismatch if it is none, or one of them has no id."""
    return look_at(cut(body))


def cut(body: bytes) -> list[Raw]:
    """Cut a list of messages into them, whatever they are; raises Mismatch if it is none."""
    try:
        return _PAGE.decode(body)
    except UNREADABLE:
        return _mended(body)


def look_at(messages: Iterable[Raw]) -> list[RawMessage]:
    """Look at each of them; raises Mismatch if one has no id."""
    return [_look(raw) for raw in messages]


def with_media(messages: Iterable[RawMessage]) -> list[RawMessage]:
    """Those that have media; of most, none of the fields where it can be holds anything."""
    some = [
        one for one in messages if one.attachments or one.embeds or one.components or one.message_snapshots or one.odd
    ]
    return [one for one in some if one.has_media]


def id_of(message: Raw) -> int:
    """The id alone; raises Mismatch if there is none."""
    try:
        return _NAMED.decode(message).id
    except UNREADABLE:
        raise Mismatch("a message without an id") from None


def _holds_nul(payload: bytes) -> bool:
    """Whether it may hold that character; one byte is found much faster than several, and most payloads have none."""
    return b"\\" in payload and NUL in payload


def _forward(message: Raw) -> ForwardSnapshot:
    return _shown(_FORWARD.decode(message), _PLACED.decode(message).components)


def _shown(message: M, components: Sequence[Raw] | None) -> M:
    """Add what is in its components; nothing else in it is called ``media``."""
    if not components and not message.media:
        return message
    return evolve(message, media=media_in([orjson.loads(memoryview(one)) for one in components or ()]))


def _mended(body: bytes) -> list[Raw]:
    """Cut up a page that has half a surrogate pair in it: one odd text must not spoil all of them."""
    try:
        return _PAGE.decode(_encoded(json.loads(body)))
    except (ValueError, *UNREADABLE):
        raise Mismatch("not a list of messages") from None


def _encoded(payload: Any) -> bytes:
    """JSON once more, without half surrogate pairs."""
    return json.dumps(payload, ensure_ascii=False).encode(errors="replace")


def _look(raw: Raw) -> RawMessage:
    """Decode what decides; a message in which that can't be done is odd, and tells why when it is structured."""
    try:
        message = _MESSAGE.decode(raw)
        message.odd = False
    except UNREADABLE:
        message = RawMessage(id=id_of(raw), odd=True)
    message.raw = raw
    return message
