"""Where a person is, and what Discord's client lets them do there."""

from collections.abc import Mapping
from typing import Any

from attrs import frozen

from clipsaver.simulator.entities import DM
from clipsaver.simulator.interactions.interactions import Interactions
from clipsaver.simulator.interactions.localization import localized
from clipsaver.simulator.permissions import Permission
from clipsaver.simulator.person.refusals import PersonRefused

GUILD, BOT_DM = 0, 1
CHAT_INPUT, USER, MESSAGE = 1, 2, 3


@frozen(kw_only=True)
class Place:
    """One person in one channel."""

    interactions: Interactions
    user_id: int
    channel_id: int
    locale: str

    @property
    def guild_id(self) -> int | None:
        """The channel's guild."""
        return self.interactions.world.channels[self.channel_id].guild_id

    def check_visible(self) -> None:
        """Refuse if the person can't see the channel."""
        world = self.interactions.world
        channel = world.channels.get(self.channel_id)
        if channel is None or not world.can(self.user_id, self.channel_id, Permission.VIEW_CHANNEL):
            raise PersonRefused("You can't see this channel.")

    def check_commands(self, kind: int) -> None:
        """Refuse if no command of a kind can be used here."""
        self.check_visible()
        world = self.interactions.world
        if self.channel_id not in world.histories:
            raise PersonRefused("There is nowhere to type in this channel.")
        if self.guild_id is None:
            if (
                world.channels[self.channel_id].type != DM
                or world.bot_id not in world.channels[self.channel_id].recipients
            ):
                raise PersonRefused("The bot is not in this conversation.")
            return
        if not world.can(self.user_id, self.channel_id, Permission.USE_APPLICATION_COMMANDS):
            raise PersonRefused("You don't have the permission Use Application Commands here.")
        if kind == USER and not world.can(self.user_id, self.channel_id, Permission.SEND_MESSAGES):
            raise PersonRefused("Permission Denied: you can't send messages here.")

    def find(self, name: str, kind: int) -> Mapping[str, Any]:
        """The command of a name; a guild's own comes before a global one."""
        self.check_commands(kind)
        usable = [one for one in self.interactions.commands.usable(self.guild_id) if one["type"] == kind]
        named = [one for one in usable if name in self.names(one)]
        if not named:
            raise PersonRefused(f"There is no command called {name!r} here.")
        reasons = [self._refusal(one) for one in named]
        if None in reasons:
            return named[reasons.index(None)]
        raise PersonRefused(f"You can't use {name!r}: {reasons[0]}.")

    def names(self, record: Mapping[str, Any]) -> tuple[str, ...]:
        """What this person calls a command, an option or a choice: its own name, and how their language has it."""
        text = localized(record.get("name_localizations"), self.locale)
        return (record["name"],) if text is None else (text, record["name"])

    def _refusal(self, command: Mapping[str, Any]) -> str | None:
        """Why the person can't use a command here, or None."""
        contexts = command["contexts"]
        if contexts is not None and (BOT_DM if self.guild_id is None else GUILD) not in contexts:
            return "it is not for direct messages" if self.guild_id is None else "it is not for servers"
        if command["nsfw"] and not self.interactions.world.is_nsfw(self.channel_id):
            return "it is only for age-restricted channels"
        if self.guild_id is None:
            return None
        if 0 not in command["integration_types"]:
            return "it is not installed in this server"
        return self.interactions.grants.refusal(command, self.guild_id, self.channel_id, self.user_id)
