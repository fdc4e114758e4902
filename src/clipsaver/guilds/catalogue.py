"""Every setting a server has: what it takes, what it starts with, what it means. Pure."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from attrs import frozen

Value = bool | int | float | str | list[str] | None
"""What a setting may hold, as JSON carries it."""

VIDEO_FORMATS: Final = (
    "mp4",
    "webm",
    "mov",
    "mkv",
    "avi",
    "m4v",
    "mpg",
    "mpeg",
    "m2v",
    "wmv",
    "asf",
    "flv",
    "f4v",
    "ogv",
    "ogm",
    "3gp",
    "3g2",
    "ts",
    "mts",
    "m2ts",
    "vob",
    "mxf",
)
MIME_TYPES: Final = ("video/*",)
COMMON_MIME_TYPES: Final = (
    "video/*",
    "video/mp4",
    "video/webm",
    "video/quicktime",
    "video/x-matroska",
    "video/x-msvideo",
    "video/x-m4v",
    "video/mpeg",
    "video/x-ms-wmv",
    "video/x-flv",
    "video/ogg",
    "video/3gpp",
    "video/3gpp2",
    "video/mp2t",
)


class Kind(StrEnum):
    """What sort of value a setting takes."""

    BOOL = "bool"
    INT = "int"
    NUMBER = "number"
    STRING = "string"
    CHOICE = "choice"
    LIST = "list"
    REGEX = "regex"


@frozen(kw_only=True)
class Setting:
    """One setting of a server, which a channel may override."""

    key: str
    kind: Kind
    default: Value
    description: str
    """One line for a person."""
    choices: tuple[str, ...] = ()
    """The only values of a choice; for a list, the ones to suggest."""
    minimum: float = 0
    """Of a number; ``maximum`` is included too."""
    maximum: float = 0
    unit: str = ""
    """What a number counts."""
    clearable: bool = False
    """Whether ``none`` (JSON's null) is a value; a number then takes 0 for it, and a text the empty one."""
    item: str = ""
    """What an entry of a list looks like: a regular expression that has to match all of it."""
    example: str = ""
    """An entry of a list as a person would type it."""
    max_length: int = 0
    """Of a text, or of each entry of a list, in characters."""
    suggested: tuple[str, ...] = ()
    """Values worth offering, as typed."""
    server_only: bool = False
    """Whether it means nothing for a single channel."""
    unused: bool = False
    """Accepted and shown, but without effect here."""


def _yes_no(key: str, description: str, *, default: bool) -> Setting:
    return Setting(key=key, kind=Kind.BOOL, default=default, description=description)


def _choice(key: str, description: str, *choices: str) -> Setting:
    return Setting(key=key, kind=Kind.CHOICE, default=choices[0], description=description, choices=choices)


def _regex(key: str, description: str) -> Setting:
    return Setting(key=key, kind=Kind.REGEX, default=None, description=description, clearable=True, max_length=500)


_ALL: Final = (
    _yes_no("auto_scan", "Pick up new clips by itself in the channels that are read", default=True),
    _yes_no("scan_nsfw", "Read age-restricted channels too", default=False),
    Setting(
        key="max_file_size_mb",
        kind=Kind.NUMBER,
        default=100,
        description="Leave out files larger than this many MB; none for no limit",
        minimum=0.001,
        maximum=100_000,
        unit="MB",
        clearable=True,
        suggested=("10", "25", "50", "100", "250", "500", "none"),
    ),
    Setting(
        key="video_formats",
        kind=Kind.LIST,
        default=list(VIDEO_FORMATS),
        description="File name endings that make a file a video",
        choices=VIDEO_FORMATS,
        item="[a-z0-9]{1,10}",
        example="mp4",
        max_length=10,
    ),
    Setting(
        key="allowed_mime_types",
        kind=Kind.LIST,
        default=list(MIME_TYPES),
        description="Media types that make a file a video; video/* for all of them",
        choices=COMMON_MIME_TYPES,
        item=r"[a-z0-9][a-z0-9!#$&^_.+-]*/(\*|[a-z0-9][a-z0-9!#$&^_.+-]*)",
        example="video/mp4",
        max_length=100,
    ),
    _regex("match_regex", "Only clips in messages whose text matches this regular expression"),
    _regex("exclude_regex", "No clips from messages whose text matches this regular expression"),
    Setting(
        key="min_video_seconds",
        kind=Kind.NUMBER,
        default=0,
        description="Leave out videos known to be shorter than this",
        maximum=86_400,
        unit="s",
        suggested=("0", "1", "3", "5", "10", "30"),
    ),
    _yes_no("include_threads", "Look into threads and posts too", default=True),
    _yes_no("include_bots", "Keep clips that bots and webhooks post", default=True),
    _choice("scan_mode", "Which way a scan goes if nothing else is said", "backward", "forward"),
    _yes_no("enable_message_content_storage", "Keep the text of messages that hold a clip", default=False),
    _yes_no("save_bytes", "Save the files themselves, not only where they are", default=True),
    Setting(
        key="storage_quota_gb",
        kind=Kind.NUMBER,
        default=None,
        description="How many GB this server's clips may take; none for no limit",
        maximum=1_000_000,
        unit="GB",
        clearable=True,
        server_only=True,
        suggested=("1", "5", "10", "50", "100", "none"),
    ),
    _choice(
        "default_visibility",
        "Who finds a new clip among those who see its channel: all, by link only, or its author",
        "public",
        "unlisted",
        "private",
    ),
    _choice("on_delete", "What happens to a clip whose message is deleted on Discord", "erase", "keep"),
    Setting(
        key="retention_days",
        kind=Kind.INT,
        default=None,
        description="Delete clips after this many days; none to keep them",
        minimum=1,
        maximum=36_500,
        unit="days",
        clearable=True,
        suggested=("7", "30", "90", "180", "365", "none"),
    ),
    Setting(
        key="prefix",
        kind=Kind.STRING,
        default="!",
        description="Kept from older versions; commands are slash commands now",
        max_length=16,
        server_only=True,
        unused=True,
    ),
)

SETTINGS: Final[Mapping[str, Setting]] = MappingProxyType({setting.key: setting for setting in _ALL})
"""Every setting there is, by key, in the order they are shown."""
