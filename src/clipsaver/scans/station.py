"""Scans as work: how a worker claims runs, carries them on, and writes down what became of them."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

import structlog
from attrs import Factory, define, field, frozen

from clipsaver import logs
from clipsaver.clips.service import Clips
from clipsaver.discord.access import Access
from clipsaver.discord.history import History
from clipsaver.discord.rest import Forbidden
from clipsaver.errors import ClipsaverError, LeaseLost
from clipsaver.postgres.pool import Connection, Pool, in_transaction
from clipsaver.scans import store
from clipsaver.scans.courtesy import Courtesy
from clipsaver.scans.keeping import Keeper
from clipsaver.scans.model import Figures, Run, RunStatus
from clipsaver.scans.steps import ChannelUnreadable, Crawl
from clipsaver.work.worker import Lease, Station, one_at_a_time

log = structlog.get_logger("clipsaver.scans")

MOST_ATTEMPTS = 10
"""Claims without any progress after which a run fails for good."""
FIRST_DELAY = timedelta(seconds=2)
LONGEST_DELAY = timedelta(minutes=5)


@define
class Tally:
    """What this process has read since it began, for metrics."""

    messages: int = 0
    clips: int = 0

    def add(self, figures: Figures) -> None:
        """Count what was committed."""
        self.messages += figures.messages_scanned
        self.clips += figures.clips_found


@frozen(kw_only=True)
class ScanWork:
    """What a worker needs to carry on runs."""

    pool: Pool
    history: History
    access: Access
    clips: Clips
    defaults: Mapping[str, Any]
    application_id: int
    bot_id: int
    lease_time: timedelta
    tally: Tally = field(factory=Tally)
    courtesy: Courtesy = field(factory=Courtesy, init=False)
    keeper: Keeper = field(
        default=Factory(
            lambda self: Keeper(pool=self.pool, clips=self.clips, lease_time=self.lease_time), takes_self=True
        ),
        init=False,
    )

    def station(self, *, concurrency: int, poll: timedelta) -> Station[Run]:
        """Describe this work to a worker."""
        return Station(
            name="scans",
            claim=one_at_a_time(self.claim),
            work=self.work,
            renew=self.renew,
            release=self.release,
            concurrency=concurrency,
            lease=self.lease_time,
            poll=poll,
        )

    async def claim(self, token: UUID) -> Run | None:
        """Take a run, if one waits and Discord still takes our token."""
        if self.history.unauthorized:
            return None
        async with self.pool.acquire() as conn:
            return await store.claim(conn, token=token, lease=self.lease_time)

    async def renew(self, run: Run, token: UUID) -> bool:
        """Keep the run; False when it was canceled or is another's."""
        async with self.pool.acquire() as conn:
            return await store.renew(conn, run.id, token=token, lease=self.lease_time)

    async def release(self, run: Run, token: UUID) -> None:
        """Hand the run back for another worker, or for the next start."""
        async with self.pool.acquire() as conn:
            await store.release(conn, run.id, token=token)

    async def work(self, run: Run, lease: Lease) -> None:
        """Carry a run on; trouble is written to its row, for a person to read and a worker to try again."""
        with structlog.contextvars.bound_contextvars(
            guild_id=str(run.guild_id), channel_id=str(run.channel_id), run_id=str(run.id)
        ):
            crawl = Crawl(
                history=self.history,
                access=self.access,
                keeper=self.keeper,
                courtesy=self.courtesy,
                defaults=self.defaults,
                application_id=self.application_id,
                bot_id=self.bot_id,
                kept=self.tally.add,
                run=run,
                lease=lease,
            )
            try:
                ended = await crawl()
            except LeaseLost:
                log.info("scan.lease_lost")
            except Forbidden as error:
                log.info("scan.forbidden", code=error.code)
                gone = ChannelUnreadable("I can't read that channel: I need View Channel there.")
                await self._trouble(run, lease.token, gone, progress=crawl.progress)
            except ClipsaverError as error:
                await self._trouble(run, lease.token, error, progress=crawl.progress)
            except Exception:
                reference = logs.reference()
                log.exception("scan.crashed", reference=reference)
                said = ClipsaverError(f"Something went wrong while reading the channel (reference {reference}).")
                await self._trouble(run, lease.token, said, progress=crawl.progress)
            else:
                if ended is None:
                    log.info("scan.handed_back")
                    await self.release(run, lease.token)
                else:
                    log.info(
                        "scan.succeeded",
                        messages=ended.messages_scanned,
                        matched=ended.messages_matched,
                        clips=ended.clips_found,
                    )

    async def _trouble(self, run: Run, token: UUID, error: ClipsaverError, *, progress: bool) -> None:
        attempts = 1 if progress else run.attempts
        final = error.permanent or attempts >= MOST_ATTEMPTS
        log.warning("scan.trouble", error=str(error), permanent=error.permanent, attempts=attempts, final=final)
        if not final:
            delay = min(FIRST_DELAY * 2 ** (attempts - 1), LONGEST_DELAY)
            async with self.pool.acquire() as conn:
                await store.postpone(conn, run.id, token=token, error=str(error), delay=delay)
            return

        async def fail(conn: Connection) -> None:
            failed = await store.mark_scan_finished(
                conn, run.id, token=token, status=RunStatus.FAILED, error=str(error)
            )
            if failed is not None:
                await store.mark_channels_scanned(conn, [failed.id])

        await in_transaction(self.pool, fail)
