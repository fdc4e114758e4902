"""Who posts what another server has already finds what the first one found."""

from datetime import UTC, datetime

from clipsaver.clips.picturing.service import Pictures
from clipsaver.simulator import videos
from clipsaver.words import saving as words
from tests.clips.saving.workshop import FILE, Workshop

VIDEO = videos.base("mp4")


async def test_pictures_that_failed_before(shop: Workshop) -> None:
    """The file is fetched all the same, and charged; of its pictures nothing is known yet."""
    other = shop.simulator.world.channels_of(shop.guild_id)[-1]
    pictures = Pictures(pool=shop.pool)
    asked = shop.simulator.stats.requests

    async def told(guild_id: int, channel_id: int) -> list[str]:
        unmade = await pictures.of_channel(channel_id)
        return list(words.standing(await shop.saving.standing(guild_id, channel_id), unmade))

    await shop.post(VIDEO)
    await shop.work_off()
    first = await told(shop.guild_id, shop.channel.id)
    assert asked[FILE] == 1
    await shop.pool.execute(
        "update thumbnails set state = 'failed', reason_code = 'broken', attempts = 7, "
        "reason = 'The file is damaged. It was tried 7 times.'"
    )
    assert "It was tried 7 times." in "".join(await told(shop.guild_id, shop.channel.id))
    await shop.pool.execute("insert into bot_guilds (guild_id, name) values (1, 'another')")
    await shop.pool.execute("update bot_channels set guild_id = 1 where channel_id = $1", other.id)
    await shop.post(VIDEO, channel=other)
    await shop.pool.execute("update clips set guild_id = 1 where channel_id = $1", other.id)
    await shop.work_off()
    assert await shop.states() == {"stored": 2}
    assert asked[FILE] == 2
    usage = await shop.pool.fetch("select guild_id, clips, bytes from guild_usage")
    assert {tuple(row) for row in usage} == {(1, 1, len(VIDEO)), (shop.guild_id, 1, len(VIDEO))}
    assert await told(1, other.id) == first
    row = await shop.pool.fetchrow("select * from thumbnails")
    assert row is not None
    assert (row["state"], row["reason"], row["reason_code"], row["attempts"]) == ("pending", None, None, 0)
    assert row["due_at"] <= datetime.now(UTC)
    await shop.check()


async def test_pictures_that_were_made(shop: Workshop) -> None:
    """They stay; so does the turn of one that waits for its next attempt."""
    await shop.post(VIDEO)
    await shop.work_off()
    for state in ("made", "pending"):
        await shop.pool.execute("update thumbnails set state = $1, attempts = 3, due_at = '2100-01-01'", state)
        before = await shop.pool.fetchrow("select * from thumbnails")
        await shop.post(VIDEO)
        await shop.work_off()
        assert await shop.pool.fetchrow("select * from thumbnails") == before
