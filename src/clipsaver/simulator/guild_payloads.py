"""The JSON shapes of guilds, roles, channels, threads and the application."""

from datetime import datetime
from typing import Any

from clipsaver.simulator.entities import (
    FORUMS,
    THREADS,
    VOICES,
    Application,
    Channel,
    Guild,
    Role,
    User,
    created_at,
)
from clipsaver.simulator.payloads import stamp, user_payload


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
