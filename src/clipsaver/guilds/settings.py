"""A server's settings as the rest of the program reads them: channel over server over defaults. Pure.

What is stored may be older or written by hand: reading passes over what it does not understand and tells; writing
refuses it (``parse``, ``check``).
"""

from collections.abc import Mapping
from typing import Any, Final, Literal

from attrs import asdict, frozen

from clipsaver.errors import BadInput

from .catalogue import MIME_TYPES, SETTINGS, VIDEO_FORMATS, Kind, Setting, Value
from .values import allowed, display, parse, read, read_or_parse, setting_of, suggest_keys, suggestions

__all__ = [
    "MIME_TYPES",
    "SETTINGS",
    "VIDEO_FORMATS",
    "Kind",
    "Setting",
    "SettingView",
    "Settings",
    "SettingsView",
    "Source",
    "Value",
    "allowed",
    "as_stored",
    "check",
    "display",
    "parse",
    "problems",
    "reset_keys",
    "resolve",
    "setting_of",
    "suggest_keys",
    "suggestions",
    "unknown",
    "view",
]

_NOTHING: Final[Mapping[str, Any]] = {}
Source = Literal["default", "server", "channel"]
"""Whose word a value is; one that only repeats what holds anyway is the other's."""


@frozen(kw_only=True)
class Settings:
    """Every setting with the value that holds."""

    auto_scan: bool = True
    scan_nsfw: bool = False
    max_file_size_mb: float | None = 100
    video_formats: tuple[str, ...] = VIDEO_FORMATS
    allowed_mime_types: tuple[str, ...] = MIME_TYPES
    match_regex: str | None = None
    exclude_regex: str | None = None
    min_video_seconds: float = 0
    include_threads: bool = True
    include_bots: bool = True
    scan_mode: Literal["backward", "forward"] = "backward"
    enable_message_content_storage: bool = False
    save_bytes: bool = True
    storage_quota_gb: float | None = None
    default_visibility: Literal["public", "unlisted", "private"] = "public"
    on_delete: Literal["erase", "keep"] = "erase"
    retention_days: int | None = None
    prefix: str = "!"


@frozen(kw_only=True)
class SettingView:
    """One setting as a person sees it."""

    setting: Setting
    value: Any
    source: Source
    inherited: Any
    """What would hold without the innermost word."""

    @property
    def text(self) -> str:
        """The value as one would type it."""
        return display(self.setting.key, self.value)


@frozen(kw_only=True)
class SettingsView:
    """All settings of a server, or of one of its channels, and what could not be used."""

    values: Mapping[str, SettingView]
    unknown: tuple[str, ...]
    """Stored keys that mean nothing here."""
    problems: tuple[str, ...]
    """Sentences about stored values that can't be used."""


def resolve(
    defaults: Mapping[str, Any],
    guild: Mapping[str, Any],
    channel: Mapping[str, Any] = _NOTHING,
) -> Settings:
    """Merge the layers: a channel's word over its server's over the defaults; what can't be used falls through."""
    return Settings(**{key: _layered(key, defaults, guild, channel)[0][0] for key in SETTINGS})


def view(
    defaults: Mapping[str, Any],
    guild: Mapping[str, Any],
    channel: Mapping[str, Any] = _NOTHING,
) -> SettingsView:
    """Tell for each setting what holds and whose word it is."""
    values = {}
    for key, setting in SETTINGS.items():
        (value, source), *rest = _layered(key, defaults, guild, channel)
        inherited = rest[0][0] if rest else value
        for same, further in rest:
            if same != value:
                break
            source = further
        values[key] = SettingView(setting=setting, value=value, source=source, inherited=inherited)
    return SettingsView(
        values=values,
        unknown=tuple(dict.fromkeys((*unknown(guild), *unknown(channel)))),
        problems=tuple(dict.fromkeys((*problems(guild), *problems(channel)))),
    )


def unknown(mapping: Mapping[str, Any]) -> tuple[str, ...]:
    """Name the keys that are no setting."""
    return tuple(sorted(str(key) for key in mapping if key not in SETTINGS))


def problems(mapping: Mapping[str, Any]) -> tuple[str, ...]:
    """Say of each known key whose value can't be used what it takes."""
    sentences = []
    for key in SETTINGS:
        if key in mapping:
            try:
                read(key, mapping[key])
            except BadInput as error:
                sentences.append(error.message)
    return tuple(sentences)


def check(mapping: Mapping[str, Any], where: str = "guild_defaults") -> dict[str, Value]:
    """Take values from a configuration, texts included; BadInput names the key in full."""
    checked: dict[str, Value] = {}
    for key, value in mapping.items():
        if key not in SETTINGS:
            raise BadInput(f"{where}.{key} is no setting; known are {', '.join(SETTINGS)}.")
        try:
            checked[key] = read_or_parse(key, value)
        except BadInput as error:
            said = error.message.removeprefix(f"{key}: ")
            raise BadInput(f"{where}.{key}: {said}") from None
    return checked


def reset_keys(
    key: str | None,
    before: SettingsView,
    stored: Mapping[str, Any],
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return which stored keys a reset takes away, and for which of them that changes anything.

    None means all. A key that is no setting can be reset only if it is stored; else BadInput.
    """
    if key is None:
        keys = tuple(sorted(stored))
    else:
        wanted = key if key in stored else key.strip().lower()
        keys = (wanted,) if wanted in stored else ()
        if not keys:
            setting_of(wanted)
    changed = (k for k in keys if k not in SETTINGS or before.values[k].value != before.values[k].inherited)
    return keys, tuple(changed)


def as_stored(settings: Settings) -> dict[str, Value]:
    """Write settings out in full, in JSON's types."""
    return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(settings).items()}


def _layered(
    key: str,
    defaults: Mapping[str, Any],
    guild: Mapping[str, Any],
    channel: Mapping[str, Any],
) -> list[tuple[Any, Source]]:
    """Return every usable value, the one that holds first; the built-in one is always last."""
    layers: tuple[tuple[Mapping[str, Any], Source], ...] = (
        (channel, "channel"),
        (guild, "server"),
        (defaults, "default"),
        ({key: SETTINGS[key].default}, "default"),
    )
    usable: list[tuple[Any, Source]] = []
    for mapping, source in layers:
        if key not in mapping:
            continue
        try:
            value = read(key, mapping[key])
        except BadInput:
            continue
        usable.append((tuple(value) if isinstance(value, list) else value, source))
    return usable
