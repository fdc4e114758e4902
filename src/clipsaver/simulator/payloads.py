"""What Discord would say of an entity: the JSON shapes of its documents, every required field there."""

import hashlib
import hmac
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from attrs import define

from clipsaver.simulator.entities import (
    FORUMS,
    THREADS,
    VOICES,
    Application,
    Attachment,
    Channel,
    Guild,
    Media,
    Member,
    Message,
    Role,
    User,
    created_at,
)

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


def role_payload(role: Role) -> dict[str, Any]:
    """A role object."""
    payload: dict[str, Any] = {
        "id": str(role.id),
        "name": role.name,
        "description": None,
        "permissions": str(role.permissions),
        "position": role.position,
        "color": role.color,
        "colors": {"primary_color": role.color, "secondary_color": None, "tertiary_color": None},
        "hoist": role.hoist,
        "managed": role.managed,
        "mentionable": role.mentionable,
        "icon": None,
        "unicode_emoji": None,
        "flags": 0,
    }
    if role.bot_id is not None:
        payload["tags"] = {"bot_id": str(role.bot_id)}
    return payload


def channel_payload(channel: Channel, *, last_message_id: int | None, message_count: int = 0) -> dict[str, Any]:
    """A channel object of any type."""
    payload: dict[str, Any] = {"id": str(channel.id), "type": channel.type, "flags": 0}
    if channel.type != 4:  # noqa: PLR2004 - a category has no messages, in Discord's own number
        payload["last_message_id"] = None if last_message_id is None else str(last_message_id)
    if channel.guild_id is None:
        return payload
    payload |= {
        "guild_id": str(channel.guild_id),
        "name": channel.name,
        "parent_id": None if channel.parent_id is None else str(channel.parent_id),
    }
    if channel.thread is not None:
        return payload | _thread_fields(channel, message_count)
    payload |= {
        "position": channel.position,
        "permission_overwrites": [
            {"id": str(one.id), "type": one.type, "allow": str(one.allow), "deny": str(one.deny)}
            for one in channel.overwrites.values()
        ],
        "nsfw": channel.nsfw,
    }
    if channel.type in VOICES:
        return payload | {"bitrate": 64000, "user_limit": 0, "rtc_region": None, "rate_limit_per_user": 0}
    if channel.type == 4:  # noqa: PLR2004 - likewise
        return payload
    payload |= {"topic": channel.topic, "rate_limit_per_user": 0}
    if channel.type in FORUMS:
        payload |= {
            "available_tags": [
                {"id": str(tag), "name": name, "moderated": False, "emoji_id": None, "emoji_name": None}
                for tag, name in channel.tags
            ],
            "default_reaction_emoji": None,
            "default_sort_order": None,
            "default_forum_layout": 0,
        }
    return payload


def guild_payload(guild: Guild) -> dict[str, Any]:
    """A guild object, as REST and gateway share it."""
    return {
        "id": str(guild.id),
        "name": guild.name,
        "icon": guild.icon,
        "description": None,
        "home_header": None,
        "splash": None,
        "discovery_splash": None,
        "features": list(guild.features),
        "banner": None,
        "owner_id": str(guild.owner_id),
        "application_id": None,
        "region": "deprecated",
        "afk_channel_id": None,
        "afk_timeout": 300,
        "system_channel_id": None,
        "system_channel_flags": 0,
        "widget_enabled": False,
        "widget_channel_id": None,
        "verification_level": 1,
        "roles": [role_payload(role) for role in guild.roles.values()],
        "default_message_notifications": 1,
        "mfa_level": 0,
        "explicit_content_filter": 2,
        "max_presences": None,
        "max_members": 500_000,
        "max_stage_video_channel_users": 50,
        "max_video_channel_users": 25,
        "vanity_url_code": None,
        "premium_tier": 0,
        "premium_subscription_count": 0,
        "preferred_locale": "en-US",
        "rules_channel_id": None,
        "safety_alerts_channel_id": None,
        "public_updates_channel_id": None,
        "premium_progress_bar_enabled": False,
        "nsfw": False,
        "nsfw_level": 0,
        "emojis": [],
        "stickers": [],
        "incidents_data": None,
    }


def _thread_fields(channel: Channel, message_count: int) -> dict[str, Any]:
    thread = channel.thread
    if thread is None or channel.type not in THREADS:
        msg = f"channel {channel.id} is no thread"
        raise ValueError(msg)
    metadata: dict[str, Any] = {
        "archived": thread.archived,
        "archive_timestamp": stamp(thread.archive_timestamp),
        "auto_archive_duration": thread.auto_archive_duration,
        "locked": thread.locked,
        "create_timestamp": stamp(created_at(channel.id)),
    }
    if channel.type == 12:  # noqa: PLR2004 - only private threads say who may invite
        metadata["invitable"] = thread.invitable
    return {
        "owner_id": str(thread.owner_id),
        "rate_limit_per_user": 0,
        "thread_metadata": metadata,
        "message_count": message_count,
        "member_count": min(len(thread.members), 50),
        "total_message_sent": message_count,
        "applied_tags": [str(tag) for tag in thread.applied_tags],
    }


def thread_member_payload(thread_id: int, user_id: int, joined: datetime) -> dict[str, Any]:
    """A thread member object."""
    return {"id": str(thread_id), "user_id": str(user_id), "join_timestamp": stamp(joined), "flags": 0}


def application_payload(application: Application, *, owner: User, bot: User, guilds: int) -> dict[str, Any]:
    """The application as its own bot sees it."""
    return {
        "id": str(application.id),
        "name": application.name,
        "icon": None,
        "description": application.description,
        "type": None,
        "bot": user_payload(bot),
        "summary": "",
        "bot_public": True,
        "bot_require_code_grant": False,
        "integration_types_config": {"0": {}},
        "verify_key": application.verify_key,
        "flags": application.flags,
        "flags_new": str(application.flags),
        "tags": [],
        "hook": True,
        "redirect_uris": [],
        "interactions_endpoint_url": None,
        "role_connections_verification_url": None,
        "owner": user_payload(owner),
        "approximate_guild_count": guilds,
        "approximate_user_install_count": 0,
        "approximate_user_authorization_count": 0,
        "event_webhooks_url": None,
        "event_webhooks_status": 1,
        "explicit_content_filter": 0,
        "team": None,
        "eligible_oauth2_scopes": [],
    }


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
        "type": 1,
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
        "timestamp": stamp(created_at(message.id)),
        "edited_timestamp": None if message.edited_at is None else stamp(message.edited_at),
        "flags": message.flags,
        "components": component_payload(message.components, links),
    }


def message_payload(message: Message, links: Links, users: Callable[[int], Mapping[str, Any]]) -> dict[str, Any]:
    """A message object; who replies to what is added by whoever knows the channel."""
    payload = snapshot_payload(message, links, users) | {
        "id": str(message.id),
        "channel_id": str(message.channel_id),
        "author": users(message.author_id) if message.webhook_name is None else webhook_user_payload(message),
        "pinned": message.pinned,
        "mention_everyone": message.mention_everyone,
        "tts": message.tts,
    }
    if message.webhook_name is not None:
        payload["webhook_id"] = str(message.author_id)
    if message.application_id is not None:
        payload["application_id"] = str(message.application_id)
    if message.interaction_metadata is not None:
        payload["interaction_metadata"] = message.interaction_metadata
    if message.reference is not None:
        payload["message_reference"] = message.reference
    if message.forwarded is not None:
        payload["message_snapshots"] = [{"message": snapshot_payload(message.forwarded, links, users)}]
    if message.sticker_items:
        payload["sticker_items"] = list(message.sticker_items)
    if message.poll is not None:
        payload["poll"] = message.poll
    if message.nonce is not None:
        payload["nonce"] = message.nonce
    return payload


def webhook_user_payload(message: Message) -> dict[str, Any]:
    """The stand-in for an author that a webhook's message carries."""
    webhook = User(id=message.author_id, username=message.webhook_name or "", bot=True, discriminator="0000")
    return user_payload(webhook)
