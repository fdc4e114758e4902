"""What people ask of pictures."""

import pytest

from clipsaver.clips.picturing.model import Pictured, Unmade
from clipsaver.media.probe.model import Failed
from clipsaver.media.sandbox.wire import Reason
from tests.clips.picturing.build import EXAMINED
from tests.clips.picturing.gallery import GUILD, OTHER_GUILD, Gallery, Scripted

FAIL = "update thumbnails set state = 'failed', reason = 'Why.', reason_code = 'x', attempts = 7 where sha256 = $1"


async def test_another_try(gallery: Gallery) -> None:
    """Of a clip's video, of a server's, or of all; each begins anew."""
    ours, theirs = await gallery.store(b"ours"), await gallery.store(b"theirs", guild_id=OTHER_GUILD)
    clip_id = await gallery.add_clip(ours, guild_id=OTHER_GUILD)
    for sha256 in (ours, theirs):
        await gallery.pool.execute(FAIL, sha256)
    pictures = gallery.pictures
    assert await pictures.of_all() == Pictured(waiting=0, failed=2, reasons={"Why.": 2})
    assert await pictures.retry(clip_id=clip_id) == 1
    assert await pictures.retry(clip_id=clip_id) == 0
    assert await pictures.retry(clip_id="nobody's") == 0
    assert await gallery.state(ours) == ("pending", None, 0)
    assert (await gallery.row(theirs))["state"] == "failed"
    assert await pictures.retry(guild_id=GUILD) == 0
    await gallery.pool.execute(FAIL, ours)
    assert await pictures.retry(guild_id=GUILD) == 1
    assert await pictures.retry(guild_id=OTHER_GUILD) == 1
    assert await pictures.of_all() == Pictured(waiting=2)
    for sha256 in (ours, theirs):
        await gallery.pool.execute(FAIL, sha256)
    assert await pictures.retry() == 2


async def test_what_waits_for_its_next_attempt_is_due_now(gallery: Gallery) -> None:
    """And begins anew; what is made, or in hand, is left alone."""
    await gallery.store(gallery.film())
    await gallery.work_off(gallery.worker(Scripted(answers=[Failed(Reason.CRASHED)])))
    assert await gallery.pictures.retry() == 1
    worker = gallery.worker(Scripted(answers=[EXAMINED]))
    taken = await gallery.claim(worker)
    assert taken is not None
    assert taken[0].attempts == 1
    assert await gallery.pictures.retry() == 0
    await worker.work(*taken)
    assert await gallery.pictures.retry() == 0
    assert (await gallery.row())["state"] == "made"


async def test_however_many(gallery: Gallery, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are written little by little, and the work ends."""
    monkeypatch.setattr("clipsaver.clips.picturing.service.AT_ONCE", 2)
    for number in range(5):
        await gallery.pool.execute(FAIL, await gallery.store(bytes([number])))
    monkeypatch.setattr("clipsaver.clips.picturing.service.MOST", 1)
    assert await gallery.pictures.retry() == 2
    monkeypatch.setattr("clipsaver.clips.picturing.service.MOST", 10)
    assert await gallery.pictures.retry() == 3


async def test_of_a_channel(gallery: Gallery, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own alone, among so many of all."""
    failing, waiting = await gallery.store(b"failing"), await gallery.store(b"waiting")
    await gallery.pool.execute(FAIL, failing)
    pictures = gallery.pictures
    channel_id = await gallery.pool.fetchval("select channel_id from clips where sha256 = $1", waiting)
    assert await pictures.of_channel(channel_id) == Unmade(waiting=1, failed=1, reasons={"Why.": 1})
    assert await pictures.of_channel(1) == Unmade()
    assert await pictures.retry(guild_id=GUILD, channels=[1]) == 0
    assert await pictures.retry(guild_id=GUILD, channels=[channel_id]) == 1
    monkeypatch.setattr("clipsaver.clips.picturing.service.LOOKED_AT", 1)
    assert (await pictures.of_channel(channel_id)).at_least
