"""Who asks for something, and where: what an interaction says about its moment. Pure."""

from attrs import frozen

from clipsaver.discord.permissions import ALL, Permission


@frozen(kw_only=True)
class Place:
    """A channel, and what the person who asks may do there."""

    channel_id: int
    type: int
    """Discord: Channel Types."""
    permissions: Permission


@frozen(kw_only=True)
class Here:
    """A member in a server's channel."""

    guild_id: int
    user_id: int
    role_ids: tuple[int, ...]
    place: Place
    bot_permissions: Permission
    """What the bot may do in this place."""


def granted(bits: int) -> Permission:
    """Return the permissions that bits from Discord mean: an administrator's are all of them, written out or not."""
    permissions = Permission(bits)
    return ALL if Permission.ADMINISTRATOR in permissions else permissions
