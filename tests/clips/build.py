"""Raw messages as Discord sends them, for the tests of clips."""

from collections.abc import Iterable, Mapping
from typing import Any

from clipsaver.clips.finding import find_in, sift
from clipsaver.clips.model import Batch
from clipsaver.clips.rules import Rules
from clipsaver.discord.raw import RawMessage
from clipsaver.guilds.settings import Settings

CHANNEL = 500
OWN = 999
"""Our own application."""


def rules(**changed: Any) -> Rules:
    """The default rules, but for some settings."""
    return Rules.of(Settings(**changed))


def read_page(payloads: Iterable[Mapping[str, Any]], under: Rules, own_user_id: int | None = None) -> Batch:
    """Look through some raw messages."""
    return find_in(sift(map(RawMessage.of, payloads), OWN, own_user_id), under)


def attachment(attachment_id: int = 7000, filename: str = "clip.mp4", **fields: Any) -> dict[str, Any]:
    """A file of a message."""
    url = f"https://cdn.discordapp.com/attachments/{CHANNEL}/{attachment_id}/{filename}?ex=6a000000&is=69fe&hm=00ff&"
    return {
        "id": str(attachment_id),
        "filename": filename,
        "size": 1_000,
        "url": url,
        "proxy_url": url.replace("cdn.discordapp.com", "media.discordapp.net"),
        "content_type": "video/mp4",
    } | fields


def message(message_id: int = 100, *attachments: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """A message with some files."""
    return {
        "id": str(message_id),
        "channel_id": str(CHANNEL),
        "type": 0,
        "content": "",
        "author": {"id": "42", "username": "ann", "global_name": "Ann", "avatar": None},
        "timestamp": "2026-01-02T03:04:05.678000+00:00",
        "edited_timestamp": None,
        "attachments": list(attachments),
        "embeds": [],
        "components": [],
        "flags": 0,
    } | fields


def forward(message_id: int, *inside: dict[str, Any], content: str = "", **fields: Any) -> dict[str, Any]:
    """A message that passes another one on."""
    snapshot = {"content": content, "attachments": list(inside), "timestamp": "2026-01-01T00:00:00+00:00", "type": 0}
    return message(
        message_id,
        message_reference={"type": 1, "message_id": "1", "channel_id": "2"},
        message_snapshots=[{"message": snapshot | fields}],
    )
