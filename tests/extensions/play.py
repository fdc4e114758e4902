"""A bot on a stage, and people who talk to it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from unittest.mock import patch

import hikari
from attrs import frozen

from clipsaver.app.commands import EXTENSIONS, Commands
from clipsaver.channels.service import Channels
from clipsaver.channels.viewers.service import Viewers
from clipsaver.clips.picturing.service import Pictures
from clipsaver.clips.saving.service import Saving
from clipsaver.discord.access import Access
from clipsaver.guilds.service import Guilds
from clipsaver.scans.service import Scans
from clipsaver.simulator.person import Person, Reply
from clipsaver.simulator.person.choosing import Choosing
from tests.extensions.stage import Stage

ROLE = 1
DOORS = [name for name in EXTENSIONS if not name.endswith(".guilds")]


@frozen(kw_only=True)
class Play:
    """A stage with the bot on it."""

    stage: Stage
    commands: Commands

    def person(self, user_id: int) -> Person:
        """Return someone at their client."""
        return Person(self.stage.simulator, user_id)

    @property
    def moderator(self) -> Person:
        """Someone who manages the server, and doesn't see the secret channel."""
        return self.person(self.stage.moderator)

    @property
    def member(self) -> Person:
        """Someone who doesn't manage anything."""
        return self.person(self.stage.member)

    @property
    def owner(self) -> Person:
        """Someone who may do everything."""
        return self.person(self.stage.owner)

    async def ask(self, line: str, *, by: int | None = None, where: int | None = None, **values: Any) -> Reply:
        """Use a command in the lobby, as the moderator unless it is said otherwise, and wait for the whole answer."""
        person = self.person(by or self.stage.moderator)
        reply = await person.run(line, in_channel=where or self.stage.lobby, **values)
        return await reply.wait_final()

    async def ask_of_hidden(self, line: str, *, by: int | None = None, **values: Any) -> Reply:
        """Name the secret channel as only a forged client does."""
        with patch.object(Choosing, "_check_channel", lambda *_: None):
            return await self.ask(line, by=by, channel=self.stage.secret, **values)

    def let_everyone_use_commands(self) -> None:
        """Do what an administrator can do under Integrations."""
        interactions, guild = self.stage.simulator.interactions, self.stage.guild_id
        for command in interactions.commands.usable(guild):
            interactions.grants.set(guild, int(command["id"]), [(guild, ROLE, True)])


@asynccontextmanager
async def playing(stage: Stage) -> AsyncIterator[Play]:
    """Start the bot with every command."""
    bot = hikari.GatewayBot(stage.simulator.token, rest_url=stage.simulator.rest_url, banner=None, logs=None)
    handed = {
        Scans: stage.scans,
        Saving: stage.saving,
        Pictures: stage.pictures,
        Channels: stage.channels,
        Guilds: stage.guilds,
        Viewers: stage.viewers,
        Access: stage.access,
    }
    commands = Commands(bot=bot, dependencies=handed, extensions=DOORS)
    await commands.start()
    await bot.start(check_for_updates=False)
    try:
        await commands.register()
        yield Play(stage=stage, commands=commands)
    finally:
        await bot.close()
        await commands.stop()
