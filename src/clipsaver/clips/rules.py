"""What decides whether something is a clip, and the hash that names those rules. Pure."""

import hashlib
from collections.abc import Iterable
from functools import cached_property
from typing import Final

import orjson
import re2  # type: ignore[import-untyped]
from attrs import field, frozen

from clipsaver.guilds.settings import Settings

VERSION: Final = 1
"""Goes up when the code finds other clips under the same settings: whatever was read before is then read again."""

MEBIBYTE: Final = 1024 * 1024


def _names(values: Iterable[str]) -> tuple[str, ...]:
    """The same names in one order and one spelling, so that neither makes rules look new."""
    return tuple(sorted({value.strip().lower() for value in values} - {""}))


def _extensions(values: Iterable[str]) -> tuple[str, ...]:
    return _names(value.strip().removeprefix(".") for value in values)


def _usable(pattern: str | None) -> str | None:
    """The pattern, if it compiles; an unusable one (written past our checks) must not hide anything."""
    if not pattern:
        return None
    try:
        _compile(pattern)
    except (re2.error, UnicodeEncodeError):
        return None
    return pattern


def _compile(pattern: str) -> "re2._Regexp":
    options = re2.Options()
    options.log_errors = False
    options.never_capture = True
    return re2.compile(pattern, options)


def _positive(value: float | None) -> float | None:
    return float(value) if value is not None and value > 0 else None


@frozen(kw_only=True)
class Rules:
    """The settings that decide what is a clip, in one spelling, with their patterns compiled once."""

    video_formats: tuple[str, ...] = field(converter=_extensions)
    """File name extensions without the dot."""
    allowed_mime_types: tuple[str, ...] = field(converter=_names)
    """Media types; ``video/*`` allows every one of its family."""
    match_regex: str | None = field(default=None, converter=_usable)
    """A message's text has to contain this."""
    exclude_regex: str | None = field(default=None, converter=_usable)
    """A message's text must not contain this."""
    min_video_seconds: float | None = field(default=None, converter=_positive)
    max_file_size_mb: float | None = field(default=None, converter=_positive)
    include_bots: bool = True
    store_content: bool = field(default=False)
    """Whether a clip's message keeps its text; decides nothing about clips, so it is no part of the hash."""

    @classmethod
    def of(cls, settings: Settings) -> "Rules":
        """What of a channel's effective settings concerns clips."""
        return cls(
            video_formats=settings.video_formats,
            allowed_mime_types=settings.allowed_mime_types,
            match_regex=settings.match_regex,
            exclude_regex=settings.exclude_regex,
            min_video_seconds=settings.min_video_seconds,
            max_file_size_mb=settings.max_file_size_mb,
            include_bots=settings.include_bots,
            store_content=settings.enable_message_content_storage,
        )

    @cached_property
    def hash(self) -> str:
        """SHA-256 in hex of the rules' canonical JSON: equal rules, equal hash, on every machine and version."""
        canonical = {
            "version": VERSION,
            "video_formats": self.video_formats,
            "allowed_mime_types": self.allowed_mime_types,
            "match_regex": self.match_regex,
            "exclude_regex": self.exclude_regex,
            "min_video_seconds": self.min_video_seconds,
            "max_file_size_mb": self.max_file_size_mb,
            "include_bots": self.include_bots,
        }
        return hashlib.sha256(orjson.dumps(canonical, option=orjson.OPT_SORT_KEYS)).hexdigest()

    def allows(self, *, filename: str, content_type: str | None) -> bool:
        """Whether a file is a video by its type or by its name: either may be missing, wrong or oddly written."""
        _, dot, extension = filename.rpartition(".")
        return bool(dot and extension.strip().lower() in self._formats) or self._allows_type(content_type)

    def _allows_type(self, content_type: str | None) -> bool:
        if not content_type:
            return False
        media_type = content_type.partition(";")[0].strip().lower()
        return media_type in self._types or f"{media_type.partition('/')[0]}/*" in self._types

    @property
    def reads_text(self) -> bool:
        """Whether a message's text makes any difference."""
        return self.match_regex is not None or self.exclude_regex is not None

    def wants(self, text: str) -> str | None:
        """None if a message with this text may hold a clip, else the key that says why not."""
        if self._match is not None and not _found(self._match, text):
            return "not_matched"
        if self._exclude is not None and _found(self._exclude, text):
            return "excluded"
        return None

    def fits(self, *, size: int | None, seconds: float | None) -> str | None:
        """None if a file of this size and length is wanted, else the key that says why not; unknown never excludes."""
        if self.max_file_size_mb is not None and size is not None and size > self.max_file_size_mb * MEBIBYTE:
            return "too_large"
        if self.min_video_seconds is not None and seconds is not None and seconds < self.min_video_seconds:
            return "too_short"
        return None

    @cached_property
    def _formats(self) -> frozenset[str]:
        return frozenset(self.video_formats)

    @cached_property
    def _types(self) -> frozenset[str]:
        return frozenset(self.allowed_mime_types)

    @cached_property
    def _match(self) -> "re2._Regexp | None":
        return None if self.match_regex is None else _compile(self.match_regex)

    @cached_property
    def _exclude(self) -> "re2._Regexp | None":
        return None if self.exclude_regex is None else _compile(self.exclude_regex)


def _found(pattern: "re2._Regexp", text: str) -> bool:
    return pattern.search(text.encode("utf-8", "replace")) is not None
