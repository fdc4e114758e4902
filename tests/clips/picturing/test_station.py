"""From stored bytes to facts and pictures, and every way in which that can fail."""

import asyncio
from datetime import timedelta
from functools import partial
from uuid import uuid4

import pytest
from structlog.testing import capture_logs

from clipsaver.clips.model import Batch, FoundClip, Portion
from clipsaver.clips.picturing import steps
from clipsaver.clips.picturing.model import DELAYS, MOST_ATTEMPTS
from clipsaver.clips.saving.store import mark_stored, take
from clipsaver.clips.store import upsert_clips
from clipsaver.config import packaged
from clipsaver.errors import LeaseLost
from clipsaver.media.probe.model import Failed
from clipsaver.media.probe.studio import Studio
from clipsaver.media.sandbox.wire import Reason
from clipsaver.media.storage import Storage, StorageUnavailable, blob_name, picture_name
from clipsaver.media.storage.local import LocalStorage
from clipsaver.work.worker import Worker
from tests.clips.picturing.build import EXAMINED, FACTS
from tests.clips.picturing.gallery import CHANNEL, GUILD, Gallery, Scripted, resting
from tests.flows.waiting import eventually


async def test_facts_and_pictures(gallery: Gallery) -> None:
    """What a file says of itself is in its row; its pictures lie in the storage, as large as the row says."""
    sha256 = await gallery.store(gallery.film(width=640, height=360, audio="aac", frames=20))
    worker = gallery.worker()
    assert await gallery.work_off(worker) == 1
    row = await gallery.row()
    assert (row["state"], row["reason"], row["reason_code"], row["attempts"]) == ("made", None, None, 0)
    assert (row["lease_token"], row["lease_until"]) == (None, None)
    assert (row["container"], row["video_codec"], row["audio_codec"]) == ("mp4", "h264", "aac")
    assert (row["width"], row["height"], row["rotation"], row["pixel_format"]) == (640, 360, 0, "yuv420p")
    assert (row["has_audio"], row["plays_in_browsers"]) == (True, True)
    assert (row["duration_seconds"], row["frame_rate"]) == (pytest.approx(2, abs=0.1), pytest.approx(10))
    shown = await gallery.shown(sha256)
    assert {what: image.size for what, image in shown.items()} == {
        "320": (320, 180),
        "640": (640, 360),
        "preview": (320, 180),
    }
    assert await gallery.lying() == {picture_name(sha256, what) for what in shown}
    assert gallery.unfinished == []
    assert (worker.tally.made, worker.tally.not_made) == (1, 0)


async def test_sound_only(gallery: Gallery) -> None:
    """There is nothing to show, and that is no failure."""
    sha256 = await gallery.store(gallery.film(codec=None, audio="aac"))
    await gallery.work_off()
    row = await gallery.row(sha256)
    assert (row["state"], row["pictures"], row["video_codec"], row["has_audio"]) == ("made", {}, None, True)
    assert await gallery.lying() == set()


async def test_bytes_from_before_there_were_pictures(gallery: Gallery) -> None:
    """Whatever was stored earlier gets its row with the schema, and its turn in the order it was stored."""
    new, old = await gallery.store(gallery.film()), await gallery.store(gallery.film(frames=5))
    await gallery.pool.execute("delete from thumbnails")
    await gallery.pool.execute("update blobs set stored_at = now() - interval '1 year' where sha256 = $1", old)
    for _ in range(2):
        async with gallery.pool.acquire() as conn:
            await conn.execute(packaged("schema.sql"))
    taken = await gallery.claim(gallery.worker())
    assert taken is not None
    assert taken[0].sha256 == old
    await gallery.due()
    assert await gallery.work_off() == 2
    assert {(await gallery.row(one))["state"] for one in (old, new)} == {"made"}


class TestClips:
    """What Discord did not say of a clip."""

    async def test_is_filled_in(self, gallery: Gallery) -> None:
        """Whenever a clip of these bytes is stored; what Discord did say stays."""
        sha256 = await gallery.store(gallery.film(turn=90))
        told = await gallery.add_clip(sha256, size=(1, 2), seconds=3)
        await gallery.work_off()
        rows = await gallery.pool.fetch("select clip_id, width, height, duration_seconds from clips")
        found = {row["clip_id"]: tuple(row)[1:] for row in rows}
        assert found.pop(told) == (1, 2, 3)
        assert list(found.values()) == [(90, 160, pytest.approx(1.2, abs=0.1))]

    async def test_of_one_that_is_stored_later(self, gallery: Gallery) -> None:
        """The same bytes need no second look."""
        sha256 = await gallery.store(gallery.film())
        await gallery.work_off()
        clip_id, token = await gallery.add_clip(None, seconds=3), uuid4()
        async with gallery.pool.acquire() as conn:
            assert await take(conn, [CHANNEL], tokens=[token], lease=timedelta(minutes=1)) == {token: clip_id}
            assert await mark_stored(conn, clip_id, sha256, token=token)
        row = await gallery.clip(clip_id)
        assert (row["width"], row["height"], row["duration_seconds"]) == (160, 90, 3)

    async def test_stays_when_its_message_is_read_again(self, gallery: Gallery) -> None:
        """What Discord does not say takes nothing away; what it does say counts."""
        clip_id = await gallery.add_clip(await gallery.store(gallery.film(), clips=0))
        await gallery.work_off()
        said = FoundClip(
            clip_id=clip_id,
            message_id=int(clip_id.partition("-")[0]),
            attachment_id=None,
            filename="x.mp4",
            url="https://x/y",
            width=5,
        )
        portion = Portion(guild_id=GUILD, channel_id=CHANNEL, batch=Batch(found=(), ids=()), rules_hash="x")
        async with gallery.pool.acquire() as conn:
            await upsert_clips(conn, [(said, portion)])
        row = await gallery.clip(clip_id)
        assert (row["url"], row["width"], row["height"]) == ("https://x/y", 5, 90)
        assert row["duration_seconds"] == pytest.approx(1.2, abs=0.1)

    async def test_of_many_at_once(self, gallery: Gallery, monkeypatch: pytest.MonkeyPatch) -> None:
        """However many clips have the same bytes, few are written in one transaction."""
        monkeypatch.setattr(steps, "CLIPS_AT_ONCE", 2)
        await gallery.store(gallery.film(), clips=5)
        await gallery.work_off()
        assert await gallery.pool.fetchval("select count(*) from clips where duration_seconds > 1") == 5
        assert (await gallery.row())["state"] == "made"


class TestFailures:
    """Videos of which there are no pictures."""

    async def test_one_that_is_broken(self, gallery: Gallery) -> None:
        """It is tried again as promised, says why in the end, and its clip stays as it is."""
        await gallery.store(b"\0" * 5000)
        worker = gallery.worker()
        for number, delay in enumerate(DELAYS, start=1):
            assert await gallery.work_off(worker) == 1
            assert await gallery.state() == ("pending", "not_a_video", number)
            assert await gallery.waits() == delay
            await gallery.due()
        await gallery.work_off(worker)
        row = await gallery.row()
        assert (row["state"], row["reason"]) == ("failed", "This file is not a video. It was tried 7 times.")
        await gallery.due()
        assert await gallery.work_off() == 0
        assert await gallery.pool.fetchval("select state::text from clips") == "stored"
        assert (worker.tally.made, worker.tally.not_made) == (0, 7)

    async def test_what_will_not_change(self, gallery: Gallery) -> None:
        """It has failed at once; what was found out all the same is kept."""
        await gallery.store(gallery.film())
        await gallery.work_off(gallery.worker(Scripted(answers=[Failed(Reason.UNSUPPORTED, FACTS)])))
        row = await gallery.row()
        assert (row["state"], row["reason_code"], row["reason"]) == (
            "failed",
            "unsupported",
            "The video is in a format that can't be decoded here.",
        )
        assert (row["container"], row["width"], row["plays_in_browsers"]) == ("mp4", 160, True)

    async def test_holds_up_no_other(self, gallery: Gallery) -> None:
        """Those behind a broken one have their turn; also when the program dies over it each time."""
        bad = await gallery.store(b"\0" * 5000)
        good = [await gallery.store(gallery.film(frames=number)) for number in (3, 4)]
        worker = gallery.worker()
        order = []
        for _ in range(2):  # nobody comes back from these, and their leases run out
            taken = await gallery.claim(worker)
            assert taken is not None
            order.append(taken[0].sha256)
            await gallery.pool.execute("update thumbnails set lease_until = clock_timestamp() - interval '1 second'")
        assert order == [bad, good[0]]
        assert await gallery.work_off(worker) == 3
        assert [(await gallery.row(one))["state"] for one in good] == ["made", "made"]
        assert await gallery.state(bad) == ("pending", "not_a_video", 2)

    async def test_nobody_ever_came_back(self, gallery: Gallery) -> None:
        """What ended the program again and again is given up, and says so."""
        await gallery.store(gallery.film())
        worker = gallery.worker()
        for _ in range(MOST_ATTEMPTS):
            assert await gallery.claim(worker) is not None
            await gallery.due()
        assert await gallery.claim(worker) is None
        row = await gallery.row()
        assert (row["state"], row["reason_code"]) == ("failed", "interrupted")
        assert row["reason"].startswith("It was begun 7 times")

    async def test_too_many_to_be_given_up_in_one_claim(
        self, gallery: Gallery, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A claim ends, whatever it finds."""
        monkeypatch.setattr("clipsaver.clips.picturing.station.MOST_PASSED_OVER", 1)
        for number in (3, 4):
            await gallery.store(gallery.film(frames=number))
        await gallery.pool.execute("update thumbnails set attempts = $1", MOST_ATTEMPTS)
        assert await gallery.claim(gallery.worker()) is None
        assert await gallery.pool.fetchval("select count(*) from thumbnails where state = 'failed'") == 1

    async def test_something_of_ours(self, gallery: Gallery) -> None:
        """It is logged with a reference that the row has too."""
        await gallery.store(gallery.film())
        with capture_logs() as lines:
            await gallery.work_off(gallery.worker(Scripted(answers=[ZeroDivisionError()])))
        row = await gallery.row()
        assert (row["state"], row["reason_code"]) == ("pending", "crashed")
        (reference,) = [line["reference"] for line in lines if line["event"] == "pictures.crashed"]
        assert reference in row["reason"]

    async def test_no_child_can_be_started(self, gallery: Gallery) -> None:
        """Others are spared for a while, and it goes on by itself."""
        for number in (3, 4):
            await gallery.store(gallery.film(frames=number))
        worker = gallery.worker(Scripted(answers=[Failed(Reason.UNAVAILABLE), Failed(Reason.DAMAGED), EXAMINED]))
        assert await gallery.work_off(worker) == 1
        assert resting(worker) == "The video could not be looked at: the program for it did not start."
        worker.pause._until = 0.0
        assert await gallery.work_off(worker) == 1
        assert resting(worker) is None
        rows = await gallery.pool.fetch("select attempts, reason_code from thumbnails order by reason_code desc")
        assert [tuple(row) for row in rows] == [(1, "unavailable"), (1, "damaged")]


class TestStorage:
    """Storages in trouble."""

    async def test_out_of_reach(self, gallery: Gallery, monkeypatch: pytest.MonkeyPatch) -> None:
        """No attempt is lost, nobody hurries, and it goes on by itself."""
        for number in (3, 4):
            await gallery.store(gallery.film(frames=number))

        async def away(*_: object) -> int:
            raise StorageUnavailable("The disk is away.")

        worker = gallery.worker()
        with monkeypatch.context() as patch:
            patch.setattr(LocalStorage, "size", away)
            assert await gallery.work_off(worker) == 1
        assert resting(worker) == "The disk is away."
        tried = await gallery.pool.fetch("select attempts, due_at > clock_timestamp() from thumbnails order by 2")
        assert [tuple(row) for row in tried] == [(0, False), (0, True)]
        await gallery.due()
        worker.pause._until = 0.0
        assert await gallery.work_off(worker) == 2
        assert resting(worker) is None
        assert worker.tally.made == 2

    async def test_that_can_not_take_pictures(self, gallery: Gallery, monkeypatch: pytest.MonkeyPatch) -> None:
        """It is the storage's trouble when they can't be written."""
        await gallery.store(gallery.film())

        async def full(*_: object) -> None:
            raise StorageUnavailable("There is no room.")

        monkeypatch.setattr(LocalStorage, "put_picture", full)
        await gallery.work_off(gallery.worker(Scripted(answers=[EXAMINED])))
        assert await gallery.state() == ("pending", "storage", 0)

    async def test_without_the_bytes(self, gallery: Gallery) -> None:
        """They may be brought back: it is tried again, but not for ever."""
        sha256 = await gallery.store(gallery.film())
        await gallery.storage.delete(blob_name(sha256))
        await gallery.work_off()
        assert await gallery.state() == ("pending", "missing", 1)

    async def test_with_others(self, gallery: Gallery) -> None:
        """What is no longer what was stored is not looked at."""
        sha256 = await gallery.store(gallery.film())
        path = gallery.storage.local_path(blob_name(sha256))
        assert path is not None
        path.write_bytes(b"something else")
        await gallery.work_off()
        assert await gallery.state() == ("pending", "missing", 1)
        assert "14 bytes" in (await gallery.row())["reason"]

    async def test_in_a_bucket(self, gallery: Gallery, s3: Storage) -> None:
        """A copy is looked at, and gone afterwards; where it would not fit, nothing is lost."""
        gallery.storage = s3
        sha256 = await gallery.store(gallery.film())
        s3.reserve = 2**60
        await gallery.work_off()
        assert await gallery.state() == ("pending", "no_room", 0)
        s3.reserve = 0
        await gallery.due()
        await gallery.work_off()
        assert await gallery.state() == ("made", None, 0)
        assert set(await gallery.shown(sha256)) == {"320", "640", "preview"}
        assert gallery.unfinished == []


class TestLeases:
    """Who may write."""

    async def test_one_worker_at_a_time(self, gallery: Gallery) -> None:
        """A video in hand is nobody else's, until its lease runs out; then the first one writes nothing."""
        await gallery.store(gallery.film())
        first, second = gallery.worker(Scripted(answers=[Failed(Reason.DAMAGED)])), gallery.worker()
        taken = await gallery.claim(first)
        assert taken is not None
        assert await gallery.claim(second) is None
        assert await first.renew(taken[0], taken[1].token)
        await gallery.due()
        again = await gallery.claim(second)
        assert again is not None
        assert again[0].attempts == 2
        assert not await first.renew(taken[0], taken[1].token)
        with pytest.raises(LeaseLost):
            await first.work(*taken)
        first.studio = Scripted(answers=[EXAMINED])
        with pytest.raises(LeaseLost):
            await first.work(*taken)
        await first.release(taken[0], taken[1].token)
        assert await gallery.lying() == set()
        assert await gallery.state() == ("pending", None, 2)
        await second.work(*again)
        assert (await gallery.row())["state"] == "made"

    async def test_lost_at_the_last_moment(self, gallery: Gallery, monkeypatch: pytest.MonkeyPatch) -> None:
        """Whoever lost it while the pictures were being kept writes nothing of them."""
        await gallery.store(gallery.film())
        worker = gallery.worker(Scripted(answers=[EXAMINED]))
        taken = await gallery.claim(worker)
        assert taken is not None

        async def meanwhile(*_: object) -> None:
            await gallery.due()
            await gallery.claim(gallery.worker())

        monkeypatch.setattr(LocalStorage, "put_picture", meanwhile)
        with pytest.raises(LeaseLost):
            await worker.work(*taken)
        assert (await gallery.row())["state"] == "pending"

    async def test_from_before_the_clock_was_set_back(self, gallery: Gallery) -> None:
        """Neither a lease nor a wait that is longer than any can be keeps a video from its turn."""
        await gallery.store(gallery.film())
        worker = gallery.worker()
        for column in ("lease_until", "due_at"):
            await gallery.pool.execute(f"update thumbnails set {column} = clock_timestamp() + interval '1 year'")  # noqa: S608 - ours
            taken = await gallery.claim(worker)
            assert taken is not None
            await worker.release(taken[0], taken[1].token)
        await gallery.pool.execute("update thumbnails set due_at = clock_timestamp() + interval '1 day'")
        assert await gallery.claim(worker) is None


class TestRemoval:
    """Bytes that are to go."""

    async def test_are_not_looked_at(self, gallery: Gallery) -> None:
        """A mark on the blob is enough; with the blob its row goes."""
        sha256 = await gallery.store(gallery.film())
        await gallery.pool.execute("update blobs set deleting_at = now()")
        assert await gallery.work_off() == 0
        await gallery.pool.execute("update clips set state = 'pending', sha256 = null")
        await gallery.pool.execute("delete from blobs where sha256 = $1", sha256)
        assert await gallery.pool.fetchval("select count(*) from thumbnails") == 0

    async def test_marked_while_they_are_looked_at(self, gallery: Gallery) -> None:
        """No picture is kept, and no attempt is lost, should they stay after all."""
        await gallery.store(gallery.film())
        mark = partial(gallery.pool.execute, "update blobs set deleting_at = now()")
        await gallery.work_off(gallery.worker(Scripted(answers=[EXAMINED], meanwhile=mark)))
        assert await gallery.lying() == set()
        await gallery.pool.execute("update blobs set deleting_at = null")
        assert await gallery.state() == ("pending", None, 0)
        await gallery.work_off()
        assert (await gallery.row())["state"] == "made"

    async def test_marked_at_the_last_moment(self, gallery: Gallery, monkeypatch: pytest.MonkeyPatch) -> None:
        """Pictures may lie there then, but no row says so."""
        await gallery.store(gallery.film())

        async def mark(*_: object) -> None:
            await gallery.pool.execute("update blobs set deleting_at = now()")

        monkeypatch.setattr(LocalStorage, "put_picture", mark)
        await gallery.work_off(gallery.worker(Scripted(answers=[EXAMINED])))
        assert await gallery.state() == ("pending", None, 0)

    async def test_gone_while_they_are_looked_at(self, gallery: Gallery) -> None:
        """There is nothing to write to."""
        await gallery.store(gallery.film(), clips=0)
        worker = gallery.worker(
            Scripted(answers=[EXAMINED], meanwhile=partial(gallery.pool.execute, "delete from blobs"))
        )
        taken = await gallery.claim(worker)
        assert taken is not None
        with pytest.raises(LeaseLost):
            await worker.work(*taken)
        assert await gallery.lying() == set()


class TestWorker:
    """The station in a worker's hands."""

    async def test_several_at_once_and_none_twice(self, gallery: Gallery) -> None:
        """Each process has as many children as it is told, and all of them together look at each video once."""
        for number in range(1, 13):
            await gallery.store(gallery.film(frames=number))
        works = [gallery.worker(Scripted(answers=[EXAMINED], children=3)) for _ in range(2)]
        workers = [Worker([work.station(poll=timedelta(seconds=0.05))]) for work in works]
        running = [asyncio.create_task(worker.run()) for worker in workers]

        async def all_made() -> bool:
            left = await gallery.pool.fetchval("select count(*) from thumbnails where state <> 'made'")
            return not left

        await eventually(all_made)
        for worker in workers:
            worker.stop()
        await asyncio.gather(*running)
        assert sum(work.tally.made for work in works) == 12
        assert (await gallery.pictures.of_all()).waiting == 0

    async def test_hands_back_what_takes_too_long(self, gallery: Gallery, monkeypatch: pytest.MonkeyPatch) -> None:
        """When the program is about to end, a video that is being looked at is as if it had not been claimed."""
        monkeypatch.setattr("clipsaver.work.draining.LAST_CHANCE", 0.05)
        await gallery.store(gallery.film())
        looking, never = asyncio.Event(), asyncio.Event()

        async def wait() -> None:
            looking.set()
            await never.wait()

        work = gallery.worker(Scripted(answers=[EXAMINED], meanwhile=wait))
        worker = Worker([work.station(poll=timedelta(seconds=0.05))])
        running = asyncio.create_task(worker.run())
        await looking.wait()
        worker.stop()
        await running
        row = await gallery.row()
        assert (row["state"], row["attempts"], row["lease_token"]) == ("pending", 0, None)

    async def test_a_real_child_is_gone_with_it(self, gallery: Gallery) -> None:
        """A worker that is cancelled leaves no child behind, and the video to others."""
        await gallery.store(gallery.film(width=1280, height=720, frames=60))
        work = gallery.worker(Studio())
        taken = await gallery.claim(work)
        assert taken is not None
        task = asyncio.create_task(work.work(*taken))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await work.release(taken[0], taken[1].token)
        assert await gallery.state() == ("pending", None, 0)
