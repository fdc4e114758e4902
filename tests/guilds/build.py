"""What Discord says of guilds, in few words."""

from typing import Any

from clipsaver.discord.snapshots import GuildSnapshot, RoleSnapshot


def role(role_id: int, **said: Any) -> RoleSnapshot:
    """A role that can do nothing."""
    return RoleSnapshot(id=role_id, **({"name": f"role {role_id}"} | said))


def guild(guild_id: int, **said: Any) -> GuildSnapshot:
    """A guild with @everyone."""
    known: dict[str, Any] = {
        "name": f"guild {guild_id}",
        "owner_id": 900 + guild_id,
        "roles": (role(guild_id, name="@everyone"),),
    }
    return GuildSnapshot(id=guild_id, **(known | said))
