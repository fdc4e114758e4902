"""Coverage against real PostgreSQL and a model made of plain sets."""

import asyncio
from collections.abc import Sequence

from attrs import define, field
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clipsaver.channels.coverage.model import Coverage, Extended, Reading
from clipsaver.channels.coverage.store import extend_coverage, get_coverage, trim_coverage
from clipsaver.postgres.pool import Connection, Pool, open_pool
from clipsaver.postgres.ranges import IdRange, Ranges, normalise

GUILD, CHANNEL = 10, 20
IDS = 40
"""The ids the made-up pages are about."""


async def add_channel(conn: Connection, channel_id: int = CHANNEL) -> None:
    """Make a channel, and its guild."""
    await conn.execute("insert into bot_guilds (guild_id, name) values ($1, 'g') on conflict do nothing", GUILD)
    await conn.execute("insert into bot_channels (channel_id, guild_id) values ($1, $2)", channel_id, GUILD)


def as_set(ranges: Sequence[IdRange]) -> set[int]:
    """Every id of some ranges."""
    return {value for one in ranges for value in range(one.start, one.stop)}


async def extend(
    conn: Connection, covers: Ranges, ids: Sequence[int], *, ours: str = "new", seen: str | None = None
) -> Extended | None:
    """Add a page to the channel."""
    reading = Reading(channel_id=CHANNEL, covers=covers, message_ids=ids, rules_hash=ours, seen_hash=seen)
    extended = await extend_coverage(conn, [reading])
    return extended[0] if extended else None


async def read(conn: Connection) -> Coverage:
    """What the channel remembers."""
    coverage = await get_coverage(conn, CHANNEL)
    assert coverage is not None
    return coverage


@define
class Model:
    """What coverage means, in sets."""

    covered: set[int] = field(factory=set)
    stale: set[int] = field(factory=set)
    counted: set[int] = field(factory=set)
    rules: str | None = None

    def keep(self, covers: set[int], ids: set[int], ours: str, seen: str | None) -> int | None:
        """Add a page; how many messages are new, None if it was read by rules that hold no more."""
        if self.rules not in {ours, seen}:
            return None
        if self.rules != ours:
            self.stale |= self.covered
            self.covered = set()
        self.rules = ours
        fresh = (ids & covers) - self.counted
        self.counted |= covers
        self.covered |= covers
        self.stale -= covers
        return len(fresh)


ranges = st.lists(
    st.builds(
        lambda start, length: IdRange(start, min(start + length, IDS)), st.integers(0, IDS - 1), st.integers(1, 12)
    ),
    min_size=1,
    max_size=3,
).map(normalise)
pages = st.tuples(
    ranges,
    st.lists(st.integers(0, IDS - 1), max_size=15),
    st.sampled_from(["one", "two", "three"]),
    st.sampled_from([None, "one", "two", "three"]),
)


async def test_a_page_is_added_to_what_is_covered(pool: Pool) -> None:
    """Pieces join, and messages are counted once however often they are read."""
    async with pool.acquire() as conn:
        await add_channel(conn)
        first = await extend(conn, (IdRange(10, 20),), [10, 11, 19])
        second = await extend(conn, (IdRange(15, 30), IdRange(40, 50)), [15, 19, 20, 29, 20, 45], seen="new")
        assert Extended(channel_id=CHANNEL, messages_new=3, pieces=1, stale_pieces=0) == first
        assert Extended(channel_id=CHANNEL, messages_new=3, pieces=2, stale_pieces=0) == second
        assert Coverage(
            covered=(IdRange(10, 30), IdRange(40, 50)), stale=(), rules_hash="new", message_count=6
        ) == await read(conn)


async def test_messages_outside_what_a_page_proves_are_not_counted(pool: Pool) -> None:
    """What is read again later is counted then."""
    async with pool.acquire() as conn:
        await add_channel(conn)
        extended = await extend(conn, (IdRange(10, 20),), [9, 10, 20])
        assert extended is not None
        assert extended.messages_new == 1


async def test_new_rules_move_what_was_covered_aside(pool: Pool) -> None:
    """The old coverage is stale until it is read again, and its messages stay counted."""
    async with pool.acquire() as conn:
        await add_channel(conn)
        await extend(conn, (IdRange(0, 100),), [5, 50], ours="old")
        moved = await extend(conn, (IdRange(40, 60), IdRange(100, 110)), [50, 55, 105], ours="new", seen="old")
        assert Extended(channel_id=CHANNEL, messages_new=1, pieces=2, stale_pieces=2) == moved
        assert Coverage(
            covered=(IdRange(40, 60), IdRange(100, 110)),
            stale=(IdRange(0, 40), IdRange(60, 100)),
            rules_hash="new",
            message_count=3,
        ) == await read(conn)


async def test_rules_nobody_saw_stop_a_page(pool: Pool) -> None:
    """A page read by rules that hold no more changes nothing."""
    async with pool.acquire() as conn:
        await add_channel(conn)
        await extend(conn, (IdRange(0, 100),), [5], ours="newer")
        before = await read(conn)
        assert await extend(conn, (IdRange(100, 200),), [150], ours="old", seen="old") is None
        assert before == await read(conn)


async def test_a_channel_that_is_not_known(pool: Pool) -> None:
    """There is nothing to read or to extend."""
    async with pool.acquire() as conn:
        assert await get_coverage(conn, CHANNEL) is None
        assert await extend(conn, (IdRange(0, 1),), []) is None


async def test_trimming_forgets_the_smallest_pieces(pool: Pool) -> None:
    """What is left is the largest pieces, of both kinds."""
    async with pool.acquire() as conn:
        await add_channel(conn)
        await extend(conn, (IdRange(0, 5), IdRange(10, 11), IdRange(20, 30), IdRange(40, 43)), [], ours="old")
        await extend(conn, (IdRange(50, 60), IdRange(70, 71)), [], ours="new", seen="old")
        await trim_coverage(conn, channel_id=CHANNEL, pieces=2)
        coverage = await read(conn)
        assert (IdRange(50, 60), IdRange(70, 71)) == coverage.covered
        assert (IdRange(0, 5), IdRange(20, 30)) == coverage.stale
        await trim_coverage(conn, channel_id=CHANNEL, pieces=1)
        assert (IdRange(50, 60),) == (await read(conn)).covered


async def test_pages_kept_at_the_same_moment_all_count(pool: Pool) -> None:
    """Two transactions on one channel wait for each other, and neither loses the other's page."""

    async def keep(index: int) -> int:
        async with pool.acquire() as conn, conn.transaction():
            covers = (IdRange(index * 10, index * 10 + 15),)
            extended = await extend(conn, covers, list(as_set(covers)), ours="new", seen=None)
            assert extended is not None
            return extended.messages_new

    async with pool.acquire() as conn:
        await add_channel(conn)
        await extend(conn, (IdRange(1_000, 1_001),), [], ours="new")
    new = await asyncio.gather(*(keep(index) for index in range(20)))
    async with pool.acquire() as conn:
        coverage = await read(conn)
    assert (IdRange(0, 205), IdRange(1_000, 1_001)) == coverage.covered
    assert coverage.message_count == sum(new) == 205


async def test_without_prepared_statements(database_url: str) -> None:
    """The statements work where a connection pooler keeps nothing between transactions."""
    pool = await open_pool(database_url, size=1, statement_cache_size=0)
    try:
        async with pool.acquire() as conn:
            await add_channel(conn)
            assert await extend(conn, (IdRange(0, 10),), [1]) is not None
    finally:
        await pool.close()


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(steps=st.lists(pages, max_size=12))
async def test_any_pages_in_any_order_agree_with_sets(
    pool: Pool, steps: list[tuple[Ranges, list[int], str, str | None]]
) -> None:
    """Whatever pages come, doubled, overlapping, under changing rules: the row is what plain sets would be."""
    async with pool.acquire() as conn:
        transaction = conn.transaction()
        await transaction.start()
        await add_channel(conn)
        model = Model()
        for covers, ids, ours, seen in steps:
            expected = model.keep(as_set(covers), set(ids), ours, seen)
            extended = await extend(conn, covers, ids, ours=ours, seen=seen)
            assert expected == (None if extended is None else extended.messages_new)
            coverage = await read(conn)
            assert (model.covered, model.stale, model.rules) == (
                as_set(coverage.covered),
                as_set(coverage.stale),
                coverage.rules_hash,
            )
            if extended is not None:
                assert (extended.pieces, extended.stale_pieces) == (len(coverage.covered), len(coverage.stale))
        await transaction.rollback()
