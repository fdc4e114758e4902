"""What an interaction says besides its data: who, where, with which permissions (Discord: Interaction Structure)."""

from collections.abc import Iterable
from typing import Any, Final

from clipsaver.simulator.interactions.interaction import Interaction
from clipsaver.simulator.interactions.messages import DEFAULT_SIZE_LIMIT
from clipsaver.simulator.permissions import Permission
from clipsaver.simulator.world import World

GUILD, BOT_DM = 0, 1
IN_BOT_DM: Final = int(
    Permission.ATTACH_FILES | Permission.EMBED_LINKS | Permission.MENTION_EVERYONE | Permission.USE_EXTERNAL_EMOJIS
)
CHANNEL_FIELDS: Final = (
    *("id", "name", "type", "last_message_id", "last_pin_timestamp", "nsfw", "parent_id", "guild_id", "flags"),
    *("rate_limit_per_user", "topic", "position", "thread_metadata"),
)
"""What a partial channel keeps of a channel object."""


def occasion(world: World, interaction: Interaction, *, locale: str) -> dict[str, Any]:
    """Everything of an interaction but its data and its message."""
    payload: dict[str, Any] = {
        "id": str(interaction.id),
        "application_id": str(world.application.id),
        "type": interaction.type,
        "token": interaction.token,
        "version": 1,
        "channel_id": str(interaction.channel_id),
        "channel": partial_channel(world, interaction.channel_id, interaction.user_id),
        "locale": locale,
        "entitlements": [],
        "authorizing_integration_owners": interaction.owners,
        "attachment_size_limit": DEFAULT_SIZE_LIMIT,
    }
    guild_id = interaction.guild_id
    if guild_id is None:
        return payload | {
            "user": world.user(interaction.user_id),
            "app_permissions": str(IN_BOT_DM),
            "context": BOT_DM,
        }
    guild = world.guilds[guild_id]
    member = world.member_payload(guild_id, interaction.user_id)
    member["permissions"] = str(world.permissions(interaction.user_id, interaction.channel_id))
    return payload | {
        "guild_id": str(guild_id),
        "guild": {"id": str(guild_id), "locale": "en-US", "features": list(guild.features)},
        "guild_locale": "en-US",
        "member": member,
        "app_permissions": str(world.permissions(world.bot_id, interaction.channel_id)),
        "context": GUILD,
    }


def partial_channel(world: World, channel_id: int, user_id: int) -> dict[str, Any]:
    """A channel as an interaction shows it, with the member's and the application's permissions there."""
    channel = world.channel_payload(channel_id)
    partial: dict[str, Any] = {key: channel[key] for key in CHANNEL_FIELDS if key in channel}
    if world.channels[channel_id].guild_id is not None:
        partial["permissions"] = str(world.permissions(user_id, channel_id))
        partial["app_permissions"] = str(world.permissions(world.bot_id, channel_id))
    return partial


def resolved(
    world: World,
    guild_id: int | None,
    *,
    asking: int,
    channel_id: int,
    users: Iterable[int] = (),
    roles: Iterable[int] = (),
    channels: Iterable[int] = (),
) -> dict[str, Any]:
    """The entities that options or selections mean, by id; empty kinds are left out."""
    found: dict[str, dict[str, Any]] = {"users": {}, "members": {}, "roles": {}, "channels": {}}
    for user_id in users:
        found["users"][str(user_id)] = world.user(user_id)
        if guild_id is not None and user_id in world.guilds[guild_id].members:
            member = world.member_payload(guild_id, user_id, with_user=False)
            member = {key: value for key, value in member.items() if key not in {"deaf", "mute"}}
            found["members"][str(user_id)] = member | {"permissions": str(world.permissions(user_id, channel_id))}
    for role_id in roles:
        found["roles"][str(role_id)] = world.role_payload(guild_id or 0, role_id)
    for one in channels:
        found["channels"][str(one)] = partial_channel(world, one, asking)
    return {key: value for key, value in found.items() if value}
