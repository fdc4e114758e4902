"""From a clip's row to its bytes, and every way in which that can fail."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from structlog.testing import capture_logs

from clipsaver.clips.saving import steps, store
from clipsaver.clips.saving.model import MOST_ATTEMPTS, ClipState, Place
from clipsaver.clips.saving.room import WANTED
from clipsaver.errors import LeaseLost
from clipsaver.media.storage import StorageFull, StorageUnavailable, blob_name
from clipsaver.media.storage.local import LocalStorage
from clipsaver.simulator import videos
from clipsaver.simulator.permissions import Permission
from clipsaver.work.worker import Lease, Worker
from tests.clips.saving.workshop import FILE, Workshop, halted
from tests.flows.waiting import eventually

VIDEO = videos.base("mp4")


async def test_bytes_are_what_was_served(shop: Workshop) -> None:
    """Stored under their own hash, with the rows that say so."""
    await shop.post(None, None)
    await shop.post(None)
    worker = shop.worker()
    assert await shop.work_off(worker) == 3
    assert await shop.states() == {"stored": 3}
    assert (worker.tally.clips, worker.tally.bytes) == (3, await shop.pool.fetchval("select sum(size) from blobs"))
    await shop.check()
    clip = (await shop.pool.fetch("select * from clips"))[0]
    assert (clip["reason"], clip["reason_code"], clip["attempts"]) == (None, None, 0)
    blob = await shop.pool.fetchrow("select * from blobs where sha256 = $1", clip["sha256"])
    assert blob is not None
    assert (blob["media_type"], blob["deleting_at"], blob["verified_at"]) == ("video/mp4", None, None)


async def test_the_same_bytes_are_there_once(shop: Workshop) -> None:
    """One blob, many clips, also when they come at the same moment; each is charged."""
    for _ in range(3):
        await shop.post(VIDEO, VIDEO)
    workers = [shop.worker() for _ in range(3)]
    await asyncio.gather(*(shop.work_off(worker) for worker in workers))
    assert await shop.states() == {"stored": 6}
    assert await shop.pool.fetchval("select count(*) from blobs") == 1
    assert await shop.pool.fetchval("select bytes from guild_usage") == 6 * len(VIDEO)
    await shop.check()


async def test_what_dies_soonest_comes_first(shop: Workshop) -> None:
    """A link that is about to expire is used before one that is not."""
    early = datetime.now(UTC) + timedelta(hours=2)
    links = shop.simulator.world.links
    await shop.post(None)
    links.lifetime = 7200
    soon = await shop.post(None)
    links.lifetime = 86_400
    await shop.post(None)
    worker = shop.worker()
    taken = await shop.claim(worker)
    assert taken is not None
    assert taken[0].message_id == soon.id
    assert taken[0].url_expires_at is not None
    assert taken[0].url_expires_at <= early + timedelta(minutes=1)


async def test_several_at_once(shop: Workshop) -> None:
    """A worker saves as many as it is told to at the same time, none twice."""
    for _ in range(20):
        await shop.post(None)
    work = shop.worker()
    worker = Worker([work.station(concurrency=5, poll=timedelta(seconds=0.05))])
    running = asyncio.create_task(worker.run())

    async def all_stored() -> bool:
        return (await shop.states()).get("stored") == 20

    await eventually(all_stored)
    worker.stop()
    await running
    assert work.tally.clips == 20
    assert shop.simulator.stats.requests[FILE] == 20
    await shop.check()


async def test_a_clock_that_was_set_back(shop: Workshop) -> None:
    """A clip that is due later than any is told to wait is taken, after those whose time has come."""
    first, second, third = [await shop.post(None) for _ in range(3)]
    for message, due in ((first, "1 year"), (second, "-1 minute"), (third, "47 hours")):
        await shop.pool.execute(
            "update clips set due_at = clock_timestamp() + $2::text::interval where message_id = $1", message.id, due
        )
    worker = shop.worker()
    taken = [await shop.claim(worker) for _ in range(3)]
    assert [None if one is None else one[0].message_id for one in taken] == [second.id, first.id, None]


class TestLinks:
    """Links that die."""

    async def test_one_that_has_expired_is_replaced(self, shop: Workshop) -> None:
        """It isn't even tried: the message is read again, and what it says is written."""
        shop.simulator.world.links.lifetime = 30
        await shop.post(None)
        shop.simulator.world.links.lifetime = 86_400
        old = await shop.clip()
        await shop.work_off()
        new = await shop.clip()
        assert new["state"] == "stored"
        assert new["url_expires_at"] > old["url_expires_at"]
        assert shop.simulator.stats.requests["GET /channels/{channel_id}/messages/{message_id}"] == 1
        await shop.check()

    async def test_one_that_is_dead_all_the_same(self, shop: Workshop) -> None:
        """Whatever it says of itself, a dead link is replaced once."""
        await shop.post(None)
        await shop.pool.execute("update clips set url = replace(url, 'hm=', 'hm=0')")
        await shop.work_off()
        assert await shop.states() == {"stored": 1}
        await shop.check()

    async def test_nothing_behind_it(self, shop: Workshop) -> None:
        """Where the fresh link is as dead, it is tried again later, and in the end a person reads why."""
        await shop.post(None)
        shop.simulator.faults.add("gone", "GET /attachments/*", status=404)
        await shop.work_off()
        clip = await shop.clip()
        assert (clip["state"], clip["reason_code"], clip["attempts"]) == ("pending", "link_dead", 1)
        assert clip["due_at"] > datetime.now(UTC)
        await shop.pool.execute("update clips set attempts = $1", MOST_ATTEMPTS - 1)
        await shop.due()
        await shop.work_off()
        clip = await shop.clip()
        assert (clip["state"], clip["reason_code"]) == ("failed", "link_dead")
        assert clip["reason"].endswith(f"It was tried {MOST_ATTEMPTS} times.")

    async def test_the_message_is_gone(self, shop: Workshop) -> None:
        """Nothing can be saved any more, and that is what its row says."""
        message = await shop.post(None)
        await shop.pool.execute("update clips set url = replace(url, 'hm=', 'hm=0')")
        shop.simulator.world.delete_message(message.channel_id, message.id)
        await shop.work_off()
        clip = await shop.clip()
        assert (clip["state"], clip["reason_code"]) == ("gone", "gone")
        assert clip["reason"] == "The message was deleted before its clip could be saved."

    async def test_the_file_is_gone_from_its_message(self, shop: Workshop) -> None:
        """Its author can take it out."""
        message = await shop.post(None, None)
        await shop.pool.execute("update clips set url = replace(url, 'hm=', 'hm=0')")
        shop.simulator.world.edit_message(message.channel_id, message.id, attachments=message.attachments[:1])
        await shop.work_off()
        assert await shop.states() == {"stored": 1, "gone": 1}

    async def test_a_clip_under_other_rules_by_now(self, shop: Workshop) -> None:
        """What was found stays found: settings that changed since take nothing away."""
        await shop.post(None)
        await shop.pool.execute("update clips set url = replace(url, 'hm=', 'hm=0')")
        await shop.set({"video_formats": ["webm"], "allowed_mime_types": ["video/webm"]})
        await shop.work_off()
        assert await shop.states() == {"stored": 1}

    async def test_a_channel_that_can_not_be_read(self, shop: Workshop) -> None:
        """Discord is not asked for what it would refuse; the reason names what the bot lacks."""
        await shop.post(None)
        await shop.post(None)
        await shop.pool.execute("update clips set url = replace(url, 'hm=', 'hm=0')")
        world = shop.simulator.world
        world.set_overwrite(shop.channel.id, world.bot_id, deny=int(Permission.READ_MESSAGE_HISTORY), member=True)
        await shop.work_off()
        rows = await shop.pool.fetch("select state::text, reason_code, reason from clips")
        assert {(row["state"], row["reason_code"]) for row in rows} == {("pending", "unreadable")}
        assert "Read Message History" in rows[0]["reason"]
        assert shop.simulator.stats.invalid == 0

    async def test_a_channel_that_can_not_be_seen(self, shop: Workshop) -> None:
        """However many clips it holds, Discord refuses one request."""
        for _ in range(5):
            await shop.post(None)
        await shop.pool.execute("update clips set url = replace(url, 'hm=', 'hm=0')")
        world = shop.simulator.world
        world.set_overwrite(shop.channel.id, world.bot_id, deny=int(Permission.VIEW_CHANNEL), member=True)
        await shop.work_off()
        assert await shop.pool.fetchval("select count(*) from clips where reason_code = 'unreadable'") == 5
        assert shop.simulator.stats.invalid <= 1

    async def test_a_404_that_is_not_discords(self, shop: Workshop) -> None:
        """Only Discord's own word makes a clip gone."""
        await shop.post(None)
        await shop.pool.execute("update clips set url = replace(url, 'hm=', 'hm=0')")
        shop.simulator.faults.add("page", "GET /channels/*/messages/*", status=404)
        await shop.work_off()
        assert (await shop.clip())["state"] == "pending"


class TestTurns:
    """Who comes when."""

    async def test_only_where_it_is_wanted(self, shop: Workshop) -> None:
        """A channel without `save_bytes` keeps its clips waiting, and goes on once that is on again."""
        other = shop.simulator.world.channels_of(shop.guild_id)[-1]
        await shop.post(None)
        await shop.post(None, channel=other)
        await shop.set({"save_bytes": False}, other)
        await shop.work_off()
        assert await shop.states() == {"stored": 1, "pending": 1}
        await shop.set({"save_bytes": True}, other)
        await shop.work_off()
        assert await shop.states() == {"stored": 2}

    async def test_switched_off_a_moment_ago(self, shop: Workshop) -> None:
        """What holds at the claim counts, not what was read a second before."""
        await shop.post(None)
        worker = shop.worker()
        async with shop.pool.acquire() as conn:
            await worker.places.look(conn)
        await shop.set({"save_bytes": False})
        assert not await worker.claim([uuid4()])
        assert await shop.pool.fetchval("select count(*) from downloads") == 0

    async def test_servers_take_turns(self, shop: Workshop) -> None:
        """A server with a thousand clips does not keep another's one waiting."""
        for _ in range(4):
            await shop.post(None)
        await shop.pool.execute("insert into bot_guilds (guild_id, name) values (1, 'small')")
        await shop.pool.execute("insert into bot_channels (channel_id, guild_id) values (2, 1)")
        await shop.pool.execute(
            "insert into messages (message_id, channel_id, guild_id, posted_at) values (3, 2, 1, now())"
        )
        await shop.pool.execute(
            "insert into clips (clip_id, message_id, channel_id, guild_id, filename, url, due_at) "
            "values ('3-4', 3, 2, 1, 'x.mp4', 'https://x', clock_timestamp())"
        )
        worker = shop.worker()
        guilds = []
        while (taken := await shop.claim(worker)) is not None:
            guilds.append(taken[0].guild_id)
        assert sorted(guilds[:2]) == [1, shop.guild_id]
        assert len(guilds) == 5

    async def test_several_with_one_claim(self, shop: Workshop) -> None:
        """As many as there are tokens for, those that are due first, each under a lease of its own."""
        posted = [await shop.post(None) for _ in range(3)]
        posted.append(await shop.post(None, channel=shop.simulator.world.channels_of(shop.guild_id)[-1]))
        for minutes, message in enumerate(reversed(posted)):
            await shop.pool.execute(
                "update clips set due_at = clock_timestamp() - make_interval(mins => $2) where message_id = $1",
                message.id,
                60 - minutes,
            )
        tokens = [uuid4() for _ in range(3)]
        worker = shop.worker()
        jobs = await worker.claim(tokens)
        assert [jobs[token].message_id for token in tokens] == [one.id for one in posted[:0:-1]]
        held = await shop.pool.fetch("select lease_token, clip_id, bytes from downloads")
        assert {tuple(row) for row in held} == {(token, job.clip_id, job.size) for token, job in jobs.items()}
        for token, job in jobs.items():
            await worker.work(job, Lease(token=token))
        left = [uuid4() for _ in range(3)]
        (last,) = (await worker.claim(left)).values()
        assert last.message_id == posted[0].id
        assert await shop.states() == {"stored": 3, "pending": 1}

    async def test_slots_are_shared_between_servers(self, shop: Workshop) -> None:
        """A claim leaves those of the other server to the next one."""
        await shop.post(*[None] * 4)
        await shop.pool.execute("insert into bot_guilds (guild_id, name) values (1, 'small')")
        await shop.pool.execute("update bot_channels set guild_id = 1 where channel_id <> $1", shop.channel.id)
        await shop.post(*[None] * 4, channel=shop.simulator.world.channels_of(shop.guild_id)[-1])
        await shop.pool.execute("update clips set guild_id = 1 where channel_id <> $1", shop.channel.id)
        worker = shop.worker()
        claimed: list[int] = []
        while len(claimed) < 6:
            jobs = await worker.claim([uuid4() for _ in range(6 - len(claimed))])
            claimed += [job.guild_id for job in jobs.values()]
        assert sorted(claimed) == sorted([1, shop.guild_id] * 3)

    async def test_what_others_take_at_the_same_moment(self, shop: Workshop) -> None:
        """Who comes second waits, and takes what is behind it."""
        await shop.post(*[None] * 4)
        worker = shop.worker()
        async with shop.pool.acquire() as conn:
            await worker.places.look(conn)
            await conn.execute("begin")
            first = await store.take(conn, [shop.channel.id], tokens=[uuid4(), uuid4()], lease=shop.lease_time)
            second = asyncio.create_task(worker.claim([uuid4(), uuid4()]))

            async def is_waiting() -> bool:
                return await shop.pool.fetchval("select exists (select from pg_locks where not granted)") is True

            await eventually(is_waiting)
            await conn.execute("commit")
        assert first is not None
        taken = [*first.values(), *(job.clip_id for job in (await second).values())]
        assert len(set(taken)) == 4

    async def test_a_large_look_goes_on_behind_itself(self, shop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
        """With more channels than one look takes, each has its turn."""
        monkeypatch.setattr("clipsaver.clips.saving.places.MOST_PLACES", 1)
        other = shop.simulator.world.channels_of(shop.guild_id)[-1]
        await shop.post(None)
        await shop.post(None, channel=other)
        worker = shop.worker()
        while (await shop.states()).get("stored") != 2:
            await shop.work_off(worker)


class TestLeases:
    """Whoever holds the token may write, and nobody else."""

    async def test_nobody_takes_what_is_in_hand(self, shop: Workshop) -> None:
        """Until the lease is over; then the attempts of the dead count too."""
        await shop.post(None)
        first = await shop.claim(shop.worker())
        assert first is not None
        assert await shop.claim(shop.worker()) is None
        await shop.due()
        second = await shop.claim(shop.worker())
        assert second is not None
        assert (first[0].attempts, second[0].attempts) == (1, 2)

    async def test_a_lost_one_writes_nothing(self, shop: Workshop) -> None:
        """Neither that it is stored, nor why not, nor a fresh link."""
        await shop.post(None)
        worker = shop.worker()
        first = await shop.claim(worker)
        assert first is not None
        await shop.due()
        second = await shop.claim(worker)
        assert second is not None
        with pytest.raises(LeaseLost):
            await worker.work(*first)
        assert (await shop.clip())["state"] == "pending"
        assert await shop.pool.fetchval("select count(*) from blobs") == 0
        shop.simulator.faults.add("gone", "GET /attachments/*", status=404)
        before = await shop.clip()
        with pytest.raises(LeaseLost):
            await worker.work(*first)
        assert await shop.clip() == before
        shop.simulator.faults.add("reset", "GET /attachments/*")
        shop.simulator.faults.faults.pop(0)
        with pytest.raises(LeaseLost):
            await worker.work(*first)
        assert await shop.clip() == before
        shop.simulator.faults.clear()
        await worker.work(*second)
        assert await shop.states() == {"stored": 1}
        await shop.check()

    async def test_kept_and_handed_back(self, shop: Workshop) -> None:
        """Renewed while it is ours; handed back as though it had not been claimed."""
        await shop.post(None)
        worker = shop.worker()
        taken = await shop.claim(worker)
        assert taken is not None
        job, lease = taken
        assert await worker.renew(job, lease.token)
        assert not await worker.renew(job, uuid4())
        await worker.release(job, lease.token)
        again = await shop.claim(worker)
        assert again is not None
        assert again[0].attempts == 1

    async def test_the_program_ends(self, shop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
        """What takes too long is broken off and handed back; what is nearly done is done."""
        await shop.post(None)
        worker = shop.worker()
        taken = await shop.claim(worker)
        assert taken is not None
        monkeypatch.setattr("clipsaver.work.draining.LAST_CHANCE", 0.05)
        shop.simulator.faults.add("stall", "GET /attachments/*", seconds=0.5)
        taken[1].draining.set()
        await worker.work(*taken)
        assert await shop.states() == {"pending": 1}
        assert await shop.pool.fetchval("select count(*) from downloads") == 0
        shop.simulator.faults.clear()
        monkeypatch.setattr("clipsaver.work.draining.LAST_CHANCE", 30)
        again = await shop.claim(worker)
        assert again is not None
        again[1].draining.set()
        await worker.work(*again)
        assert await shop.states() == {"stored": 1}

    async def test_begun_again_and_again(self, shop: Workshop) -> None:
        """A clip that every worker dies of is given up."""
        await shop.post(None)
        for _ in range(MOST_ATTEMPTS):
            assert await shop.claim(shop.worker()) is not None
            await shop.due()
        assert await shop.claim(shop.worker()) is None
        clip = await shop.clip()
        assert (clip["state"], clip["reason_code"]) == ("failed", "crashed")

    async def test_a_clip_that_vanishes_meanwhile(self, shop: Workshop) -> None:
        """Its bytes are left to the collector, with a row; nobody is charged."""
        message = await shop.post(None)
        worker = shop.worker()
        taken = await shop.claim(worker)
        assert taken is not None
        await shop.pool.execute("delete from messages where message_id = $1", message.id)
        await worker.work(*taken)
        assert await shop.states() == {}
        assert await shop.pool.fetchval("select count(*) from blobs") == 1
        await shop.check()

    async def test_one_that_ended_while_it_was_taken(self, shop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
        """A claim that comes a moment too late looks again, and takes nothing."""
        await shop.post(None)
        await shop.pool.execute("update clips set state = 'skipped'")
        worker = shop.worker()
        clip_id = (await shop.clip())["clip_id"]

        token = uuid4()
        takes: list[dict[UUID, str] | None] = [{token: clip_id}, None]

        async def take(*_: object, **__: object) -> dict[UUID, str] | None:
            return takes.pop(0)

        monkeypatch.setattr("clipsaver.clips.saving.store.take", take)
        place = Place(
            channel_id=shop.channel.id, guild_id=shop.guild_id, due_at=datetime.now(UTC), guild_settings={}, settings={}
        )
        worker.places._by_guild[shop.guild_id] = [place]
        worker.places._good_until = float("inf")
        assert not await worker.claim([uuid4()])
        assert takes == []

    async def test_a_crash_of_our_own(self, shop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
        """It is logged with a reference that the row shows, and tried again."""
        await shop.post(None)

        async def broken(*_: object, **__: object) -> None:
            raise ZeroDivisionError("secret")

        monkeypatch.setattr(steps.Save, "_bring", broken)
        with capture_logs() as logs:
            await shop.work_off()
        clip = await shop.clip()
        assert (clip["state"], clip["reason_code"]) == ("pending", "crashed")
        assert "reference" in clip["reason"]
        assert "secret" not in clip["reason"]
        assert "saving.crashed" in {line["event"] for line in logs}


class TestRoom:
    """Quotas and disks."""

    async def test_a_server_that_has_used_up_its_quota(self, shop: Workshop) -> None:
        """What fits is saved, the rest says why not; and is saved once there is room."""
        size = 300_000
        for number in range(5):
            await shop.post(VIDEO + bytes([number]) * (size - len(VIDEO)))
        await shop.set({"storage_quota_gb": 3.5 * size / 2**30})
        worker = shop.worker()
        await shop.work_off(worker)
        assert await shop.states() == {"stored": 3, "skipped": 2}
        left_out = await shop.pool.fetchrow("select * from clips where state = 'skipped' limit 1")
        assert left_out is not None
        assert left_out["reason_code"] == "over_quota"
        assert "storage_quota_gb" in left_out["reason"]
        assert await shop.pool.fetchval("select bytes from guild_usage") == 3 * size
        worker._heal_at = 0.0
        await shop.work_off(worker)
        assert await shop.states() == {"stored": 3, "skipped": 2}
        stored = await shop.pool.fetchval("select message_id from clips where state = 'stored' limit 1")
        await shop.pool.execute("delete from messages where message_id = $1", stored)
        worker._heal_at = 0.0
        await shop.work_off(worker)
        assert await shop.states() == {"stored": 3, "skipped": 1}
        await shop.set({})
        worker._heal_at = 0.0
        await shop.work_off(worker)
        assert await shop.states() == {"stored": 4}
        assert not await shop.pool.fetchval("select lacks_room from guild_usage")
        await shop.check_usage()

    async def test_room_is_reserved(self, shop: Workshop) -> None:
        """Two at once never take more than what is left, whatever becomes of the first."""
        size = 300_000
        for number in range(2):
            await shop.post(VIDEO + bytes([number]) * (size - len(VIDEO)))
        await shop.set({"storage_quota_gb": 1.5 * size / 2**30})
        worker, other = shop.worker(), shop.worker()
        first = await shop.claim(worker)
        assert first is not None
        assert await shop.claim(other) is None
        assert await shop.states() == {"pending": 2}
        await worker.work(*first)
        assert await shop.claim(other) is None
        assert await shop.states() == {"stored": 1, "skipped": 1}

    async def test_room_for_some_of_several(self, shop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
        """Those that fit are taken together; what is behind them waits for what becomes of them."""
        size = 300_000
        for number in range(3):
            await shop.post(VIDEO + bytes([number]) * (size - len(VIDEO)))
        worker = shop.worker()
        tokens = [uuid4() for _ in range(3)]
        await shop.set({"storage_quota_gb": 2.5 * size / 2**30})
        assert len(await worker.claim(tokens)) == 2
        assert await shop.pool.fetchval("select sum(bytes) from downloads") == 2 * size
        await shop.set({})
        await shop.due()

        async def left(_: object) -> int:
            return int(1.5 * size)

        monkeypatch.setattr(LocalStorage, "free_bytes", left)
        worker.places._good_until = 0.0
        worker.room._seen_at = float("-inf")
        (job,) = (await worker.claim(tokens)).values()
        assert job.size == size
        assert await shop.pool.fetchval("select count(*) from downloads where lease_until > now()") == 1

    async def test_nobody_knows_how_large_it_is(self, shop: Workshop) -> None:
        """It takes what is left, and not more."""
        data = VIDEO + bytes(300_000)
        await shop.post(data)
        await shop.pool.execute("update clips set size = null")
        await shop.set({"storage_quota_gb": 100_000 / 2**30})
        worker = shop.worker()
        await shop.work_off(worker)
        clip = await shop.clip()
        assert (clip["state"], clip["reason_code"]) == ("skipped", "over_quota")
        worker._heal_at = 0.0
        await shop.work_off(worker)
        assert (await shop.clip())["state"] == "skipped"
        await shop.set({})
        worker._heal_at = 0.0
        await shop.work_off(worker)
        assert await shop.states() == {"stored": 1}

    async def test_too_large_for_the_server(self, shop: Workshop) -> None:
        """Whether it is known before, or found out on the way; and another try once more is allowed."""
        await shop.post(VIDEO + bytes(2 * 2**20), VIDEO + bytes(3 * 2**20))
        await shop.pool.execute("update clips set size = null where size > 3 * 1024 * 1024")
        await shop.set({"max_file_size_mb": 1})
        await shop.work_off()
        rows = await shop.pool.fetch("select state::text, reason_code, reason from clips")
        assert [(row["state"], row["reason_code"]) for row in rows] == [("skipped", "too_large")] * 2
        await shop.set({})
        assert await shop.saving.retry(shop.guild_id) == 2
        await shop.work_off()
        assert await shop.states() == {"stored": 2}

    async def test_a_disk_that_fills_up(self, shop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
        """Downloads stop with one line in the log, lose no attempt, and go on by themselves."""
        await shop.post(None)
        await shop.post(None)
        worker = shop.worker()
        free = 10

        async def left(_: object) -> int:
            return free

        monkeypatch.setattr(LocalStorage, "free_bytes", left)
        with capture_logs() as logs:
            assert await shop.work_off(worker) == 0
            assert await shop.work_off(worker) == 0
            assert halted(worker) is not None
            free = 10**9
            worker.room._seen_at = float("-inf")
            assert await shop.work_off(worker) == 2
        events = [line["event"] for line in logs if line["event"] in {"saving.halted", "saving.goes_on"}]
        assert events == ["saving.halted", "saving.goes_on"]
        assert halted(worker) is None
        await shop.check()

    async def test_one_that_is_too_large_for_the_disk(self, shop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
        """It holds up the others only for as long as it waits."""
        large = await shop.post(VIDEO + bytes(10**6))
        await shop.post(None)
        worker = shop.worker()
        now = 1000.0
        worker.room.clock = lambda: now

        async def left(_: object) -> int:
            return 500_000

        monkeypatch.setattr(LocalStorage, "free_bytes", left)
        with capture_logs() as logs:
            for after in (0.0, 0.0, WANTED, WANTED):
                now += after
                assert await shop.claim(worker) is None
                assert halted(worker) is not None
            await shop.pool.execute("delete from messages where message_id = $1", large.id)
            assert await shop.claim(worker) is None
            now += WANTED
            assert await shop.work_off(worker) == 1
        events = [line["event"] for line in logs if line["event"] in {"saving.halted", "saving.goes_on"}]
        assert events == ["saving.halted", "saving.goes_on"]
        assert halted(worker) is None
        assert await shop.states() == {"stored": 1}

    @pytest.mark.parametrize("error", [StorageFull("No room."), StorageUnavailable("Away.")])
    async def test_a_storage_in_trouble(
        self, shop: Workshop, monkeypatch: pytest.MonkeyPatch, error: StorageFull | StorageUnavailable
    ) -> None:
        """Nothing half stays, no attempt is counted or forgotten, the storage gets a rest, and then it goes on."""
        await shop.post(None)
        await shop.pool.execute("update clips set attempts = 4")
        worker = shop.worker()
        keep = LocalStorage.keep

        async def failing(*_: object, **__: object) -> bytes:
            raise error

        monkeypatch.setattr(LocalStorage, "keep", failing)
        await shop.work_off(worker)
        clip = await shop.clip()
        assert (clip["state"], clip["attempts"], clip["reason"]) == ("pending", 4, error.message)
        assert halted(worker) == error.message
        assert await shop.claim(worker) is None
        monkeypatch.setattr(LocalStorage, "keep", keep)
        await shop.due()
        worker.room._until = 0.0
        await shop.work_off(worker)
        assert await shop.states() == {"stored": 1}
        assert halted(worker) is None
        await shop.check()

    async def test_bytes_that_are_being_removed(self, shop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
        """A clip is never stored on bytes that the collector has marked; once they are gone it brings its own."""
        await shop.post(VIDEO, VIDEO)
        worker = shop.worker()
        taken = await shop.claim(worker)
        assert taken is not None
        await worker.work(*taken)
        monkeypatch.setattr(steps, "REMOVAL", 0.01)
        await shop.pool.execute("update blobs set deleting_at = now()")
        keep = LocalStorage.keep
        kept = 0

        async def counting(self: LocalStorage, *args: object, **more: object) -> bytes:
            nonlocal kept
            kept += 1
            if kept == 2:
                sha256 = await shop.pool.fetchval("select sha256 from blobs")
                await self.delete(blob_name(sha256))
                await shop.pool.execute("delete from blobs")
            return await keep(self, *args, **more)  # type: ignore[arg-type]

        monkeypatch.setattr(LocalStorage, "keep", counting)
        again = await shop.claim(worker)
        assert again is not None
        await worker.work(*again)
        assert kept == 2
        assert (await shop.clip(again[0].clip_id))["state"] == "stored"
        await shop.pool.execute("update blobs set deleting_at = now()")
        await shop.post(VIDEO)
        await shop.work_off(worker)
        row = await shop.pool.fetchrow("select reason, due_at from clips where reason_code = 'storage'")
        assert row is not None
        assert row["reason"] == "The storage could not take the file just now: it is tried again soon."
        assert row["due_at"] > datetime.now(UTC)

    async def test_other_bytes_in_their_place(self, shop: Workshop) -> None:
        """What lies under a hash and has another length was never right: it is replaced, and the log says so."""
        await shop.post(VIDEO)
        await shop.work_off()
        path = shop.storage.local_path(blob_name((await shop.clip())["sha256"]))
        assert path is not None
        path.write_bytes(b"wrong")
        await shop.post(VIDEO)
        with capture_logs() as logs:
            await shop.work_off()
        assert [line["log_level"] for line in logs if line["event"] == "saving.wrong_bytes"] == ["error"]
        assert await shop.states() == {"stored": 2}
        await shop.check()

    async def test_a_storage_that_does_not_say(self, shop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
        """Nobody waits for long for whether the bytes are there: nothing is written, and it is tried again."""
        await shop.post(VIDEO)

        async def silent(*_: object) -> None:
            await asyncio.Event().wait()

        with monkeypatch.context() as patch:
            patch.setattr(LocalStorage, "look", silent)
            patch.setattr(steps, "LOOK", 0.01)
            await shop.work_off()
        clip = await shop.clip()
        assert (clip["state"], clip["attempts"], clip["reason_code"]) == ("pending", 0, "storage")
        assert await shop.pool.fetchval("select count(*) from blobs") == 0
        await shop.due()
        await shop.work_off()
        assert await shop.states() == {"stored": 1}


class TestAsking:
    """What people and metrics ask."""

    async def test_figures(self, shop: Workshop) -> None:
        """By state, with the reasons, for all, a server or a channel."""
        await shop.post(None)
        await shop.post(b"no video at all, only a text that says so")
        await shop.work_off()
        await shop.post(None)
        size = await shop.pool.fetchval("select sum(size) from blobs")
        everywhere = await shop.saving.of_all()
        assert everywhere.states == {"stored": 1, "failed": 1, "pending": 1}
        assert everywhere.bytes == size
        for one in (
            await shop.saving.of_guild(shop.guild_id),
            await shop.saving.of_channel(shop.guild_id, shop.channel.id),
        ):
            assert one.states == everywhere.states
            assert one.bytes == size
            assert one.reasons == {("failed", "wrong_content"): 1}
        nowhere = await shop.saving.of_guild(1)
        assert (nowhere.states, nowhere.bytes) == ({}, 0)

    async def test_another_try(self, shop: Workshop) -> None:
        """What was given up waits again, in that server and channel only, and never what is stored."""
        await shop.post(None, None, None)
        await shop.work_off()
        await shop.post(None)
        await shop.pool.execute("update clips set state = 'failed', attempts = 10 where state = 'pending'")
        assert await shop.saving.retry(1) == 0
        assert await shop.saving.retry(shop.guild_id, channels=[1]) == 0
        assert await shop.saving.retry(shop.guild_id, states=[ClipState.STORED, ClipState.GONE]) == 0
        assert await shop.saving.retry(shop.guild_id, channels=[shop.channel.id]) == 1
        assert await shop.states() == {"stored": 3, "pending": 1}
        assert await shop.work_off() == 1
        await shop.check()


async def test_usage_follows_the_clips(shop: Workshop) -> None:
    """Whatever happens to them: another state, another blob, their message's end, their channel's."""
    for _ in range(6):
        await shop.post(None)
    await shop.post(None, channel=shop.simulator.world.channels_of(shop.guild_id)[-1])
    await shop.work_off()
    await shop.check_usage()
    clips = [row["clip_id"] for row in await shop.pool.fetch("select clip_id from clips order by clip_id")]
    for statement in (
        "update clips set state = 'deleted' where clip_id = $1",
        "update clips set sha256 = (select min(sha256) from blobs) where clip_id = $1",
        "update clips set filename = 'y' where clip_id = $1",
        "delete from clips where clip_id = $1",
        'insert into clips select (jsonb_populate_record(c, \'{"clip_id": "1-1"}\')).* from clips c where clip_id = $1',
    ):
        await shop.pool.execute(statement, clips.pop(0))
        await shop.check_usage()
    await shop.pool.execute("delete from bot_channels where channel_id = $1", shop.channel.id)
    await shop.check_usage()
    await shop.pool.execute("delete from bot_guilds")
    assert await shop.pool.fetchval("select sum(bytes) from guild_usage") == 0
