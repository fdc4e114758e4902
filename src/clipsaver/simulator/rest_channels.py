"""REST: a channel, its archived threads, and reading its messages."""

from collections.abc import Sequence

import orjson
from aiohttp import web
from attrs import define, field

from clipsaver.simulator import payloads
from clipsaver.simulator.answers import (
    USER,
    answer,
    channel_of,
    exclusive,
    path_id,
    query_id,
    query_moment,
    query_number,
    refuse,
)
from clipsaver.simulator.entities import (
    ANNOUNCEMENT,
    ANNOUNCEMENT_THREAD,
    DM,
    FORUMS,
    PRIVATE_THREAD,
    PUBLIC_THREAD,
    TEXT,
    Channel,
    Message,
)
from clipsaver.simulator.permissions import Permission
from clipsaver.simulator.world import World

MESSAGE_CONTENT = 1 << 18 | 1 << 19
"""Application flags that let a bot read what others wrote."""
MOST_CACHED_USERS = 10_000


@define
class Channels:
    """The routes that read a channel."""

    world: World
    _users: dict[int, tuple[tuple[object, ...], orjson.Fragment]] = field(factory=dict, init=False)
    """Users' JSON, made once per state of the user: every page repeats the same few authors."""

    def routes(self) -> list[web.RouteDef]:
        """Routes below ``/api/v10``."""
        archived = "/threads/archived"
        return [
            web.get("/channels/{channel_id}", self.channel),
            web.get("/channels/{channel_id}/messages", self.messages),
            web.get("/channels/{channel_id}/messages/{message_id}", self.message),
            web.get("/channels/{channel_id}" + archived + "/public", self.archived_public),
            web.get("/channels/{channel_id}" + archived + "/private", self.archived_private),
            web.get("/channels/{channel_id}/users/@me" + archived + "/private", self.archived_joined),
        ]

    async def channel(self, request: web.Request) -> web.Response:
        """Discord: Get Channel."""
        return answer(self.world.channel_payload(channel_of(self.world, request, connect=False).id))

    async def messages(self, request: web.Request) -> web.Response:
        """Discord: Get Channel Messages, newest first, also with ``after``."""
        channel = channel_of(self.world, request)
        exclusive(request.query, ("before", "after", "around"))
        limit = query_number(request, "limit", default=50, least=1, most=100)
        before, after, around = (query_id(request, name) for name in ("before", "after", "around"))
        history = self.world.histories.get(channel.id)
        if history is None:
            refuse(400, 50024, "Cannot execute action on this channel type")
        if not self.world.can(request[USER], channel.id, Permission.READ_MESSAGE_HISTORY):
            return answer([])
        if around is not None:
            found = history.around(around, limit)
        elif after is not None:
            found = history.after(after, limit)
        else:
            found = history.before(1 << 63 if before is None else before, limit)
        return self._messages(channel, found, request[USER])

    async def message(self, request: web.Request) -> web.Response:
        """Discord: Get Channel Message."""
        channel = channel_of(self.world, request)
        if not self.world.can(request[USER], channel.id, Permission.READ_MESSAGE_HISTORY):
            refuse(403, 50001, "Missing Access")
        history = self.world.histories.get(channel.id)
        message = history.get(path_id(request, "message_id")) if history else None
        if message is None:
            refuse(404, 10008, "Unknown Message")
        shown = self.sees_content(channel)
        return answer(self.world.payload_of(message, intents_content=shown))

    def sees_content(self, channel: Channel) -> bool:
        """Whether the application may read what others wrote here."""
        return channel.type == DM or bool(self.world.application.flags & MESSAGE_CONTENT)

    async def archived_public(self, request: web.Request) -> web.Response:
        """Discord: List Public Archived Threads, last archived first."""
        channel = self._parent(request)
        kind = ANNOUNCEMENT_THREAD if channel.type == ANNOUNCEMENT else PUBLIC_THREAD
        return self._by_archiving(request, self._archived(channel, kind))

    async def archived_private(self, request: web.Request) -> web.Response:
        """Discord: List Private Archived Threads; needs Manage Threads."""
        channel = self._parent(request)
        if not self.world.can(request[USER], channel.id, Permission.MANAGE_THREADS):
            refuse(403, 50013, "Missing Permissions")
        return self._by_archiving(request, self._archived(channel, PRIVATE_THREAD))

    async def archived_joined(self, request: web.Request) -> web.Response:
        """Discord: List Joined Private Archived Threads, newest id first."""
        channel = self._parent(request)
        before = query_id(request, "before")
        threads = [
            one
            for one in self._archived(channel, PRIVATE_THREAD)
            if one.thread is not None and request[USER] in one.thread.members and (before is None or one.id < before)
        ]
        threads.sort(key=lambda one: one.id, reverse=True)
        return self._threads(request, threads)

    def _parent(self, request: web.Request) -> Channel:
        channel = channel_of(self.world, request)
        if channel.type not in {TEXT, ANNOUNCEMENT, *FORUMS}:
            refuse(400, 50024, "Cannot execute action on this channel type")
        if not self.world.can(request[USER], channel.id, Permission.READ_MESSAGE_HISTORY):
            refuse(403, 50001, "Missing Access")
        return channel

    def _archived(self, channel: Channel, kind: int) -> list[Channel]:
        return [
            one
            for one in self.world.channels_of(channel.guild_id or 0, threads=True)
            if one.parent_id == channel.id and one.type == kind and one.thread is not None and one.thread.archived
        ]

    def _by_archiving(self, request: web.Request, threads: list[Channel]) -> web.Response:
        before = query_moment(request, "before")
        dated = [(one.thread.archive_timestamp, one.id, one) for one in threads if one.thread is not None]
        dated = [row for row in dated if before is None or row[0] < before]
        dated.sort(key=lambda row: row[:2], reverse=True)
        return self._threads(request, [row[2] for row in dated])

    def _threads(self, request: web.Request, threads: Sequence[Channel]) -> web.Response:
        limit = query_number(request, "limit", default=50, least=2, most=100)
        shown = [self.world.channel_payload(one.id) for one in threads[:limit]]
        members = [payload["member"] for payload in shown if "member" in payload]
        return answer({"threads": shown, "members": members, "has_more": len(threads) > limit})

    def _messages(self, channel: Channel, messages: Sequence[Message], user_id: int) -> web.Response:
        if self.sees_content(channel):
            return answer([self.world.payload_of(one, users=self._user) for one in messages])
        found = (self.world.payload_of(one) for one in messages)
        return answer([payloads.without_content(one, user_id) for one in found])

    def _user(self, user_id: int) -> orjson.Fragment:
        user = self.world.users.get(user_id)
        state = () if user is None else (user.username, user.global_name, user.avatar, user.discriminator)
        cached = self._users.get(user_id)
        if cached is None or cached[0] != state:
            if len(self._users) >= MOST_CACHED_USERS:
                self._users.clear()
            cached = self._users[user_id] = (state, orjson.Fragment(orjson.dumps(self.world.user(user_id))))
        return cached[1]
