"""Which events an intent lets through (Discord: Gateway, "List of Intents")."""

from collections.abc import Mapping
from typing import Any, Final

GUILDS: Final = 1 << 0
GUILD_MEMBERS: Final = 1 << 1
GUILD_MODERATION: Final = 1 << 2
GUILD_EXPRESSIONS: Final = 1 << 3
GUILD_INTEGRATIONS: Final = 1 << 4
GUILD_WEBHOOKS: Final = 1 << 5
GUILD_INVITES: Final = 1 << 6
GUILD_VOICE_STATES: Final = 1 << 7
GUILD_PRESENCES: Final = 1 << 8
GUILD_MESSAGES: Final = 1 << 9
GUILD_MESSAGE_REACTIONS: Final = 1 << 10
GUILD_MESSAGE_TYPING: Final = 1 << 11
DIRECT_MESSAGES: Final = 1 << 12
DIRECT_MESSAGE_REACTIONS: Final = 1 << 13
DIRECT_MESSAGE_TYPING: Final = 1 << 14
MESSAGE_CONTENT: Final = 1 << 15
GUILD_SCHEDULED_EVENTS: Final = 1 << 16
AUTO_MODERATION_CONFIGURATION: Final = 1 << 20
AUTO_MODERATION_EXECUTION: Final = 1 << 21
GUILD_MESSAGE_POLLS: Final = 1 << 24
DIRECT_MESSAGE_POLLS: Final = 1 << 25

ALL: Final = (1 << 17) - 1 | 3 << 20 | 3 << 24

_FLAGS: Final = {
    GUILD_PRESENCES: 1 << 12 | 1 << 13,
    GUILD_MEMBERS: 1 << 14 | 1 << 15,
    MESSAGE_CONTENT: 1 << 18 | 1 << 19,
}
"""Privileged intents and the application flags (approved, limited) of which one must be set."""

_IN_GUILDS: Final = {
    **dict.fromkeys(("GUILD_CREATE", "GUILD_UPDATE", "GUILD_DELETE"), GUILDS),
    **dict.fromkeys(("GUILD_ROLE_CREATE", "GUILD_ROLE_UPDATE", "GUILD_ROLE_DELETE"), GUILDS),
    **dict.fromkeys(("CHANNEL_CREATE", "CHANNEL_UPDATE", "CHANNEL_DELETE", "CHANNEL_PINS_UPDATE"), GUILDS),
    **dict.fromkeys(("THREAD_CREATE", "THREAD_UPDATE", "THREAD_DELETE", "THREAD_LIST_SYNC"), GUILDS),
    **dict.fromkeys(("THREAD_MEMBER_UPDATE", "VOICE_CHANNEL_STATUS_UPDATE"), GUILDS),
    **dict.fromkeys(("STAGE_INSTANCE_CREATE", "STAGE_INSTANCE_UPDATE", "STAGE_INSTANCE_DELETE"), GUILDS),
    **dict.fromkeys(("GUILD_MEMBER_ADD", "GUILD_MEMBER_UPDATE", "GUILD_MEMBER_REMOVE"), GUILD_MEMBERS),
    **dict.fromkeys(("GUILD_AUDIT_LOG_ENTRY_CREATE", "GUILD_BAN_ADD", "GUILD_BAN_REMOVE"), GUILD_MODERATION),
    **dict.fromkeys(("GUILD_EMOJIS_UPDATE", "GUILD_STICKERS_UPDATE"), GUILD_EXPRESSIONS),
    **dict.fromkeys(("GUILD_INTEGRATIONS_UPDATE", "INTEGRATION_CREATE"), GUILD_INTEGRATIONS),
    **dict.fromkeys(("INTEGRATION_UPDATE", "INTEGRATION_DELETE"), GUILD_INTEGRATIONS),
    "WEBHOOKS_UPDATE": GUILD_WEBHOOKS,
    **dict.fromkeys(("INVITE_CREATE", "INVITE_DELETE"), GUILD_INVITES),
    **dict.fromkeys(("VOICE_STATE_UPDATE", "VOICE_CHANNEL_EFFECT_SEND"), GUILD_VOICE_STATES),
    "PRESENCE_UPDATE": GUILD_PRESENCES,
    **dict.fromkeys(("MESSAGE_CREATE", "MESSAGE_UPDATE", "MESSAGE_DELETE", "MESSAGE_DELETE_BULK"), GUILD_MESSAGES),
    **dict.fromkeys(("MESSAGE_REACTION_ADD", "MESSAGE_REACTION_REMOVE"), GUILD_MESSAGE_REACTIONS),
    **dict.fromkeys(("MESSAGE_REACTION_REMOVE_ALL", "MESSAGE_REACTION_REMOVE_EMOJI"), GUILD_MESSAGE_REACTIONS),
    "TYPING_START": GUILD_MESSAGE_TYPING,
    **dict.fromkeys(("MESSAGE_POLL_VOTE_ADD", "MESSAGE_POLL_VOTE_REMOVE"), GUILD_MESSAGE_POLLS),
}
_IN_DIRECT_MESSAGES: Final = {
    **dict.fromkeys(("MESSAGE_CREATE", "MESSAGE_UPDATE", "MESSAGE_DELETE", "CHANNEL_PINS_UPDATE"), DIRECT_MESSAGES),
    **dict.fromkeys(("MESSAGE_REACTION_ADD", "MESSAGE_REACTION_REMOVE"), DIRECT_MESSAGE_REACTIONS),
    **dict.fromkeys(("MESSAGE_REACTION_REMOVE_ALL", "MESSAGE_REACTION_REMOVE_EMOJI"), DIRECT_MESSAGE_REACTIONS),
    "TYPING_START": DIRECT_MESSAGE_TYPING,
    **dict.fromkeys(("MESSAGE_POLL_VOTE_ADD", "MESSAGE_POLL_VOTE_REMOVE"), DIRECT_MESSAGE_POLLS),
}
WITH_CONTENT: Final = frozenset({"MESSAGE_CREATE", "MESSAGE_UPDATE"})


def disallowed(intents: int, application_flags: int) -> int:
    """The privileged intents among these that the application has not been given."""
    asked = (intent for intent, flags in _FLAGS.items() if intents & intent and not application_flags & flags)
    return sum(asked)


def lets_through(intents: int, name: str, payload: Mapping[str, Any], *, guild_id: int | None, bot_id: int) -> bool:
    """Whether a session with these intents gets the event. Events of no intent are for everyone."""
    needed = (_IN_DIRECT_MESSAGES if guild_id is None else _IN_GUILDS).get(name)
    if name == "THREAD_MEMBERS_UPDATE":
        return bool(intents & GUILD_MEMBERS) or (bool(intents & GUILDS) and _about(payload, bot_id))
    if name == "GUILD_MEMBER_UPDATE" and _is(payload.get("user"), bot_id):
        return True
    return needed is None or bool(intents & needed)


def _is(user: Any, user_id: int) -> bool:
    return isinstance(user, Mapping) and user.get("id") == str(user_id)


def _about(payload: Mapping[str, Any], bot_id: int) -> bool:
    """Whether the bot itself was added to or removed from a thread."""
    added = payload.get("added_members") or ()
    return str(bot_id) in {*(one.get("user_id") for one in added), *(payload.get("removed_member_ids") or ())}
