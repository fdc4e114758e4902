"""What a client may ask for over the gateway besides a session."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from clipsaver.simulator.gateway import intents as bits
from clipsaver.simulator.gateway.connection import Closing
from clipsaver.simulator.gateway.session import Session
from clipsaver.simulator.world import World

PRESENCE_UPDATE: Final = 3
VOICE_STATE_UPDATE: Final = 4
REQUEST_GUILD_MEMBERS: Final = 8
REQUEST_SOUNDBOARD_SOUNDS: Final = 31
REQUEST_CHANNEL_INFO: Final = 43
CHUNK: Final = 1000
MOST_FOUND: Final = 100
LIST_SECONDS: Final = 30.0
"""A guild's whole member list may be asked for once in so many seconds."""
LONGEST_NONCE: Final = 32
STATUSES: Final = frozenset({"online", "dnd", "idle", "invisible", "offline"})


def answer(world: World, session: Session, op: int, data: Any) -> None:
    """Do what a client asks for; an unknown opcode or a payload that is none of its kind closes the connection."""
    if op not in {
        PRESENCE_UPDATE,
        VOICE_STATE_UPDATE,
        REQUEST_GUILD_MEMBERS,
        REQUEST_SOUNDBOARD_SOUNDS,
        REQUEST_CHANNEL_INFO,
    }:
        raise Closing(4001, "Unknown opcode.")
    if not isinstance(data, Mapping):
        raise Closing(4002, "Error while decoding payload.")
    if op == PRESENCE_UPDATE and data.get("status") not in STATUSES:
        raise Closing(4001, "Invalid payload.")
    if op == REQUEST_GUILD_MEMBERS:
        _members(world, session, data)
    if op == REQUEST_SOUNDBOARD_SOUNDS:
        for guild_id in _ids(data.get("guild_ids")):
            if guild_id in world.guilds:
                sounds = {"guild_id": str(guild_id), "soundboard_sounds": []}
                session.dispatch("SOUNDBOARD_SOUNDS", sounds)
    if op == REQUEST_CHANNEL_INFO:
        _channel_info(world, session, data)


def _ids(value: Any) -> list[int]:
    """The snowflakes of a list, or of one alone."""
    items: Iterable[Any] = value if isinstance(value, list) else [value]
    return [int(one) for one in items if str(one).isdecimal()]


def _channel_info(world: World, session: Session, data: Mapping[str, Any]) -> None:
    for guild_id in _ids(data.get("guild_id")):
        if guild_id in world.guilds:
            info: dict[str, Any] = {"guild_id": str(guild_id), "channels": []}
            session.dispatch("CHANNEL_INFO", info)


def _members(world: World, session: Session, data: Mapping[str, Any]) -> None:
    """Answer a request for members in chunks of 1000; the whole list only with the GUILD_MEMBERS intent."""
    guild_id = next(iter(_ids(data.get("guild_id"))), 0)
    guild = world.guilds.get(guild_id)
    query, limit = data.get("query"), data.get("limit")
    if guild is None or (query is None and data.get("user_ids") is None):
        return
    not_found: list[str] = []
    if data.get("user_ids") is not None:
        wanted = _ids(data["user_ids"])[:MOST_FOUND]
        found = [one for one in wanted if one in guild.members]
        not_found = [str(one) for one in wanted if one not in guild.members]
    elif query == "" and limit == 0:
        if not session.intents & bits.GUILD_MEMBERS or _limited(world, session, guild_id, data.get("nonce")):
            return
        found = list(guild.members)
    else:
        most = min(limit, MOST_FOUND) if isinstance(limit, int) and limit > 0 else MOST_FOUND
        found = [one for one in guild.members if world.users[one].username.startswith(str(query))][:most]
    nonce = data.get("nonce")
    more: dict[str, Any] = {"nonce": nonce} if isinstance(nonce, str) and len(nonce.encode()) <= LONGEST_NONCE else {}
    more |= {"not_found": not_found} if not_found else {}
    more |= {"presences": []} if data.get("presences") and session.intents & bits.GUILD_PRESENCES else {}
    chunks = [found[start : start + CHUNK] for start in range(0, len(found), CHUNK)] or [[]]
    for index, chunk in enumerate(chunks):
        members = [world.member_payload(guild_id, one) for one in chunk]
        place = {"guild_id": str(guild_id), "members": members, "chunk_index": index, "chunk_count": len(chunks)}
        session.dispatch("GUILD_MEMBERS_CHUNK", place | more)


def _limited(world: World, session: Session, guild_id: int, nonce: Any) -> bool:
    """Whether a whole member list is asked for too soon again; the client is told (RATE_LIMITED)."""
    now = world.clock()
    wait = session.listed.get(guild_id, now - LIST_SECONDS) + LIST_SECONDS - now
    if wait <= 0:
        session.listed[guild_id] = now
        return False
    meta = {"guild_id": str(guild_id)} | ({"nonce": nonce} if isinstance(nonce, str) else {})
    session.dispatch("RATE_LIMITED", {"opcode": REQUEST_GUILD_MEMBERS, "retry_after": wait, "meta": meta})
    return True
