"""Keeping pages, against real PostgreSQL and a model made of plain sets."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from asyncpg import Record
from attrs import define
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clipsaver.channels.coverage.store import get_coverage
from clipsaver.clips import service
from clipsaver.clips.model import Batch, Portion, StaleRules
from clipsaver.clips.rules import Rules
from clipsaver.clips.service import Clips, Kept
from clipsaver.postgres.pool import Connection, Pool, in_transaction
from clipsaver.postgres.ranges import IdRange
from tests.clips.build import CHANNEL, attachment, message, read_page, rules

GUILD = 400


async def add_channel(conn: Connection) -> None:
    """Make the channel, and its guild."""
    await conn.execute("insert into bot_guilds (guild_id, name) values ($1, 'g')", GUILD)
    await conn.execute("insert into bot_channels (channel_id, guild_id) values ($1, $2)", CHANNEL, GUILD)


def page(*payloads: dict[str, Any], under: Rules | None = None) -> Batch:
    """Look through some raw messages."""
    return read_page(payloads, under or rules())


async def keep(
    conn: Connection,
    batch: Batch,
    *,
    covers: Sequence[IdRange] = (),
    rules_hash: str = "now",
    seen_hash: str | None = None,
) -> Kept:
    """Keep a batch in the channel."""
    portion = Portion(
        guild_id=GUILD,
        channel_id=CHANNEL,
        batch=batch,
        covers=tuple(covers),
        rules_hash=rules_hash,
        seen_hash=seen_hash,
    )
    return await Clips(pool=NOT_NEEDED).keep(conn, [portion])


NOT_NEEDED: Any = None


async def clip(conn: Connection, clip_id: str) -> Record:
    """A clip's row."""
    row = await conn.fetchrow("select * from clips where clip_id = $1", clip_id)
    assert row is not None
    return row


async def test_a_page_is_kept_whole(pool: Pool) -> None:
    """Author, message, clips and coverage, as Discord said."""
    said = attachment(
        7,
        title="Run",
        description="A run",
        width=1920,
        height=1080,
        duration_secs=12.5,
        flags=1 | 8,
        clip_created_at="2026-01-01T10:00:00+00:00",
        clip_participants=[{"id": "1", "username": "a"}, {"id": "2", "username": "b"}],
        application={"id": "9", "name": "A Game"},
    )
    async with pool.acquire() as conn:
        await add_channel(conn)
        kept = await keep(
            conn,
            page(message(5), message(6, said, attachment(8, size=0), edited_timestamp="2026-02-01T00:00:00+00:00")),
            covers=(IdRange(0, 10),),
        )
        assert kept == Kept(clips_new=2, messages_new=2)
        user = await conn.fetchrow("select discord_user_id, username, global_name from users")
        assert user is not None
        assert tuple(user) == (42, "ann", "Ann")
        row = await conn.fetchrow("select * from messages")
        assert row is not None
        assert dict(row) == {
            "message_id": 6,
            "channel_id": CHANNEL,
            "guild_id": GUILD,
            "author_id": 42,
            "content": None,
            "posted_at": datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC),
            "edited_at": datetime(2026, 2, 1, tzinfo=UTC),
        }
        stored = dict(await clip(conn, "6-7"))
        assert stored.pop("created_at") is not None
        assert stored.pop("due_at") <= datetime.now(UTC)
        assert stored == {
            "clip_id": "6-7",
            "message_id": 6,
            "attachment_id": 7,
            "channel_id": CHANNEL,
            "guild_id": GUILD,
            "filename": "clip.mp4",
            "title": "Run",
            "description": "A run",
            "content_type": "video/mp4",
            "size": 1_000,
            "url": said["url"],
            "url_expires_at": datetime(2026, 5, 10, 3, 48, 16, tzinfo=UTC),
            "width": 1920,
            "height": 1080,
            "duration_seconds": 12.5,
            "is_clip": True,
            "is_spoiler": True,
            "is_forward": False,
            "game": "A Game",
            "clip_created_at": datetime(2026, 1, 1, 10, tzinfo=UTC),
            "participants": [1, 2],
            "state": "pending",
            "reason": None,
            "sha256": None,
            "attempts": 0,
            "reason_code": None,
        }
        assert (await clip(conn, "6-8"))["size"] is None
        coverage = await get_coverage(conn, CHANNEL)
        assert coverage is not None
        assert (coverage.covered, coverage.rules_hash, coverage.message_count) == ((IdRange(0, 10),), "now", 2)


async def test_keeping_again_changes_nothing(pool: Pool) -> None:
    """Neither rows nor counts; not even a new version of a row is written."""
    versions = "select xmin::text from {} order by 1"
    batch = page(message(5, attachment(7), clip_participants=[]), message(6, attachment(8)))
    async with pool.acquire() as conn:
        await add_channel(conn)
        await keep(conn, batch, covers=(IdRange(0, 10),))
        before = [await conn.fetch(versions.format(table)) for table in ("users", "messages", "clips")]
        assert await keep(conn, batch, covers=(IdRange(0, 10),)) == Kept(clips_new=0, messages_new=0)
        assert before == [await conn.fetch(versions.format(table)) for table in ("users", "messages", "clips")]


async def test_reading_again_refreshes_what_was_said_and_nothing_else(pool: Pool) -> None:
    """Links, names and facts are new; what became of the clip stays."""
    async with pool.acquire() as conn:
        await add_channel(conn)
        await keep(conn, page(message(6, attachment(7))))
        await conn.execute("update clips set state = 'stored', reason = 'r', sha256 = '\\x01'")
        longer = attachment(
            7, "new.mp4", url="https://cdn.discordapp.com/attachments/5/7/new.mp4?ex=6b000000", title="T"
        )
        assert (await keep(conn, page(message(6, longer)))).clips_new == 0
        row = await clip(conn, "6-7")
        assert (row["filename"], row["title"], row["url"]) == ("new.mp4", "T", longer["url"])
        assert (row["state"], row["reason"], row["sha256"]) == ("stored", "r", b"\x01")


async def test_an_older_reading_does_not_take_a_link_back(pool: Pool) -> None:
    """Pages are kept in any order: the link that lives longest stays."""
    async with pool.acquire() as conn:
        await add_channel(conn)
        new = attachment(7)
        await keep(conn, page(message(6, new)))
        await keep(conn, page(message(6, attachment(7, "old.mp4", url="https://x.invalid/old.mp4?ex=60000000"))))
        assert (await clip(conn, "6-7"))["url"] == new["url"]


async def test_text_follows_the_settings(pool: Pool) -> None:
    """It is kept where it is wanted, follows an edit, and goes when it is wanted no more."""
    wanted = rules(enable_message_content_storage=True)
    edited = message(6, attachment(7), content="two", edited_timestamp="2026-02-01T00:00:00+00:00")

    async with pool.acquire() as conn:

        async def content() -> str | None:
            text: str | None = await conn.fetchval("select content from messages")
            return text

        await add_channel(conn)
        await keep(conn, page(message(6, attachment(7), content="one"), under=wanted))
        assert await content() == "one"
        await keep(conn, page(edited, under=wanted))
        assert await content() == "two"
        await keep(conn, page(message(6, attachment(7), content="one"), under=wanted))
        assert await content() == "two"
        await keep(conn, page(edited))
        assert await content() is None


async def test_a_message_twice_in_a_batch_is_kept_once(pool: Pool) -> None:
    """Pages that overlap may be kept together; the later one counts."""
    later = attachment(7, "later.mp4")
    async with pool.acquire() as conn:
        await add_channel(conn)
        both = Batch.joined([page(message(6, attachment(7)), message(8)), page(message(6, later), message(9))])
        assert await keep(conn, both, covers=(IdRange(0, 20),)) == Kept(clips_new=1, messages_new=3)
        assert (await clip(conn, "6-7"))["filename"] == "later.mp4"


async def test_a_message_without_an_author(pool: Pool) -> None:
    """Whoever wrote it is not known then."""
    async with pool.acquire() as conn:
        await add_channel(conn)
        await keep(conn, page(message(6, attachment(7), author=None)))
        assert await conn.fetchval("select author_id from messages") is None
        assert await conn.fetchval("select count(*) from users") == 0


async def test_odd_payloads_are_kept_for_a_week(pool: Pool) -> None:
    """Redacted, once each, and gone when nobody looked."""
    batch = page(message(3, {"id": "x"}, content="words"), message(2, {"id": "x"}), message(2, {"id": "y"}))
    clips = Clips(pool=pool)
    async with pool.acquire() as conn:
        await add_channel(conn)
        await keep(conn, batch, covers=(IdRange(0, 10),))
        rows = await conn.fetch("select message_id, channel_id, reason, payload from odd_payloads order by message_id")
        assert [(row["message_id"], row["channel_id"]) for row in rows] == [(2, CHANNEL), (3, CHANNEL)]
        assert rows[1]["payload"]["content"] == ""
        assert rows[1]["reason"].startswith("attachments[0]")
        assert await clips.purge_odd_payloads() == 0
        await conn.execute("update odd_payloads set seen_at = now() - interval '7 days 1 second' where message_id = 2")
        assert await clips.purge_odd_payloads() == 1
        await keep(conn, batch)
        assert await clips.purge_odd_payloads(older_than=timedelta(0)) == 2


async def test_without_covers_the_channel_is_left_alone(pool: Pool) -> None:
    """A run with narrower rules of its own keeps clips, and proves nothing."""
    async with pool.acquire() as conn:
        await add_channel(conn)
        assert await keep(conn, page(message(6, attachment(7)))) == Kept(clips_new=1, messages_new=0)
        coverage = await get_coverage(conn, CHANNEL)
        assert coverage is not None
        assert (coverage.covered, coverage.rules_hash, coverage.message_count) == ((), None, 0)


async def test_stale_rules_undo_the_page(pool: Pool) -> None:
    """Nothing of a page stays that was looked through under rules that hold no more; it may be tried again."""
    async with pool.acquire() as conn:
        await add_channel(conn)
        await keep(conn, page(), covers=(IdRange(0, 1),), rules_hash="newer")
        with pytest.raises(StaleRules) as caught:
            async with conn.transaction():
                await keep(
                    conn, page(message(6, attachment(7))), covers=(IdRange(0, 10),), rules_hash="old", seen_hash="old"
                )
        assert (caught.value.permanent, [*caught.value.channels]) == (False, [CHANNEL])
        assert await conn.fetchval("select count(*) from clips") == 0
        again = await keep(
            conn, page(message(6, attachment(7))), covers=(IdRange(0, 10),), rules_hash="newer", seen_hash="newer"
        )
        assert again == Kept(clips_new=1, messages_new=1)


async def test_a_channel_in_too_many_pieces_forgets_the_smallest(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Claiming too little is safe."""
    monkeypatch.setattr(service, "MAX_PIECES", 3)
    pieces = (IdRange(0, 5), IdRange(10, 11), IdRange(20, 30), IdRange(40, 47))
    async with pool.acquire() as conn:
        await add_channel(conn)
        await keep(conn, page(), covers=pieces[:3])
        await keep(conn, page(), covers=pieces[3:])
        coverage = await get_coverage(conn, CHANNEL)
        assert coverage is not None
        assert coverage.covered == (pieces[0], pieces[2], pieces[3])


@define
class Counting:
    """A connection that counts the round trips made through it."""

    conn: Any
    trips: int = 0

    def __getattr__(self, name: str) -> Any:
        """The connection's own method, counted."""
        self.trips += 1
        return getattr(self.conn, name)


async def test_a_page_without_clips_costs_one_statement(pool: Pool) -> None:
    """Most pages of most channels are of that kind."""
    async with pool.acquire() as conn:
        await add_channel(conn)
        counting: Any = Counting(conn)
        await keep(counting, page(message(5), message(6)), covers=(IdRange(0, 10),))
        assert counting.trips == 1
        await keep(counting, page(message(5), message(6)))
        assert counting.trips == 1
        await keep(counting, page(message(5, attachment(7))), covers=(IdRange(0, 10),))
        assert counting.trips == 1 + 4


async def test_overlapping_pages_kept_at_the_same_moment(pool: Pool) -> None:
    """Workers in each other's way wait, or try again: each clip is new once, each message counted once."""
    payloads = [message(100 + at, attachment(1_000 + at), author={"id": str(at % 7 + 1)}) for at in range(60)]

    async def kept(start: int) -> Kept:
        batch = page(*reversed(payloads[start : start + 20]))
        covers = (IdRange(100 + start, 120 + start),)
        return await in_transaction(pool, lambda conn: keep(conn, batch, covers=covers))

    async with pool.acquire() as conn:
        await add_channel(conn)
    all_kept = await asyncio.gather(*(kept(start) for start in range(0, 41, 4)))
    assert sum(one.clips_new for one in all_kept) == 60
    assert sum(one.messages_new for one in all_kept) == 60
    async with pool.acquire() as conn:
        coverage = await get_coverage(conn, CHANNEL)
        assert coverage is not None
        assert (coverage.covered, coverage.message_count) == ((IdRange(100, 160),), 60)


CHANNEL_MESSAGES = [
    message(100 + at, *(attachment(1_000 + at * 10 + one) for one in range(clips)), author={"id": str(at % 3 + 1)})
    for at, clips in enumerate([0, 1, 0, 2, 0, 0, 3, 1, 0, 0, 1, 0])
]
"""A whole channel of twelve messages with eight clips."""
pages = st.tuples(
    st.integers(0, len(CHANNEL_MESSAGES) - 1),
    st.integers(1, 6),
    st.sampled_from(["one", "two"]),
    st.booleans(),
)


@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(steps=st.lists(pages, max_size=10))
async def test_any_pages_in_any_order_leave_what_a_set_would(
    pool: Pool, steps: list[tuple[int, int, str, bool]]
) -> None:
    """Doubled, overlapping, under changing rules, rolled back: each clip is there once, each message counted once."""
    async with pool.acquire() as conn:
        transaction = conn.transaction()
        await transaction.start()
        await add_channel(conn)
        known: set[str] = set()
        counted: set[int] = set()
        covered: set[int] = set()
        rules_hash: str | None = None
        for start, length, ours, committed in steps:
            payloads = CHANNEL_MESSAGES[start : start + length]
            span = range(100 + start, 100 + start + len(payloads))
            batch = page(*payloads)
            inner = conn.transaction()
            await inner.start()
            kept = await keep(
                conn, batch, covers=(IdRange(span.start, span.stop),), rules_hash=ours, seen_hash=rules_hash
            )
            fresh = {clip.clip_id for found in batch.found for clip in found.clips} - known
            assert kept == Kept(clips_new=len(fresh), messages_new=len({*span} - counted))
            if not committed:
                await inner.rollback()
                continue
            await inner.commit()
            known |= fresh
            counted |= {*span}
            covered = {*span} | (covered if rules_hash == ours else set())
            rules_hash = ours
        coverage = await get_coverage(conn, CHANNEL)
        assert coverage is not None
        assert covered == {value for one in coverage.covered for value in range(one.start, one.stop)}
        assert coverage.message_count == len(counted)
        assert known == {row["clip_id"] for row in await conn.fetch("select clip_id from clips")}
        assert len({clip_id.partition("-")[0] for clip_id in known}) == await conn.fetchval(
            "select count(*) from messages"
        )
        await transaction.rollback()
