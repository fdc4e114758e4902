"""The one way to Discord's REST API, besides hikari's own calls at start-up and its answers to interactions.

Every request waits for its bucket and the budget, is tried again where that is safe and can help, and ends in an answer
or in an error with a sentence. Nothing is ever repeated without a pause, and the number of tries is bounded.
"""

import asyncio
import random
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Self

import structlog
from attrs import define, field, frozen

from clipsaver.discord.breaker import Breaker
from clipsaver.discord.budget import Budget, Priority
from clipsaver.discord.heard import Heard, hear
from clipsaver.discord.lanes import OnWait
from clipsaver.discord.pacing import Pacer
from clipsaver.discord.refusals import (
    BadRequest,
    Forbidden,
    Halted,
    NotFound,
    Refused,
    Unauthorized,
    Unavailable,
    refusal,
)
from clipsaver.discord.routes import Route
from clipsaver.discord.sending import Sending
from clipsaver.discord.stats import Stats
from clipsaver.discord.transport import TIMEOUT, Lost, Read, Reply, Transport

__all__ = [
    "Answer",
    "BadRequest",
    "Forbidden",
    "Halted",
    "NotFound",
    "OnWait",
    "Priority",
    "Refused",
    "Rest",
    "Route",
    "Unauthorized",
    "Unavailable",
]

log = structlog.get_logger("clipsaver.discord")

TRIES: Final = 5
"""How often a request is sent that finds Discord in trouble."""
REFUSALS: Final = 8
"""How many 429s one request takes."""
FIRST_PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 15.0
WORTH_TELLING: Final = 1.0
CLOCKS_APART: Final = timedelta(minutes=5)
"""How far our own clock is taken to be off where Discord doesn't tell the time."""

UNAUTHORIZED: Final = 401
FORBIDDEN: Final = 403
REQUEST_TIMEOUT: Final = 408
TOO_MANY: Final = 429
SERVER_ERROR: Final = 500

Check = Callable[[Any], bool]


@frozen(kw_only=True)
class Answer:
    """A request that succeeded."""

    status: int
    headers: Mapping[str, str]
    body: Any = None
    date: datetime | None = None
    """Discord's clock when it answered; None if it didn't say."""

    @property
    def moment(self) -> datetime:
        """Discord's clock, or ours less five minutes: nothing that happened later is taken for past."""
        return self.date or datetime.now(UTC) - CLOCKS_APART


@frozen(kw_only=True, eq=False)
class Question:
    """A request with everything that decides how it is treated."""

    route: Route
    params: Mapping[str, Any] | None
    body: Any
    reason: str | None
    safe: bool
    """Whether asking twice does no harm."""
    check: Check | None
    read: Read | None


@define(kw_only=True)
class Attempts:
    """How a request has fared so far."""

    failed: int = 0
    refused: int = 0
    wait: float = 0.0
    """Seconds that Discord, being in trouble, asked for."""


@define(kw_only=True, eq=False)
class Rest:
    """Discord's REST API with the bot's token; an async context manager."""

    token: str = field(repr=False)
    url: str
    """The base, such as ``https://discord.com/api/v10``."""
    budget: Budget | None = None
    """What all processes share; None: not metered."""
    breaker: Breaker = field(factory=Breaker)
    """What stops everything when Discord refuses too much."""
    stats: Stats = field(factory=Stats)
    pause: float = FIRST_PAUSE
    """Seconds before the second try; each further one waits twice as long."""
    timeout: Any = TIMEOUT
    clock: Callable[[], float] = time.monotonic
    _pacer: Pacer = field(init=False)
    _transport: Transport = field(init=False)
    _running: list[asyncio.Task[None]] = field(init=False, factory=list)
    _unauthorized: bool = field(init=False, default=False)

    def __attrs_post_init__(self) -> None:
        self._pacer = Pacer(budget=self.budget, breaker=self.breaker, clock=self.clock)
        self._transport = Transport(base=self.url, token=self.token, timeout=self.timeout)

    async def __aenter__(self) -> Self:
        await self.breaker.look()  # an earlier start may have been refused too much
        await self._transport.__aenter__()
        self._running = [
            asyncio.create_task(self._pacer.run(), name="discord-pacing"),
            asyncio.create_task(self.breaker.run(), name="discord-breaker"),
        ]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        self._pacer.fail(lambda: Unavailable("The program is stopping."))
        await self.breaker.close()
        if self.budget is not None:
            await self.budget.close()
        await self._transport.__aexit__()

    @property
    def unauthorized(self) -> bool:
        """Whether Discord does not accept the token; then nothing more is asked."""
        return self._unauthorized

    @property
    def halted(self) -> str | None:
        """Why nothing is read at the moment, as a sentence; None while all is well."""
        if self._unauthorized:
            return Unauthorized().message
        seconds = self.breaker.rests(Priority.SCAN)
        return Halted(_in(seconds)).message if seconds else None

    async def request(
        self,
        route: Route,
        *,
        params: Mapping[str, Any] | None = None,
        body: Any = None,
        priority: Priority = Priority.SCAN,
        on_wait: OnWait | None = None,
        reason: str | None = None,
        repeatable: bool | None = None,
        check: Check | None = None,
        read: Read | None = None,
    ) -> Answer:
        """Ask Discord, and come back with an answer or one of this module's errors.

        ``on_wait`` is told until when a refusal or trouble makes it wait, and None when that is over; scans also wait
        while all reading rests. ``repeatable``: asking twice does no harm; by default that is so for everything but
        POST. ``check``: whether a body is what was asked for; one that isn't counts as trouble. ``read`` makes
        something else than JSON of a body's bytes; its ValueError counts as trouble too. ``reason`` goes to the
        server's audit log.
        """
        safe = route.method != "POST" if repeatable is None else repeatable
        question = Question(route=route, params=params, body=body, reason=reason, safe=safe, check=check, read=read)
        attempts = Attempts()
        while True:
            failed = attempts.failed
            self._refuse(priority)
            with await self._pacer.turn(route, priority, on_wait) as sending:
                if self._unauthorized or self.breaker.rests(priority):
                    sending.unsent()
                    continue
                answer = await self._once(question, sending, attempts)
            if answer is not None:
                return answer
            if attempts.failed >= TRIES or attempts.refused >= REFUSALS:
                tries = attempts.failed + attempts.refused
                raise Unavailable(f"Discord gave no useful answer, though it was asked {tries} times.")
            if attempts.failed > failed:
                await self._rest(attempts, on_wait)

    async def _once(self, question: Question, sending: Sending, attempts: Attempts) -> Answer | None:
        """Send it once; None if it may be sent again."""
        route = question.route
        try:
            reply = await self._transport.exchange(
                route, params=question.params, body=question.body, reason=question.reason, read=question.read
            )
        except Lost as lost:
            self.stats.answered(route.method, route.template, 0, 0.0)
            self._failed(question, attempts, 0, lost.kind, harmless=not lost.sent)
            return None
        self.stats.answered(route.method, route.template, reply.status, reply.seconds)
        heard = hear(reply.headers, reply.body)
        if reply.status == TOO_MANY:
            self._throttled(route, sending, reply, heard)
            attempts.refused += 1
            return None
        sending.answered(heard, reply.seconds)
        if 200 <= reply.status < 300:  # noqa: PLR2004 - success
            if reply.readable and (question.check is None or question.check(reply.body)):
                return Answer(status=reply.status, headers=reply.headers, body=reply.body, date=heard.date)
            self._failed(question, attempts, reply.status, "BadBody", harmless=False)
        elif 400 <= reply.status < SERVER_ERROR and reply.status != REQUEST_TIMEOUT:  # noqa: PLR2004 - our fault
            raise self._refused(reply)
        else:
            attempts.wait = min(heard.retry_after or 0.0, LONGEST_PAUSE)
            self._failed(question, attempts, reply.status, "BadStatus", harmless=False)
        return None

    def _refuse(self, priority: Priority) -> None:
        """Ask nothing that would be refused anyway; nor, for people, what would have to wait for minutes."""
        if self._unauthorized:
            raise Unauthorized
        seconds = self.breaker.rests(priority)
        if seconds and priority is Priority.PEOPLE:
            raise Halted(_in(seconds), everything=True)

    def _refused(self, reply: Reply) -> Exception:
        """Remember a 4xx that isn't a 429, and return its error."""
        if reply.status == UNAUTHORIZED:
            if not self._unauthorized:
                log.error("discord.unauthorized")
            self._unauthorized = True
            self._invalid(reply.status, "")
            self._pacer.fail(Unauthorized)
            return Unauthorized()
        if reply.status == FORBIDDEN:
            self._invalid(reply.status, "")
        return refusal(reply.status, reply.body)

    def _throttled(self, route: Route, sending: Sending, reply: Reply, heard: Heard) -> None:
        """Obey a 429. One that is no JSON and names no bucket comes from in front of the API: everything waits."""
        in_front = not isinstance(reply.body, dict) and heard.bucket is None and heard.scope is None
        everywhere = heard.scope == "global" or in_front
        sending.refused(heard, everywhere=everywhere)
        scope = "global" if everywhere else "shared" if heard.scope == "shared" else "user"
        log.warning(
            "discord.rate_limited",
            route=route.template,
            scope=scope,
            retry_after=heard.retry_after,
            bucket=heard.bucket,
        )
        self._invalid(reply.status, scope)

    def _invalid(self, status: int, scope: str) -> None:
        """Count a refusal; one too many and all reading rests."""
        if self.stats.refused(status, scope):
            self.breaker.refused()

    def _failed(self, question: Question, attempts: Attempts, status: int, kind: str, *, harmless: bool) -> None:
        """Count trouble; what may have been done already is not asked for again."""
        attempts.failed += 1
        log.info(
            "discord.request_failed", route=question.route.template, status=status, kind=kind, tries=attempts.failed
        )
        if not (question.safe or harmless):
            raise Unavailable("Discord did not say whether it did what it was asked for.")

    async def _rest(self, attempts: Attempts, on_wait: OnWait | None) -> None:
        """Pause before the next try: twice as long each time, and never all at the same moment."""
        backoff = min(self.pause * 2 ** (attempts.failed - 1), LONGEST_PAUSE)
        seconds = max(attempts.wait, backoff * random.uniform(0.5, 1.0))  # noqa: S311 - no secret
        told = on_wait is not None and seconds >= WORTH_TELLING
        if on_wait is not None and told:
            on_wait(_in(seconds))
        try:
            await asyncio.sleep(seconds)
        finally:
            if on_wait is not None and told:
                on_wait(None)


def _in(seconds: float) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)
