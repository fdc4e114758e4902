"""Lines of lists, for tests of what needs neither a database nor a disk."""

from typing import Any

from clipsaver.clips.portable.model import Clip, Place
from tests.clips.portable.house import message_id, moment

FOLDER = "clips/Friends/clips"


def place(**fields: Any) -> Place:
    """A channel."""
    given: dict[str, Any] = {
        "guild_id": 10,
        "guild_name": "Friends",
        "channel_id": 500,
        "channel_name": "clips",
        "folder": FOLDER,
    }
    return Place(**given | fields)


def clip(seconds: float = 0, number: int = 0, **fields: Any) -> Clip:
    """A clip."""
    message = message_id(seconds, number)
    given: dict[str, Any] = {
        "clip_id": f"{message}-7",
        "message_id": message,
        "attachment_id": 7,
        "author_id": 42,
        "author_username": "ann",
        "posted_at": moment(seconds),
        "filename": "video.mp4",
        "content_type": "video/mp4",
        "url": "https://cdn.discordapp.com/a",
        "sha256": bytes(32),
        "bytes": 6,
        "file": f"{FOLDER}/a clip.mp4",
    }
    return Clip(**given | fields)
