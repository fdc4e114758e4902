"""The attachments of a generated past: names, claimed types and sizes as people's uploads have them."""

from datetime import UTC, datetime
from typing import Final

from clipsaver.simulator.entities import IS_CLIP, IS_SPOILER, Attachment, snowflake_ms
from clipsaver.simulator.history import mix
from clipsaver.simulator.texts import GAMES, TITLES

VIDEO_TYPES: Final = {
    "mp4": "video/mp4",
    "webm": "video/webm",
    "mov": "video/quicktime",
    "mkv": "video/x-matroska",
}
OTHER_TYPES: Final = {
    "png": "image/png",
    "jpg": "image/jpeg",
    "gif": "image/gif",
    "ogg": "audio/ogg",
    "txt": "text/plain; charset=utf-8",
    "zip": "application/zip",
}
VIDEO_KINDS: Final = ("mp4", "mp4", "mp4", "mp4", "mov", "webm", "webm", "mkv")
OTHER_KINDS: Final = ("png", "png", "png", "jpg", "jpg", "gif", "ogg", "txt", "zip", "png")
SMALLEST: Final = 8192
"""No file of a generated past is smaller, so that any of the small videos fits and padding does the rest."""
TOO_LARGE: Final = 220 * 1024 * 1024
SIZE_BITS: Final = 511 << 11
"""The bits of a video's chance that make it too large when all of them are unset."""
SMALL: Final = 1 << 11
MOST_FILES: Final = 10
UPLOAD_BIT: Final = 1 << 21
"""Set in files' ids and never in messages', so that the two can't meet."""
SHARED_FILES: Final = 6
"""How many files exist that people post again and again."""


def attachment_id(message_id: int, place: int) -> int:
    """The id of a message's n-th file: made moments before the message, as uploads are."""
    return message_id - (place + 1 << 22) | UPLOAD_BIT


def message_ids(file: int) -> tuple[int, ...]:
    """The ids of the messages that a generated file can belong to."""
    return tuple((file & ~UPLOAD_BIT) + (place + 1 << 22) for place in range(MOST_FILES))


def size_of(file_id: int) -> int:
    """How many bytes a generated file has: a function of the file alone."""
    return SMALLEST + mix(file_id) % 4096


def video(channel_id: int, message_id: int, place: int, chance: int) -> Attachment:
    """A video as someone uploads it: one in four with a wrong, missing or shouted type or name."""
    own_id = attachment_id(message_id, place)
    kind = VIDEO_KINDS[chance & 7]
    file_id = own_id
    if (chance >> 3) & 31 == 0:
        file_id = 1 + (chance >> 8) % SHARED_FILES
        kind = VIDEO_KINDS[file_id & 7]
    too_large = not chance & SIZE_BITS
    filename, content_type = _named(kind, chance >> 20)
    spoiler = (chance >> 32) & 31 == 0
    return Attachment(
        id=own_id,
        channel_id=channel_id,
        filename=f"SPOILER_{filename}" if spoiler else filename,
        title=_title(filename, chance),
        size=TOO_LARGE + size_of(file_id) if too_large else size_of(file_id),
        kind=kind,
        file_id=own_id if too_large else file_id,
        content_type=content_type,
        width=64 if (chance >> 37) & 7 else None,
        height=36 if (chance >> 37) & 7 else None,
        duration_secs=0.4 if (chance >> 40) & 15 == 0 else None,
        flags=IS_SPOILER if spoiler else 0,
        is_clip=not too_large,
    )


def game_clip(channel_id: int, message_id: int, chance: int, people: tuple[int, ...]) -> Attachment:
    """A clip made with Discord's own recorder: who is heard on it, when, and in which game."""
    own_id = attachment_id(message_id, 0)
    made = datetime.fromtimestamp(snowflake_ms(own_id) // 1000 - chance % 3600, UTC)
    return Attachment(
        id=own_id,
        channel_id=channel_id,
        filename=f"clip-{own_id & 0xFFFFF}.mp4",
        title=f"{GAMES[chance % len(GAMES)]} moment" if chance & 256 else None,
        size=size_of(own_id),
        kind="mp4",
        file_id=own_id,
        content_type="video/mp4",
        width=64,
        height=36,
        duration_secs=0.4,
        flags=IS_CLIP,
        clip_participants=tuple(dict.fromkeys(people[(chance >> 8 * n) % len(people)] for n in range(1, 4))),
        clip_created_at=made,
        game=GAMES[chance % len(GAMES)],
        is_clip=True,
    )


def other(channel_id: int, message_id: int, place: int, chance: int) -> Attachment:
    """A file that is no video: an image, a sound, a text, an archive."""
    own_id = attachment_id(message_id, place)
    kind = OTHER_KINDS[chance % len(OTHER_KINDS)]
    picture = kind in {"png", "jpg", "gif"}
    # A picture called "… .mp4.png" must not be taken for a video by a careless reader.
    infix = ".mp4" if (chance >> 8) & 63 == 0 else ""
    return Attachment(
        id=own_id,
        channel_id=channel_id,
        filename=f"{_plain(TITLES[(chance >> 16) & 15])}{infix}.{kind}",
        size=size_of(own_id),
        kind=kind,
        file_id=own_id,
        content_type=OTHER_TYPES[kind] if (chance >> 24) & 63 or infix else None,
        description="a picture of it" if picture and (chance >> 30) & 15 == 0 else None,
        width=16 if picture else None,
        height=16 if picture else None,
    )


def _named(kind: str, chance: int) -> tuple[str, str | None]:
    """A file name and the type Discord would tell for it."""
    name = _plain(TITLES[chance & 15])
    oddity = (chance >> 4) & 31
    right = VIDEO_TYPES[kind]
    names: dict[int, tuple[str, str | None]] = {
        0: (f"{name}.{kind.upper()}", right),
        1: (f"{name}.{kind}", None),
        2: (f"{name}.{kind}", "application/octet-stream"),
        3: (f"{name}.{kind.upper()}", None),
        4: (f"{name}.{kind}", right.upper()),
        5: (name.replace(".", "_"), right),
        6: (f"{name}.bin", f"{right}; codecs=avc1"),
        7: (f"{name}.{kind}", "text/plain"),
    }
    return names.get(oddity, (f"{name}.{kind}", right))


def _plain(title: str) -> str:
    """A title as Discord writes it into a file name: no spaces, ASCII only."""
    return title.replace(" ", "_").encode("ascii", "ignore").decode()


def _title(filename: str, chance: int) -> str | None:
    """The name before Discord changed it, given only where it differs."""
    title = TITLES[(chance >> 20) & 15]
    return title if _plain(title) != title and filename.startswith(_plain(title)) else None
