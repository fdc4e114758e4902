"""What a member may do in a channel, evaluated as Discord does."""

from collections.abc import Collection, Iterable
from enum import IntFlag
from functools import reduce
from operator import or_
from typing import Final

from clipsaver.discord.snapshots import OverwriteSnapshot, RoleSnapshot

MEMBER: Final = 1
"""The type of an overwrite that is for one member; 0 is for a role."""


class Permission(IntFlag):
    """Discord's permission bits, as far as this program names them; other bits are kept as they are."""

    CREATE_INSTANT_INVITE = 1 << 0
    KICK_MEMBERS = 1 << 1
    BAN_MEMBERS = 1 << 2
    ADMINISTRATOR = 1 << 3
    MANAGE_CHANNELS = 1 << 4
    MANAGE_GUILD = 1 << 5
    ADD_REACTIONS = 1 << 6
    VIEW_AUDIT_LOG = 1 << 7
    PRIORITY_SPEAKER = 1 << 8
    STREAM = 1 << 9
    VIEW_CHANNEL = 1 << 10
    SEND_MESSAGES = 1 << 11
    SEND_TTS_MESSAGES = 1 << 12
    MANAGE_MESSAGES = 1 << 13
    EMBED_LINKS = 1 << 14
    ATTACH_FILES = 1 << 15
    READ_MESSAGE_HISTORY = 1 << 16
    MENTION_EVERYONE = 1 << 17
    USE_EXTERNAL_EMOJIS = 1 << 18
    VIEW_GUILD_INSIGHTS = 1 << 19
    CONNECT = 1 << 20
    SPEAK = 1 << 21
    MUTE_MEMBERS = 1 << 22
    DEAFEN_MEMBERS = 1 << 23
    MOVE_MEMBERS = 1 << 24
    USE_VAD = 1 << 25
    CHANGE_NICKNAME = 1 << 26
    MANAGE_NICKNAMES = 1 << 27
    MANAGE_ROLES = 1 << 28
    MANAGE_WEBHOOKS = 1 << 29
    MANAGE_GUILD_EXPRESSIONS = 1 << 30
    USE_APPLICATION_COMMANDS = 1 << 31
    REQUEST_TO_SPEAK = 1 << 32
    MANAGE_EVENTS = 1 << 33
    MANAGE_THREADS = 1 << 34
    CREATE_PUBLIC_THREADS = 1 << 35
    CREATE_PRIVATE_THREADS = 1 << 36
    USE_EXTERNAL_STICKERS = 1 << 37
    SEND_MESSAGES_IN_THREADS = 1 << 38
    USE_EMBEDDED_ACTIVITIES = 1 << 39
    MODERATE_MEMBERS = 1 << 40
    VIEW_CREATOR_MONETIZATION_ANALYTICS = 1 << 41
    USE_SOUNDBOARD = 1 << 42
    CREATE_GUILD_EXPRESSIONS = 1 << 43
    CREATE_EVENTS = 1 << 44
    USE_EXTERNAL_SOUNDS = 1 << 45
    SEND_VOICE_MESSAGES = 1 << 46
    SET_VOICE_CHANNEL_STATUS = 1 << 48
    SEND_POLLS = 1 << 49
    USE_EXTERNAL_APPS = 1 << 50
    PIN_MESSAGES = 1 << 51
    BYPASS_SLOWMODE = 1 << 52


ALL: Final = reduce(or_, Permission)
NONE: Final = Permission(0)
READ_HISTORY: Final = Permission.VIEW_CHANNEL | Permission.READ_MESSAGE_HISTORY
"""What reading a channel takes; voice and stage channels take Connect besides."""
WHILE_TIMED_OUT: Final = READ_HISTORY

VOICE_TYPES: Final = frozenset({2, 13})
"""Voice and stage channels."""

_NAMES: Final = {
    Permission.MANAGE_GUILD: "Manage Server",
    Permission.SEND_TTS_MESSAGES: "Send Text-to-Speech Messages",
    Permission.MENTION_EVERYONE: "Mention @everyone, @here, and All Roles",
    Permission.CREATE_INSTANT_INVITE: "Create Invite",
    Permission.USE_EXTERNAL_EMOJIS: "Use External Emoji",
    Permission.VIEW_GUILD_INSIGHTS: "View Server Insights",
    Permission.STREAM: "Video",
    Permission.USE_VAD: "Use Voice Activity",
    Permission.SEND_MESSAGES_IN_THREADS: "Send Messages in Threads",
    Permission.MANAGE_GUILD_EXPRESSIONS: "Manage Expressions",
    Permission.CREATE_GUILD_EXPRESSIONS: "Create Expressions",
    Permission.REQUEST_TO_SPEAK: "Request to Speak",
    Permission.USE_EMBEDDED_ACTIVITIES: "Use Activities",
    Permission.MODERATE_MEMBERS: "Timeout Members",
    Permission.SEND_POLLS: "Create Polls",
}
"""Discord's own names where they differ from the bit's."""


def evaluate(
    *,
    member_id: int,
    member_roles: Collection[int],
    owner_id: int | None,
    roles: Iterable[RoleSnapshot],
    guild_id: int,
    overwrites: Iterable[OverwriteSnapshot] = (),
    timed_out: bool = False,
) -> Permission:
    """What a member may do in a channel with these overwrites; without any, what they may do in the guild.

    ``roles`` are the guild's; those the member doesn't have, but for @everyone, are passed over. A thread has no
    overwrites of its own: pass its parent's. Other members' overwrites and other roles' don't matter.
    """
    if member_id == owner_id:
        return ALL
    held = {*member_roles, guild_id}
    base = NONE
    for role in roles:
        if role.id in held:
            base |= Permission(role.permissions)
    if base & Permission.ADMINISTRATOR:
        return ALL
    allowed = _overwritten(base, overwrites, member_id=member_id, held=held, guild_id=guild_id)
    if not allowed & Permission.VIEW_CHANNEL:
        return NONE
    return allowed & WHILE_TIMED_OUT if timed_out else allowed


def _overwritten(
    allowed: Permission, overwrites: Iterable[OverwriteSnapshot], *, member_id: int, held: set[int], guild_id: int
) -> Permission:
    """Apply @everyone's overwrite, then all roles' together, then the member's own; in each, deny before allow."""
    allow, deny = [NONE] * 3, [NONE] * 3
    for overwrite in overwrites:
        if overwrite.type == MEMBER:
            step = 2 if overwrite.id == member_id else None
        elif overwrite.id == guild_id:
            step = 0
        else:
            step = 1 if overwrite.id in held else None
        if step is not None:
            allow[step] |= Permission(overwrite.allow)
            deny[step] |= Permission(overwrite.deny)
    for step in range(3):
        allowed = (allowed & ~deny[step]) | allow[step]
    return allowed


def may_read(permissions: Permission, channel_type: int) -> bool:
    """Whether these permissions are enough to read the messages of such a channel."""
    return not missing(permissions, needed_to_read(channel_type))


def needed_to_read(channel_type: int) -> Permission:
    """What reading the messages of such a channel takes; a thread's type is its parent's."""
    return READ_HISTORY | Permission.CONNECT if channel_type in VOICE_TYPES else READ_HISTORY


def missing(permissions: Permission, wanted: Permission) -> tuple[str, ...]:
    """The names, as Discord shows them, of what is wanted and not there."""
    return tuple(display_name(permission) for permission in Permission if permission & wanted & ~permissions)


def display_name(permission: Permission) -> str:
    """A permission's name as people see it in Discord."""
    return _NAMES.get(permission) or (permission.name or "").replace("_", " ").title().replace("Tts", "TTS")
