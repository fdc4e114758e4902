"""Everything there is on this Discord, and how it reads; :class:`~clipsaver.simulator.world.World` adds the changes."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from attrs import define, field

from clipsaver.simulator import guild_payloads, payloads, permissions
from clipsaver.simulator.entities import (
    FORUMS,
    THREADS,
    VOICES,
    Application,
    Attachment,
    Channel,
    Guild,
    Message,
    User,
    snowflake_at,
)
from clipsaver.simulator.history import History

LARGE = 250
"""Above so many members a guild counts as large."""
Listener = Callable[[str, dict[str, Any], int | None], None]
"""Called with an event's name, its payload and its guild."""


@define(kw_only=True)
class State:
    """Guilds, users, channels and messages; one application whose bot looks at them."""

    seed: int
    application: Application
    tokens: dict[str, int]
    """Valid bot tokens and the user each belongs to."""
    clock: Callable[[], float] = time.time
    """Seconds since 1970 by this world's clock."""
    links: payloads.Links = field()
    users: dict[int, User] = field(factory=dict)
    guilds: dict[int, Guild] = field(factory=dict)
    """The guilds the bot is in, those with an outage included."""
    channels: dict[int, Channel] = field(factory=dict)
    histories: dict[int, History] = field(factory=dict)
    uploads: dict[int, tuple[Attachment, bytes | None]] = field(factory=dict)
    """Files that someone sent in this run; bytes only where they were uploaded."""
    foreign: set[int] = field(factory=set)
    """Channels of guilds the bot was removed from: they exist, but not for it."""
    gateway_url: str = "wss://gateway.discord.gg"
    listeners: list[Listener] = field(factory=list)
    _last_id: int = field(default=0, init=False)
    _by_guild: dict[int | None, dict[int, Channel]] = field(factory=dict, init=False)
    """Channels and threads by their guild, kept by whoever adds and removes them."""

    @links.default
    def _make_links(self) -> payloads.Links:
        return payloads.Links(secret=f"links of world {self.seed}".encode(), clock=self._seconds)

    def _seconds(self) -> float:
        """The clock of the moment, however often it was replaced."""
        return self.clock()

    @property
    def bot_id(self) -> int:
        """The bot's user id."""
        return self.application.bot_id

    @property
    def token(self) -> str:
        """The first valid token."""
        return next(iter(self.tokens))

    def now(self) -> datetime:
        """The moment by this world's clock."""
        return datetime.fromtimestamp(self.clock(), UTC)

    def new_id(self) -> int:
        """A snowflake of this moment, above every one handed out before."""
        self._last_id = max(snowflake_at(self.now()), self._last_id + 1)
        return self._last_id

    def emit(self, event: str, payload: dict[str, Any], guild_id: int | None = None) -> None:
        """Tell every listener what happened."""
        for listener in tuple(self.listeners):
            listener(event, payload, guild_id)

    # What one may do, and where.

    def permissions(self, user_id: int, channel_id: int) -> int:
        """A user's permission bits in a channel."""
        channel = self.channels[channel_id]
        if channel.guild_id is None:
            return permissions.ALL if user_id in channel.recipients else permissions.NONE
        guild = self.guilds.get(channel.guild_id)
        if guild is None or guild.unavailable:
            return permissions.NONE
        parent = self.channels.get(channel.parent_id or 0)
        return permissions.in_channel(guild, channel, user_id, parent=parent, now=self.now())

    def guild_permissions(self, user_id: int, guild_id: int) -> int:
        """A user's permission bits in a guild at large."""
        return permissions.in_guild(self.guilds[guild_id], user_id, now=self.now())

    def can(self, user_id: int, channel_id: int, wanted: int) -> bool:
        """Whether a user has all of these permissions in a channel."""
        return self.permissions(user_id, channel_id) & wanted == wanted

    def can_connect(self, user_id: int, channel_id: int) -> bool:
        """Whether a user may connect, where one connects: voice and stage channels want it for their messages too."""
        channel = self.channels[channel_id]
        return channel.type not in VOICES or self.can(user_id, channel_id, permissions.Permission.CONNECT)

    def is_nsfw(self, channel_id: int) -> bool:
        """Whether a channel is age-restricted; a thread is if its parent is."""
        channel = self.channels[channel_id]
        parent = self.channels.get(channel.parent_id or 0) if channel.type in THREADS else None
        return (parent or channel).nsfw

    def channels_of(self, guild_id: int, *, threads: bool = False) -> list[Channel]:
        """A guild's channels, or its threads."""
        there = self._by_guild.get(guild_id, {})
        return [one for one in there.values() if (one.type in THREADS) is threads]

    def moderator_of(self, guild_id: int) -> int:
        """A member who may manage the guild without owning it."""
        return next(one for one in self._people(guild_id) if self._manages(guild_id, one))

    def plain_member_of(self, guild_id: int) -> int:
        """A member without any of that."""
        return next(one for one in self._people(guild_id) if not self._manages(guild_id, one))

    def _people(self, guild_id: int) -> list[int]:
        guild = self.guilds[guild_id]
        return [one for one in guild.members if one != guild.owner_id and not self.users[one].bot]

    def _manages(self, guild_id: int, user_id: int) -> bool:
        return bool(self.guild_permissions(user_id, guild_id) & permissions.Permission.MANAGE_GUILD)

    # What is there to be found.

    def truth(self, channel_id: int, *, nsfw_too: bool = False) -> dict[int, tuple[str, ...]]:
        """Message ids with the clips that a reader with default settings should find there."""
        if self.is_nsfw(channel_id) and not nsfw_too:
            return {}
        own = self.application.id
        history = self.histories[channel_id]
        mine = {one.id for one in history.changed().values() if own in (one.application_id, one.author_id)}
        return {message_id: clips for message_id, clips in history.clips() if message_id not in mine}

    def truth_count(self, channel_id: int) -> int:
        """How many clips there are to be found in a channel."""
        return sum(map(len, self.truth(channel_id).values()))

    # Payloads.

    def user(self, user_id: int) -> dict[str, Any]:
        """A user object; someone this world doesn't know is a deleted user."""
        found = self.users.get(user_id)
        return payloads.user_payload(found or User(id=user_id, username="deleted_user"))

    def member_payload(self, guild_id: int, user_id: int, *, with_user: bool = True) -> dict[str, Any]:
        """A guild member object."""
        return payloads.member_payload(
            self.guilds[guild_id].members[user_id], self.users[user_id] if with_user else None
        )

    def role_payload(self, guild_id: int, role_id: int) -> dict[str, Any]:
        """A role object."""
        return guild_payloads.role_payload(self.guilds[guild_id].roles[role_id])

    def channel_payload(self, channel_id: int) -> dict[str, Any]:
        """A channel object; a thread with the bot's membership, a direct one with its recipients."""
        channel = self.channels[channel_id]
        history = self.histories.get(channel_id)
        payload = guild_payloads.channel_payload(
            channel,
            last_message_id=history.last_id() if history else self._newest_thread(channel),
            message_count=len(history) if history else 0,
        )
        if channel.guild_id is None:
            payload["recipients"] = [self.user(one) for one in channel.recipients if one != self.bot_id]
        if channel.thread is not None and self.bot_id in channel.thread.members:
            joined = channel.thread.members[self.bot_id]
            payload["member"] = guild_payloads.thread_member_payload(channel_id, self.bot_id, joined)
        return payload

    def message_payload(
        self,
        channel_id: int,
        message_id: int,
        *,
        intents_content: bool = True,
        users: Callable[[int], Any] | None = None,
    ) -> dict[str, Any]:
        """A message object as Discord answers it; KeyError if it isn't there."""
        message = self.histories[channel_id].get(message_id)
        if message is None:
            raise KeyError(message_id)
        return self.payload_of(message, intents_content=intents_content, users=users)

    def payload_of(
        self, message: Message, *, intents_content: bool = True, users: Callable[[int], Any] | None = None
    ) -> dict[str, Any]:
        """A message object with the message it replies to."""
        payload = payloads.message_payload(message, self.links, users or self.user)
        if message.type in {19, 21} and message.reference is not None:
            history = self.histories.get(int(message.reference["channel_id"]))
            target = history.get(int(message.reference["message_id"])) if history else None
            payload["referenced_message"] = (
                None if target is None else payloads.message_payload(target, self.links, users or self.user)
            )
        return payload if intents_content else payloads.without_content(payload, self.bot_id)

    def guild_payload(self, guild_id: int, *, all_members: bool = False) -> dict[str, Any]:
        """A guild as GUILD_CREATE carries it: channels, the threads the bot sees, and its own member or all of them."""
        guild = self.guilds[guild_id]
        seen = [one for one in self.channels_of(guild_id, threads=True) if one.thread and not one.thread.archived]
        members = list(guild.members) if all_members else [one for one in guild.members if one == self.bot_id]
        return guild_payloads.guild_payload(guild) | {
            "joined_at": payloads.stamp(guild.members[self.bot_id].joined_at),
            "large": len(guild.members) > LARGE,
            "unavailable": False,
            "member_count": len(guild.members),
            "voice_states": [],
            "members": [self.member_payload(guild_id, one) for one in members],
            "channels": [self.channel_payload(one.id) for one in self.channels_of(guild_id)],
            "threads": [
                self.channel_payload(one.id)
                for one in seen
                if self.can(self.bot_id, one.id, permissions.Permission.VIEW_CHANNEL)
            ],
            "presences": [],
            "stage_instances": [],
            "guild_scheduled_events": [],
            "soundboard_sounds": [],
        }

    def _newest_thread(self, channel: Channel) -> int | None:
        if channel.type not in FORUMS:
            return None
        threads = self._by_guild.get(channel.guild_id, {}).values()
        return max((one.id for one in threads if one.parent_id == channel.id), default=None)
