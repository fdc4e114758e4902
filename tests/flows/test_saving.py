"""From a message to its clip's bytes: through the whole program, over real sockets."""

from pathlib import Path

from tests.flows.conftest import Build
from tests.flows.stock import LEFT, Stock, saved, served

FILE = "GET /attachments/{channel_id}/{attachment_id}/{filename}"
ELSEWHERE = "select count(*) from clips where state = 'failed' and reason_code = 'refused'"
"""What a message shows from somewhere else than Discord: nothing is fetched from there."""


async def test_from_the_message_to_the_bytes(build: Build) -> None:
    """A scan finds clips, and each is stored as it was served; the figures say so."""
    house = await build(messages=600, videos_percent=20, saving=True)
    clips = house.channel("clips")
    stock = Stock(folder=Path(house.settings["CLIPSAVER_DATA_DIR"]))
    async with house.open():
        await house.ask("/scan start")
        run = await house.ended(clips)
        await saved(house.pool)
        figures = await house.figures()
    there = await stock.check(house.pool, served(house.world, clips.id))
    elsewhere = await house.pool.fetchval(ELSEWHERE)
    assert there + elsewhere == run.clips_found > 100
    assert figures['clipsaver_clips{state="failed"}'] == elsewhere > 0
    assert stock.unfinished == []
    assert figures['clipsaver_clips{state="stored"}'] == there
    assert figures["clipsaver_clips_saved_total"] == there
    assert figures["clipsaver_stored_bytes"] == figures["clipsaver_bytes_saved_total"]
    assert figures["clipsaver_saving_halted"] == 0
    assert house.simulator.stats.requests[FILE] == there


async def test_where_bytes_are_not_wanted(build: Build) -> None:
    """With `save_bytes` off clips are found and nothing is fetched; switched on, they are."""
    house = await build(messages=300, videos_percent=20, saving=True)
    async with house.open():
        await house.ask("/settings set", key="save_bytes", value="no")
        await house.ask("/scan start")
        run = await house.ended(house.channel("clips"))
        assert house.simulator.stats.requests[FILE] == 0
        assert await house.pool.fetchval(LEFT) == run.clips_found > 0
        await house.ask("/settings set", key="save_bytes", value="yes")
        await saved(house.pool)
