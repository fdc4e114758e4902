"""Interactions with the application of a world: commands registered, used, and answered."""

import secrets
from typing import Any, Final

from aiohttp import web
from attrs import define, field

from clipsaver.simulator.gateway import Gateway
from clipsaver.simulator.interactions.bell import Bell
from clipsaver.simulator.interactions.callbacks import Callbacks
from clipsaver.simulator.interactions.command_routes import CommandRoutes
from clipsaver.simulator.interactions.commands import Commands
from clipsaver.simulator.interactions.grants import Grants
from clipsaver.simulator.interactions.interaction import Interaction
from clipsaver.simulator.interactions.mailbox import Mailbox
from clipsaver.simulator.interactions.occasions import occasion
from clipsaver.simulator.world import World

MOST: Final = 5000
"""Interactions remembered; their tokens died long before."""


@define
class Interactions:
    """What persons do with the application, and what it answers."""

    world: World
    gateway: Gateway = field(eq=False)
    commands: Commands = field(init=False)
    grants: Grants = field(init=False)
    mailbox: Mailbox = field(init=False)
    bell: Bell = field(factory=Bell, init=False)
    """Rings whenever anything happens in this world, or to an answer."""
    by_token: dict[str, Interaction] = field(factory=dict, init=False)

    def __attrs_post_init__(self) -> None:
        self.commands = Commands(self.world)
        self.grants = Grants(self.world)
        self.mailbox = Mailbox(self.world)
        self.world.listeners.append(lambda *_: self.bell.ring())

    def routes(self) -> list[web.RouteDef]:
        """Routes below ``/api/v10``."""
        callbacks = Callbacks(self.world, self.mailbox, self.bell, self.by_token)
        return [*CommandRoutes(self.world, self.commands, self.grants).routes(), *callbacks.routes()]

    def begin(
        self, kind: int, user_id: int, channel_id: int, data: dict[str, Any], *, locale: str = "en-US", **more: Any
    ) -> Interaction:
        """Send an interaction to the application; ``more`` is any other field of :class:`Interaction`."""
        guild_id = self.world.channels[channel_id].guild_id
        interaction = Interaction(
            id=self.world.new_id(),
            token=secrets.token_urlsafe(96),
            type=kind,
            user_id=user_id,
            channel_id=channel_id,
            guild_id=guild_id,
            created=self.world.clock(),
            owners={"0": "0" if guild_id is None else str(guild_id)},
            **more,
        )
        self.by_token[interaction.token] = interaction
        while len(self.by_token) > MOST:
            del self.by_token[next(iter(self.by_token))]
        payload = occasion(self.world, interaction, locale=locale) | {"data": data}
        if interaction.source_id is not None:
            source = self.mailbox.find(channel_id, interaction.source_id)
            payload |= {"message": self.world.payload_of(source)} if source is not None else {}
        self.world.emit("INTERACTION_CREATE", payload, guild_id)
        return interaction
