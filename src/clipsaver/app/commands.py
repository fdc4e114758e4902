"""The bot's commands: loaded part by part, answered from the first moment, registered with Discord until it worked."""

import asyncio
import importlib
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

import hikari
import lightbulb
import structlog
from attrs import define, field
from lightbulb.internal.constants import GLOBAL_COMMAND_KEY

from clipsaver.errors import StartFailed

log = structlog.get_logger("clipsaver.app.commands")

EXTENSIONS: Final = (
    "clipsaver.extensions.failures",
    "clipsaver.extensions.guilds",
    "clipsaver.extensions.scan",
    "clipsaver.extensions.read",
    "clipsaver.extensions.channel",
    "clipsaver.extensions.settings",
    "clipsaver.extensions.buttons",
)
FIRST_PAUSE: Final = 2.0
LONGEST_PAUSE: Final = 300.0
"""Seconds between attempts to register."""


@define(kw_only=True)
class Commands:
    """The slash commands of one bot.

    lightbulb's own start would answer nobody until Discord took the commands, and nobody ever if it did not. So it is
    started without that, and the registration is ours: tried again until it works, and told to whoever asks.
    """

    bot: hikari.GatewayBot
    dependencies: Mapping[type[Any], Any]
    """What commands and listeners are handed, by type."""
    extensions: Sequence[str] = EXTENSIONS
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    registered: bool = field(default=False, init=False)
    """Whether Discord has the commands as they are here."""
    problem: str | None = field(default=None, init=False)
    """Why it doesn't, if that is known."""
    client: lightbulb.GatewayEnabledClient = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.client = lightbulb.client_from_app(self.bot, sync_commands=False)
        registry = self.client.di.registry_for(lightbulb.di.Contexts.DEFAULT)
        for kind, value in self.dependencies.items():
            registry.register_value(kind, value)

    async def start(self) -> None:
        """Load every extension and begin to answer; StartFailed when one can't be loaded.

        Call it before the bot starts, so that no interaction goes unheard.
        """
        for name in self.extensions:
            await self._load(name)
        await self.client.start()
        self.client.sync_commands = True

    async def register(self) -> None:
        """Give Discord the commands, however often it takes. Run it once the bot has started; cancel it to give up."""
        pause = FIRST_PAUSE
        while not self.registered:
            try:
                await self.client.sync_application_commands()
                await self._correct_permissions()
            except Exception as error:
                self.problem = f"{type(error).__name__} from Discord while registering the commands"
                wait = pause * random.uniform(0.8, 1.2)  # noqa: S311 - to spread attempts, not to hide anything
                log.warning("commands.registration_failed", retry_in=round(wait, 1), exc_info=True)
                await self.sleep(wait)
                pause = min(pause * 2, LONGEST_PAUSE)
            else:
                self.registered, self.problem = True, None
                log.info("commands.registered", commands=len(self.client.registered_commands))

    async def stop(self) -> None:
        """Let go of what commands were handed; call it after the bot has stopped."""
        await self.client.stop()

    async def _load(self, name: str) -> None:
        try:
            loader = importlib.import_module(name).loader
            await loader.add_to_client(self.client)
        except Exception as error:
            raise StartFailed(f"The part {name} of the bot can't be loaded: {type(error).__name__}: {error}") from error

    async def _correct_permissions(self) -> None:
        """Register once more when only the permissions differ, which lightbulb doesn't look at."""
        created = self.client.created_commands.get(GLOBAL_COMMAND_KEY, ())
        found = {command.name: command.default_member_permissions for command in created}
        builders = [
            await command.as_command_builder(self.client.default_locale, self.client.localization_provider)
            for command in self.client.registered_commands
        ]
        wanted = {
            builder.name: hikari.Permissions.NONE
            if builder.default_member_permissions is hikari.UNDEFINED
            else hikari.Permissions(builder.default_member_permissions)
            for builder in builders
        }
        if created and any(found.get(name, permissions) != permissions for name, permissions in wanted.items()):
            await self.bot.rest.set_application_commands(next(iter(created)).application_id, builders)
            log.info("commands.permissions_corrected")
