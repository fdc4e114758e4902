"""What may be kept of a payload that could not be read: its shape, ids, kinds and numbers, and nobody's words."""

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from clipsaver.discord.snowflakes import LARGEST

DEEPEST: Final = 16
MOST: Final = 200
"""Entries kept of one list or object."""
KEY: Final = re.compile(r"[a-z0-9_]{1,40}")
PLAIN: Final = re.compile(r"[A-Za-z0-9][\w.:+/-]{0,63}", re.ASCII)
"""What kinds and moments are made of."""
KINDS: Final = frozenset({"content_type", "type"})
SUFFIX: Final = re.compile(r"\.[A-Za-z0-9]{1,8}\Z")


def redact(payload: Mapping[Any, Any]) -> dict[str, Any]:
    """Blank texts and names, cut signatures and names from URLs; bounded, and fit for a jsonb column."""
    return _entries(payload, 1)


def _entries(payload: Mapping[Any, Any], depth: int) -> dict[str, Any]:
    return {
        key: _value(key, value, depth)
        for key, value in list(payload.items())[:MOST]
        if isinstance(key, str) and KEY.fullmatch(key)
    }


def _value(key: str, value: object, depth: int) -> Any:
    kept: Any = None
    match value:
        case bool() | float():
            kept = value
        case int() if abs(value) <= LARGEST:
            kept = value
        case str():
            kept = _text(key, value)
        case Mapping() if depth < DEEPEST:
            kept = _entries(value, depth + 1)
        case list() | tuple() if depth < DEEPEST:
            kept = [_value(key, inner, depth + 1) for inner in value[:MOST]]
    return kept


def _text(key: str, value: str) -> str:
    if key == "id" or key.endswith("_id"):
        return value if value.isascii() and value.isdigit() and len(value) <= 20 else ""  # noqa: PLR2004 - 64 bits
    if key == "url" or key.endswith("_url"):
        return _address(value)
    if key in KINDS or key.endswith(("timestamp", "_at")):
        return value if PLAIN.fullmatch(value) else ""
    return ""


def _address(value: str) -> str:
    """The origin, the numbers in the path and the last name's ending: enough to see what was linked to."""
    try:
        parts = urlsplit(value)
        host = parts.hostname or ""
    except ValueError:
        return ""
    if parts.scheme not in {"http", "https"} or not PLAIN.fullmatch(host):
        return ""
    *folders, last = parts.path.split("/")[1:] or [""]
    ending = SUFFIX.search(last)
    kept = [part if part.isascii() and part.isdigit() else "_" for part in folders[:8]]
    return "/".join([f"{parts.scheme}://{host}", *kept, f"_{ending[0]}" if ending else "_"])
