"""One claimed run, from where it stands to its end: pages are read ahead while earlier ones are committed."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Any

import structlog
from attrs import define, evolve, field, frozen

from clipsaver.clips.model import Batch, Portion, StaleRules
from clipsaver.clips.rules import Rules
from clipsaver.discord import snowflakes
from clipsaver.discord.access import Access, ChannelAccess
from clipsaver.discord.history import History
from clipsaver.discord.permissions import missing
from clipsaver.errors import LeaseLost, NotAllowed, NotThere
from clipsaver.guilds.settings import Settings, resolve
from clipsaver.postgres import ranges
from clipsaver.postgres.pool import Connection
from clipsaver.postgres.ranges import Ranges
from clipsaver.scans import plan, store
from clipsaver.scans.courtesy import Courtesy, Turn
from clipsaver.scans.keeping import Keeper
from clipsaver.scans.model import LEASE_LOST, Advance, ChannelRules, Figures, Rescan, Run, RunStatus
from clipsaver.scans.reading import Reader, ReadPage
from clipsaver.work.worker import Lease

log = structlog.get_logger("clipsaver.scans")

HORIZON_LAG = timedelta(seconds=5)
"""Ids younger than this, by Discord's clock, are left to the next run: their messages may still be on their way."""
MARK_EVERY = 30.0
"""Seconds between writes of the channel's indexed columns."""
WORTH_TELLING = timedelta(seconds=3)
"""Waits shorter than this are not shown to people."""
RULES_TRIES = 5
"""How often a batch is looked through again because the rules changed under it."""


class ChannelUnreadable(NotAllowed):
    """The bot may not read the channel's history; nothing it answers can be believed."""


@frozen(kw_only=True)
class Known:
    """What decides about clips, as far as this run knows."""

    channel: ChannelRules
    settings: Settings
    rules: Rules


@define(kw_only=True)
class Crawl:
    """Reads one run's channel; everything it writes is fenced by the lease."""

    history: History
    access: Access
    keeper: Keeper
    courtesy: Courtesy
    defaults: Mapping[str, Any]
    """``guild_defaults`` of the configuration."""
    application_id: int
    bot_id: int
    """Our own application and user: what they posted is never scanned."""
    kept: Callable[[Figures], None]
    """Told what each commit added."""
    run: Run
    lease: Lease
    todo: Ranges = ()
    figures: Figures = field(factory=Figures)
    progress: bool = False
    """Whether anything was committed since the claim."""
    _marked_at: float = field(factory=lambda: asyncio.get_running_loop().time(), init=False)
    _known: Known | None = field(default=None, init=False)
    _waits_until: datetime | None = field(default=None, init=False)
    _telling: asyncio.Task[None] | None = field(default=None, init=False)
    _untold: bool = field(default=False, init=False)
    """Whether the run's row may say something else of the wait."""

    async def __call__(self) -> Run | None:
        """Read until nothing is left: the ended run, or None when the worker drains and the run has to go back."""
        try:
            with self.courtesy.begin() as turn:
                await self._prepare()
                while plan.next_ask(self.todo, direction=self.run.direction, left=self._left(self.figures)):
                    if self.lease.draining.is_set():
                        return None
                    await self._read_and_keep(turn)
                return await self._end()
        finally:
            if self._telling is not None:
                self._telling.cancel()
                await asyncio.gather(self._telling, return_exceptions=True)

    # ── before the first page ──

    async def _prepare(self) -> None:
        """Look whether the channel may be read, and fix the run's range the first time."""
        access = await self._readable()
        known = await self._learn()
        self._admit(access, known)
        if self.run.todo is None:
            self.run = await self._fix_range(access, known)
        self.todo = self.run.todo or ()
        self.figures = Figures(
            messages_scanned=self.run.messages_scanned,
            messages_matched=self.run.messages_matched,
            clips_found=self.run.clips_found,
            skipped=self.run.skipped,
        )
        self._start_over()
        log.info("scan.started", pieces=len(self.todo), attempt=self.run.attempts, direction=self.run.direction)

    def _admit(self, access: ChannelAccess, known: Known) -> None:
        if access.nsfw and not known.settings.scan_nsfw:
            raise NotAllowed(
                f"#{access.channel.name} is age-restricted. Switch `scan_nsfw` on with `/settings set` to scan it."
            )

    async def _fix_range(self, access: ChannelAccess, known: Known) -> Run:
        horizon = snowflakes.at(access.date - HORIZON_LAG)
        todo = plan.at_start(
            evolve(self.run, horizon=horizon).span,
            known.channel.coverage if known.channel.rules_hash == known.rules.hash else (),
            direction=self.run.direction,
            rescan=self.run.rescan,
        )
        async with self.keeper.few.connection() as conn:
            run = await store.mark_scan_started(conn, self.run.id, token=self.lease.token, horizon=horizon, todo=todo)
        return _held(run)

    async def _readable(self) -> ChannelAccess:
        """Ask Discord afresh what the bot may do; an empty answer counts only between two of these."""
        access = await self.access.of_bot(self.run.channel_id, fresh=True)
        lacking = missing(access.permissions, access.needed_to_read)
        if lacking:
            raise ChannelUnreadable(f"I can't read #{access.channel.name}: I need {' and '.join(lacking)} there.")
        return access

    # ── reading ──

    async def _read_and_keep(self, turn: Turn) -> None:
        """Read on while what has arrived is committed, until the todo is read or trouble comes."""
        reader = Reader(
            history=self.history,
            run=self.run,
            application_id=self.application_id,
            bot_id=self.bot_id,
            readable=self._readable,
            rules=lambda: self._rules.rules,
            on_wait=self._waiting,
            draining=self.lease.draining,
            room=self.keeper.room,
            turn=turn,
        )
        async with aclosing(reader.pages(self.todo, self._left(self.figures))) as arriving:
            async for pages in arriving:
                await self._keep(pages, turn)

    def _left(self, figures: Figures) -> int | None:
        limit = self.run.message_limit
        return None if limit is None else max(limit - figures.messages_scanned, 0)

    def _waiting(self, until: datetime | None) -> None:
        """Let people see until when Discord makes the run wait, and the next commit that it is over."""
        self._waits_until = until
        if until is not None and _is_worth_telling(until):
            log.info("scan.waiting", until=until.isoformat())
            self._tell()

    def _tell(self) -> None:
        self._untold = True
        if self._telling is None or self._telling.done():
            self._telling = asyncio.create_task(self._write_wait())

    async def _write_wait(self) -> None:
        while self._untold:
            self._untold = False
            if self._waits_until is not None:
                async with self.keeper.few.connection() as conn:
                    await store.set_waiting(conn, self.run.id, token=self.lease.token, until=self._waits_until)

    # ── keeping ──

    async def _keep(self, pages: Sequence[ReadPage], turn: Turn) -> None:
        """Commit pages and the run's progress together; again, with the new rules, if those changed meanwhile."""
        for attempt in range(RULES_TRIES):
            advance = self._advance(pages)
            try:
                await self.keeper.keep(advance, first=turn.goes_first)
            except StaleRules:
                if attempt == RULES_TRIES - 1:
                    raise
                known = await self._learn()
                self._admit(await self.access.of_bot(self.run.channel_id), known)
                self._start_over()
                continue
            break
        until = self._waits_until
        if until is not None and until != advance.waiting_until and _is_worth_telling(until):
            self._tell()  # what was committed says something else
        self.progress = True
        self.kept(advance.figures.beyond(self.figures))
        self.todo, self.figures = advance.todo, advance.figures
        if advance.portion.seen_hash != advance.portion.rules_hash:
            known = self._rules
            self._known = evolve(known, channel=evolve(known.channel, rules_hash=advance.portion.rules_hash))
        self.run = evolve(self.run, newest_message_id=advance.newest)
        log.debug("scan.pages_kept", pages=len(pages), messages=self.figures.messages_scanned)

    def _advance(self, pages: Sequence[ReadPage]) -> Advance:
        """Where the run stands once these pages are kept."""
        known = self._rules
        batch = Batch.joined([page.under(known.rules) for page in pages])
        covers = ranges.normalise(chain.from_iterable(page.closes for page in pages))
        return Advance(
            run_id=self.run.id,
            token=self.lease.token,
            todo=ranges.subtract(self.todo, covers),
            figures=self.figures.plus(_figures(batch)),
            newest=max(chain(batch.ids, (self.run.newest_message_id or 0,))) or None,
            marks_channel=self._is_due(),
            waiting_until=self._waits_until,
            rules=known.channel,
            portion=Portion(
                guild_id=self.run.guild_id,
                channel_id=self.run.channel_id,
                batch=batch,
                covers=covers,
                rules_hash=known.rules.hash,
                seen_hash=known.channel.rules_hash,
            ),
        )

    def _start_over(self) -> None:
        """Go back to the run's start if the rules under it have changed.

        What the channel's coverage held was read under the old rules, this run's own pages among it. A run with a
        limit, or one for the newest messages only, doesn't go back for it.
        """
        channel, rules = self._rules.channel, self._rules.rules
        stale = channel.coverage if channel.rules_hash != rules.hash else ()
        span = self.run.span
        if stale and span is not None and self.run.message_limit is None and self.run.rescan is not Rescan.STOP:
            log.info("scan.rules_changed", rules_hash=rules.hash)
            self.todo, self.figures = ranges.add(self.todo, ranges.intersect(stale, (span,))), Figures()

    @property
    def _rules(self) -> Known:
        if self._known is None:
            raise RuntimeError("Nothing is read before the rules are known.")
        return self._known

    async def _learn(self) -> Known:
        """Read what decides about clips now; settled once for as long as nobody changes it."""
        async with self.keeper.few.connection() as conn:
            channel = await store.rules_of_channel(conn, self.run.channel_id)
        if channel is None:
            raise NotThere("The channel is gone.")
        known = self._known
        if known is not None and known.channel.same_as(channel):
            self._known = evolve(known, channel=channel)
        else:
            settings = resolve(self.defaults, channel.guild_settings, channel.settings)
            self._known = Known(channel=channel, settings=settings, rules=Rules.of(settings))
        return self._known

    def _is_due(self) -> bool:
        """Whether the channel's indexed columns are to be written again; the run's own row is always up to date."""
        now = asyncio.get_running_loop().time()
        if now - self._marked_at <= MARK_EVERY:
            return False
        self._marked_at = now
        return True

    async def _end(self) -> Run:
        async def ended(conn: Connection) -> Run:
            run = _held(
                await store.mark_scan_finished(conn, self.run.id, token=self.lease.token, status=RunStatus.SUCCEEDED)
            )
            await store.mark_channels_scanned(conn, [run.id])
            return run

        return await self.keeper.few.in_transaction(ended)


def _is_worth_telling(until: datetime) -> bool:
    return until - datetime.now(UTC) >= WORTH_TELLING


def _held(run: Run | None) -> Run:
    """The row that was written under our lease; if there is none, the lease is another's."""
    if run is None:
        raise LeaseLost(LEASE_LOST)
    return run


def _figures(batch: Batch) -> Figures:
    return Figures(
        messages_scanned=batch.scanned,
        messages_matched=batch.matched,
        clips_found=batch.clips_found,
        skipped=batch.skipped,
    )
