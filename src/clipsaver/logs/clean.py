"""What may be written: no secret, nothing endless, nothing that JSON can't hold. Pure."""

import re
from collections.abc import Iterable, Mapping
from datetime import date, datetime, time, timedelta
from enum import Enum
from typing import Any

from attrs import define, field, frozen

REDACTED = "[redacted]"
LONGEST_TEXT = 8_000
"""Characters of one text."""
LONGEST_LOOK = 64_000
"""Characters of one text that are looked at for secrets; what is behind them is not written either."""
MOST_VALUES = 2_000
"""Values in one line, nested ones included."""
DEEPEST = 12
SHORTEST_SECRET = 4
"""Characters; what is shorter can't be told from ordinary text."""
LEAST, MOST = -(2**63), 2**64 - 1
"""The whole numbers that orjson can write."""
FIXED = frozenset({"timestamp", "level", "logger"})
"""Keys that the pipeline itself writes."""
SECRET_KEYS = frozenset(
    {
        "authorization",
        "proxy-authorization",
        "cookie",
        "set-cookie",
        "token",
        "bot_token",
        "access_token",
        "refresh_token",
        "interaction_token",
        "client_secret",
        "password",
        "secret",
    }
)
SHORTEST_TOKEN = 49
"""Characters of the shortest text that the first of the patterns finds."""
JOINT = re.compile(r"[\s:=/,]")
"""What every text has that another of them finds; identifiers and the names of events have none."""
PATTERNS = (
    # A bot's token: its id, a time and a signature.
    (re.compile(r"(?<![\w-])[\w-]{17,40}\.[\w-]{5,8}\.[\w-]{25,60}(?![\w-])", re.ASCII), REDACTED),
    (
        re.compile(
            r"(authorization[\"']?\s{0,3}[:=,]\s{0,3}(?:b?[\"'])?)(?:(?:bot|bearer|basic)\s+)?[^\s\"',})\]]+",
            re.IGNORECASE,
        ),
        rf"\1{REDACTED}",
    ),
    (re.compile(r"\b(bot|bearer|basic)(\s+)[\w.~+/=-]{20,}", re.IGNORECASE), rf"\1\2{REDACTED}"),
    # The user's part of an address: scheme://user:password@host
    (re.compile(r"([a-z][a-z0-9+.-]{1,20}://[^\s:/@]{0,100}:)[^\s@/]{1,300}@", re.IGNORECASE), rf"\1{REDACTED}@"),
    (
        re.compile(
            r"\b((?:password|passwd|client_secret|access_token|refresh_token)[\"']?\s{0,3}[=:]\s{0,3}[\"']?)[^\s\"'&,;]+",
            re.IGNORECASE,
        ),
        rf"\1{REDACTED}",
    ),
    # An interaction's token, good for fifteen minutes; a webhook's, good for ever.
    (re.compile(r"(/(?:webhooks|interactions)/\d{1,20}/)[\w.-]{20,}", re.ASCII), rf"\1{REDACTED}"),
    # The signature of a link to a file.
    (re.compile(r"([?&]hm=)[0-9a-f]{16,}", re.IGNORECASE), rf"\1{REDACTED}"),
)


@frozen
class Cleaner:
    """A structlog processor that makes every value fit to be written."""

    secrets: re.Pattern[str] | None = field(repr=False)

    @classmethod
    def of(cls, secrets: Iterable[str]) -> "Cleaner":
        """A cleaner that knows these texts to be secret, next to whatever looks like one."""
        known = sorted({text for text in secrets if len(text) >= SHORTEST_SECRET}, key=len, reverse=True)
        return cls(re.compile("|".join(map(re.escape, known))) if known else None)

    def __call__(self, _logger: Any, _method: str, event: Mapping[str, Any]) -> dict[str, Any]:
        """Clean one line's values."""
        values = _Values(cleaner=self)
        return {
            self.text(str(key)): value if key in FIXED and isinstance(value, str) else values.under(key, value, 0)
            for key, value in event.items()
        }

    def text(self, text: str) -> str:
        """A text without secrets, of bounded length, as valid UTF-8."""
        looked_at = text[:LONGEST_LOOK]
        if not looked_at.isascii():
            looked_at = looked_at.encode("utf-8", "replace").decode("utf-8")
        if self.secrets is not None:
            looked_at = self.secrets.sub(REDACTED, looked_at)
        if len(looked_at) >= SHORTEST_TOKEN or JOINT.search(looked_at) is not None:
            for pattern, replacement in PATTERNS:
                looked_at = pattern.sub(replacement, looked_at)
        return looked_at if len(looked_at) <= LONGEST_TEXT else looked_at[:LONGEST_TEXT] + "…"


@define
class _Values:
    """The values of one line, counted."""

    cleaner: Cleaner
    left: int = MOST_VALUES

    def under(self, key: object, value: object, depth: int) -> Any:
        if isinstance(key, str) and key.lower() in SECRET_KEYS and value is not None:
            return REDACTED
        return self.clean(value, depth)

    def clean(self, value: object, depth: int) -> Any:
        self.left -= 1
        if self.left < 0 or depth > DEEPEST:
            return "…"
        if isinstance(value, Enum):
            return self.clean(value.value, depth + 1)
        if isinstance(value, Mapping | list | tuple | set | frozenset):
            return self._many(value, depth)
        return self._one(value)

    def _many(self, value: Mapping[Any, Any] | Iterable[Any], depth: int) -> Any:
        if isinstance(value, Mapping):
            named: dict[str, Any] = {}
            for key, inner in value.items():
                if self.left <= 0:
                    break
                named[self.cleaner.text(key if isinstance(key, str) else described(key))] = self.under(
                    key, inner, depth + 1
                )
            return named
        cleaned: list[Any] = []
        for inner in value:
            if self.left <= 0:
                break
            cleaned.append(self.clean(inner, depth + 1))
        return cleaned

    def _one(self, value: object) -> Any:
        if value is None or isinstance(value, bool | float):
            return value
        if isinstance(value, int):
            return int(value) if LEAST <= value <= MOST else hex(value)[:LONGEST_TEXT]
        if isinstance(value, str):
            return self.cleaner.text(value)
        return self._shown(value)

    def _shown(self, value: object) -> str:
        if isinstance(value, datetime | date | time):
            return value.isoformat()
        if isinstance(value, bytes | bytearray):
            return self.cleaner.text(repr(bytes(value[:LONGEST_TEXT])))
        if isinstance(value, timedelta):
            return str(value)
        return self.cleaner.text(described(value))


def described(value: object) -> str:
    """What an object says of itself; that it can't say it if so."""
    try:
        return str(value)
    except Exception:  # noqa: BLE001 - whatever is wrong with an object must not cost the line it is logged in
        return f"<{type(value).__name__} that can't be shown>"
