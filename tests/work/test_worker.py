"""The worker: claims, leases, draining, and trouble of every kind."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import wraps
from typing import Any
from uuid import UUID

import pytest
import structlog
from attrs import define, evolve, field
from structlog.testing import capture_logs

from clipsaver.errors import LeaseLost
from clipsaver.work.worker import LONGEST_PAUSE, Lease, Station, Worker, _Trouble, one_at_a_time
from tests.discord import virtual

NEVER = timedelta(hours=1)
SOON = timedelta(milliseconds=10)
LEASE = timedelta(seconds=30)


def in_made_up_time(test: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """Run a test on a clock that only moves when everybody waits: no lease runs out because the machine is busy."""

    @wraps(test)
    def run() -> None:
        virtual.run(test())

    return run


@define
class Bench:
    """A queue of jobs as a station sees it, which remembers what happened."""

    jobs: deque[Any] = field(factory=deque)
    tokens: list[UUID] = field(factory=list)
    started: asyncio.Queue[Any] = field(factory=asyncio.Queue)
    asked: asyncio.Queue[int] = field(factory=asyncio.Queue)
    renewed: asyncio.Queue[Any] = field(factory=asyncio.Queue)
    released: asyncio.Queue[Any] = field(factory=asyncio.Queue)
    renewals: deque[bool | Exception] = field(factory=deque)
    """What renewing says next; true when there is nothing left to say."""

    async def claim(self, token: UUID) -> Any:
        """Hand out the next job; an exception among the jobs is raised."""
        self.tokens.append(token)
        self.asked.put_nowait(len(self.tokens))
        job = self.jobs.popleft() if self.jobs else None
        if isinstance(job, Exception):
            raise job
        return job

    async def renew(self, job: Any, _token: UUID) -> bool:
        """Say what was prepared."""
        self.renewed.put_nowait(job)
        answer = self.renewals.popleft() if self.renewals else True
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def release(self, job: Any, _token: UUID) -> None:
        """Take a job back."""
        self.released.put_nowait(job)

    def station(self, work: Callable[[Any, Lease], Awaitable[None]], **changes: Any) -> Station[Any]:
        """Describe this to a worker."""
        station: Station[Any] = Station(
            name="bench",
            claim=one_at_a_time(self.claim),
            work=work,
            renew=self.renew,
            release=self.release,
            concurrency=2,
            lease=NEVER,
            poll=NEVER,
        )
        return evolve(station, **changes)

    async def until_drained(self, job: Any, lease: Lease) -> None:
        """Work until the program is about to end."""
        self.started.put_nowait(job)
        await lease.draining.wait()

    async def for_ever(self, job: Any, _lease: Lease) -> None:
        """Work without an end."""
        self.started.put_nowait(job)
        await asyncio.Event().wait()

    async def at_once(self, job: Any, _lease: Lease) -> None:
        """Be done already."""
        self.started.put_nowait(job)


@asynccontextmanager
async def running(*stations: Station[Any], **options: Any) -> AsyncIterator[Worker]:
    """A worker that is stopped at the end, and must end then."""
    worker = Worker(stations, **options)
    task = asyncio.create_task(worker.run())
    try:
        yield worker
    finally:
        worker.stop()
        await task


async def test_jobs_are_worked_off_one_after_the_other() -> None:
    """Each has a token of its own; a job that ended is not given back."""
    bench = Bench(jobs=deque("abc"))

    async with running(bench.station(bench.at_once, concurrency=1)):
        done = [await bench.started.get() for _ in range(3)]

    assert done == ["a", "b", "c"]
    assert len(set(bench.tokens)) == len(bench.tokens)
    assert bench.released.empty()


async def test_no_more_jobs_are_in_hand_than_allowed() -> None:
    """The third waits until one of two is done."""
    bench = Bench(jobs=deque("abc"))
    gates = {job: asyncio.Event() for job in "abc"}

    async def work(job: str, _lease: Lease) -> None:
        bench.started.put_nowait(job)
        await gates[job].wait()

    async with running(bench.station(work)) as worker:
        assert {await bench.started.get(), await bench.started.get()} == {"a", "b"}
        assert (worker.in_hand, len(bench.tokens)) == ({"bench": 2}, 2)
        gates["a"].set()
        assert await bench.started.get() == "c"
        for gate in gates.values():
            gate.set()


@pytest.mark.parametrize(("at_once", "claims"), [(5, [3, 1]), (2, [2, 1])])
async def test_several_jobs_are_taken_with_one_claim(at_once: int, claims: list[int]) -> None:
    """As many as are free, or go into one claim; each has its own token, and what is left is claimed for."""
    asked: asyncio.Queue[int] = asyncio.Queue()
    bench = Bench(jobs=deque("abcde"))
    gates = {job: asyncio.Event() for job in "abcde"}
    leases: dict[str, Lease] = {}

    async def claim(tokens: Sequence[UUID]) -> dict[UUID, str]:
        asked.put_nowait(len(tokens))
        jobs = [bench.jobs.popleft() for _ in range(min(2, len(tokens), len(bench.jobs)))]
        return dict(zip(tokens[::-1], jobs, strict=False))

    async def work(job: str, lease: Lease) -> None:
        leases[job] = lease
        bench.started.put_nowait(job)
        await gates[job].wait()

    async with running(bench.station(work, claim=claim, concurrency=3, at_once=at_once)):
        assert [await bench.started.get() for _ in range(3)] == ["a", "b", "c"]
        assert [await asked.get(), await asked.get()] == claims
        assert len({lease.token for lease in leases.values()}) == 3
        for job in "ab":
            gates[job].set()
        assert {await bench.started.get(), await bench.started.get()} == {"d", "e"}
        for gate in gates.values():
            gate.set()


async def test_stations_do_not_wait_for_each_other() -> None:
    """One that is busy does not hold up another."""
    busy, free = Bench(jobs=deque("a")), Bench(jobs=deque("b"))
    stations = busy.station(busy.until_drained, concurrency=1), free.station(free.at_once, name="free")

    async with running(*stations):
        assert await busy.started.get() == "a"
        assert await free.started.get() == "b"


async def test_a_call_brings_work_at_once() -> None:
    """Nobody waits for the next poll; a call that comes while the claim is on its way is not lost."""
    bench = Bench()
    worker: Worker

    async def claim(token: UUID) -> Any:
        found = await bench.claim(token)
        if len(bench.tokens) == 1:
            bench.jobs.append("a")
            worker.wake("bench")
        return found

    worker = Worker([bench.station(bench.at_once, claim=one_at_a_time(claim))])
    task = asyncio.create_task(worker.run())

    assert await bench.started.get() == "a"
    bench.jobs.append("b")
    worker.wake("bench")
    assert await bench.started.get() == "b"
    worker.stop()
    await task


async def test_without_a_call_work_is_found_by_asking() -> None:
    """What another process queued is found within the poll's time."""
    bench = Bench()

    async with running(bench.station(bench.at_once, poll=SOON)):
        await bench.asked.get()
        await bench.asked.get()
        bench.jobs.append("a")
        assert await bench.started.get() == "a"


@in_made_up_time
async def test_a_lease_is_renewed_while_the_work_lasts() -> None:
    """Every third of its time, again and again."""
    bench = Bench(jobs=deque("a"))

    async with running(bench.station(bench.until_drained, lease=LEASE)):
        began = virtual.now()
        assert [await bench.renewed.get() for _ in range(3)] == ["a", "a", "a"]
        assert abs(virtual.now() - began - LEASE.total_seconds()) < 0.1


@in_made_up_time
async def test_work_is_cancelled_when_its_lease_is_lost() -> None:
    """Another has it now: it is neither written nor given back, and the slot is free again."""
    bench = Bench(jobs=deque("ab"), renewals=deque([True, False]))
    cancelled = asyncio.Event()

    async def work(job: str, lease: Lease) -> None:
        try:
            await bench.until_drained(job, lease)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    with capture_logs() as logs:
        async with running(bench.station(work, lease=LEASE, concurrency=1)):
            await cancelled.wait()
            assert [await bench.started.get(), await bench.started.get()] == ["a", "b"]

    assert bench.released.empty()
    assert "worker.lease_lost" in [line["event"] for line in logs]


async def test_a_work_that_notices_the_loss_itself_is_not_given_back() -> None:
    """LeaseLost is no crash."""
    bench = Bench(jobs=deque("a"))

    async def work(_job: str, _lease: Lease) -> None:
        raise LeaseLost("Another worker has it.")

    with capture_logs() as logs:
        async with running(bench.station(work)):
            await bench.asked.get()
            await bench.asked.get()

    assert [line["event"] for line in logs] == ["worker.lease_lost"]
    assert bench.released.empty()


@in_made_up_time
async def test_a_renewal_that_fails_is_tried_again_in_time() -> None:
    """Trouble is said once, and does not end the work."""
    bench = Bench(jobs=deque("a"), renewals=deque([OSError(), OSError(), True, True]))

    with capture_logs() as logs:
        async with running(bench.station(bench.until_drained, lease=LEASE)):
            for _ in range(4):
                await bench.renewed.get()

    assert [line["event"] for line in logs] == ["worker.renew_failed"]


@in_made_up_time
async def test_a_lease_that_could_not_be_renewed_in_time_is_lost() -> None:
    """When it has run out another may have the job."""
    bench = Bench(jobs=deque("a"))
    ended = asyncio.Event()

    async def work(job: str, lease: Lease) -> None:
        try:
            await bench.until_drained(job, lease)
        finally:
            ended.set()

    async def renew(_job: str, _token: UUID) -> bool:
        return await asyncio.Event().wait()

    with capture_logs() as logs:
        async with running(bench.station(work, renew=renew, lease=LEASE)):
            await ended.wait()

    assert [line["event"] for line in logs] == ["worker.renew_failed", "worker.lease_lost"]
    assert bench.released.empty()


async def test_a_crash_is_said_with_a_reference_and_the_job_given_back() -> None:
    """The worker goes on, after a pause for that slot."""
    bench = Bench(jobs=deque("ab"))

    async def work(job: str, _lease: Lease) -> None:
        bench.started.put_nowait(job)
        if job == "a":
            raise ValueError("broken")

    with capture_logs() as logs:
        async with running(bench.station(work, concurrency=1), first_pause=SOON):
            assert await bench.released.get() == "a"
            assert [await bench.started.get(), await bench.started.get()] == ["a", "b"]

    (line,) = [line for line in logs if line["event"] == "worker.work_failed"]
    assert (line["station"], len(line["reference"]), str(line["exc_info"])) == ("bench", 8, "broken")


async def test_a_work_that_cancels_itself_has_crashed() -> None:
    """Nobody asked for that."""
    bench = Bench(jobs=deque("a"))

    async def work(_job: str, _lease: Lease) -> None:
        raise asyncio.CancelledError

    with capture_logs() as logs:
        async with running(bench.station(work), first_pause=SOON):
            assert await bench.released.get() == "a"

    assert "worker.work_failed" in [line["event"] for line in logs]


async def test_a_release_that_fails_is_only_said() -> None:
    """The lease runs out by itself."""
    bench = Bench(jobs=deque("a"))
    tried = asyncio.Event()

    async def work(_job: str, _lease: Lease) -> None:
        raise ValueError

    async def release(_job: str, _token: UUID) -> None:
        tried.set()
        raise OSError

    with capture_logs() as logs:
        async with running(bench.station(work, release=release), first_pause=SOON):
            await tried.wait()

    assert "worker.release_failed" in [line["event"] for line in logs]


async def test_a_claim_that_fails_is_said_once_and_tried_again() -> None:
    """Once per trouble, not per try; and once when it is over."""
    bench = Bench(jobs=deque([OSError(), OSError(), OSError(), "a"]))

    with capture_logs() as logs:
        async with running(bench.station(bench.at_once), first_pause=timedelta(milliseconds=1)) as worker:
            await bench.asked.get()
            await bench.asked.get()
            assert list(worker.in_trouble) == ["bench"]
            assert await bench.started.get() == "a"
            assert list(worker.in_trouble) == []

    events = [(line["event"], line.get("failures")) for line in logs]
    assert events == [("worker.claim_failed", None), ("worker.claims_again", 3)]


@in_made_up_time
async def test_a_claim_that_hangs_is_given_up() -> None:
    """A lease that long would have run out anyway."""
    bench = Bench()

    async def claim(token: UUID) -> Any:
        await bench.claim(token)
        return await asyncio.get_running_loop().create_future()

    with capture_logs() as logs:
        async with running(bench.station(bench.at_once, claim=one_at_a_time(claim), lease=LEASE), first_pause=SOON):
            await bench.asked.get()
            await bench.asked.get()

    assert isinstance(logs[0]["exc_info"], TimeoutError)


def test_pauses_grow_up_to_a_bound() -> None:
    """However long the trouble lasts."""
    trouble = _Trouble(0.5)

    pauses = [trouble.pause() for _ in range(5000)]

    assert pauses[0] <= 0.5 * 1.25
    assert max(pauses) <= LONGEST_PAUSE.total_seconds() * 1.25
    assert min(pauses[10:]) >= LONGEST_PAUSE.total_seconds() * 0.75


async def test_stopping_lets_work_hand_back_what_it_has() -> None:
    """Nothing is claimed any more, and nothing is cancelled."""
    bench = Bench(jobs=deque("abc"))
    ended: list[str] = []

    async def work(job: str, lease: Lease) -> None:
        await bench.until_drained(job, lease)
        ended.append(job)

    async with running(bench.station(work)):
        await bench.started.get()
        await bench.started.get()

    assert (ended, list(bench.jobs), bench.released.qsize()) == (["a", "b"], ["c"], 0)


async def test_a_job_that_comes_while_stopping_is_told_so_at_once() -> None:
    """A claim that was on its way is handed back by the work itself."""
    bench = Bench()
    asked, answer = asyncio.Event(), asyncio.Event()

    async def claim(_token: UUID) -> str:
        asked.set()
        await answer.wait()
        return "a"

    worker = Worker([bench.station(bench.until_drained, claim=one_at_a_time(claim))])
    task = asyncio.create_task(worker.run())
    await asked.wait()
    worker.stop()
    answer.set()
    await task

    assert (bench.started.get_nowait(), bench.released.qsize()) == ("a", 0)


async def test_work_that_does_not_drain_is_cancelled_and_given_back() -> None:
    """The program ends in time all the same."""
    bench = Bench(jobs=deque("a"))

    with capture_logs() as logs:
        async with running(bench.station(bench.for_ever), drain=SOON):
            await bench.started.get()

    assert bench.released.get_nowait() == "a"
    assert [line["event"] for line in logs] == ["worker.drain_over"]


async def test_work_that_ignores_its_cancellation_does_not_hold_up_the_end() -> None:
    """It is said, and left behind."""
    bench = Bench(jobs=deque("a"))
    stubborn = asyncio.Event()

    async def work(job: str, _lease: Lease) -> None:
        bench.started.put_nowait(job)
        while not stubborn.is_set():
            try:
                await stubborn.wait()
            except asyncio.CancelledError:
                continue

    with capture_logs() as logs:
        async with running(bench.station(work), drain=SOON):
            await bench.started.get()

    stubborn.set()
    assert bench.released.get_nowait() == "a"
    assert "worker.stuck" in [line["event"] for line in logs]


@in_made_up_time
async def test_work_that_ignores_the_loss_of_its_lease_is_left_behind() -> None:
    """The slot is free again, the writes are fenced by the token."""
    bench = Bench(jobs=deque("ab"), renewals=deque([False]))
    stubborn = asyncio.Event()

    async def work(job: str, lease: Lease) -> None:
        bench.started.put_nowait(job)
        while job == "a" and not stubborn.is_set():
            try:
                await stubborn.wait()
            except asyncio.CancelledError:
                continue

    with capture_logs() as logs:
        async with running(bench.station(work, concurrency=1, lease=LEASE)):
            assert [await bench.started.get(), await bench.started.get()] == ["a", "b"]

    stubborn.set()
    assert "worker.stuck" in [line["event"] for line in logs]


async def test_cancelling_the_worker_gives_everything_back() -> None:
    """A second signal does not wait."""
    bench = Bench(jobs=deque("a"))
    task = asyncio.create_task(Worker([bench.station(bench.for_ever)]).run())
    await bench.started.get()

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert bench.released.get_nowait() == "a"


async def test_what_a_work_binds_stays_with_it() -> None:
    """The context of one job is not in another's lines."""
    bench = Bench(jobs=deque("ab"))
    seen: list[dict[str, Any]] = []

    async def work(job: str, lease: Lease) -> None:
        seen.append(structlog.contextvars.get_contextvars())
        structlog.contextvars.bind_contextvars(job=job)
        await bench.at_once(job, lease)

    async with running(bench.station(work, concurrency=1)):
        await bench.started.get()
        await bench.started.get()

    assert seen == [{}, {}]
