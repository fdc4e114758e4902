"""Works off whatever waits: stations are asked for work, what they hand out is held under a lease until it is done."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any, Generic, TypeVar
from uuid import UUID, uuid4

import structlog
from attrs import define, field, frozen

from clipsaver.errors import LeaseLost
from clipsaver.logs import reference

log = structlog.get_logger("clipsaver.work")

J = TypeVar("J")
DRAIN = timedelta(seconds=8)
"""How long what is in hand may take to come to an end after a stop."""
LAST_WORDS = 1.0
"""Seconds that cancelled jobs may take to be handed back."""
FIRST_PAUSE = timedelta(seconds=0.5)
LONGEST_PAUSE = timedelta(seconds=30)


@frozen(kw_only=True)
class Lease:
    """What a work is told about its hold on the job."""

    token: UUID
    """Goes into the ``where`` of every write; new with every claim."""
    draining: asyncio.Event = field(factory=asyncio.Event)
    """Set when the program is about to end: commit what is done and hand the job back."""


@frozen(kw_only=True)
class Station(Generic[J]):
    """One kind of work."""

    name: str
    claim: Callable[[Sequence[UUID]], Awaitable[Mapping[UUID, J]]]
    """Take waiting jobs, each under one of these tokens; it may be fewer than wait, and none only if none is there."""
    work: Callable[[J, Lease], Awaitable[None]]
    """Do it, and record how it ended, failures included: after that nothing holds the lease."""
    renew: Callable[[J, UUID], Awaitable[bool]]
    """Prolong the lease; False when the token no longer holds it."""
    release: Callable[[J, UUID], Awaitable[None]]
    """Give back a job that `work` could not end itself, because it raised or was cancelled."""
    concurrency: int
    """Jobs in hand at the same time."""
    lease: timedelta
    """Renewed every third of it."""
    poll: timedelta
    """How often to ask when nobody calls `Worker.wake`."""
    at_once: int = 1
    """Jobs of one claim at most."""


def one_at_a_time(
    claim: Callable[[UUID], Awaitable[J | None]],
) -> Callable[[Sequence[UUID]], Awaitable[Mapping[UUID, J]]]:
    """The ``claim`` of a station that takes a single job each time."""

    async def first(tokens: Sequence[UUID]) -> Mapping[UUID, J]:
        job = await claim(tokens[0])
        return {} if job is None else {tokens[0]: job}

    return first


@define
class _Trouble:
    """Failures in a row, and the pause after each: growing, bounded, and never the same for two workers."""

    first: float
    failures: int = 0

    def pause(self) -> float:
        longest = max(self.first, LONGEST_PAUSE.total_seconds())
        self.failures += 1
        return _about(min(self.first * 2 ** min(self.failures - 1, 20), longest))


@define(eq=False, kw_only=True)
class _Desk:
    """A station with what it has in hand."""

    station: Station[Any]
    crashes: _Trouble
    claims: _Trouble
    called: asyncio.Event = field(factory=asyncio.Event)
    freed: asyncio.Event = field(factory=asyncio.Event)
    """Set when a slot is free again."""
    held: dict[asyncio.Task[None], Lease] = field(factory=dict)

    @property
    def free(self) -> int:
        """How many slots are."""
        return self.station.concurrency - len(self.held)


class Worker:
    """Serves all stations until it is told to stop."""

    def __init__(
        self, stations: Sequence[Station[Any]], *, drain: timedelta = DRAIN, first_pause: timedelta = FIRST_PAUSE
    ) -> None:
        self._drain = drain.total_seconds()
        self._stopping = asyncio.Event()
        self._desks = {
            station.name: _Desk(
                station=station,
                crashes=_Trouble(first_pause.total_seconds()),
                claims=_Trouble(first_pause.total_seconds()),
            )
            for station in stations
        }

    @property
    def in_hand(self) -> dict[str, int]:
        """How many jobs each station holds."""
        return {name: len(desk.held) for name, desk in self._desks.items()}

    @property
    def in_trouble(self) -> tuple[str, ...]:
        """Stations whose last claim failed."""
        return tuple(name for name, desk in self._desks.items() if desk.claims.failures)

    def wake(self, name: str) -> None:
        """Ask a station for work at once, because there is some."""
        self._desks[name].called.set()

    def stop(self) -> None:
        """Claim nothing more, and let what is in hand come to an end."""
        self._stopping.set()
        for desk in self._desks.values():
            desk.called.set()
            for lease in desk.held.values():
                lease.draining.set()

    async def run(self) -> None:
        """Work until `stop`; a job that fails never ends this."""
        try:
            async with asyncio.TaskGroup() as group:
                serving = [group.create_task(self._serve(desk)) for desk in self._desks.values()]
                group.create_task(self._finish(serving))
        finally:
            await _end(self._holds(), LAST_WORDS)

    async def _finish(self, serving: Iterable[asyncio.Task[None]]) -> None:
        """After a stop, wait for what is in hand, but not for ever; what a last claim brought meanwhile counts too."""
        await self._stopping.wait()
        deadline = _now() + self._drain
        while left := {task for task in (*serving, *self._holds()) if not task.done()}:
            _, pending = await asyncio.wait(left, timeout=max(deadline - _now(), 0))
            if pending:
                log.warning("worker.drain_over", in_hand=self.in_hand)
                for task in serving:
                    task.cancel()
                return

    def _holds(self) -> tuple[asyncio.Task[None], ...]:
        return tuple(task for desk in self._desks.values() for task in desk.held)

    async def _serve(self, desk: _Desk) -> None:
        """Claim while there are jobs and free slots; wait when there is either none."""
        while not self._stopping.is_set():
            if not desk.free:
                desk.freed.clear()
                await desk.freed.wait()
                continue
            desk.called.clear()
            pause, until = await self._take(desk)
            if pause:
                await _wait(until, pause)

    async def _take(self, desk: _Desk) -> tuple[float, asyncio.Event]:
        """Claim jobs for the free slots and begin them; how long to pause if there are none, and what ends that."""
        station, since = desk.station, _now()
        leases = {
            lease.token: lease for lease in (Lease(token=uuid4()) for _ in range(min(desk.free, station.at_once)))
        }
        try:
            async with asyncio.timeout(station.lease.total_seconds()):
                jobs = await station.claim(list(leases))
        except Exception as error:
            if not desk.claims.failures:
                log.warning("worker.claim_failed", station=station.name, exc_info=error)
            return desk.claims.pause(), self._stopping
        if desk.claims.failures:
            log.info("worker.claims_again", station=station.name, failures=desk.claims.failures)
            desk.claims.failures = 0
        for token, job in jobs.items():
            if self._stopping.is_set():
                leases[token].draining.set()
            self._begin(desk, job, leases[token], since)
        return 0 if jobs else _about(station.poll.total_seconds()), desk.called

    def _begin(self, desk: _Desk, job: Any, lease: Lease, since: float) -> None:
        """Hold a job in a task of its own, and free its slot however that ends."""

        def ended(task: asyncio.Task[None]) -> None:
            del desk.held[task]
            desk.freed.set()

        holding = asyncio.create_task(self._hold(desk, job, lease, since), name=f"{desk.station.name} {lease.token}")
        desk.held[holding] = lease
        holding.add_done_callback(ended)

    async def _hold(self, desk: _Desk, job: Any, lease: Lease, since: float) -> None:
        """Do the work while the lease is renewed; cancel it when the lease is lost."""
        station = desk.station
        work = asyncio.create_task(_complete(station.work(job, lease)))
        renewing = asyncio.create_task(_renew(station, job, lease.token, since + station.lease.total_seconds()))
        try:
            await asyncio.wait([work, renewing], return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            await _end([work, renewing], LAST_WORDS / 2)
            await _release(station, job, lease.token)
            raise
        lost = not work.done()
        await _end([work, renewing], LAST_WORDS)
        if lost or isinstance(_failure(work), LeaseLost):
            log.warning("worker.lease_lost", station=station.name, lease=str(lease.token))
            return
        await self._look_back(desk, job, lease, _failure(work))

    async def _look_back(self, desk: _Desk, job: Any, lease: Lease, failure: BaseException | None) -> None:
        """Log a work that raised, give its job back, and keep its slot closed for a while."""
        if failure is None:
            desk.crashes.failures = 0
            return
        log.error("worker.work_failed", station=desk.station.name, reference=reference(), exc_info=failure)
        await _release(desk.station, job, lease.token)
        await _wait(self._stopping, desk.crashes.pause())


async def _renew(station: Station[Any], job: Any, token: UUID, until: float) -> None:
    """Prolong a lease again and again; returns when it is lost, or must be taken for lost."""
    length = station.lease.total_seconds()
    failing = False
    while (left := until - _now()) > 0:
        await asyncio.sleep(min(length / (12 if failing else 3), left))
        asked = _now()
        try:
            async with asyncio.timeout(max(until - asked, 0)):
                if not await station.renew(job, token):
                    return
        except Exception as error:
            if not failing:
                log.warning("worker.renew_failed", station=station.name, exc_info=error)
            failing = True
        else:
            failing, until = False, asked + length


async def _release(station: Station[Any], job: Any, token: UUID) -> None:
    """Give a job back; if that fails its lease runs out by itself."""
    try:
        async with asyncio.timeout(station.lease.total_seconds()):
            await station.release(job, token)
    except Exception as error:
        log.warning("worker.release_failed", station=station.name, exc_info=error)


async def _complete(work: Awaitable[None]) -> None:
    await work


async def _end(tasks: Iterable[asyncio.Task[None]], seconds: float) -> None:
    """Cancel tasks and wait until they are gone, within bounds."""
    going = [task for task in tasks if not task.done()]
    for task in going:
        task.cancel()
    if going:
        _, pending = await asyncio.wait(going, timeout=seconds)
        for task in pending:
            log.error("worker.stuck", task=task.get_name())


def _failure(work: asyncio.Task[None]) -> BaseException | None:
    """What a work that is done has raised; one that was cancelled without our doing has failed too."""
    return asyncio.CancelledError() if work.cancelled() else work.exception()


async def _wait(event: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()


def _about(seconds: float) -> float:
    return seconds * random.uniform(0.75, 1.25)  # noqa: S311 - spreads the load, guards nothing


def _now() -> float:
    return asyncio.get_running_loop().time()
