"""What was lost is fetched again by the station that saves clips, if Discord still has it."""

from clipsaver.clips.storehouse.service import Storehouse
from clipsaver.media.storage import blob_name
from clipsaver.simulator import videos
from tests.clips.saving.conftest import shop
from tests.clips.saving.workshop import Workshop
from tests.clips.storehouse.bench import VERIFY

__all__ = ["shop"]  # a fixture

VIDEO = videos.base("mp4")


async def test_fetched_again(shop: Workshop) -> None:
    """Also where the link has died meanwhile; a message that is gone takes its clip along, and nothing else."""
    await shop.post(VIDEO)
    await shop.post(VIDEO + b"another")
    gone = await shop.post(VIDEO + b"gone")
    await shop.work_off()
    storehouse = Storehouse(pool=shop.pool, storage=shop.storage)
    await storehouse.settle()
    rows = await shop.pool.fetch("select clip_id, sha256 from clips order by message_id")
    for row in (rows[0], rows[2]):
        path = shop.storage.local_path(blob_name(row["sha256"]))
        assert path is not None
        path.unlink()
    await shop.pool.execute("update clips set url = replace(url, 'hm=', 'hm=0')")
    shop.simulator.world.delete_message(gone.channel_id, gone.id)
    assert (await storehouse.verify(VERIFY))["lost"] == 2
    assert await shop.states() == {"stored": 1, "pending": 2}
    assert await shop.work_off() == 2
    assert await shop.states() == {"stored": 2, "gone": 1}
    assert (await shop.clip(rows[0]["clip_id"]))["sha256"] == rows[0]["sha256"]
    await shop.check()
