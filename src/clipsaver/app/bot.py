"""The gateway bot: hikari, its commands, and what it hears about servers and channels."""

import asyncio
import logging
from collections.abc import Awaitable, Coroutine
from typing import Any, Final, Self

import hikari
import structlog
from attrs import define, field

from clipsaver.app.commands import Commands
from clipsaver.app.ground import Ground
from clipsaver.app.parts import Part
from clipsaver.channels.service import Channels
from clipsaver.channels.viewers.service import Viewers
from clipsaver.discord.access import Access
from clipsaver.discord.messages import Messages
from clipsaver.errors import StartFailed
from clipsaver.extensions.guilds import GuildEvents, GuildReader
from clipsaver.extensions.progress import Progress
from clipsaver.guilds.service import Guilds
from clipsaver.guilds.state import BotState
from clipsaver.scans.service import Scans

log = structlog.get_logger("clipsaver.app")

INTENTS: Final = hikari.Intents.GUILDS | hikari.Intents.GUILD_MESSAGES | hikari.Intents.MESSAGE_CONTENT
CANCELLATIONS: Final = 10


def as_error(record: logging.LogRecord) -> bool:
    """Lower hikari's CRITICAL lines: an error follows each of them, and that is the one sentence of a failed start."""
    if record.levelno >= logging.CRITICAL:
        record.levelno, record.levelname = logging.ERROR, "ERROR"
    return True


async def end_shards() -> None:
    """End shards that were still connecting: hikari forgets them when a start fails, and they would try for ever.

    They are known by their tasks' name alone, and may take one cancellation for a failed connection.
    """
    for _ in range(CANCELLATIONS):
        left = [task for task in asyncio.all_tasks() if task.get_name().startswith("keep alive (shard")]
        if not left:
            return
        for task in left:
            task.cancel()
        await asyncio.wait(left, timeout=0.1)


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
    _closing: asyncio.Event = field(factory=asyncio.Event, init=False)

    @classmethod
    def of(cls, ground: Ground, scans: Scans) -> Self:
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
        )

    @property
    def part(self) -> Part:
        """The bot, to be run beside others."""
        return Part(name="bot", run=self.run, stop=self.stop)

    @property
    def connected(self) -> dict[int, bool]:
        """Whether the gateway session stands, by shard."""
        return {shard.id: shard.is_connected for shard in self.gateway.shards.values()}

    async def run(self) -> None:
        """Start, and stay until stopped; an end that Discord makes is a StartFailed with its reason."""
        await self.commands.start()
        beside: list[asyncio.Task[None]] = []
        try:
            # READY comes while the gateway starts: whoever takes the events has to be there before.
            beside.append(asyncio.create_task(self.events.run(), name="guild events"))
            if not await self._connect():
                return
            log.info("bot.started", shards=len(self.gateway.shards))
            beside.append(asyncio.create_task(self.commands.register(), name="register commands"))
            beside.append(asyncio.create_task(self.progress.run(), name="progress"))
            await self._stay(beside)
        finally:
            await self._close(beside)

    async def stop(self) -> None:
        """End the bot: the last progress is written, then the session is closed."""
        self._closing.set()

    async def _connect(self) -> bool:
        """Start the gateway session; False when the end came first."""
        starting = asyncio.create_task(self._with_reasons(self.gateway.start(check_for_updates=False)), name="start")
        closing = asyncio.create_task(self._closing.wait(), name="closing")
        try:
            await asyncio.wait([starting, closing], return_when=asyncio.FIRST_COMPLETED)
            if starting.done():
                starting.result()
            return starting.done()
        finally:
            starting.cancel()
            closing.cancel()
            await asyncio.gather(starting, closing, return_exceptions=True)

    async def _stay(self, beside: list[asyncio.Task[None]]) -> None:
        """Wait for the end: ours, the gateway's, or that of something that should not end."""
        joined = asyncio.create_task(self._with_reasons(self.gateway.join()), name="gateway")
        closing = asyncio.create_task(self._closing.wait(), name="closing")
        watched = [task for task in beside if task.get_name() != "register commands"]
        try:
            await asyncio.wait([joined, closing, *watched], return_when=asyncio.FIRST_COMPLETED)
            for task in [joined, *watched]:
                if task.done():
                    task.result()
            if not self._closing.is_set():
                raise StartFailed("The gateway session ended without a reason.")
        finally:
            joined.cancel()
            closing.cancel()
            await asyncio.gather(joined, closing, return_exceptions=True)

    async def _close(self, beside: list[asyncio.Task[None]]) -> None:
        await self.progress.stop()
        for task in beside:
            if task.get_name() != "progress":
                task.cancel()
        await asyncio.gather(*beside, return_exceptions=True)
        if self.gateway.is_alive:
            await self.gateway.close()
        await end_shards()
        await self.commands.stop()

    async def _with_reasons(self, work: Coroutine[Any, Any, None] | Awaitable[None]) -> None:
        """Wait for hikari, and say in a sentence what it can't recover from."""
        try:
            await work
        except hikari.GatewayServerClosedConnectionError as error:
            raise StartFailed(f"Discord closed the gateway session for good: {error.code} {error.reason}.") from error
        except hikari.UnauthorizedError:
            raise StartFailed("Discord refused the bot token: copy it afresh from the developer portal.") from None
        except (hikari.HTTPError, hikari.GatewayError) as error:
            raise StartFailed(f"The gateway can't be reached: {error}.") from error
        except RuntimeError as error:
            raise StartFailed(f"The gateway session can't be started: {error}.") from error
