"""Who may do what where, after Discord's documented algorithm; the simulator's own, shared with nobody."""

from datetime import datetime
from enum import IntFlag
from typing import Final

from clipsaver.simulator.entities import THREADS, VOICES, Channel, Guild


class Permission(IntFlag):
    """Discord's permission bits, as far as the simulator looks at them."""

    KICK_MEMBERS = 1 << 1
    BAN_MEMBERS = 1 << 2
    ADMINISTRATOR = 1 << 3
    MANAGE_CHANNELS = 1 << 4
    MANAGE_GUILD = 1 << 5
    ADD_REACTIONS = 1 << 6
    VIEW_CHANNEL = 1 << 10
    SEND_MESSAGES = 1 << 11
    SEND_TTS_MESSAGES = 1 << 12
    MANAGE_MESSAGES = 1 << 13
    EMBED_LINKS = 1 << 14
    ATTACH_FILES = 1 << 15
    READ_MESSAGE_HISTORY = 1 << 16
    MENTION_EVERYONE = 1 << 17
    USE_EXTERNAL_EMOJIS = 1 << 18
    CONNECT = 1 << 20
    SPEAK = 1 << 21
    CHANGE_NICKNAME = 1 << 26
    MANAGE_ROLES = 1 << 28
    MANAGE_WEBHOOKS = 1 << 29
    USE_APPLICATION_COMMANDS = 1 << 31
    MANAGE_THREADS = 1 << 34
    CREATE_PUBLIC_THREADS = 1 << 35
    CREATE_PRIVATE_THREADS = 1 << 36
    SEND_MESSAGES_IN_THREADS = 1 << 38
    MODERATE_MEMBERS = 1 << 40


ALL: Final = (1 << 53) - 1
NONE: Final = 0
WHILE_TIMED_OUT: Final = int(Permission.VIEW_CHANNEL | Permission.READ_MESSAGE_HISTORY)
EVERYONE_DEFAULT: Final = int(
    Permission.VIEW_CHANNEL
    | Permission.SEND_MESSAGES
    | Permission.EMBED_LINKS
    | Permission.ATTACH_FILES
    | Permission.ADD_REACTIONS
    | Permission.READ_MESSAGE_HISTORY
    | Permission.CONNECT
    | Permission.SPEAK
    | Permission.CHANGE_NICKNAME
    | Permission.USE_APPLICATION_COMMANDS
    | Permission.CREATE_PUBLIC_THREADS
    | Permission.SEND_MESSAGES_IN_THREADS
)


def in_guild(guild: Guild, user_id: int, *, now: datetime) -> int:
    """What a member may do in the guild at large; nothing for someone who isn't in it."""
    member = guild.members.get(user_id)
    if member is None:
        return NONE
    if user_id == guild.owner_id:
        return ALL
    allowed = guild.roles[guild.id].permissions
    for role_id in member.roles:
        role = guild.roles.get(role_id)
        allowed |= role.permissions if role else 0
    if allowed & Permission.ADMINISTRATOR:
        return ALL
    if member.timed_out_until is not None and member.timed_out_until > now:
        allowed &= WHILE_TIMED_OUT
    return allowed


def in_channel(guild: Guild, channel: Channel, user_id: int, *, parent: Channel | None, now: datetime) -> int:
    """What a member may do in a channel; a thread takes its parent's overwrites, a private one needs membership."""
    base = in_guild(guild, user_id, now=now)
    if base == ALL or user_id not in guild.members:
        return base
    place = parent if channel.type in THREADS and parent is not None else channel
    allowed = _overwritten(guild, place, user_id, base)
    if not allowed & Permission.VIEW_CHANNEL:
        return NONE
    if place.type in VOICES and not allowed & Permission.CONNECT:
        allowed &= Permission.VIEW_CHANNEL
    member = guild.members[user_id]
    if member.timed_out_until is not None and member.timed_out_until > now:
        allowed &= WHILE_TIMED_OUT
    if channel.thread is not None and channel.type not in {10, 11}:
        joined = user_id in channel.thread.members
        if not joined and not allowed & Permission.MANAGE_THREADS:
            return NONE
    return allowed


def _overwritten(guild: Guild, channel: Channel, user_id: int, allowed: int) -> int:
    everyone = channel.overwrites.get(guild.id)
    if everyone is not None:
        allowed = allowed & ~everyone.deny | everyone.allow
    allow = deny = 0
    for role_id in guild.members[user_id].roles:
        overwrite = channel.overwrites.get(role_id)
        if overwrite is not None and role_id != guild.id:
            allow |= overwrite.allow
            deny |= overwrite.deny
    allowed = allowed & ~deny | allow
    own = channel.overwrites.get(user_id)
    if own is not None:
        allowed = allowed & ~own.deny | own.allow
    return allowed
