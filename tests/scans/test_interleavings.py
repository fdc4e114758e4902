"""Any order of pages, kills, cancels, changed settings and rescans leaves what a simple model says."""

import asyncio
from collections.abc import Coroutine
from datetime import timedelta
from typing import Any, TypeVar

import asyncpg
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from clipsaver.postgres import ranges
from clipsaver.postgres.pool import Pool, open_pool
from clipsaver.postgres.server import Server
from clipsaver.scans import plan
from clipsaver.scans.model import Direction, Rescan, Run, RunStatus
from clipsaver.work.worker import Lease
from tests.fixtures.database import database_of
from tests.scans.listed import EPOCH, GUILD, Bench, Listed, at

T = TypeVar("T")
LETTERS = ("", "a", "b", "ab")


class Interleavings(RuleBasedStateMachine):
    """One channel, its runs, and workers that come, die, sleep and wake."""

    runner: asyncio.Runner
    pool: Pool
    channels = 0

    def __init__(self) -> None:
        super().__init__()
        type(self).channels += 1
        self.bench = Bench(
            pool=self.pool, listed=Listed(channel_id=at(0) + type(self).channels, offset=8 * type(self).channels)
        )
        self.gate = self.bench.listed.gate = asyncio.Semaphore(0)
        self.workers: list[tuple[Run, Lease, asyncio.Task[None]]] = []
        self.match: str | None = None

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a step of the test."""
        return self.runner.run(work)

    @initialize(posts=st.lists(st.tuples(st.sampled_from(LETTERS), st.integers(0, 2)), max_size=14))
    def begin(self, posts: list[tuple[str, int]]) -> None:
        """A channel with a few messages."""
        self.do(self.bench.settle())
        self.do(self._forget_settings())
        for n, (content, videos) in enumerate(posts):
            self.bench.listed.post(20 * n + 10, content=content, videos=videos)

    async def _forget_settings(self) -> None:
        await self.pool.execute("delete from guild_settings where guild_id = $1", GUILD)

    @rule(
        direction=st.sampled_from(Direction),
        rescan=st.sampled_from(Rescan),
        limit=st.none() | st.integers(1, 6),
        bounds=st.none() | st.tuples(st.integers(0, 300), st.integers(1, 300)),
    )
    def start(self, direction: Direction, rescan: Rescan, limit: int | None, bounds: tuple[int, int] | None) -> None:
        """A moderator starts a scan; the active one is shown if there is one."""
        what: dict[str, Any] = {"direction": direction, "rescan": rescan, "limit": limit}
        if bounds is not None and bounds[0] < bounds[1]:
            what |= {"since": EPOCH + timedelta(seconds=bounds[0]), "until": EPOCH + timedelta(seconds=bounds[1])}
        self.do(self.bench.start(**what))

    @rule()
    def claim(self) -> None:
        """A worker comes, and takes what waits."""

        async def claim() -> None:
            claimed = await self.bench.claim()
            if claimed is not None:
                task = asyncio.create_task(self.bench.work.work(*claimed))
                self.workers.append((*claimed, task))
            await self._quiet()

        self.do(claim())

    @precondition(lambda self: self.workers)
    @rule(pages=st.integers(1, 4))
    def answer(self, pages: int) -> None:
        """Discord answers with pages; whoever waits first gets them."""

        async def answer() -> None:
            for _ in range(pages):
                if self.bench.listed.waiting:
                    self.gate.release()
                    await self._quiet()

        self.do(answer())

    @precondition(lambda self: self.workers)
    @rule(which=st.integers(0, 9), steps=st.integers(0, 8))
    def kill(self, which: int, steps: int) -> None:
        """A worker dies wherever it is, perhaps in a transaction; nobody tells anyone."""

        async def kill() -> None:
            _, _, task = self.workers.pop(which % len(self.workers))
            if self.bench.listed.waiting and steps:
                self.gate.release()
            for _ in range(steps):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await self._quiet()

        self.do(kill())

    @rule()
    def expire(self) -> None:
        """Every lease runs out, also of those who sleep."""
        self.do(self.bench.expire_leases())

    @precondition(lambda self: self.workers)
    @rule(which=st.integers(0, 9))
    def drain(self, which: int) -> None:
        """A worker is told to end."""

        async def drain() -> None:
            _, lease, task = self.workers.pop(which % len(self.workers))
            lease.draining.set()
            await asyncio.wait_for(task, 60)

        self.do(drain())

    @rule()
    def cancel(self) -> None:
        """A moderator cancels whatever is active."""

        async def cancel() -> None:
            status = await self.bench.scans.status(GUILD, self.bench.listed.channel_id)
            if status.run is not None and status.run.status.active:
                await self.bench.scans.cancel_run(GUILD, status.run.id, by=1)

        self.do(cancel())

    @rule(match=st.sampled_from([None, "a", "b"]))
    def change_settings(self, match: str | None) -> None:
        """A moderator changes what counts as a clip."""

        async def change() -> None:
            await self.pool.execute(
                "insert into guild_settings (guild_id, settings) values ($1, $2) on conflict (guild_id) do update "
                "set settings = excluded.settings",
                GUILD,
                {"match_regex": match or ""},
            )

        self.match = match
        self.do(change())

    @rule(content=st.sampled_from(LETTERS), videos=st.integers(0, 2))
    def post(self, content: str, videos: int) -> None:
        """Someone posts a message."""
        self.bench.listed.now += 20
        self.bench.listed.post(self.bench.listed.now, content=content, videos=videos)

    @invariant()
    def coverage_is_kept(self) -> None:
        """What counts as read under the current rules was committed: its clips are there, and it was counted."""
        self.do(self._check())

    def teardown(self) -> None:
        """In the end, two scans close every gap, and everything is as if nothing had ever gone wrong."""
        self.do(self._finish())

    async def _check(self) -> Run | None:
        status = await self.bench.scans.status(GUILD, self.bench.listed.channel_id)
        covered = status.channel.coverage if status.coverage.percent else ()
        clips = await self.bench.clips()
        assert self._truth(covered) <= clips
        assert clips <= {clip for i in self.bench.listed.messages for clip in self._clips(i)}
        read = ranges.add(status.channel.coverage, status.channel.stale)
        assert status.channel.message_count == sum(ranges.contains(read, i) for i in self.bench.listed.messages)
        if status.run is not None and status.run.status is RunStatus.SUCCEEDED:
            assert status.run.error_message is None
        return status.run

    def _truth(self, covered: ranges.Ranges) -> set[str]:
        return {
            clip
            for i, message in self.bench.listed.messages.items()
            if ranges.contains(covered, i) and (self.match or "") in message["content"]
            for clip in self._clips(i)
        }

    def _clips(self, message_id: int) -> set[str]:
        return {f"{message_id}-{a['id']}" for a in self.bench.listed.messages[message_id]["attachments"]}

    async def _finish(self) -> None:
        for _, _, task in self.workers:
            task.cancel()
        await asyncio.gather(*(task for _, _, task in self.workers), return_exceptions=True)
        self.bench.listed.gate = None
        await self.bench.expire_leases()
        status = await self.bench.scans.status(GUILD, self.bench.listed.channel_id)
        if status.run is not None and status.run.status.active:
            await self.bench.carry_on()
        await self.bench.start(rescan=Rescan.CONTINUE)
        run = await self.bench.carry_on()
        assert run.status is RunStatus.SUCCEEDED
        whole = (ranges.IdRange(0, self.bench.listed.horizon),)
        status = await self.bench.scans.status(GUILD, self.bench.listed.channel_id)
        assert ranges.subtract(whole, status.channel.coverage) == ()
        assert self._truth(whole) <= await self.bench.clips()
        await self._check()

    async def _quiet(self) -> None:
        """Wait until every worker waits for a page or has ended."""
        async with asyncio.timeout(60):
            await asyncio.sleep(0.0005)
            while sum(not task.done() for _, _, task in self.workers) > self.bench.listed.waiting:  # noqa: ASYNC110 - of many tasks and of the listed
                await asyncio.sleep(0.0005)
        self.workers = [worker for worker in self.workers if not worker[2].done()]


def test_any_interleaving(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hypothesis looks for an order of events that leaves something missed, doubled or claimed too early."""
    monkeypatch.setattr(plan, "PAGE_LIMIT", 3)
    with asyncio.Runner() as runner:
        pool = runner.run(_fresh(server))
        Interleavings.runner, Interleavings.pool = runner, pool
        try:
            run_state_machine_as_test(
                Interleavings,
                settings=settings(
                    max_examples=60,
                    stateful_step_count=30,
                    deadline=None,
                    phases=[Phase.generate],
                    database=None,
                    suppress_health_check=list(HealthCheck),
                ),
            )
        finally:
            pool.terminate()


async def _fresh(server: Server) -> Pool:
    admin = await asyncpg.connect(server.url)
    await admin.execute("drop database if exists interleavings with (force)")
    await admin.execute("create database interleavings template with_schema")
    await admin.close()
    return await open_pool(database_of(server.url, "interleavings"), size=8)
