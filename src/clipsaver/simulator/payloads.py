"""What Discord would say of an entity: the JSON shapes of its documents, every required field there."""

import hashlib
import hmac
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from attrs import define

from clipsaver.simulator.entities import Attachment, Media, Member, Message, User, created_at

LINK_SECONDS: Final = 86_400
"""How long a signed link lives."""
CONTENT_FIELDS: Final = ("attachments", "embeds", "components")


def stamp(moment: datetime) -> str:
    """A moment as Discord writes it."""
    return moment.isoformat()


def user_payload(user: User) -> dict[str, Any]:
    """A user object."""
    payload: dict[str, Any] = {
        "id": str(user.id),
        "username": user.username,
        "avatar": user.avatar,
        "discriminator": user.discriminator,
        "public_flags": user.public_flags,
        "flags": user.public_flags,
        "banner": None,
        "accent_color": None,
        "global_name": user.global_name,
        "avatar_decoration_data": None,
        "collectibles": None,
        "primary_guild": None,
    }
    if user.bot:
        payload["bot"] = True
    return payload


def own_user_payload(user: User) -> dict[str, Any]:
    """The user object of whoever asks, with the fields only they see."""
    return user_payload(user) | {"mfa_enabled": True, "locale": "en-US", "verified": True, "email": None}


def member_payload(member: Member, user: User | None) -> dict[str, Any]:
    """A guild member object; without ``user`` as it comes with messages."""
    until = member.timed_out_until
    payload: dict[str, Any] = {
        "avatar": None,
        "banner": None,
        "communication_disabled_until": None if until is None else stamp(until),
        "flags": 0,
        "joined_at": stamp(member.joined_at),
        "nick": member.nick,
        "pending": member.pending,
        "premium_since": None,
        "roles": [str(role) for role in member.roles],
        "mute": False,
        "deaf": False,
    }
    if user is not None:
        payload["user"] = user_payload(user)
    return payload


@define(kw_only=True)
class Links:
    """Makes and checks the CDN's signed links."""

    secret: bytes
    clock: Callable[[], float]
    origin: str = "https://cdn.discordapp.com"
    proxy_origin: str = "https://media.discordapp.net"
    lifetime: int = LINK_SECONDS

    def path(self, attachment: Attachment) -> str:
        """The link of a file without origin."""
        path = f"/attachments/{attachment.channel_id}/{attachment.id}/{attachment.filename}"
        issued = int(self.clock())
        expires = issued + self.lifetime
        return f"{path}?ex={expires:x}&is={issued:x}&hm={self.sign(path, expires, issued)}&"

    def sign(self, path: str, expires: int, issued: int) -> str:
        """The signature of a link: over its path and both its times."""
        message = f"{path}?{expires:x}&{issued:x}".encode()
        return hmac.digest(self.secret, message, hashlib.sha256).hex()


def attachment_payload(
    attachment: Attachment, links: Links, users: Callable[[int], Mapping[str, Any]]
) -> dict[str, Any]:
    """An attachment object; optional fields only where they are known."""
    path = links.path(attachment)
    payload: dict[str, Any] = {
        "id": str(attachment.id),
        "filename": attachment.filename,
        "size": attachment.size,
        "url": links.origin + path,
        "proxy_url": links.proxy_origin + path,
    }
    for name in ("title", "description", "content_type", "width", "height", "duration_secs"):
        value = getattr(attachment, name)
        if value is not None:
            payload[name] = value
    if attachment.flags:
        payload["flags"] = attachment.flags
    if attachment.clip_created_at is not None:
        payload["clip_created_at"] = stamp(attachment.clip_created_at)
        payload["clip_participants"] = [users(one) for one in attachment.clip_participants]
    if attachment.game is not None:
        payload["application"] = game_payload(attachment.game)
    return payload


def game_payload(name: str) -> dict[str, Any]:
    """The application object of a game that a clip was recorded in."""
    number = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=7).digest(), "big") | 1 << 58
    return {
        "id": str(number),
        "name": name,
        "icon": None,
        "description": "",
        "type": None,
        "verify_key": f"{number:064x}",
        "flags": 0,
        "flags_new": "0",
    }


def media_payload(media: Media, links: Links) -> dict[str, Any]:
    """An unfurled media item of a component."""
    attachment = media.attachment
    payload: dict[str, Any] = {"id": str(media.id), "content_type": media.content_type, "flags": 0, "loading_state": 2}
    if attachment is None:
        proxy_url = f"{links.proxy_origin}/external/{media.id}"
        return payload | {"url": media.url or "", "proxy_url": proxy_url, "width": 64, "height": 36}
    path = links.path(attachment)
    return payload | {
        "url": links.origin + path,
        "proxy_url": links.proxy_origin + path,
        "width": attachment.width or 0,
        "height": attachment.height or 0,
        "content_type": attachment.content_type,
        "attachment_id": str(attachment.id),
    }


def component_payload(part: Any, links: Links) -> Any:
    """Components with their media unfurled."""
    if isinstance(part, Media):
        return media_payload(part, links)
    if isinstance(part, Mapping):
        return {name: component_payload(value, links) for name, value in part.items()}
    if isinstance(part, list | tuple):
        return [component_payload(one, links) for one in part]
    return part


def without_content(payload: Mapping[str, Any], bot_id: int) -> dict[str, Any]:
    """A message as an app without the MESSAGE_CONTENT intent gets it.

    Its own messages, direct messages and those that mention it keep their content.
    """
    shown = dict(payload)
    author = payload.get("author") or {}
    mentioned = any(one.get("id") == str(bot_id) for one in payload.get("mentions") or ())
    if author.get("id") == str(bot_id) or mentioned:
        return shown
    shown["content"] = ""
    for name in CONTENT_FIELDS:
        if name in shown:
            shown[name] = []
    shown.pop("poll", None)
    if shown.get("message_snapshots"):
        shown["message_snapshots"] = [
            {"message": one["message"] | {"content": "", **{name: [] for name in CONTENT_FIELDS}}}
            for one in shown["message_snapshots"]
        ]
    if shown.get("referenced_message"):
        shown["referenced_message"] = without_content(shown["referenced_message"], bot_id)
    return shown


def snapshot_payload(message: Message, links: Links, users: Callable[[int], Mapping[str, Any]]) -> dict[str, Any]:
    """What a forward shows of a message: its content without its author."""
    return {
        "type": message.type,
        "content": message.content,
        "mentions": [users(one) for one in message.mentions],
        "mention_roles": [str(one) for one in message.mention_roles],
        "attachments": [attachment_payload(one, links, users) for one in message.attachments],
        "embeds": list(message.embeds),
        "timestamp": created_at(message.id).isoformat(),
        "edited_timestamp": None if message.edited_at is None else message.edited_at.isoformat(),
        "flags": message.flags,
        "components": component_payload(message.components, links) if message.components else [],
    }


def message_payload(message: Message, links: Links, users: Callable[[int], Mapping[str, Any]]) -> dict[str, Any]:
    """A message object; who replies to what is added by whoever knows the channel."""
    payload = snapshot_payload(message, links, users)
    payload["id"] = str(message.id)
    payload["channel_id"] = str(message.channel_id)
    payload["author"] = webhook_user_payload(message) if message.webhook_name else users(message.author_id)
    payload["pinned"] = message.pinned
    payload["mention_everyone"] = message.mention_everyone
    payload["tts"] = message.tts
    if message.webhook_name is not None:
        payload["webhook_id"] = str(message.author_id)
    if message.application_id is not None:
        payload["application_id"] = str(message.application_id)
    if message.reference is not None:
        payload["message_reference"] = message.reference
    if message.forwarded is not None:
        payload["message_snapshots"] = [{"message": snapshot_payload(message.forwarded, links, users)}]
    if message.sticker_items:
        payload["sticker_items"] = list(message.sticker_items)
    for name in ("poll", "interaction_metadata", "nonce"):
        value = getattr(message, name)
        if value is not None:
            payload[name] = value
    return payload


def webhook_user_payload(message: Message) -> dict[str, Any]:
    """The stand-in for an author that a webhook's message carries."""
    webhook = User(id=message.author_id, username=message.webhook_name or "", bot=True, discriminator="0000")
    return user_payload(webhook)
