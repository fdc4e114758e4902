"""REST: the gateway's address, users, applications, guilds and members."""

from collections.abc import Callable
from typing import Any

from aiohttp import web
from attrs import frozen

from clipsaver.simulator import guild_payloads, payloads
from clipsaver.simulator.answers import (
    USER,
    answer,
    guild_of,
    path_id,
    query_flag,
    query_id,
    query_number,
    refuse,
)
from clipsaver.simulator.entities import DM
from clipsaver.simulator.interactions.bodies import read_body
from clipsaver.simulator.interactions.forms import Form
from clipsaver.simulator.permissions import Permission
from clipsaver.simulator.world import World

GUILD_MEMBERS = 1 << 14 | 1 << 15
"""Application flags that allow listing members."""


@frozen
class Rest:
    """The routes that are about no channel."""

    world: World
    session_start_limit: Callable[[], dict[str, int]]
    """The gateway's count of sessions begun."""

    def routes(self) -> list[web.RouteDef]:
        """Routes below ``/api/v10``."""
        return [
            web.get("/gateway", self.gateway),
            web.get("/gateway/bot", self.gateway_bot),
            web.get("/users/@me", self.me),
            web.get("/users/@me/guilds", self.my_guilds),
            web.post("/users/@me/channels", self.direct_channel),
            web.get("/users/{user_id}", self.user),
            web.get("/applications/@me", self.application),
            web.get("/oauth2/applications/@me", self.application),
            web.get("/guilds/{guild_id}", self.guild),
            web.get("/guilds/{guild_id}/channels", self.channels),
            web.get("/guilds/{guild_id}/roles", self.roles),
            web.get("/guilds/{guild_id}/roles/{role_id}", self.role),
            web.get("/guilds/{guild_id}/members", self.members),
            web.get("/guilds/{guild_id}/members/{user_id}", self.member),
            web.get("/guilds/{guild_id}/threads/active", self.active_threads),
        ]

    async def gateway(self, _request: web.Request) -> web.Response:
        """Discord: Get Gateway, the only one here that needs no token."""
        return answer({"url": self.world.gateway_url})

    async def gateway_bot(self, _request: web.Request) -> web.Response:
        """Discord: Get Gateway Bot."""
        return answer({"url": self.world.gateway_url, "shards": 1, "session_start_limit": self.session_start_limit()})

    async def me(self, request: web.Request) -> web.Response:
        """Discord: Get Current User."""
        return answer(payloads.own_user_payload(self.world.users[request[USER]]))

    async def user(self, request: web.Request) -> web.Response:
        """Discord: Get User."""
        user = self.world.users.get(path_id(request, "user_id"))
        if user is None:
            refuse(404, 10013, "Unknown User")
        return answer(payloads.user_payload(user))

    async def my_guilds(self, request: web.Request) -> web.Response:
        """Discord: Get Current User Guilds, sorted by id."""
        limit = query_number(request, "limit", default=200, least=1, most=200)
        before, after = query_id(request, "before"), query_id(request, "after")
        ids = sorted(one for one, guild in self.world.guilds.items() if request[USER] in guild.members)
        ids = [one for one in ids if (before is None or one < before) and (after is None or one > after)]
        ids = ids[-limit:] if before is not None and after is None else ids[:limit]
        return answer([self._partial_guild(one, request) for one in ids])

    async def direct_channel(self, request: web.Request) -> web.Response:
        """Discord: Create DM; the one that is there already, if there is."""
        form = Form()
        body = form.mapping((), read_body(request.headers.get("Content-Type", ""), await request.read()).json) or {}
        text = str(body.get("recipient_id", ""))
        if not text.isdecimal():
            form.add(("recipient_id",), "NUMBER_TYPE_COERCE", f'Value "{text}" is not snowflake.')
        form.check()
        both = {int(text), request[USER]}
        if int(text) not in self.world.users or len(both) == 1:
            refuse(400, 50033, "Invalid Recipient(s)")
        direct = (one for one in self.world.channels.values() if one.type == DM and set(one.recipients) == both)
        channel = next(direct, None) or self.world.create_channel(None, kind=DM, recipients=sorted(both))
        return answer(self.world.channel_payload(channel.id))

    async def application(self, request: web.Request) -> web.Response:
        """Discord: Get Current Application."""
        world = self.world
        own = world.application
        if request[USER] != own.bot_id:
            refuse(404, 10002, "Unknown Application")
        return answer(
            guild_payloads.application_payload(
                own, owner=world.users[own.owner_id], bot=world.users[own.bot_id], guilds=len(world.guilds)
            )
        )

    async def guild(self, request: web.Request) -> web.Response:
        """Discord: Get Guild."""
        guild = guild_of(self.world, path_id(request, "guild_id"))
        payload = guild_payloads.guild_payload(guild)
        return answer(payload | self._counts(guild.id, request))

    async def channels(self, request: web.Request) -> web.Response:
        """Discord: Get Guild Channels: all of them, hidden ones too, without threads."""
        guild = guild_of(self.world, path_id(request, "guild_id"))
        return answer([self.world.channel_payload(one.id) for one in self.world.channels_of(guild.id)])

    async def roles(self, request: web.Request) -> web.Response:
        """Discord: Get Guild Roles."""
        guild = guild_of(self.world, path_id(request, "guild_id"))
        return answer([guild_payloads.role_payload(role) for role in guild.roles.values()])

    async def role(self, request: web.Request) -> web.Response:
        """Discord: Get Guild Role."""
        role = guild_of(self.world, path_id(request, "guild_id")).roles.get(path_id(request, "role_id"))
        if role is None:
            refuse(404, 10011, "Unknown Role")
        return answer(guild_payloads.role_payload(role))

    async def members(self, request: web.Request) -> web.Response:
        """Discord: List Guild Members, by id; needs the GUILD_MEMBERS intent."""
        guild = guild_of(self.world, path_id(request, "guild_id"))
        limit = query_number(request, "limit", default=1, least=1, most=1000)
        after = query_id(request, "after") or 0
        if not self.world.application.flags & GUILD_MEMBERS:
            refuse(403, 50001, "Missing Access")
        ids = sorted(one for one in guild.members if one > after)[:limit]
        return answer([self.world.member_payload(guild.id, one) for one in ids])

    async def member(self, request: web.Request) -> web.Response:
        """Discord: Get Guild Member."""
        guild = guild_of(self.world, path_id(request, "guild_id"))
        user_id = path_id(request, "user_id")
        if user_id not in self.world.users:
            refuse(404, 10013, "Unknown User")
        if user_id not in guild.members:
            refuse(404, 10007, "Unknown Member")
        return answer(self.world.member_payload(guild.id, user_id))

    async def active_threads(self, request: web.Request) -> web.Response:
        """Discord: List Active Guild Threads, newest id first, those the bot can see."""
        guild = guild_of(self.world, path_id(request, "guild_id"))
        threads = [
            one
            for one in self.world.channels_of(guild.id, threads=True)
            if one.thread is not None
            and not one.thread.archived
            and self.world.can(request[USER], one.id, Permission.VIEW_CHANNEL)
        ]
        threads.sort(key=lambda one: one.id, reverse=True)
        shown = [self.world.channel_payload(one.id) for one in threads]
        members = [payload["member"] for payload in shown if "member" in payload]
        return answer({"threads": shown, "members": members, "has_more": False})

    def _partial_guild(self, guild_id: int, request: web.Request) -> dict[str, Any]:
        guild = self.world.guilds[guild_id]
        return {
            "id": str(guild.id),
            "name": guild.name,
            "icon": guild.icon,
            "banner": None,
            "owner": guild.owner_id == request[USER],
            "permissions": str(self.world.guild_permissions(request[USER], guild_id)),
            "features": list(guild.features),
        } | self._counts(guild_id, request)

    def _counts(self, guild_id: int, request: web.Request) -> dict[str, int]:
        if not query_flag(request, "with_counts"):
            return {}
        members = len(self.world.guilds[guild_id].members)
        return {"approximate_member_count": members, "approximate_presence_count": members // 3}
