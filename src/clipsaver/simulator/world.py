"""The world and all that can happen in it; every change is told to the listeners as Discord's gateway would tell it."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Self

from attrs import define, evolve

from clipsaver.simulator import files, guild_payloads, seeding
from clipsaver.simulator.entities import (
    PUBLIC_THREAD,
    TEXT,
    THREADS,
    WITHOUT_MESSAGES,
    Attachment,
    Channel,
    Guild,
    Member,
    Message,
    Overwrite,
    Role,
    ThreadState,
    User,
)
from clipsaver.simulator.history import History
from clipsaver.simulator.permissions import Permission
from clipsaver.simulator.state import State


@define(kw_only=True)
class World(State):
    """Guilds, users, channels and messages; one application whose bot looks at them."""

    @classmethod
    def from_seed(cls, seed: int, **plan: Any) -> Self:
        """A world drawn from a seed, the same in every process; ``plan`` is :class:`~.seeding.Plan`'s fields."""
        return seeding.build(cls, seeding.Plan(seed=seed, **plan))

    # Messages.

    def send_message(
        self,
        channel_id: int,
        author_id: int,
        *,
        content: str = "",
        attachments: Iterable[Attachment] = (),
        **more: Any,
    ) -> Message:
        """Someone sends a message; ``more`` is any other field of :class:`~.entities.Message`."""
        more.setdefault("id", self.new_id())
        message = Message(
            channel_id=channel_id, author_id=author_id, content=content, attachments=tuple(attachments), **more
        )
        # The nonce is told once, to whoever sent the message.
        self.histories[channel_id].put(evolve(message, nonce=None))
        self._emit_message("MESSAGE_CREATE", message)
        return message

    def edit_message(self, channel_id: int, message_id: int, **changes: Any) -> Message:
        """A message changes; the edit's moment is now."""
        message = self.histories[channel_id].get(message_id)
        if message is None:
            raise KeyError(message_id)
        message = evolve(message, **({"edited_at": self.now()} | changes))
        self.histories[channel_id].put(message)
        self._emit_message("MESSAGE_UPDATE", message)
        return message

    def delete_message(self, channel_id: int, message_id: int) -> bool:
        """A message goes; whether it was there."""
        if not self.histories[channel_id].delete(message_id):
            return False
        self._emit_in_channel("MESSAGE_DELETE", channel_id, {"id": str(message_id)})
        return True

    def delete_messages(self, channel_id: int, message_ids: Sequence[int]) -> int:
        """Several messages go at once; how many were there."""
        gone = [one for one in message_ids if self.histories[channel_id].delete(one)]
        self._emit_in_channel("MESSAGE_DELETE_BULK", channel_id, {"ids": [str(one) for one in gone]})
        return len(gone)

    def make_attachment(
        self,
        channel_id: int,
        filename: str = "clip.mp4",
        *,
        data: bytes | None = None,
        is_clip: bool = True,
        **more: Any,
    ) -> Attachment:
        """Put a file on the CDN, to be sent with a message; without ``data`` it is one of the small videos."""
        own_id = self.new_id()
        more.setdefault("kind", "mp4" if data is None else "upload")
        more.setdefault("file_id", own_id)
        more.setdefault("content_type", "video/mp4" if data is None else None)
        more.setdefault("size", files.size_of(more["file_id"]) if data is None else len(data))
        attachment = Attachment(id=own_id, channel_id=channel_id, filename=filename, is_clip=is_clip, **more)
        self.uploads[own_id] = (attachment, data)
        return attachment

    # Channels.

    def create_channel(self, guild_id: int | None, name: str = "channel", kind: int = TEXT, **more: Any) -> Channel:
        """A channel of any type but a thread comes into being; a direct one has no guild."""
        channel = Channel(id=self.new_id(), guild_id=guild_id, name=name, type=kind, **more)
        self.add_channel(channel)
        self._emit_channel("CHANNEL_CREATE", channel)
        return channel

    def create_thread(
        self, parent_id: int, name: str = "thread", kind: int = PUBLIC_THREAD, *, owner_id: int, **more: Any
    ) -> Channel:
        """A thread is opened; the owner is its first member."""
        now = self.now()
        state = ThreadState(owner_id=owner_id, archive_timestamp=now, members={owner_id: now})
        channel = Channel(
            id=more.pop("id", None) or self.new_id(),
            guild_id=self.channels[parent_id].guild_id,
            name=name,
            type=kind,
            parent_id=parent_id,
            thread=evolve(state, **more),
        )
        self.add_channel(channel)
        self._emit_channel("THREAD_CREATE", channel, {"newly_created": True})
        return channel

    def add_channel(self, channel: Channel, history: History | None = None) -> None:
        """Put a channel into the world without telling anyone."""
        self.channels[channel.id] = channel
        self._by_guild.setdefault(channel.guild_id, {})[channel.id] = channel
        if channel.type not in WITHOUT_MESSAGES:
            self.histories[channel.id] = history or History()

    def update_channel(self, channel_id: int, **changes: Any) -> None:
        """A channel's or a thread's own fields change."""
        channel = self.channels[channel_id]
        for name, value in changes.items():
            setattr(channel.thread if channel.thread and hasattr(channel.thread, name) else channel, name, value)
        self._emit_channel("THREAD_UPDATE" if channel.thread else "CHANNEL_UPDATE", channel)

    def delete_channel(self, channel_id: int) -> None:
        """A channel goes, and its threads with it."""
        channel = self.channels[channel_id]
        for thread in [one.id for one in self._by_guild[channel.guild_id].values() if one.parent_id == channel_id]:
            if self.channels[thread].type in THREADS:
                self._forget_channel(thread)
        payload = self.channel_payload(channel_id)
        self._forget_channel(channel_id)
        if channel.thread is None:
            self.emit("CHANNEL_DELETE", payload, channel.guild_id)
        else:
            kept = {name: payload[name] for name in ("id", "guild_id", "parent_id", "type")}
            self.emit("THREAD_DELETE", kept, channel.guild_id)

    def set_overwrite(
        self, channel_id: int, target_id: int, *, allow: int = 0, deny: int = 0, member: bool = False
    ) -> None:
        """A role or a member is allowed and denied something in a channel."""
        overwrite = Overwrite(id=target_id, type=int(member), allow=allow, deny=deny)
        self.channels[channel_id].overwrites[target_id] = overwrite
        self._emit_channel("CHANNEL_UPDATE", self.channels[channel_id])

    def delete_overwrite(self, channel_id: int, target_id: int) -> None:
        """An exception in a channel ends."""
        self.channels[channel_id].overwrites.pop(target_id, None)
        self._emit_channel("CHANNEL_UPDATE", self.channels[channel_id])

    # Guilds, roles, members.

    def add_guild(self, guild: Guild, channels: Iterable[Channel] = ()) -> Guild:
        """The bot joins a guild."""
        self.guilds[guild.id] = guild
        for channel in channels:
            self.add_channel(channel)
        if self.bot_id not in guild.members:
            guild.members[self.bot_id] = Member(user_id=self.bot_id, joined_at=self.now())
        self.emit("GUILD_CREATE", self.guild_payload(guild.id), guild.id)
        return guild

    def remove_guild(self, guild_id: int) -> None:
        """The bot is removed from a guild: no ``unavailable`` in what it hears."""
        for channel in list(self._by_guild.get(guild_id, ())):
            self._forget_channel(channel)
            self.foreign.add(channel)
        del self.guilds[guild_id]
        self.emit("GUILD_DELETE", {"id": str(guild_id)}, guild_id)

    def update_guild(self, guild_id: int, **changes: Any) -> None:
        """A guild's own fields change."""
        guild = self.guilds[guild_id]
        for name, value in changes.items():
            setattr(guild, name, value)
        self.emit("GUILD_UPDATE", guild_payloads.guild_payload(guild), guild_id)

    def set_unavailable(self, guild_id: int, unavailable: bool) -> None:  # noqa: FBT001 - the word is the value
        """An outage begins or ends."""
        self.guilds[guild_id].unavailable = unavailable
        if unavailable:
            self.emit("GUILD_DELETE", {"id": str(guild_id), "unavailable": True}, guild_id)
        else:
            self.emit("GUILD_CREATE", self.guild_payload(guild_id), guild_id)

    def create_role(self, guild_id: int, name: str, permissions: int = 0, **more: Any) -> Role:
        """A role is made."""
        role = Role(id=self.new_id(), name=name, permissions=permissions, **more)
        self.guilds[guild_id].roles[role.id] = role
        self._emit_role("GUILD_ROLE_CREATE", guild_id, role)
        return role

    def set_role_permissions(self, guild_id: int, role_id: int, permissions: int) -> None:
        """A role is allowed other things."""
        role = self.guilds[guild_id].roles[role_id]
        role.permissions = permissions
        self._emit_role("GUILD_ROLE_UPDATE", guild_id, role)

    def delete_role(self, guild_id: int, role_id: int) -> None:
        """A role goes, with its members' hold on it and its overwrites."""
        guild = self.guilds[guild_id]
        del guild.roles[role_id]
        for member in guild.members.values():
            member.roles = [one for one in member.roles if one != role_id]
        for channel in self.channels_of(guild_id):
            channel.overwrites.pop(role_id, None)
        self.emit("GUILD_ROLE_DELETE", {"guild_id": str(guild_id), "role_id": str(role_id)}, guild_id)

    def add_user(self, username: str, *, bot: bool = False) -> User:
        """Someone signs up."""
        user = User(id=self.new_id(), username=username, global_name=None if bot else username.title(), bot=bot)
        self.users[user.id] = user
        return user

    def add_member(self, guild_id: int, user_id: int, roles: Iterable[int] = ()) -> Member:
        """A user joins a guild."""
        member = Member(user_id=user_id, joined_at=self.now(), roles=list(roles))
        self.guilds[guild_id].members[user_id] = member
        payload = self.member_payload(guild_id, user_id) | {"guild_id": str(guild_id)}
        self.emit("GUILD_MEMBER_ADD", payload, guild_id)
        return member

    def update_member(
        self,
        guild_id: int,
        user_id: int,
        *,
        roles: Iterable[int] | None = None,
        timed_out_until: datetime | None = None,
        **more: Any,
    ) -> None:
        """A member's roles, name or time-out change."""
        member = self.guilds[guild_id].members[user_id]
        member.timed_out_until = timed_out_until
        member.roles = member.roles if roles is None else list(roles)
        for name, value in more.items():
            setattr(member, name, value)
        payload = self.member_payload(guild_id, user_id) | {"guild_id": str(guild_id)}
        self.emit("GUILD_MEMBER_UPDATE", payload, guild_id)

    def remove_member(self, guild_id: int, user_id: int) -> None:
        """A user leaves a guild."""
        del self.guilds[guild_id].members[user_id]
        self.emit("GUILD_MEMBER_REMOVE", {"guild_id": str(guild_id), "user": self.user(user_id)}, guild_id)

    # How it is told.

    def _emit_message(self, event: str, message: Message) -> None:
        payload = self.payload_of(message)
        guild_id = self.channels[message.channel_id].guild_id
        if guild_id is not None and message.webhook_name is None and message.author_id in self.guilds[guild_id].members:
            payload["member"] = self.member_payload(guild_id, message.author_id, with_user=False)
        payload["channel_type"] = self.channels[message.channel_id].type
        self._emit_in_channel(event, message.channel_id, payload)

    def _emit_in_channel(self, event: str, channel_id: int, payload: dict[str, Any]) -> None:
        """Tell what happened in a channel, if the bot can see it there."""
        if not self.can(self.bot_id, channel_id, Permission.VIEW_CHANNEL):
            return
        guild_id = self.channels[channel_id].guild_id
        payload["channel_id"] = str(channel_id)
        if guild_id is not None:
            payload["guild_id"] = str(guild_id)
        self.emit(event, payload, guild_id)

    def _emit_channel(self, event: str, channel: Channel, more: dict[str, Any] | None = None) -> None:
        if channel.thread is None or self.can(self.bot_id, channel.id, Permission.VIEW_CHANNEL):
            self.emit(event, self.channel_payload(channel.id) | (more or {}), channel.guild_id)

    def _emit_role(self, event: str, guild_id: int, role: Role) -> None:
        self.emit(event, {"guild_id": str(guild_id), "role": guild_payloads.role_payload(role)}, guild_id)

    def _forget_channel(self, channel_id: int) -> None:
        channel = self.channels.pop(channel_id)
        del self._by_guild[channel.guild_id][channel_id]
        self.histories.pop(channel_id, None)
