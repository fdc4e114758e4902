"""Small payloads as Discord sends them."""

from typing import Any


def user(user_id: int = 7, **more: Any) -> dict[str, Any]:
    """A user as in a message."""
    base = {"id": str(user_id), "username": "nelly", "discriminator": "0", "global_name": "Nelly", "avatar": None}
    return base | {"bot": False, "public_flags": 64} | more


def attachment(attachment_id: int = 11, **more: Any) -> dict[str, Any]:
    """A file with what Discord always says about one."""
    place = f"https://cdn.discordapp.com/attachments/2/{attachment_id}/run.mp4?ex=1&is=2&hm=3"
    return {"id": str(attachment_id), "filename": "run.mp4", "size": 123, "url": place, "proxy_url": place} | more


def message(message_id: int = 1, channel_id: int = 2, **more: Any) -> dict[str, Any]:
    """A message without anything in it."""
    base: dict[str, Any] = {"id": str(message_id), "channel_id": str(channel_id), "author": user(), "content": "hi"}
    stamps = {"timestamp": "2024-01-01T00:00:00.000000+00:00", "edited_timestamp": None}
    lists: dict[str, Any] = {"attachments": [], "embeds": [], "components": [], "mentions": [], "mention_roles": []}
    return base | stamps | lists | {"type": 0, "flags": 0, "pinned": False, "tts": False} | more
