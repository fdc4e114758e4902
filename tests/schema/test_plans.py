"""Hot statements find their rows through an index, with a million of them."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import pytest

from clipsaver.channels import store as channels
from clipsaver.channels.coverage import store as coverage
from clipsaver.channels.viewers import store as viewers
from clipsaver.clips import store as clips
from clipsaver.clips.picturing import store as picturing
from clipsaver.clips.portable import store as portable
from clipsaver.clips.saving import store as saving
from clipsaver.clips.saving.figures import store as figures
from clipsaver.clips.storehouse import store as storehouse
from clipsaver.guilds import store as guilds
from clipsaver.people import store as people
from clipsaver.postgres.binaries import Binaries
from clipsaver.postgres.pool import open_pool
from clipsaver.postgres.schema import apply_schema
from clipsaver.scans import store as scans
from clipsaver.work import store as work
from tests.fixtures.database import running

pytestmark = pytest.mark.timeout(900)  # the first test waits for the rows

MILLION: Final = 1_000_000

# References are not checked while filling: that would take most of the time.
FILL: Final = """
set session_replication_role = replica;

insert into users (discord_user_id, username) select n, 'name' from generate_series(1, 1000000) n;

insert into bot_guilds (guild_id, name) select n, 'name' from generate_series(1, 1000) n;
insert into guild_settings (guild_id) select n from generate_series(1, 1000) n;
insert into audit (guild_id, action) select n % 1000, 'x' from generate_series(1, 100000) n;
insert into roles (role_id, guild_id, name, permissions)
    select n, n % 1000, 'x', 0 from generate_series(1, 100000) n;

insert into bot_channels (channel_id, guild_id, type, has_gaps)
    select n, n % 1000, 'text', n % 100 = 0 from generate_series(1, 100000) n;
insert into channel_overwrites (channel_id, target_id, target_type, allow, deny)
    select n, n, 'role', 0, 0 from generate_series(1, 100000) n;

insert into messages (message_id, channel_id, guild_id, author_id, posted_at)
    select n, n % 1000, n % 1000, n, now() from generate_series(1, 1000000) n;
insert into clips (clip_id, message_id, attachment_id, channel_id, guild_id, filename, url)
    select n || '-' || n, n, n, n % 1000, n % 1000, 'x.mp4', 'https://x' from generate_series(1, 1000000) n;
insert into blobs (sha256, size) select sha256(n::text::bytea), 1000 from generate_series(1, 300000) n;
update clips set state = 'stored', sha256 = sha256(message_id::text::bytea) where message_id % 3 = 0;
insert into thumbnails (sha256, state) select sha256, 'pending' from blobs;
update thumbnails set state = 'made' where get_byte(sha256, 0) < 250;
update clips set state = 'failed', reason = 'x', reason_code = 'refused' where message_id % 1000 = 1;
update clips set state = 'skipped', reason = 'x', reason_code = 'over_quota' where message_id % 1000 = 2;
select tally_all();
insert into clip_tallies (guild_id, channel_id, state, clips, bytes)
    select n % 1000, n % 100000, 'pending', 1, 0 from generate_series(1, 200000) n;
insert into odd_payloads (message_id, channel_id, reason, payload, seen_at)
    select n, n, 'x', '{}', now() - n * interval '1 minute' from generate_series(1, 100000) n;

insert into bot_channel_scan_runs
    (channel_id, guild_id, status, progress_channel_id, progress_final, created_at, finished_at)
    select n % 100000, n % 1000, 'succeeded', 1, true, now() - n * interval '1 s', now() - n * interval '1 s'
    from generate_series(1, 999000) n;
insert into bot_channel_scan_runs (channel_id, guild_id, status, progress_channel_id)
    select n, n % 1000, 'queued', 1 from generate_series(1, 1000) n;

insert into cron_runs (job, tick) select 'x', now() - n * interval '1 minute' from generate_series(1, 100000) n;

analyze;

create function plan_for_all(statement text) returns json language plpgsql as $$
declare
    plan json;
begin
    execute 'explain (format json, generic_plan) ' || statement into plan;
    return plan;
end
$$;
"""

BIG: Final = frozenset(
    {
        *("users", "roles", "bot_channels", "channel_overwrites", "messages", "clips", "odd_payloads"),
        *("bot_channel_scan_runs", "audit", "cron_runs", "blobs", "clip_tallies", "thumbnails"),
    }
)

SMALL_INDEXES: Final = frozenset({"idx_bot_scan_runs_one_active", "idx_bot_scan_runs_progress"})
"""Partial ones with few rows: reading all of one is cheap."""

RUN: Final = UUID(int=1)
NOW: Final = datetime(2026, 1, 1, tzinfo=UTC)
LATER: Final = datetime(2126, 1, 1, tzinfo=UTC)
SECONDS: Final = timedelta(seconds=15)
AGES: Final = timedelta(days=3000)
HASH: Final = "0" * 64
HUNDRED: Final = list(range(1, 101))
TEXTS: Final = ["x"] * 100
TRUES: Final = [True] * 100

HOT: Final[dict[str, tuple[str, tuple[Any, ...]]]] = {
    # a page that is kept
    "claim": (scans.CLAIM, (RUN, SECONDS)),
    "renew": (scans.RENEW, (RUN, RUN, SECONDS)),
    "progress": (
        scans.UPDATE_SCAN_PROGRESS,
        ([{"id": str(RUN), "token": str(RUN), "todo": "{}", "skipped": {}}] * 50, SECONDS),
    ),
    "waiting": (scans.SET_WAITING, (RUN, RUN, NOW)),
    "rules": (scans.RULES_OF_CHANNEL, (1,)),
    "authors": (people.UPSERT_USERS, ([{"id": n, "username": "x"} for n in HUNDRED],)),
    "messages": (clips.UPSERT_MESSAGES, ([{"message_id": n, "channel_id": 1, "guild_id": 1} for n in HUNDRED],)),
    "clips": (
        clips.UPSERT_CLIPS,
        ([{"clip_id": f"{n}-{n}", "message_id": n, "channel_id": 1, "guild_id": 1} for n in HUNDRED],),
    ),
    "odd payloads": (clips.UPSERT_ODD_PAYLOADS, ([{"message_id": n, "channel_id": 1} for n in HUNDRED],)),
    "coverage": (
        coverage.EXTEND,
        ([{"channel_id": n, "covers": "{[1,101)}", "rules_hash": HASH, "message_ids": HUNDRED} for n in range(1, 51)],),
    ),
    "coverage read": (coverage.READ, (1,)),
    "scanned": (scans.MARK_CHANNELS_SCANNED, ([str(RUN)],)),
    # a clip that is saved
    "places where clips wait": (saving.WAITING_PLACES, (-1, 5_000)),
    "clips taken": (saving.TAKE, ([RUN] * 8, SECONDS, list(range(1, 33)))),
    "clips in hand": (saving.JOBS, (["3-3"] * 8, [RUN] * 8)),
    "room for them": (saving.RESERVE, (["3-3"] * 8, [RUN] * 8, [1] * 8)),
    "a clip held": (saving.HOLD, ("3-3", RUN)),
    "a blob's row": (saving.INSERT_BLOB, (b"0" * 32, 1, "x")),
    "a clip stored": (saving.MARK_STORED, ("4-4", RUN, b"0" * 32)),
    "a clip not stored": (saving.MARK_ENDED, ("4-4", RUN, "failed", "x", "x", SECONDS, True, False)),
    "clips with room again": (saving.HEAL, (1, 1, 500, 1)),
    "clips tried again": (saving.RETRY, (1, None, ["failed", "skipped"], None, 1000)),
    "a server's clips by state": (figures.OF_GUILD, (1,)),
    "a channel's clips by state": (figures.OF_CHANNEL, (1, 1)),
    # bytes that are looked after
    "some blobs": (storehouse.SAMPLE, ([b"0" * 32] * 50,)),
    "the blob not read for longest": (storehouse.CLAIM_OLDEST, (LATER, SECONDS, 1e-6)),
    "a blob read again": (storehouse.SET_VERIFIED, (b"0" * 32, NOW)),
    "a blob lost": (storehouse.MARK_LOST, (b"0" * 32, SECONDS)),
    "blobs that no clip needs": (storehouse.MARK_UNUSED, ([b"0" * 32] * 100, SECONDS)),
    "a blob that a clip needs": (storehouse.IS_USED, (b"0" * 32,)),
    "a lost blob's clips": (storehouse.RELEASE_CLIPS, (b"0" * 32, "x", "x", 500)),
    "a blob that goes": (storehouse.DELETE_BLOB, (b"0" * 32,)),
    "blobs beside their pictures": (storehouse.KNOWN, ([b"0" * 32] * 1000,)),
    "blobs beside their bytes": (storehouse.ROWS_BETWEEN, (b"", b"\xff" * 32, 1000, NOW, SECONDS)),
    "a channel's clips without pictures": (picturing.UNMADE_OF_CHANNEL, (1, 2_000)),
    # a stored video that is looked at
    "a video taken": (picturing.CLAIM, (RUN, SECONDS)),
    "a video in hand": (picturing.RENEW, (b"0" * 32, RUN, SECONDS)),
    "whether a video stays": (picturing.STAYS, (b"0" * 32, RUN)),
    "facts and pictures": (picturing.MARK_MADE, (b"0" * 32, RUN, {}, {})),
    "a video without pictures": (picturing.MARK_ENDED, (b"0" * 32, RUN, "failed", "x", "x", SECONDS, True)),
    "facts alone": (picturing.WRITE_FACTS, (b"0" * 32, RUN, {})),
    "what Discord did not say": (picturing.FILL_CLIPS, (b"0" * 32, 1, 1, 1.0, 1000)),
    "a clip's pictures again": (picturing.RETRY_CLIP, ("3-3",)),
    "a server's pictures again": (picturing.RETRY, (1, [1], 1000)),
    "everybody's pictures again": (picturing.RETRY, (None, None, 1000)),
    "videos without pictures": (picturing.UNMADE, (100_000,)),
    # clips as files
    "channels to export": (portable.PLACES, (-1, -1, 1, None, 500)),
    "clips to export": (portable.ROWS, (1, 1, "", 500)),
    "pictures to export": (portable.PICTURED, ([b"0" * 32] * 50, "320")),
    "clips that are there": (portable.KNOWN, (TEXTS,)),
    "a server's row": (portable.PUT_GUILD, (1, "x", None)),
    "a channel's row": (portable.PUT_CHANNEL, (1, 1, "x", "text", False, None, 0)),
    "a person's row": (portable.PUT_USER, (1, "x", None, None)),
    "a message's row": (portable.PUT_MESSAGE, (1, 1, 1, 1, None, NOW, None)),
    "a message's channel": (portable.CHANNEL_OF_MESSAGE, (1,)),
    # what people ask, and the loops that look for work
    "active run": (scans.ACTIVE_RUN, (1,)),
    "latest run": (scans.LATEST_RUN, (1,)),
    "latest runs": (scans.LATEST_RUNS, (1,)),
    "runs to show": (scans.RUNS_TO_SHOW, (10, SECONDS)),
    "purge of odd payloads": (clips.DELETE_ODD_PAYLOADS, (AGES,)),
    "last ticks": (work.GET_LAST_RUNS, (["x"], NOW)),
    # events
    "a channel": (channels.GET_CHANNEL, (1,)),
    "a guild's channels": (channels.GET_CHANNELS, (1,)),
    "a channel's settings": (channels.GET_SETTINGS, (1,)),
    "channels seen": (
        channels.UPSERT_CHANNELS,
        (HUNDRED, HUNDRED, TEXTS, TEXTS, TRUES, HUNDRED, HUNDRED, [NOW] * 100),
    ),
    "overwrites seen": (channels.UPSERT_OVERWRITES, (HUNDRED, HUNDRED, TEXTS, HUNDRED, HUNDRED)),
    "overwrites of a channel": (channels.GET_OVERWRITES, (1,)),
    "overwrites of a guild": (viewers.GET_OVERWRITES_OF_GUILD, (1,)),
    "activity": (channels.TOUCH_ACTIVITY, (HUNDRED, [NOW] * 100)),
    "reading": (channels.SET_READING, (1, 1, True)),
    "channels gone": (channels.DELETE_CHANNELS, (1, [1])),
    "roles seen": (guilds.UPSERT_ROLES, (HUNDRED, HUNDRED, TEXTS, HUNDRED, HUNDRED)),
    "roles of a guild": (guilds.GET_ROLES, (1,)),
    "a person": (people.GET_USER, (1,)),
}


@pytest.fixture(scope="module")
def million() -> Iterator[str]:
    """The address of a database with a million messages, clips, users and runs."""
    with running(
        Binaries.of_wheel(), shared_buffers="256MB", max_wal_size="4GB", maintenance_work_mem="256MB"
    ) as server:
        asyncio.run(_fill(server.url))
        yield server.url


async def _fill(url: str) -> None:
    async with await open_pool(url, size=1) as pool, pool.acquire() as conn:
        await apply_schema(conn)
        await conn.execute(FILL)
        assert await conn.fetchval("select count(*) from clips") == MILLION


def wasteful(plan: dict[str, Any]) -> list[str]:
    """Every step of a plan that goes through the whole of a big table or of its index."""
    found = []
    table, index, step = plan.get("Relation Name"), plan.get("Index Name"), plan["Node Type"]
    if table in BIG:
        whole = "Index" in step and "Index Cond" not in plan and index not in SMALL_INDEXES
        if step == "Seq Scan" or whole:
            found.append(f"{step} on {table} {index or ''}".strip())
    for part in plan.get("Plans", ()):
        found += wasteful(part)
    return found


@pytest.mark.parametrize("name", HOT)
async def test_uses_an_index(million: str, name: str) -> None:
    """Planned for these parameters, and planned once for all."""
    statement, parameters = HOT[name]
    async with await open_pool(million, size=1) as pool, pool.acquire() as conn:
        (for_these,) = await conn.fetchval(f"explain (format json) {statement}", *parameters)
        assert not wasteful(for_these["Plan"])
        (for_all,) = await conn.fetchval("select plan_for_all($1)", statement)
        assert not wasteful(for_all["Plan"])


async def test_a_wasteful_plan_is_noticed(million: str) -> None:
    """The look itself works."""
    async with await open_pool(million, size=1) as pool:
        for statement in ("select * from clips where filename = 'x'", "select count(*) from users"):
            (plan,) = await pool.fetchval(f"explain (format json) {statement}")
            assert wasteful(plan["Plan"])


@pytest.mark.parametrize(
    "deletion",
    [
        "delete from messages where message_id = 1",
        "delete from bot_channels where channel_id = 1",
        "delete from bot_guilds where guild_id = 1",
        "delete from users where discord_user_id = 1",
    ],
)
async def test_cascades_use_an_index(million: str, deletion: str) -> None:
    """Whatever refers to a deleted row is found without going through its table."""
    async with await open_pool(million, size=1) as pool, pool.acquire() as conn:
        transaction = conn.transaction()
        await transaction.start()
        before = await conn.fetch("select relname, seq_tup_read from pg_stat_xact_user_tables")
        await conn.execute(deletion)
        read = {row["relname"]: row["seq_tup_read"] for row in before}
        after = await conn.fetch("select relname, seq_tup_read from pg_stat_xact_user_tables")
        whole = {row["relname"] for row in after if row["seq_tup_read"] > read.get(row["relname"], 0)}
        await transaction.rollback()
        assert not whole & BIG
