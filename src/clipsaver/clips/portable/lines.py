"""The lists of an export, line by line: each a JSON object, read as something that anybody may have written. Pure."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from math import isfinite
from typing import Any, Final, TypeAlias, TypeVar

import orjson
from attrs import fields, frozen

from clipsaver.clips.portable.model import FORMAT, VERSION, Clip, Place
from clipsaver.clips.portable.names import is_plain
from clipsaver.discord.snowflakes import LARGEST
from clipsaver.errors import BadInput

T = TypeVar("T", Place, Clip)
Check: TypeAlias = Callable[[Any], Any]

LONGEST_LINE: Final = 1024 * 1024
"""Bytes; a clip has a few hundred, and some thousand where a message's text is long."""
LONGEST_TEXT: Final = 10_000
LARGEST_INT: Final = 2**31 - 1
MOST_PEOPLE: Final = 1_000
MOST_SHOWN: Final = 60
FILES: Final = "clips"
"""The folder that all of them lie in."""
PARTS: Final = 4
"""``clips/<server>/<channel>/<file>``."""
_CLIP_ID: Final = re.compile(r"([0-9]{1,19})-(?:([0-9]{1,19})|e[0-9]{1,9})", re.ASCII)
_NUMBER: Final = re.compile(r"[0-9]{1,19}", re.ASCII)
_DIGEST: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
_MEDIA_TYPE: Final = re.compile(r"[!-~]{1,100}/[ -~]{1,100}", re.ASCII)
_YEARS: Final = range(1970, 3000)


@frozen(kw_only=True)
class End:
    """The last line of a list: so that one which was cut off is known."""

    clips: int
    bytes: int


Line: TypeAlias = Place | Clip | End


def write(line: Line) -> bytes:
    """One line, with its end; what is not known is left out."""
    match line:
        case Place():
            known = {"kind": "channel", "format": FORMAT, "version": VERSION}
        case Clip():
            known = {"kind": "clip"}
        case End():
            return orjson.dumps({"kind": "end", "clips": line.clips, "bytes": line.bytes}) + b"\n"
    values = {one.name: _written(one.name, getattr(line, one.name)) for one in fields(type(line))}
    return orjson.dumps(known | {name: value for name, value in values.items() if value is not None}) + b"\n"


def read(line: bytes) -> Line:
    """What a line says; BadInput says what is wrong with it."""
    if len(line) > LONGEST_LINE:
        raise BadInput("it is too long")
    try:
        values = orjson.loads(line)
    except orjson.JSONDecodeError:
        raise BadInput("it is no JSON") from None
    if not isinstance(values, dict):
        raise BadInput("it is no JSON object")
    match values.get("kind"):
        case "channel":
            must_be_ours(values)
            return _structured(values, Place, PLACE)
        case "clip":
            return _consistent(_structured(values, Clip, CLIP))
        case "end":
            return End(clips=_whole(LARGEST)(values.get("clips")), bytes=_whole(LARGEST)(values.get("bytes")))
        case _:
            raise BadInput(f"its kind is {_shown(values.get('kind'))}, which is none of channel, clip and end")


def must_be_ours(values: Any) -> None:
    """Refuse what is no export, or of a later make."""
    if not isinstance(values, dict) or values.get("format") != FORMAT:
        raise BadInput(f"it is no {FORMAT}")
    if values.get("version") != VERSION or isinstance(values.get("version"), bool):
        raise BadInput(f"its version is {_shown(values.get('version'))}, and this clipsaver reads version {VERSION}")


def _structured(values: Mapping[str, Any], kind: type[T], checks: Mapping[str, tuple[Check, bool]]) -> T:
    found: dict[str, Any] = {}
    for name, (check, needed) in checks.items():
        value = values.get(name)
        if value is None:
            if needed:
                raise BadInput(f"{name} is missing")
            continue
        try:
            found[name] = check(value)
        except BadInput as error:
            raise BadInput(f"{name} is {_shown(value)}, {error.message}") from None
    return kind(**found)


def _consistent(clip: Clip) -> Clip:
    """Refuse a clip whose id and message have nothing to do with each other."""
    parts = _CLIP_ID.fullmatch(clip.clip_id)
    if parts is None or int(parts[1]) != clip.message_id:
        raise BadInput(f"clip_id is {_shown(clip.clip_id)}, which is not the message's id and another")
    if parts[2] is not None and int(parts[2]) != clip.attachment_id:
        raise BadInput("clip_id and attachment_id are not the same")
    return clip


# ── values ──


def _snowflake(value: Any) -> int:
    if not isinstance(value, str) or not _NUMBER.fullmatch(value) or int(value) > LARGEST:
        raise BadInput("and no id")
    return int(value)


def _snowflakes(value: Any) -> tuple[int, ...]:
    if not isinstance(value, list) or len(value) > MOST_PEOPLE:
        raise BadInput("and no list of ids")
    return tuple(_snowflake(one) for one in value)


def _text(value: Any) -> str:
    if not isinstance(value, str) or "\0" in value:
        raise BadInput("and no text")
    if len(value) > LONGEST_TEXT:
        raise BadInput(f"and longer than {LONGEST_TEXT} characters")
    return value


def _whole(largest: int, least: int = 0) -> Check:
    def check(value: Any) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= largest:
            raise BadInput(f"and no whole number from {least} to {largest}")
        return value

    return check


def _seconds(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not (isfinite(value) and value >= 0):
        raise BadInput("and no number of seconds")
    return float(value)


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise BadInput("and neither true nor false")
    return value


def _moment(value: Any) -> datetime:
    try:
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is not None and moment.year in _YEARS:
            return moment.astimezone(UTC)
    except (TypeError, ValueError):
        pass
    raise BadInput("and no moment with its time zone")


def _digest(value: Any) -> bytes:
    if not isinstance(value, str) or not _DIGEST.fullmatch(value):
        raise BadInput("and no SHA-256")
    return bytes.fromhex(value)


def _media_type(value: Any) -> str:
    if not isinstance(value, str) or not _MEDIA_TYPE.fullmatch(value):
        raise BadInput("and no media type")
    return value


def _below(parts: int) -> Check:
    def check(value: Any) -> str:
        if not isinstance(value, str) or len(value) > LONGEST_TEXT:
            raise BadInput("and no path")
        first, *others = value.split("/")
        if first != FILES or len(others) != parts - 1 or not all(map(is_plain, others)):
            raise BadInput(f"which does not lie in {FILES}/ as files of an export do")
        return value

    return check


PLACE: Final[Mapping[str, tuple[Check, bool]]] = {
    "guild_id": (_snowflake, True),
    "guild_name": (_text, True),
    "guild_icon": (_text, False),
    "channel_id": (_snowflake, True),
    "channel_name": (_text, False),
    "channel_type": (_text, False),
    "is_nsfw": (_flag, False),
    "parent_id": (_snowflake, False),
    "parent_name": (_text, False),
    "position": (_whole(LARGEST_INT, -LARGEST_INT), False),
    "folder": (_below(PARTS - 1), True),
}
CLIP: Final[Mapping[str, tuple[Check, bool]]] = {
    "clip_id": (_text, True),
    "message_id": (_snowflake, True),
    "attachment_id": (_snowflake, False),
    "author_id": (_snowflake, False),
    "author_username": (_text, False),
    "author_global_name": (_text, False),
    "author_avatar": (_text, False),
    "posted_at": (_moment, True),
    "edited_at": (_moment, False),
    "content": (_text, False),
    "filename": (_text, True),
    "title": (_text, False),
    "description": (_text, False),
    "content_type": (_text, False),
    "size": (_whole(LARGEST), False),
    "url": (_text, True),
    "url_expires_at": (_moment, False),
    "width": (_whole(LARGEST_INT, -LARGEST_INT), False),
    "height": (_whole(LARGEST_INT, -LARGEST_INT), False),
    "duration_seconds": (_seconds, False),
    "is_clip": (_flag, False),
    "is_spoiler": (_flag, False),
    "is_forward": (_flag, False),
    "game": (_text, False),
    "clip_created_at": (_moment, False),
    "participants": (_snowflakes, False),
    "sha256": (_digest, True),
    "bytes": (_whole(LARGEST), True),
    "media_type": (_media_type, False),
    "file": (_below(PARTS), True),
    "gone_since": (_moment, False),
}
_IDS: Final = frozenset(name for checks in (PLACE, CLIP) for name, (check, _) in checks.items() if check is _snowflake)


def _written(name: str, value: Any) -> Any:
    """A value as JSON has it; None for what need not be said."""
    match value:
        case None | False | ():
            return None
        case bytes():
            return value.hex()
        case datetime():
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case tuple():
            return [str(one) for one in value]
        case _:
            return str(value) if name in _IDS else value


def _shown(value: Any) -> str:
    """A value as a sentence can hold it."""
    text = repr(value) if isinstance(value, str) else orjson.dumps(value).decode()
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}…"
