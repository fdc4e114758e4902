"""Any order of storing, deaths, deletions, damage and collecting leaves what a simple model says."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
import pytest
from attrs import define
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from clipsaver.clips.saving.steps import Save
from clipsaver.clips.storehouse import store
from clipsaver.clips.storehouse.comparing import Comparing
from clipsaver.clips.storehouse.model import Blob, Differences, Marked
from clipsaver.media.storage import StoredDiffers, blob_name, open_storage
from clipsaver.media.storage.names import hash_of
from clipsaver.postgres.few import Few
from clipsaver.postgres.pool import Pool, open_pool
from clipsaver.postgres.server import Server
from tests.clips.storehouse.bench import Bench, sha256
from tests.fixtures.database import database_of

T = TypeVar("T")
VIDEOS = (b"one video", b"another video", b"a third")
STALE = timedelta(minutes=11)
EVENTS = (
    *("post", "delete", "take", "take", "take", "keep", "keep", "keep", "record", "record", "record", "saver dies"),
    *("look", "look", "mark", "mark", "remove", "remove", "remove and die", "collectors die", "time passes"),
    *("collect", "rot", "verify"),
)
"""What happens more often is there more often."""
EMPTY = "truncate bot_guilds, messages, clips, blobs, downloads, guild_usage, storage_label cascade"


@define
class Saver:
    """A worker with a clip in hand: how far it is."""

    clip_id: str
    data: bytes
    save: Save
    kept: bool = False


@define(kw_only=True)
class Removal:
    """A collector with a mark: what it goes by."""

    marked: Marked
    known: bool


class Interleavings(RuleBasedStateMachine):
    """A few clips with even fewer videos, savers and collectors that come, die and wake, and a disk that forgets."""

    runner: asyncio.Runner
    pool: Pool
    folder: Path
    number = 0

    def __init__(self) -> None:
        super().__init__()
        type(self).number += 1
        self.clips: dict[str, bytes] = {}
        self.savers: list[Saver] = []
        self.seen: list[Differences] = []
        self.removals: list[Removal] = []
        self.damaged: set[bytes] = set()
        self.marks_left = False

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a step of the test."""
        return self.runner.run(work)

    @initialize()
    def begin(self) -> None:
        """Two servers, and an empty storage."""

        async def begin() -> None:
            folder = self.folder / str(self.number)
            await self.pool.execute(EMPTY)
            storage = await open_storage("", data_dir=folder)
            self.bench = Bench(pool=self.pool, storage=storage, folder=folder)
            await self.bench.settle()
            await self.bench.house.settle()
            for number in range(3):
                self.clips[await self.bench.post(1 + number % 2)] = VIDEOS[number // 2]

        self.do(begin())

    @rule(what=st.sampled_from(EVENTS), which=st.integers(0, 9), data=st.sampled_from(VIDEOS))
    def something_happens(self, what: str, which: int, data: bytes) -> None:
        """Whatever can happen just now; where this can't, someone is at work."""
        event, possible = self._events[what]
        if possible:
            event(which, data)
        elif self.savers:
            (self.record if self._one(self.savers, which).kept else self.keep)(which, data)
        else:
            self.take(which, data)

    @property
    def _events(self) -> Mapping[str, tuple[Callable[[int, bytes], None], object]]:
        marked = self.removals or self.marks_left
        return {
            "post": (self.post, len(self.clips) < 6),
            "delete": (self.delete, len(self.clips) > 2),
            "take": (self.take, self.clips),
            "keep": (self.keep, self.savers),
            "record": (self.record, any(saver.kept for saver in self.savers)),
            "saver dies": (self.saver_dies, self.savers),
            "look": (self.look, len(self.seen) < 2),
            "mark": (self.mark, self.seen),
            "remove": (self.remove, self.removals),
            "remove and die": (partial(self.remove, dies=True), self.removals),
            "collectors die": (self.collectors_die, self.removals),
            "time passes": (self.time_passes, marked),
            "collect": (self.collect, True),
            "rot": (self.rot, True),
            "verify": (self.verify, self.damaged),
        }

    # ── clips come and go ──

    def post(self, which: int, data: bytes) -> None:
        """A clip is found."""
        self.clips[self.do(self.bench.post(1 + which % 2))] = data

    def delete(self, which: int, _: bytes = b"") -> None:
        """A message is deleted, wherever its clip is on its way."""
        clip_id = self._one(self.clips, which)
        del self.clips[clip_id]
        self.do(self._execute("delete from messages where message_id = $1", int(clip_id.partition("-")[0])))

    # ── savers ──

    def take(self, which: int, _: bytes = b"") -> None:
        """A worker takes a clip in hand that waits, or one whose worker seems to be dead."""

        async def take() -> None:
            clip_id = self._one(self.clips, which)
            if (await self.bench.clip(clip_id))["state"] == "pending":
                self.savers.append(Saver(clip_id, self.clips[clip_id], await self.bench.take(clip_id)))

        self.do(take())

    def keep(self, which: int, _: bytes = b"") -> None:
        """A worker brings the bytes into the storage."""

        async def keep() -> None:
            saver = self._one(self.savers, which)
            try:
                await self.bench.keep(saver.data)
            except StoredDiffers:
                wrong = partial(saver.save._remove_wrong, sha256(saver.data), len(saver.data))
                await saver.save.few.in_transaction(wrong)
            else:
                saver.kept = True

        self.do(keep())

    def record(self, which: int, _: bytes = b"") -> None:
        """A worker writes the rows; what it is told decides whether it has to bring the bytes again."""

        async def record() -> None:
            saver = self._one([saver for saver in self.savers if saver.kept], which)
            data = saver.data
            try:
                done = await saver.save.few.in_transaction(
                    partial(saver.save._record, sha256(data), len(data), "video/mp4")
                )
            except Exception as error:
                if type(error).__name__ != "LeaseLost":
                    raise
                done = True
            saver.kept = False
            if done:
                self.savers.remove(saver)

        self.do(record())

    def saver_dies(self, which: int, _: bytes = b"") -> None:
        """Nobody hears of it."""
        self.savers.remove(self._one(self.savers, which))

    # ── collectors ──

    def look(self, *_: object) -> None:
        """A collector compares the storage with the rows; what it saw may not be so any more when it acts on it."""

        async def look() -> None:
            comparing = Comparing(few=Few(self.pool, 1), storage=self.bench.storage, before=self._soon)
            self.seen += [found async for found in comparing.blobs() if found.unused or found.unknown]

        self.do(look())

    def mark(self, which: int, _: bytes = b"") -> None:
        """It marks what it saw."""

        async def mark() -> None:
            found = self._one(self.seen, which)
            self.seen.remove(found)
            blobs = [Blob(sha256=hash_of(stored.name), size=stored.size) for stored in found.unknown]
            async with self.pool.acquire() as conn:
                self.removals += [
                    Removal(marked=one, known=True) for one in await store.mark_unused(conn, found.unused)
                ]
                self.removals += [Removal(marked=one, known=False) for one in await store.mark_unknown(conn, blobs)]

        self.do(mark())

    def remove(self, which: int, _: bytes = b"", *, dies: bool = False) -> None:
        """It removes what it has marked, or dies between the bytes and the row."""

        async def remove() -> None:
            removal = self._one(self.removals, which)
            self.removals.remove(removal)
            removing = self.bench.house._removing(self.bench.house._reading(0.0))
            with pytest.MonkeyPatch.context() as patch:
                if dies:
                    patch.setattr(store, "delete_blob", _die)
                try:
                    await removing._remove(removal.marked, self._soon, known=removal.known)
                except ZeroDivisionError:
                    assert dies
                    self.marks_left = True

        self.do(remove())

    def collectors_die(self, *_: object) -> None:
        """Their marks stay."""
        self.removals.clear()
        self.marks_left = True

    def time_passes(self, *_: object) -> None:
        """So much that a mark is nobody's any more."""
        self.do(self._execute("update blobs set deleting_at = deleting_at - $1::interval", STALE))
        self.marks_left = False

    def collect(self, *_: object) -> None:
        """A whole run."""
        self.do(self.bench.collect(grace=-timedelta(minutes=1), most=1.0))

    # ── damage ──

    def rot(self, which: int, data: bytes) -> None:
        """The disk forgets some bytes, or has others instead."""
        path, wrong = self.bench.path(data), (None, b"", b"x")[which % 3]
        if path.exists():
            self.damaged.add(sha256(data))
            path.unlink()
            if wrong is not None:
                path.write_bytes(wrong * len(data))

    def verify(self, *_: object) -> None:
        """A whole run."""
        self.do(self.bench.verify(most=1.0))

    # ── what holds ──

    @invariant()
    def clips_have_their_bytes(self) -> None:
        """Stored means that the bytes are there and right, but for what the disk has done; usage is a recount."""
        self.do(self._check())

    async def _check(self) -> None:
        rows = await self.pool.fetch("select clip_id, sha256 from clips where state = 'stored'")
        for row in rows:
            data = self.clips[row["clip_id"]]
            assert row["sha256"] == sha256(data)
            path = self.bench.path(data)
            if row["sha256"] not in self.damaged:
                assert path.exists(), "a stored clip without bytes"
                assert path.read_bytes() == data
        stored = {row["sha256"] for row in rows}
        right = {sha256(data) for data in VIDEOS if self._lies_well(data)}
        self.damaged = {digest for digest in self.damaged - right if digest in stored or self._lies(digest)}
        assert stored <= await self.bench.rows()
        await self.bench.check_usage()

    def _lies(self, digest: bytes) -> bool:
        return (self.bench.folder / "storage" / blob_name(digest)).exists()

    def _lies_well(self, data: bytes) -> bool:
        path = self.bench.path(data)
        return path.exists() and path.read_bytes() == data

    def teardown(self) -> None:
        """All that wait are saved in the end, and nothing lies there that nobody needs."""
        if hasattr(self, "bench"):
            self.do(self._finish())

    async def _finish(self) -> None:
        await self._execute("update blobs set deleting_at = deleting_at - $1::interval", STALE)
        await self.bench.collect(grace=-timedelta(minutes=1), most=1.0)
        await self.bench.verify(most=1.0)
        for clip_id, data in self.clips.items():
            if (await self.bench.clip(clip_id))["state"] == "pending":
                await self.bench.store(data, clip_id=clip_id)
        await self.bench.collect(grace=-timedelta(minutes=1), most=1.0)
        assert {row["clip_id"] for row in await self.pool.fetch("select * from clips where state = 'stored'")} == set(
            self.clips
        )
        await self.bench.check()
        assert not [*(self.bench.folder / "storage" / "incoming").iterdir()]
        await self.bench.storage.__aexit__(None, None, None)

    # ── helpers ──

    async def _execute(self, statement: str, *values: object) -> None:
        await self.pool.execute(statement, *values)

    @property
    def _soon(self) -> datetime:
        """Everything is old enough: no grace period helps."""
        return datetime.now(UTC) + timedelta(minutes=1)

    @staticmethod
    def _one(things: Iterable[T], which: int) -> T:
        there = list(things)
        return there[which % len(there)]


async def _die(*_: object, **__: object) -> None:
    raise ZeroDivisionError


def test_any_interleaving(server: Server, tmp_path: Path) -> None:
    """Hypothesis looks for an order of events that leaves a clip without its bytes, or bytes without a clip."""
    with asyncio.Runner() as runner:
        pool = runner.run(_fresh(server))
        Interleavings.runner, Interleavings.pool, Interleavings.folder = runner, pool, tmp_path
        try:
            run_state_machine_as_test(
                Interleavings,
                settings=settings(
                    max_examples=60,
                    stateful_step_count=40,
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
    await admin.execute("drop database if exists storehouse with (force)")
    await admin.execute("create database storehouse template with_schema")
    await admin.close()
    return await open_pool(database_of(server.url, "storehouse"), size=8)
