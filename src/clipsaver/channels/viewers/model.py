"""What a member may do in a server's channels, from what the database knows of it. Pure."""

from collections.abc import Collection, Mapping
from typing import Final

from attrs import frozen

from clipsaver.channels.model import TYPE_NAMES, Channel
from clipsaver.discord.permissions import NONE, Permission, evaluate
from clipsaver.discord.snapshots import OverwriteSnapshot, RoleSnapshot

TYPE_NUMBERS: Final[Mapping[str, int]] = {name: number for number, name in TYPE_NAMES.items()}
UNKNOWN_TYPE: Final = -1


@frozen(kw_only=True)
class Ground:
    """What decides who may do what in a server."""

    guild_id: int
    owner_id: int | None
    roles: tuple[RoleSnapshot, ...]
    overwrites: Mapping[int, tuple[OverwriteSnapshot, ...]]
    """By channel; threads have none of their own."""


def permissions_in(channel: Channel, ground: Ground, *, member_id: int, role_ids: Collection[int]) -> Permission:
    """Return what a member may do in a channel; nothing in a private thread, unless they manage threads.

    Who is in a private thread is not known here, so that its other members are taken for strangers.
    """
    place = channel.parent_id if channel.is_thread else channel.channel_id
    permissions = evaluate(
        member_id=member_id,
        member_roles=role_ids,
        owner_id=ground.owner_id,
        roles=ground.roles,
        guild_id=ground.guild_id,
        overwrites=() if place is None else ground.overwrites.get(place, ()),
    )
    hidden = channel.type == "private_thread" and Permission.MANAGE_THREADS not in permissions
    return NONE if hidden else permissions


def type_number(channel: Channel) -> int:
    """Return Discord's number for a channel's type."""
    return TYPE_NUMBERS.get(channel.type or "", UNKNOWN_TYPE)
