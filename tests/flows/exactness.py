"""Whether a scan is exact: at any moment, whatever has happened to it, and in the end."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Self

from attrs import frozen

from clipsaver.postgres import ranges
from clipsaver.postgres.pool import Connection, Pool
from clipsaver.scans import store
from clipsaver.scans.model import RunStatus
from clipsaver.simulator.entities import Channel
from clipsaver.simulator.world import World
from tests.flows.ledger import Figures, expected, kept, recount

FEWER_INVALID = 1_000
SENTENCE = re.compile(r"[A-Z][^\n]{10,250}[.?]")
NOT_FOR_PEOPLE = re.compile(r"Error|Exception|Traceback|asyncpg|None|<[a-z]|\(\)|::")


@frozen(kw_only=True)
class There:
    """What a channel holds, counted once from the world."""

    ids: tuple[int, ...]
    clips: Mapping[int, tuple[str, ...]]

    @classmethod
    def of(cls, world: World, channel_id: int) -> Self:
        """Count what is there before anything of it was scanned."""
        history = world.histories[channel_id]
        return cls(ids=tuple(history.ids()), clips=dict(history.clips()))


def check_sentence(said: str | None) -> None:
    """What a run says about trouble, if anything, is for people."""
    assert said is None or (SENTENCE.fullmatch(said) and not NOT_FOR_PEOPLE.search(said)), said


async def check_committed(conn: Connection, channel_id: int, there: There) -> bool:
    """Look at a channel in the middle of its scan: its rows are those of what it says is read; whether it is whole.

    The connection is in a transaction that sees one moment, or nobody else writes.
    """
    run = await store.latest_run(conn, channel_id)
    assert run is not None
    ledger = await kept(conn, channel_id)
    read = {one for one in there.ids if ranges.contains(ledger.coverage, one)}
    clips = [clip for message_id, found in there.clips.items() if message_id in read for clip in found]
    assert ledger.clips == Counter(clips)
    assert set(ledger.messages) == read & there.clips.keys()
    assert ledger.message_count == len(read) == run.messages_scanned
    assert (run.messages_matched, run.clips_found) == (len(ledger.messages), len(clips))
    if run.horizon is not None:
        assert run.todo == ranges.subtract(ranges.between(0, run.horizon), ledger.coverage)
    check_sentence(run.error_message)
    assert run.status is not RunStatus.FAILED, run.error_message
    done = run.status is RunStatus.SUCCEEDED
    assert not done or (len(read) == len(there.ids) and run.todo == ())
    return done


async def check_now(pool: Pool, theirs: Mapping[int, There]) -> bool:
    """Look at channels in one moment of a program at work; whether all scans are done."""
    async with pool.acquire() as conn, conn.transaction(isolation="repeatable_read"):
        return all([await check_committed(conn, channel_id, there) for channel_id, there in theirs.items()])


async def check_whole(pool: Pool, world: World, channels: Iterable[Channel]) -> None:
    """In the end all there is has been found, once, and counted, once."""
    async with pool.acquire() as conn:
        for channel in channels:
            run = await store.latest_run(conn, channel.id)
            assert run is not None
            assert run.status is RunStatus.SUCCEEDED, run.error_message
            assert run.error_message is None
            assert Figures.of(run) == recount(world, channel.id)
            assert await kept(conn, channel.id) == expected(world, run)
