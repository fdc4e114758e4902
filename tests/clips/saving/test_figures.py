"""Figures that all processes tell together: tallies that follow the clips, and workers that are halted."""

from uuid import uuid4

import pytest

from clipsaver.clips.saving.figures import store
from clipsaver.clips.saving.figures.telling import FOLD_EVERY, TELL_EVERY, Telling
from clipsaver.clips.saving.model import MEBIBYTE, ClipState, Halt, HaltKind, Why
from clipsaver.clips.saving.service import HEARD_OF
from clipsaver.errors import NotThere
from clipsaver.postgres.few import Few
from clipsaver.postgres.pool import in_transaction
from tests.clips.saving.workshop import Workshop


async def halt_of(shop: Workshop) -> Halt | None:
    """What whoever asks is told."""
    return (await shop.saving.standing(shop.guild_id, shop.channel.id)).halt


async def test_tallies_follow_the_clips(shop: Workshop) -> None:
    """Several at once, in several channels, back again, and not at all where nothing changes."""
    other = shop.simulator.world.channels_of(shop.guild_id)[-1]
    await shop.post(None, None, None)
    await shop.post(None, channel=other)
    await shop.check_tallies()
    for change in (
        "update clips set state = 'failed', reason_code = 'refused'",
        "update clips set reason_code = 'gone', state = 'gone' where clip_id = (select min(clip_id) from clips)",
        "update clips set filename = 'other.mp4'",
        "update clips set state = 'pending', reason_code = null",
        "update clips set title = 'x' where false",
    ):
        await shop.pool.execute(change)
        await shop.check_tallies()
    before = await shop.pool.fetchval("select count(*) from clip_tallies")
    await shop.pool.execute("update clips set url = url || 'x', url_expires_at = now()")
    assert await shop.pool.fetchval("select count(*) from clip_tallies") == before
    await shop.work_off()
    await shop.check_tallies()
    await shop.pool.execute("delete from clips")
    await shop.check_tallies()
    assert await shop.pool.fetchval("select count(*) from clip_tallies") == 0


async def test_clips_from_before_there_were_tallies(shop: Workshop) -> None:
    """They are counted once, when the table comes."""
    await shop.post(None, None)
    await shop.work_off()
    await shop.post(None)
    await shop.pool.execute("delete from clip_tallies")
    await shop.pool.execute("select tally_all() where not exists (select from clip_tallies)")
    await shop.check_tallies()
    await shop.pool.execute("select tally_all() where not exists (select from clip_tallies)")
    await shop.check_tallies()


async def test_two_who_fold_at_once(shop: Workshop) -> None:
    """Each puts back what it took."""
    for _ in range(5):
        await shop.post(None)
    async with shop.pool.acquire() as conn, shop.pool.acquire() as other:
        transaction = conn.transaction()
        await transaction.start()
        assert await store.fold(conn) > 1
        added = (
            "insert into clip_tallies select guild_id, channel_id, state, reason_code, 1, 0 from clip_tallies limit 1"
        )
        await other.execute(added)
        await other.execute("delete from clip_tallies where ctid = (select max(ctid) from clip_tallies)")
        await transaction.commit()
        await store.fold(other)
    await shop.check_tallies()


async def test_another_try_for_a_reason(shop: Workshop) -> None:
    """Only what was given up for it waits again, and who asked for how many is written down."""
    await shop.post(None, None, None)
    await shop.pool.execute(
        "update clips set state = 'skipped', reason_code = case attachment_id % 2 when 0 then 'too_large' end"
    )
    await shop.pool.execute(
        "update clips set reason_code = 'over_quota', state = 'failed' where clip_id = (select max(clip_id) from clips)"
    )
    assert await shop.saving.retry(shop.guild_id, by=5, reasons=[Why.REFUSED]) == 0
    assert await shop.pool.fetchval("select count(*) from audit") == 0
    assert await shop.saving.retry(shop.guild_id, by=5, reasons=[Why.OVER_QUOTA], states=list(ClipState)) == 1
    assert await shop.saving.retry(shop.guild_id, by=6, channels=[shop.channel.id]) == 2
    rows = await shop.pool.fetch("select actor_user_id, action, details from audit order by id")
    assert [(row["actor_user_id"], row["action"], row["details"]["clips"]) for row in rows] == [
        (5, "clips.retried", 1),
        (6, "clips.retried", 2),
    ]
    assert rows[0]["details"]["reasons"] == ["over_quota"]
    assert rows[1]["details"]["channel_id"] == str(shop.channel.id)


async def test_many_are_tried_again_by_and_by(shop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    """A few at a time, and within bounds."""
    await shop.post(None, None, None)
    monkeypatch.setattr("clipsaver.clips.saving.service.AT_ONCE", 1)
    monkeypatch.setattr("clipsaver.clips.saving.service.MOST", 2)
    await shop.pool.execute("update clips set state = 'failed'")
    assert await shop.saving.retry(shop.guild_id, by=5) == 2
    assert await shop.saving.retry(shop.guild_id, by=5) == 1
    assert await shop.pool.fetchval("select details from audit") == {"clips": 1, "states": ["failed", "skipped"]}


async def test_standing(shop: Workshop) -> None:
    """With what the settings say, of the channel and of its server; of channels of that server only."""
    await shop.post(None)
    told = await shop.saving.standing(shop.guild_id, shop.channel.id)
    assert (told.wanted, told.quota, told.halt) == (True, None, None)
    assert told.channel.of(ClipState.PENDING) == told.guild.of(ClipState.PENDING, ClipState.FAILED) == 1
    await shop.pool.execute(
        "insert into guild_settings values ($1, $2)", shop.guild_id, {"storage_quota_gb": 2, "save_bytes": False}
    )
    told = await shop.saving.standing(shop.guild_id, shop.channel.id)
    assert (told.wanted, told.quota) == (False, 2048 * MEBIBYTE)
    for guild_id, channel_id in ((1, shop.channel.id), (shop.guild_id, 1)):
        with pytest.raises(NotThere):
            await shop.saving.standing(guild_id, channel_id)


async def test_a_halt_is_told(shop: Workshop) -> None:
    """To all processes, again and again, and its end as well."""
    await shop.post(None)
    worker = shop.worker()
    now = 1000.0
    telling = Telling(few=Few(shop.pool, 1), room=worker.room, clock=lambda: now)
    await telling()
    assert await halt_of(shop) is None
    worker.room.free = 0
    assert not worker.room.fits(5 * MEBIBYTE, 0)
    await telling()
    assert await halt_of(shop) == Halt(kind=HaltKind.FULL, free=0)
    await shop.pool.execute("update saving_halts set seen_at = seen_at - $1::interval", 2 * HEARD_OF)
    await telling()
    assert await halt_of(shop) is None
    now += TELL_EVERY
    await telling()
    assert await halt_of(shop) is not None
    assert await worker.room.takes(0)
    await telling()
    assert await halt_of(shop) is None
    assert await shop.pool.fetchval("select count(*) from saving_halts") == 0


async def test_a_worker_tells_of_itself(shop: Workshop) -> None:
    """That nothing is fetched for want of room, and that it goes on, though nothing waits any more."""
    await shop.post(None)
    worker = shop.worker()
    shop.storage.reserve = 2**60
    assert not await worker.claim([uuid4()])
    assert not await worker.claim([uuid4()])
    assert (await halt_of(shop)) == Halt(kind=HaltKind.FULL, free=0)
    await shop.pool.execute("delete from clips")
    shop.storage.reserve = 0
    worker.places.forget(shop.guild_id)
    worker.room.clock = lambda: 1e9
    assert not await worker.claim([uuid4()])
    assert worker.room.halted is None
    assert not await worker.claim([uuid4()])
    assert await halt_of(shop) is None


async def test_tallies_are_folded_now_and_then(shop: Workshop) -> None:
    """By every worker, once a minute."""
    now = 1000.0
    telling = Telling(few=Few(shop.pool, 1), room=shop.worker().room, clock=lambda: now)
    for after in (FOLD_EVERY, 0.0, FOLD_EVERY):
        await shop.post(None)
        await shop.post(None)
        now += after
        await telling()
        rows = await shop.pool.fetchval("select count(*) from clip_tallies")
        assert rows == (1 if after else 3)


async def test_tallies_are_read_in_transactions_too(shop: Workshop) -> None:
    """Before they are committed they are the writer's alone."""
    await shop.post(None)

    async def work(conn: object) -> None:
        await conn.execute("update clips set state = 'gone'")  # type: ignore[attr-defined]
        assert (await shop.saving.of_guild(shop.guild_id)).states == {"pending": 1}

    await in_transaction(shop.pool, work)
    assert (await shop.saving.of_guild(shop.guild_id)).states == {"gone": 1}
