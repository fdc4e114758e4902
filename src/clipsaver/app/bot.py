"""The gateway bot: hikari, its commands, and what it hears about servers and channels."""

import asyncio
import logging
from typing import Final, Self

import hikari
import structlog
from attrs import define, field

from clipsaver.app.commands import Commands
from clipsaver.app.ground import Ground
from clipsaver.app.parts import Part
from clipsaver.app.watchdog import Watchdog
from clipsaver.channels.service import Channels
from clipsaver.channels.viewers.service import Viewers
from clipsaver.clips.picturing.service import Pictures
from clipsaver.clips.saving.service import Saving
from clipsaver.discord.access import Access
from clipsaver.discord.messages import Messages
from clipsaver.extensions.guilds import GuildEvents, GuildReader
from clipsaver.extensions.progress import Progress
from clipsaver.guilds.service import Guilds
from clipsaver.guilds.state import BotState
from clipsaver.scans.service import Scans

log = structlog.get_logger("clipsaver.app")

INTENTS: Final = hikari.Intents.GUILDS | hikari.Intents.GUILD_MESSAGES | hikari.Intents.MESSAGE_CONTENT


def as_error(record: logging.LogRecord) -> bool:
    """Lower hikari's CRITICAL lines: an error follows each of them, and that is the one sentence of a failed start."""
    if record.levelno >= logging.CRITICAL:
        record.levelno, record.levelname = logging.ERROR, "ERROR"
    return True


@define(kw_only=True)
class Bot:
    """Everything that hangs on the gateway session."""

    ground: Ground
    scans: Scans
    gateway: hikari.GatewayBot
    commands: Commands
    events: GuildEvents
    progress: Progress
    state: BotState
    watchdog: Watchdog
    _closing: asyncio.Event = field(factory=asyncio.Event, init=False)

    @classmethod
    def of(cls, ground: Ground, scans: Scans, saving: Saving, pictures: Pictures) -> Self:
        """Put the bot together; nothing is sent yet."""
        logging.getLogger("hikari.bot").addFilter(as_error)
        guilds = Guilds(pool=ground.pool, defaults=ground.defaults)
        channels = Channels(pool=ground.pool, defaults=ground.defaults)
        state = BotState()
        events = GuildEvents(
            guilds=guilds,
            channels=channels,
            state=state,
            reread=GuildReader(rest=ground.rest),
            own_id=ground.application.bot_id,
        )
        gateway = hikari.GatewayBot(
            ground.config.discord.token,
            rest_url=ground.config.discord.rest_url,
            intents=INTENTS,
            # What is known about servers and channels is in the database.
            cache_settings=hikari.impl.CacheSettings(components=hikari.api.CacheComponents.NONE),
            logs=None,
            banner=None,
            suppress_optimization_warning=True,
        )
        dependencies = {
            Scans: scans,
            Saving: saving,
            Pictures: pictures,
            Guilds: guilds,
            Channels: channels,
            Viewers: Viewers(pool=ground.pool),
            Access: ground.access,
            GuildEvents: events,
        }
        return cls(
            ground=ground,
            scans=scans,
            gateway=gateway,
            commands=Commands(bot=gateway, dependencies=dependencies),
            events=events,
            progress=Progress(scans=scans, messages=Messages(rest=ground.rest)),
            state=state,
            watchdog=Watchdog(gateway=gateway, rest=ground.rest, state=state),
        )

    @property
    def part(self) -> Part:
        """The bot, to be run beside others."""
        return Part(name="bot", run=self.run, stop=self.stop)

    @property
    def connected(self) -> dict[int, bool]:
        """Whether the gateway session stands, by shard."""
        return self.watchdog.shards

    async def run(self) -> None:
        """Start, and stay until stopped; an end that Discord makes is a StartFailed with what to do."""
        await self.commands.start()
        # READY comes while the gateway starts: whoever takes the events has to be there before.
        beside = [
            asyncio.create_task(self.events.run(), name="guild events"),
            asyncio.create_task(self.watchdog.run(), name="gateway"),
            asyncio.create_task(self.progress.run(), name="progress"),
        ]
        registering = asyncio.create_task(self._register(), name="register commands")
        try:
            await self._stay(beside)
        finally:
            await self._close([registering, *beside])

    async def stop(self) -> None:
        """End the bot: the last progress is written, then the session is closed."""
        self._closing.set()

    async def _register(self) -> None:
        await self.watchdog.standing.wait()
        log.info("bot.started", shards=len(self.gateway.shards))
        await self.commands.register()

    async def _stay(self, beside: list[asyncio.Task[None]]) -> None:
        """Wait for the end: ours, or that of something that should not end."""
        closing = asyncio.create_task(self._closing.wait(), name="closing")
        try:
            await asyncio.wait([closing, *beside], return_when=asyncio.FIRST_COMPLETED)
            for task in beside:
                if task.done():
                    task.result()
        finally:
            closing.cancel()
            await asyncio.gather(closing, return_exceptions=True)

    async def _close(self, beside: list[asyncio.Task[None]]) -> None:
        await self.progress.stop()
        for task in beside:
            if task.get_name() != "progress":
                task.cancel()
        await asyncio.gather(*beside, return_exceptions=True)
        await self.commands.stop()
