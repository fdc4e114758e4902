"""What a client sends to begin or take up a session, checked."""

from collections.abc import Mapping
from typing import Any, Final

from attrs import frozen

from clipsaver.simulator.gateway import intents as bits
from clipsaver.simulator.gateway.connection import Closing

MOST_GUILDS: Final = 2500
LARGEST_SEQ: Final = 2**53


@frozen(kw_only=True)
class Identity:
    """A checked Identify."""

    token: str
    intents: int
    shard: tuple[int, int]
    sharded: bool
    compress: bool
    large_threshold: int


@frozen(kw_only=True)
class Return:
    """A checked Resume."""

    token: str
    session_id: str
    seq: int


def read_identify(data: Any, *, tokens: Mapping[str, int], application_flags: int) -> Identity:
    """The Identify that a client sent, or the close that it earns."""
    body = _mapping(data)
    token = _token(body.get("token"), tokens)
    properties = body.get("properties")
    if not isinstance(properties, Mapping):
        raise Closing(4002, "Error while decoding payload.")
    shard = _shard(body.get("shard"))
    intents = body.get("intents")
    if not isinstance(intents, int) or isinstance(intents, bool) or intents < 0 or intents & ~bits.ALL:
        raise Closing(4013, "Invalid intent(s).")
    if bits.disallowed(intents, application_flags):
        raise Closing(4014, "Disallowed intent(s).")
    threshold = body.get("large_threshold", 50)
    return Identity(
        token=token,
        intents=intents,
        shard=shard or (0, 1),
        sharded=shard is not None,
        compress=body.get("compress") is True,
        large_threshold=threshold if isinstance(threshold, int) and 50 <= threshold <= 250 else 50,  # noqa: PLR2004 - Discord's bounds
    )


def read_resume(data: Any, *, tokens: Mapping[str, int]) -> Return:
    """The Resume that a client sent, or the close that it earns."""
    body = _mapping(data)
    token = _token(body.get("token"), tokens)
    session_id, seq = body.get("session_id"), body.get("seq")
    if not isinstance(session_id, str):
        raise Closing(4002, "Error while decoding payload.")
    if not isinstance(seq, int) or isinstance(seq, bool) or not 0 <= seq <= LARGEST_SEQ:
        raise Closing(4007, "Invalid seq.")
    return Return(token=token, session_id=session_id, seq=seq)


def _mapping(data: Any) -> Mapping[str, Any]:
    if not isinstance(data, Mapping):
        raise Closing(4002, "Error while decoding payload.")
    return data


def _token(value: Any, tokens: Mapping[str, int]) -> str:
    token = value.removeprefix("Bot ") if isinstance(value, str) else ""
    if token not in tokens:
        raise Closing(4004, "Authentication failed.")
    return token


def _shard(value: Any) -> tuple[int, int] | None:
    if value is None:
        return None
    match value:
        case [int(index), int(count)] if 0 <= index < count and not isinstance(index, bool):
            return index, count
    raise Closing(4010, "Invalid shard.")
