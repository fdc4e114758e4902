"""Runs jobs by the clock: one run a tick over all processes, and a tick that everyone missed is made up for once."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import structlog
from attrs import evolve, field, frozen

from clipsaver.config import checks
from clipsaver.errors import ClipsaverError
from clipsaver.logs import reference
from clipsaver.postgres.pool import Pool
from clipsaver.work import store
from clipsaver.work.model import CronRun, JobStatus, latest_tick, next_tick

log = structlog.get_logger("clipsaver.cron")

LONGEST_WAIT = 30.0
"""Seconds between two looks: a clock that was put forward is noticed, and so is a tick that another gave up."""
SHORTEST_WAIT = 0.05
KEEP = timedelta(days=30)
"""How long ticks are remembered; a job's newest always is."""
DRAIN = timedelta(seconds=8)
"""How long a running job may take to end after a stop."""
SKEW = timedelta(hours=1)
"""How far the clocks of two machines may be apart; later ticks were written by a clock that was wrong."""
LONGEST_ERROR = 500


@frozen(kw_only=True)
class Job:
    """Something to do by the clock."""

    name: str
    cron: str = field(converter=checks.cron_expression)
    """Five fields, or a nickname such as ``@daily``; in UTC."""
    run: Callable[[], Awaitable[Mapping[str, object]]]
    """Do it; what it returns is logged."""
    limit: timedelta = timedelta(minutes=10)
    """How long it may take before it is cancelled and has failed."""


def utc_now() -> datetime:
    """The time of day."""
    return datetime.now(UTC)


class Cron:
    """Looks at the clock and runs what is due; a job never runs twice at the same time."""

    def __init__(
        self, pool: Pool, jobs: Sequence[Job], *, now: Callable[[], datetime] = utc_now, drain: timedelta = DRAIN
    ) -> None:
        self._pool = pool
        self._jobs = {job.name: job for job in jobs}
        self._now = now
        self._drain = drain.total_seconds()
        self._stopping = asyncio.Event()
        self._last: dict[str, CronRun] = {}
        self._running: dict[str, asyncio.Task[None]] = {}
        self._failing = False
        self._purged_at: datetime | None = None

    def stop(self) -> None:
        """Begin nothing more."""
        self._stopping.set()

    def status(self) -> dict[str, JobStatus]:
        """Where each job stands, as of the last look."""
        return {
            name: JobStatus(
                cron=job.cron,
                next_tick=next_tick(job.cron, self._now()),
                last=self._last.get(name),
                running=name in self._running,
            )
            for name, job in self._jobs.items()
        }

    async def run(self) -> None:
        """Run jobs until `stop`, then wait for those that run, within bounds."""
        try:
            while not self._stopping.is_set():
                await self._try()
                await _wait(self._stopping, self._until_next())
            if self._running:
                await asyncio.wait(self._running.values(), timeout=self._drain)
        finally:
            await self._cancel()

    async def look(self) -> None:
        """Begin what is due now."""
        now = self._now()
        async with self._pool.acquire() as conn:
            self._last |= await store.get_last_runs(conn, list(self._jobs), before=now + SKEW)
            for job in self._jobs.values():
                tick = latest_tick(job.cron, now)
                if job.name not in self._last:
                    await store.set_beginning(conn, job.name, tick)
                elif tick > self._last[job.name].tick and job.name not in self._running:
                    started_at = await store.take_tick(conn, job.name, tick, limit=job.limit, before=now + SKEW)
                    if started_at is not None:
                        self._begin(job, tick, started_at)
            if self._purged_at is None or now - self._purged_at >= timedelta(days=1):
                await store.purge_runs(conn, keep=KEEP)
                self._purged_at = now

    async def settled(self) -> None:
        """Wait until nothing runs here."""
        while self._running:
            await asyncio.wait(self._running.values())

    async def _try(self) -> None:
        try:
            async with asyncio.timeout(LONGEST_WAIT):
                await self.look()
        except Exception as error:
            if not self._failing:
                log.warning("cron.look_failed", exc_info=error)
            self._failing = True
        else:
            self._failing = False

    def _until_next(self) -> float:
        now = self._now()
        soonest = min((next_tick(job.cron, now) for job in self._jobs.values()), default=now + timedelta(days=1))
        return min(max((soonest - now).total_seconds(), SHORTEST_WAIT), LONGEST_WAIT)

    def _begin(self, job: Job, tick: datetime, started_at: datetime) -> None:
        def ended(_task: asyncio.Task[None]) -> None:
            del self._running[job.name]

        self._last[job.name] = CronRun(
            job=job.name, tick=tick, started_at=started_at, finished_at=None, outcome=None, error=None
        )
        task = asyncio.create_task(self._work(job, tick), name=f"job {job.name}")
        self._running[job.name] = task
        task.add_done_callback(ended)

    async def _work(self, job: Job, tick: datetime) -> None:
        with structlog.contextvars.bound_contextvars(job=job.name):
            outcome, error = await self._outcome(job)
            self._last[job.name] = evolve(self._last[job.name], finished_at=self._now(), outcome=outcome, error=error)
            try:
                async with self._pool.acquire() as conn:
                    await store.finish_run(conn, job.name, tick, outcome=outcome, error=error)
            except Exception as failure:
                log.warning("cron.not_recorded", exc_info=failure)

    async def _outcome(self, job: Job) -> tuple[str, str | None]:
        """Run a job, and say how it ended; it gets its next chance at its next tick."""
        try:
            async with asyncio.timeout(job.limit.total_seconds()):
                said = await job.run()
        except asyncio.CancelledError:  # by `run`, which waits for this task and for nothing else
            log.warning("cron.cancelled")
            return "failed", "The program ended before the job did."
        except Exception as error:
            shown = reference()
            log.exception("cron.failed", reference=shown)
            text = error.message if isinstance(error, ClipsaverError) else type(error).__name__
            return "failed", f"{text[:LONGEST_ERROR]} ({shown})"
        log.info("cron.succeeded", result=dict(said))
        return "succeeded", None

    async def _cancel(self) -> None:
        for task in (going := list(self._running.values())):
            task.cancel()
        if going:
            await asyncio.wait(going, timeout=1)


async def _wait(event: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
