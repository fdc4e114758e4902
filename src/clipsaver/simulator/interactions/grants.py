"""Who may use which command in a guild: what its administrators set (Discord: Application Command Permissions)."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from attrs import define, field

from clipsaver.simulator.entities import THREADS
from clipsaver.simulator.interactions.forms import Refused
from clipsaver.simulator.permissions import Permission
from clipsaver.simulator.world import World

ROLE, USER, CHANNEL = 1, 2, 3
MOST: Final = 100


@define
class Grants:
    """Permissions of commands, by guild and target: a command's id, or the application's for all of them."""

    world: World
    _by_target: dict[tuple[int, int], list[dict[str, Any]]] = field(factory=dict, init=False)

    def set(self, guild_id: int, target_id: int, permissions: Iterable[tuple[int, int, bool]]) -> None:
        """What someone sets under Integrations: (id, type, allowed) of roles, users and channels."""
        listed = [{"id": str(one), "type": kind, "permission": allowed} for one, kind, allowed in permissions][:MOST]
        self._by_target[guild_id, target_id] = listed
        self.world.emit("APPLICATION_COMMAND_PERMISSIONS_UPDATE", self.shown(guild_id, target_id), guild_id)

    def all(self, guild_id: int) -> list[dict[str, Any]]:
        """Everything set in a guild."""
        return [self.shown(guild, target) for guild, target in self._by_target if guild == guild_id]

    def shown(self, guild_id: int, target_id: int) -> dict[str, Any]:
        """What is set for a command; refused if nothing is."""
        if (guild_id, target_id) not in self._by_target:
            raise Refused(404, 10066, "Unknown application command permissions")
        return {
            "id": str(target_id),
            "application_id": str(self.world.application.id),
            "guild_id": str(guild_id),
            "permissions": self._by_target[guild_id, target_id],
        }

    def forget(self, target_id: int) -> None:
        """A command is gone, and with it what was set for it."""
        for key in [one for one in self._by_target if one[1] == target_id]:
            del self._by_target[key]

    def refusal(self, command: Mapping[str, Any], guild_id: int, channel_id: int, user_id: int) -> str | None:
        """Why a member can't use a command in a channel, or None; administrators can use all."""
        held = self.world.permissions(user_id, channel_id)
        if held & Permission.ADMINISTRATOR:
            return None
        own = self._by_target.get((guild_id, int(command["id"])), [])
        common = self._by_target.get((guild_id, self.world.application.id), [])
        channels = (self._in_channel(listed, guild_id, channel_id) for listed in (own, common))
        if next((allowed for allowed in channels if allowed is not None), None) is False:
            return "the command is switched off in this channel"
        decided = self._for_member(own, guild_id, user_id)
        if decided is None and self._for_member(common, guild_id, user_id) is False:
            return "the application's commands are switched off for you"
        if decided is not None:
            return None if decided else "the command is switched off for you"
        needed = command["default_member_permissions"]
        if needed is not None and (needed == "0" or held & int(needed) != int(needed)):
            return "the command is not for members with your permissions"
        return None

    def _in_channel(self, listed: list[dict[str, Any]], guild_id: int, channel_id: int) -> bool | None:
        """What is set for a channel, or for all of them; a thread takes its parent's."""
        channel = self.world.channels[channel_id]
        place = channel.parent_id if channel.type in THREADS and channel.parent_id else channel_id
        allowed = {one["id"]: bool(one["permission"]) for one in listed if one["type"] == CHANNEL}
        return allowed.get(str(place), allowed.get(str(guild_id - 1)))

    def _for_member(self, listed: list[dict[str, Any]], guild_id: int, user_id: int) -> bool | None:
        """What is set for a member, else for one of the roles, else for everyone."""
        users = {one["id"]: bool(one["permission"]) for one in listed if one["type"] == USER}
        if str(user_id) in users:
            return users[str(user_id)]
        roles = {one["id"]: bool(one["permission"]) for one in listed if one["type"] == ROLE}
        own = [roles[str(role)] for role in self.world.guilds[guild_id].members[user_id].roles if str(role) in roles]
        return any(own) if own else roles.get(str(guild_id))
