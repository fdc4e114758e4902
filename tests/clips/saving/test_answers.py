"""What the CDN can answer instead of the file, and what becomes of the clip."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from clipsaver.clips.saving.model import FIRST_DELAY, MOST_ATTEMPTS
from clipsaver.media.fetching.fetcher import Fetcher
from clipsaver.simulator import videos
from clipsaver.simulator.faults import Kind
from clipsaver.work.worker import Lease
from tests.clips.saving.conftest import HASTY, QUICK
from tests.clips.saving.workshop import Workshop

VIDEO = videos.base("mp4")


@pytest.mark.parametrize(
    ("kind", "options", "state", "why"),
    [
        ("drip", {"seconds": 0.01}, "pending", "interrupted"),
        ("stall", {"seconds": 60}, "pending", "interrupted"),
        ("break", {}, "pending", "interrupted"),
        ("status", {}, "pending", "interrupted"),
        ("page", {"status": 502}, "pending", "interrupted"),
        ("reset", {}, "pending", "interrupted"),
        ("truncate", {}, "pending", "interrupted"),
        ("half", {}, "pending", "interrupted"),
        ("unsatisfiable", {}, "pending", "interrupted"),
        ("not_json", {}, "pending", "wrong_content"),
        ("long", {}, "pending", "wrong_content"),
        ("wrong_type", {}, "pending", "wrong_content"),
        ("gzip", {}, "pending", "wrong_content"),
        ("forbidden", {}, "pending", "link_dead"),
        ("gone", {"status": 403}, "pending", "link_dead"),
        ("gone", {"status": 404}, "pending", "link_dead"),
        ("redirect", {"location": "http://169.254.169.254/"}, "failed", "refused"),
        ("redirect", {"location": "http://10.0.0.1/x"}, "failed", "refused"),
    ],
)
async def test_each_has_its_state(shop: Workshop, kind: Kind, options: dict[str, Any], state: str, why: str) -> None:
    """No wrong bytes ever, nothing left lying about, and once all is well the right ones."""
    await shop.post(None)
    shop.simulator.faults.add(kind, "GET /attachments/*", **options)
    worker = shop.worker()
    limits = HASTY if kind in {"drip", "stall"} else QUICK
    async with Fetcher([shop.simulator.cdn_origin], limits=limits) as worker.fetcher:
        await shop.work_off(worker)
    clip = await shop.clip()
    assert (clip["state"], clip["reason_code"], clip["attempts"]) == (state, why, 1)
    assert clip["reason"]
    assert clip["sha256"] is None
    assert await shop.pool.fetchval("select count(*) from blobs") == 0
    assert [one.name async for one in shop.storage.listing("blobs")] == []
    assert kind in {"stall", "break", "truncate"} or shop.unfinished == []  # of these there is half for the next
    shop.simulator.faults.clear()
    await shop.saving.retry(shop.guild_id)
    await shop.due()
    worker.fetcher = shop.fetcher
    await shop.work_off(worker)
    assert await shop.states() == {"stored": 1}
    assert shop.unfinished == []
    await shop.check()


async def test_no_video_at_all(shop: Workshop) -> None:
    """A text that calls itself a video is none, and stays a text however often it is fetched."""
    await shop.post(b"just some text, and no video at all, however it is called")
    await shop.work_off()
    clip = await shop.clip()
    assert (clip["state"], clip["reason_code"]) == ("failed", "wrong_content")


async def test_a_busy_host(shop: Workshop) -> None:
    """It says for how long, and no attempt is counted; those before are not forgotten."""
    await shop.post(None)
    shop.simulator.faults.add("status", "GET /attachments/*", status=503)
    await shop.work_off()
    clip = await shop.clip()
    assert (clip["state"], clip["attempts"]) == ("pending", 0)
    await shop.pool.execute("update clips set attempts = 4")
    await shop.due()
    shop.host_rest._until = 0.0
    assert await shop.work_off() == 1
    clip = await shop.clip()
    assert (clip["state"], clip["attempts"]) == ("pending", 4)


async def test_a_host_that_always_fails(shop: Workshop) -> None:
    """However its rests fall between the attempts, all its clips are given up in the end."""
    await shop.post(None, None)
    shop.simulator.faults.add("reset", "GET /attachments/*")
    worker = shop.worker()
    rounds = 0
    while (await shop.states()).get("pending"):
        rounds += 1
        assert rounds <= 4 * MOST_ATTEMPTS
        await shop.due()
        worker.places._good_until = 0.0
        shop.host_rest._until = 0.0
        jobs = list((await worker._claiming([uuid4(), uuid4()])).items())
        for token, job in jobs if rounds % 2 else reversed(jobs):
            await worker.work(job, Lease(token=token))
    rows = await shop.pool.fetch("select state::text, reason_code, attempts from clips")
    assert [tuple(row) for row in rows] == [("failed", "interrupted", MOST_ATTEMPTS)] * 2
    assert shop.unfinished == []


async def test_what_came_is_not_fetched_again(shop: Workshop) -> None:
    """An attempt that broke off leaves its bytes to the next one, and is none if enough came: not even the last."""
    data = VIDEO + bytes(4 * 2**20)
    await shop.post(data)
    await shop.pool.execute("update clips set attempts = $1", MOST_ATTEMPTS - 1)
    shop.simulator.faults.add("truncate", "GET /attachments/*", count=1)
    worker = shop.worker()
    await shop.work_off(worker)
    clip = await shop.clip()
    assert (clip["state"], clip["attempts"]) == ("pending", 0)
    assert clip["due_at"] - datetime.now(UTC) <= FIRST_DELAY
    (left,) = shop.unfinished
    await shop.due()
    taken = await shop.claim(worker)
    assert taken is not None
    await worker.work(*taken)
    assert await shop.states() == {"stored": 1}
    assert not left.exists()
    await shop.check()


@pytest.mark.parametrize(
    ("head", "media_type"), [(videos.base("webm"), "video/webm"), ((b"G" + bytes(187)) * 30, "video/mp2t")]
)
async def test_what_it_is_after_all(shop: Workshop, head: bytes, media_type: str) -> None:
    """The bytes say so, not the host, also where one part came later than the other."""
    await shop.post(head + bytes(4 * 2**20))
    shop.simulator.faults.add("truncate", "GET /attachments/*", count=1)
    worker = shop.worker()
    await shop.work_off(worker)
    assert len(shop.unfinished) == 1
    await shop.due()
    await shop.work_off(worker)
    assert await shop.states() == {"stored": 1}
    assert await shop.pool.fetchval("select media_type from blobs") == media_type
