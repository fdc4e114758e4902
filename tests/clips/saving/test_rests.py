"""Hosts that are left alone: nothing is claimed, and whatever waits keeps its turn."""

import asyncio
from datetime import timedelta
from uuid import uuid4

import pytest

from clipsaver.media.fetching.fetcher import Fetcher
from clipsaver.simulator import videos
from clipsaver.work.worker import Lease, Worker
from tests.clips.saving.workshop import Workshop
from tests.flows.waiting import eventually

VIDEO = videos.base("mp4")


async def test_nothing_is_claimed(shop: Workshop) -> None:
    """No row is touched; then what dies soonest is tried first, alone, and the others follow."""
    links = shop.simulator.world.links
    await shop.post(None, None)
    links.lifetime = 7200
    soon = await shop.post(None)
    links.lifetime = 86_400
    worker = shop.worker()
    tokens = [uuid4() for _ in range(3)]
    before = await shop.pool.fetch("select clips, xmin::text from clips order by clip_id")
    shop.host_rest._rest(3600)
    for _ in range(2):
        assert await worker.claim(tokens) == {}
    assert await shop.pool.fetch("select clips, xmin::text from clips order by clip_id") == before
    assert await shop.pool.fetchval("select count(*) from downloads") == 0
    shop.host_rest._until = 0.0
    ((token, job),) = (await worker.claim(tokens)).items()
    assert job.message_id == soon.id
    await worker.work(job, Lease(token=token))
    jobs = await worker.claim(tokens)
    assert len(jobs) == 2
    for token, job in jobs.items():
        await worker.work(job, Lease(token=token))
    assert await shop.states() == {"stored": 3}
    await shop.check()


async def test_what_is_in_hand_keeps_its_turn(shop: Workshop) -> None:
    """It is handed back as it was, with the bytes that had come."""
    await shop.post(VIDEO + bytes(4 * 2**20), None)
    shop.simulator.faults.add("truncate", "GET /attachments/*", count=1)
    worker = shop.worker()
    await shop.work_off(worker)
    (left,) = shop.unfinished
    await shop.due()
    await shop.post(None)
    worker.places._good_until = 0.0
    jobs = await worker.claim([uuid4(), uuid4()])
    assert len(jobs) == 2
    before = await shop.pool.fetch("select clips, xmin::text from clips order by clip_id")
    size = left.stat().st_size
    shop.host_rest._rest(3600)
    for token, job in jobs.items():
        await worker.work(job, Lease(token=token))
    assert await shop.pool.fetch("select clips, xmin::text from clips order by clip_id") == before
    assert await shop.pool.fetchval("select count(*) from downloads") == 0
    assert left.stat().st_size == size > 2**20
    shop.host_rest._until = 0.0
    await shop.work_off(worker)
    assert await shop.states() == {"stored": 3}
    assert shop.unfinished == []
    await shop.check()


async def test_a_worker_goes_on_by_itself(shop: Workshop) -> None:
    """Within a poll of the rest's end."""
    await shop.post(*[None] * 5)
    shop.host_rest._rest(3600)
    work = shop.worker()
    worker = Worker([work.station(concurrency=3, poll=timedelta(seconds=0.01))])
    looks = 0
    lets_begin = work.fetcher.lets_begin

    def looking() -> int:
        nonlocal looks
        looks += 1
        return lets_begin()

    async def has_looked() -> bool:
        return looks > 3

    async def all_stored() -> bool:
        return (await shop.states()).get("stored") == 5

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Fetcher, "lets_begin", lambda _: looking())
        running = asyncio.create_task(worker.run())
        await eventually(has_looked)
        assert worker.in_hand == {"saving": 0}
        assert await shop.states() == {"pending": 5}
        shop.host_rest._until = 0.0
        await eventually(all_stored)
        worker.stop()
        await running
    await shop.check()
