"""What Discord says of channels, in few words."""

from typing import Any

from clipsaver.discord.snapshots import ChannelSnapshot, OverwriteSnapshot

TEXT, VOICE, CATEGORY, THREAD, PRIVATE_THREAD, DIRECTORY, FORUM = 0, 2, 4, 11, 12, 14, 15


def channel(channel_id: int, kind: int = TEXT, **said: Any) -> ChannelSnapshot:
    """A channel of guild 1."""
    known: dict[str, Any] = {"guild_id": 1, "name": f"channel {channel_id}"}
    return ChannelSnapshot(id=channel_id, type=kind, **(known | said))


def thread(channel_id: int, parent_id: int | None, kind: int = THREAD) -> ChannelSnapshot:
    """A thread in a channel."""
    return channel(channel_id, kind, parent_id=parent_id)


def overwrite(target_id: int, *, member: bool = False, allow: int = 0, deny: int = 0) -> OverwriteSnapshot:
    """What a role, or a member, may and may not."""
    return OverwriteSnapshot(id=target_id, type=int(member), allow=allow, deny=deny)
