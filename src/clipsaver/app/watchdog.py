"""Keeps a gateway session: whatever ends it, a new one is begun, unless Discord's documents say that none may be.

hikari resumes by itself after most troubles. It gives up on some that Discord calls passing, and goes on for ever in
some where only a new session helps; both are noticed here. See docs/decisions/008.
"""

import asyncio
import random
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import hikari
import structlog
from attrs import define, field, frozen

from clipsaver.app.gateway_troubles import BAD_TOKEN, Trouble, judge
from clipsaver.discord.rest import Refused, Rest, Unauthorized
from clipsaver.discord.starts import Starts, ask_starts
from clipsaver.errors import ClipsaverError, StartFailed
from clipsaver.guilds.state import BotState

log = structlog.get_logger("clipsaver.app.gateway")

CANCELLATIONS: Final = 10
TASKS_OF_SHARDS: Final = ("keep alive (shard", "heartbeat (shard", "poll events (shard")
CLOSING: Final = 6.5
"""Seconds a session may take to be closed; hikari gives a server that doesn't answer five."""


@frozen(kw_only=True)
class Patience:
    """How long is waited for what, in seconds."""

    ready: float = 60.0
    """For a new session to be READY."""
    away: float = 30.0
    """For hikari to reconnect by itself."""
    look: float = 1.0
    """Between two looks at what hikari does."""
    flaps: int = 5
    """How many connections in ``flaps_within`` are too many: hikari might begin a session each second."""
    flaps_within: float = 600.0
    steady: float = 300.0
    """After so long a session counts as a good one, and the next trouble as the first."""
    first_pause: float = 1.0
    longest_pause: float = 600.0
    """Between two sessions; with ``flaps`` it keeps below the thousand that Discord allows a day."""
    longest_question: float = 60.0
    """Between two questions whether a session may be begun."""
    spacing: float = 5.0
    """Discord: between two Identifies."""


PATIENCE: Final = Patience()


async def end_shards() -> None:
    """End what hikari forgets of a shard: one that was still connecting, the heartbeats of a refused resume.

    They are known by their tasks' name alone, and may take one cancellation for a failed connection.
    """
    for _ in range(CANCELLATIONS):
        left = [task for task in asyncio.all_tasks() if task.get_name().startswith(TASKS_OF_SHARDS)]
        if not left:
            return
        for task in left:
            task.cancel()
        done, _ = await asyncio.wait(left, timeout=0.1)
        for task in done:
            _ = task.cancelled() or task.exception()  # nobody else asks


@define(kw_only=True, eq=False)
class Watchdog:
    """Begins gateway sessions, one after the other, and says what it is waiting for."""

    gateway: hikari.GatewayBot
    rest: Rest
    state: BotState
    patience: Patience = field(factory=lambda: PATIENCE)
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    clock: Callable[[], float] = time.monotonic
    standing: asyncio.Event = field(factory=asyncio.Event, init=False)
    """Set while a session stands, or hikari takes it up again."""
    reconnects: Counter[str] = field(factory=Counter, init=False)
    """By reason; ``dropped`` is what hikari did by itself."""
    _trouble: str | None = field(default=None, init=False)
    _goes_on_at: float | None = field(default=None, init=False)
    _begun_at: float = field(default=float("-inf"), init=False)
    """When a session was begun last, here or by hikari."""
    _known: bool = field(default=False, init=False)
    """Whether Discord ever let us begin."""
    _troubles: int = field(default=0, init=False)
    """In a row."""
    _away: dict[int, float] = field(factory=dict, init=False)
    _connected: dict[int, deque[float]] = field(factory=dict, init=False)
    _ending: asyncio.Task[None] | None = field(default=None, init=False)

    @property
    def shards(self) -> dict[int, bool]:
        """Whether each shard's session stands."""
        return {shard.id: shard.is_connected for shard in self.gateway.shards.values()}

    def waiting(self) -> Mapping[str, object]:
        """What it waits for, for ``/ready``."""
        if self._trouble is None:
            return {}
        seconds = 0.0 if self._goes_on_at is None else max(self._goes_on_at - self.clock(), 0.0)
        return {"trouble": self._trouble, "goes_on_in": round(seconds, 1)}

    async def run(self) -> None:
        """Keep a session until cancelled; StartFailed when none can be had any more."""
        self.gateway.subscribe(hikari.ShardConnectedEvent, self._on_connected)
        try:
            while True:
                trouble = await self._keep()
                self.standing.clear()
                self._trouble, self._goes_on_at = trouble.reason, None
                self.reconnects[trouble.reason] += 1
                await self._end()
                if self.gateway.is_alive:
                    raise StartFailed("The gateway session would not end: start the bot again.")
                self.state.away()
                await self._pause(trouble)
        finally:
            self.standing.clear()
            self.gateway.unsubscribe(hikari.ShardConnectedEvent, self._on_connected)
            await self._end()

    async def _keep(self) -> Trouble:
        """Begin a session, and watch it to its end."""
        try:
            await self._begin(await self._permission())
            await self._watch()
        except Exception as error:
            trouble = judge(error)
            if trouble.reason == "broken":
                log.warning("gateway.broken", exc_info=True)
            return trouble
        return Trouble("ended")

    async def _permission(self) -> Starts:
        """Wait until Discord lets us begin: it answers, and some of the day's sessions are left."""
        asked = 0
        while True:
            try:
                starts = await ask_starts(self.rest)
            except Unauthorized:
                raise StartFailed(BAD_TOKEN) from None
            except ClipsaverError as error:
                if isinstance(error, Refused) and not self._known:
                    raise StartFailed(f"Discord would not say where its gateway is: {error}") from None
                wait = _jittered(min(2.0 * 2 ** min(asked, 10), self.patience.longest_question))
                log.warning("gateway.unreachable", retry_in=round(wait, 1), reason=type(error).__name__)
                await self._wait("unreachable", wait)
            else:
                self._known = True
                if starts.enough:
                    return starts
                wait = max(starts.reset_after, self.patience.spacing)
                log.warning("gateway.no_sessions_left", remaining=starts.remaining, retry_in=round(wait, 1))
                await self._wait("no_sessions_left", wait)
            asked += 1

    async def _begin(self, starts: Starts) -> None:
        """Let hikari begin, within a time; its own first connection and those that fail are its business."""
        if (wait := self._begun_at + self.patience.spacing - self.clock()) > 0:
            await self.sleep(wait)
        self._away.clear()
        self._connected.clear()
        self._begun_at = self.clock()
        starting = asyncio.create_task(self.gateway.start(check_for_updates=False), name="start the gateway")
        try:
            # hikari leaves five seconds between shards.
            await asyncio.wait([starting], timeout=self.patience.ready + 5.0 * starts.shards)
            if not starting.done():
                raise Trouble("not_ready")
            starting.result()
        finally:
            starting.cancel()
            await asyncio.gather(starting, return_exceptions=True)
        self._trouble = self._goes_on_at = None
        self.standing.set()
        log.info("gateway.ready", shards=len(self.gateway.shards))

    async def _watch(self) -> None:
        """Look on until hikari gives up, or had better."""
        began = self.clock()
        joined = asyncio.create_task(self.gateway.join(), name="gateway session")
        try:
            while not joined.done():
                await asyncio.wait([joined], timeout=self.patience.look)
                if self.clock() - began >= self.patience.steady:
                    self._troubles = 0
                if not joined.done():
                    self._look()
            joined.result()
        finally:
            joined.cancel()
            await asyncio.gather(joined, return_exceptions=True)

    def _look(self) -> None:
        """Raise what only a new session helps against."""
        now = self.clock()
        for shard, connected in self.shards.items():
            if connected:
                self._away.pop(shard, None)
            elif now - self._away.setdefault(shard, now) >= self.patience.away:
                raise Trouble("disconnected")
            times = self._connected.get(shard)
            if times and len(times) >= self.patience.flaps and now - times[0] < self.patience.flaps_within:
                raise Trouble("unstable")

    async def _on_connected(self, event: hikari.ShardConnectedEvent) -> None:
        """Count a connection; all but a shard's first are hikari's own doing."""
        times = self._connected.setdefault(event.shard.id, deque(maxlen=self.patience.flaps))
        if times:
            self.reconnects["dropped"] += 1
            log.info("gateway.reconnected", shard=event.shard.id)
        self._begun_at = self.clock()
        times.append(self._begun_at)

    async def _pause(self, trouble: Trouble) -> None:
        wait = _jittered(min(self.patience.first_pause * 2 ** min(self._troubles, 20), self.patience.longest_pause))
        self._troubles += 1
        log.warning("gateway.new_session", reason=trouble.reason, retry_in=round(wait, 1), in_a_row=self._troubles)
        await self._wait(trouble.reason, wait)

    async def _wait(self, trouble: str, seconds: float) -> None:
        self._trouble, self._goes_on_at = trouble, self.clock() + seconds
        await self.sleep(seconds)

    async def _end(self) -> None:
        """Close whatever there is of a session; once begun this goes on though the caller is cancelled."""
        if self._ending is None:
            self._ending = asyncio.create_task(self._close(), name="end the gateway")
        await asyncio.shield(self._ending)
        self._ending = None

    async def _close(self) -> None:
        if self.gateway.is_alive:
            closing = asyncio.create_task(self.gateway.close(), name="close the gateway")
            await asyncio.wait([closing], timeout=CLOSING)
        await end_shards()


def _jittered(seconds: float) -> float:
    return seconds * random.uniform(0.75, 1.0)  # noqa: S311 - no secret
