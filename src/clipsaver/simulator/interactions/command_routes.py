"""REST: registering commands, globally and in guilds."""

from typing import Any

from aiohttp import web
from attrs import define

from clipsaver.simulator.answers import answer, nothing, path_id, query_flag, refuse
from clipsaver.simulator.interactions.bodies import read_body
from clipsaver.simulator.interactions.commands import Commands, Scope, shown
from clipsaver.simulator.interactions.grants import Grants
from clipsaver.simulator.world import World


@define
class CommandRoutes:
    """The routes below ``/applications/{application_id}``."""

    world: World
    commands: Commands
    grants: Grants

    def routes(self) -> list[web.RouteDef]:
        """Routes below ``/api/v10``."""
        application = "/applications/{application_id}"
        guild = application + "/guilds/{guild_id}/commands"
        routes = [
            web.get(guild + "/permissions", self.all_permissions),
            web.get(guild + "/{command_id}/permissions", self.permissions),
            web.put(guild + "/{command_id}/permissions", self.refuse_permissions),
        ]
        for base in (application + "/commands", guild):
            routes += [
                web.get(base, self.list),
                web.post(base, self.create),
                web.put(base, self.overwrite),
                web.get(base + "/{command_id}", self.get),
                web.patch(base + "/{command_id}", self.edit),
                web.delete(base + "/{command_id}", self.delete),
            ]
        return routes

    async def list(self, request: web.Request) -> web.Response:
        """Discord: Get Global/Guild Application Commands."""
        full = query_flag(request, "with_localizations")
        locale = request.headers.get("X-Discord-Locale", "en-US")
        records = self.commands.all(self._scope(request))
        return answer([shown(one, localizations=full, locale=locale) for one in records])

    async def create(self, request: web.Request) -> web.Response:
        """Discord: Create Global/Guild Application Command."""
        record, new = self.commands.create(self._scope(request), await _json(request))
        return answer(shown(record), 201 if new else 200)

    async def overwrite(self, request: web.Request) -> web.Response:
        """Discord: Bulk Overwrite Global/Guild Application Commands."""
        scope = self._scope(request)
        before = {one["id"] for one in self.commands.all(scope)}
        records = self.commands.overwrite(scope, await _json(request))
        for gone in before - {one["id"] for one in records}:
            self.grants.forget(int(gone))
        return answer([shown(one) for one in records])

    async def get(self, request: web.Request) -> web.Response:
        """Discord: Get Global/Guild Application Command."""
        return answer(shown(self.commands.get(self._scope(request), path_id(request, "command_id"))))

    async def edit(self, request: web.Request) -> web.Response:
        """Discord: Edit Global/Guild Application Command."""
        record = self.commands.edit(self._scope(request), path_id(request, "command_id"), await _json(request))
        return answer(shown(record))

    async def delete(self, request: web.Request) -> web.Response:
        """Discord: Delete Global/Guild Application Command."""
        command_id = path_id(request, "command_id")
        self.commands.delete(self._scope(request), command_id)
        self.grants.forget(command_id)
        return nothing()

    async def all_permissions(self, request: web.Request) -> web.Response:
        """Discord: Get Guild Application Command Permissions."""
        return answer(self.grants.all(self._scope(request) or 0))

    async def permissions(self, request: web.Request) -> web.Response:
        """Discord: Get Application Command Permissions."""
        return answer(self.grants.shown(self._scope(request) or 0, path_id(request, "command_id")))

    async def refuse_permissions(self, request: web.Request) -> web.Response:
        """Discord: Edit Application Command Permissions, which is not for bot tokens."""
        self._scope(request)
        refuse(403, 20001, "Bots cannot use this endpoint")

    def _scope(self, request: web.Request) -> Scope:
        """The guild of the path, or None; refused where the application has no business."""
        if path_id(request, "application_id") != self.world.application.id:
            refuse(403, 20012, "You are not authorized to perform this action on this application")
        if "guild_id" not in request.match_info:
            return None
        guild_id = path_id(request, "guild_id")
        if guild_id not in self.world.guilds:
            refuse(403, 50001, "Missing Access")
        return guild_id


async def _json(request: web.Request) -> Any:
    return read_body(request.headers.get("Content-Type", ""), await request.read()).json
