"""Names of files and folders that Windows, macOS and Linux all take, and that tell people what is inside. Pure."""

import re
import unicodedata
from collections.abc import Mapping
from typing import Final

from clipsaver.clips.portable.model import Clip, Place
from clipsaver.discord.snowflakes import created_at

FOLDER_UNITS: Final = 40
FILE_UNITS: Final = 100
"""UTF-16 code units of one name: Windows takes 260 for a whole path, unless it is told otherwise."""
DASH: Final = "\N{EN DASH}"
LONGEST: Final = 500
"""Characters of a text that are looked at."""
BYTES_A_UNIT: Final = 2
"""UTF-8 bytes that a name may have for each unit it may have: encrypted folders on Linux take 143."""

_FORBIDDEN: Final = re.compile(r'[<>:"/\\|?*]')
_SPACES: Final = re.compile(r"\s+")
_RESERVED: Final = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])\s*(\.|$)", re.IGNORECASE)
"""Windows: Naming Files, Paths, and Namespaces."""
_INVISIBLE: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Unicode's categories of what nobody sees, what turns the writing around, and what means nothing anywhere else."""
_ENDING: Final = re.compile(r"\.([A-Za-z0-9]{1,5})$")

ENDINGS: Final[Mapping[str, str]] = {
    "video/mp4": "mp4",
    "video/quicktime": "mov",
    "video/x-m4v": "m4v",
    "video/3gpp": "3gp",
    "video/webm": "webm",
    "video/x-matroska": "mkv",
    "video/x-msvideo": "avi",
    "video/x-flv": "flv",
    "video/ogg": "ogv",
    "video/x-ms-wmv": "wmv",
    "video/mpeg": "mpg",
    "video/mp2t": "ts",
}
VIDEO_ENDINGS: Final = frozenset(
    {
        *("mp4", "webm", "mov", "qt", "mkv", "avi", "m4v", "mpg", "mpeg", "mpe", "m2v", "wmv", "asf", "flv", "f4v"),
        *("ogv", "ogm", "ogg", "3gp", "3g2", "ts", "mts", "m2ts", "vob", "mxf", "divx"),
    }
)
"""Endings that a file keeps; with any other it would be opened as something else than a video."""


def component(text: str, *, units: int, fallback: str) -> str:
    """One file's or folder's name; it ends neither in a dot nor in a space, and is nobody else's word for a device."""
    seen = "".join(one for one in text[:LONGEST] if one.isspace() or unicodedata.category(one) not in _INVISIBLE)
    plain = _FORBIDDEN.sub("_", unicodedata.normalize("NFC", _SPACES.sub(" ", seen)))
    # Brackets are for what we add, so that nothing else can look like it.
    name = _shortened(plain.replace("[", "(").replace("]", ")").lstrip(" .~-"), units)
    if not name:
        return fallback
    return _shortened(f"_{name}", units) if _RESERVED.match(name) else name


def is_plain(name: str) -> bool:
    """Whether a name from elsewhere may be opened: nothing in it leads anywhere else, on any system."""
    return bool(
        name
        and name[0] not in " ."
        and name[-1] not in " ."
        and not _FORBIDDEN.search(name)
        and not _RESERVED.match(name)
        and all(unicodedata.category(one) not in {"Cc", "Cs"} for one in name)
        and _units(name) <= 2 * FILE_UNITS
    )


def fold(name: str) -> str:
    """What two names have in common that are one and the same on a system that doesn't tell all letters apart."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).upper().casefold())


def ending(clip: Clip) -> str:
    """The ending of a clip's file: its own if that of a video, else that of what is in it."""
    own = _ENDING.search(clip.filename)
    if own and own[1].lower() in VIDEO_ENDINGS:
        return own[1].lower()
    return ENDINGS.get(clip.media_type or "", ENDINGS.get(clip.content_type or "", "video"))


def file_names(clip: Clip) -> tuple[str, str]:
    """Two names for a clip's file: one for people, and one that is nobody else's, should that be taken."""
    when = created_at(clip.message_id).strftime("%Y-%m-%d %H.%M.%S")
    author = component(clip.author_global_name or clip.author_username or "", units=30, fallback="someone")
    last = f".{ending(clip)}"
    tag = f" [{clip.clip_id}]"
    title = component(clip.title or _ENDING.sub("", clip.filename), units=FILE_UNITS, fallback="clip")
    first = f"{when} {DASH} {author} {DASH} "
    return (
        _shortened(first + title, FILE_UNITS - len(last)) + last,
        _shortened(first + title, FILE_UNITS - len(last) - len(tag)) + tag + last,
    )


def guild_folder(place: Place) -> tuple[str, str]:
    """Two names for a server's folder: one for people, and one that is nobody else's."""
    return _tagged(place.guild_name, f"server {place.guild_id}", place.guild_id)


def channel_folder(place: Place) -> tuple[str, str]:
    """Two names for a channel's folder; a thread's begins with its channel's."""
    name = place.channel_name or ""
    if place.parent_name and (place.channel_type or "").endswith("thread"):
        name = f"{place.parent_name[:15]} {DASH} {name}"
    return _tagged(name, f"channel {place.channel_id}", place.channel_id)


def _tagged(text: str, fallback: str, number: int) -> tuple[str, str]:
    tag = f" [{number}]"
    return (
        component(text, units=FOLDER_UNITS, fallback=fallback),
        component(text, units=FOLDER_UNITS - len(tag), fallback=fallback) + tag,
    )


def _units(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _shortened(text: str, units: int) -> str:
    """As much of it as fits, not cut within what is one letter to people, and with a proper end."""
    kept = text
    while _units(kept) > units or len(kept.encode("utf-8", "surrogatepass")) > units * BYTES_A_UNIT:
        kept = kept[:-1]
        while len(kept) > 1 and unicodedata.combining(text[len(kept)]):
            kept = kept[:-1]
    return kept.rstrip(" .")
