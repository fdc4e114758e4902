"""What events about guilds mean for the database, and for what the bot knows of itself."""

from collections.abc import Sequence
from typing import TypeVar, assert_never

import structlog
from attrs import frozen

from clipsaver.channels.service import Channels, GuildChannels
from clipsaver.extensions.guilds.events import (
    ChannelGone,
    ChannelSeen,
    Event,
    GuildLeft,
    GuildOutage,
    GuildSeen,
    RoleGone,
    RoleSeen,
    SessionReady,
)
from clipsaver.guilds.service import Guilds
from clipsaver.guilds.state import BotState

E = TypeVar("E")

log = structlog.get_logger("clipsaver.extensions.guilds")


@frozen(kw_only=True)
class Writer:
    """Writes events; doing it twice changes nothing."""

    guilds: Guilds
    channels: Channels
    state: BotState

    async def write(self, events: Sequence[Event]) -> None:  # noqa: C901, PLR0912 - one case for each kind
        """Write events of one kind, in their order."""
        match events[0]:
            case SessionReady():
                for ready in _only(events, SessionReady):
                    await self._begin(ready)
            case GuildSeen():
                await self._write_guilds(_only(events, GuildSeen))
            case GuildOutage():
                for outage in _only(events, GuildOutage):
                    self.state.outage(outage.guild_id)
                    log.info("guild.outage", guild_id=str(outage.guild_id))
            case GuildLeft():
                for left in _only(events, GuildLeft):
                    await self.guilds.left(left.guild_id)
                    self.state.left(left.guild_id)
            case ChannelSeen():
                with self.state.tag("sync:channels"):
                    await self.channels.changed(seen.channel for seen in _only(events, ChannelSeen))
            case ChannelGone():
                for gone in _only(events, ChannelGone):
                    await self.channels.gone(gone.guild_id, gone.channel_id)
            case RoleSeen():
                for changed in _only(events, RoleSeen):
                    await self.guilds.role_changed(changed.guild_id, changed.role)
            case RoleGone():
                for removed in _only(events, RoleGone):
                    await self.guilds.role_gone(removed.guild_id, removed.role_id)
            case _:
                assert_never(events[0])

    async def _begin(self, ready: SessionReady) -> None:
        """Begin a session: expect its guilds, and delete those that vanished while nobody looked."""
        told = ready.guild_ids
        self.state.ready(ready.shard.id, told or ())
        if told is None:
            return
        with self.state.tag("sync:guilds"):
            vanished = await self.guilds.reconcile(told, ready.shard)
        for guild_id in vanished | (ready.shard.of(self.state.guilds) - told):
            self.state.left(guild_id)

    async def _write_guilds(self, seen: Sequence[GuildSeen]) -> None:
        """Write guilds, then their channels, and only then count them as there."""
        with self.state.tag("sync:guilds"):
            await self.guilds.seen(
                (one.guild for one in seen),
                (one.owner for one in seen if one.owner is not None),
            )
        told = [one for one in seen if one.with_channels]
        with self.state.tag("sync:channels"):
            await self.channels.seen_in(
                GuildChannels(
                    guild_id=one.guild_id,
                    channels=(*one.guild.channels, *one.guild.threads),
                    complete=one.complete,
                )
                for one in told
            )
        for one in told:
            self.state.seen(one.guild_id)


def _only(events: Sequence[Event], kind: type[E]) -> Sequence[E]:
    """The same events, all of one kind, with their type."""
    return [event for event in events if isinstance(event, kind)]
