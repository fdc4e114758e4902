"""What nobody needs goes, what anybody needs stays, and what looks odd as a whole is left alone."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest
from structlog.testing import capture_logs

from clipsaver.clips.storehouse import collecting, comparing
from clipsaver.clips.storehouse.model import WrongStorage
from clipsaver.media.storage import StorageUnavailable, Stored, blob_name
from clipsaver.media.storage.local import LocalStorage
from tests.clips.storehouse.bench import Bench, sha256
from tests.flows.waiting import eventually

DATA = b"a clip"


def something(**found: int) -> dict[str, int]:
    """What a run found; what is 0 may be missing."""
    return {name: number for name, number in found.items() if number}


async def collected(bench: Bench, **changed: Any) -> dict[str, int]:
    """What a run removed."""
    return something(**await bench.collect(**changed))


async def test_nothing_to_do(bench: Bench) -> None:
    """What is in order stays as it is."""
    await bench.store(DATA)
    await bench.store(DATA, guild_id=2)
    await bench.picture(DATA)
    await bench.age()
    assert await collected(bench) == {}
    assert len(await bench.pictures()) == 1
    await bench.check()


async def test_bytes_without_a_row(bench: Bench) -> None:
    """Go once they are old enough."""
    name = await bench.keep(DATA)
    assert await collected(bench) == {}
    assert await bench.storage.size(name) == len(DATA)
    await bench.age()
    with capture_logs() as logs:
        assert await collected(bench) == {"unknown": 1}
    assert await bench.storage.size(name) is None
    assert [(line["sha256"], line["known"]) for line in logs if line["event"] == "storehouse.removed"] == [
        (name[-64:], False)
    ]
    assert (bench.house.tally.removed["blob"], bench.house.tally.removed_bytes) == (1, len(DATA))
    await bench.check()


async def test_a_server_that_is_left(bench: Bench) -> None:
    """Its clips' bytes go with it, but for those that another server has too."""
    await bench.store(DATA)
    await bench.store(b"shared")
    await bench.store(b"shared", guild_id=2)
    pictures = [await bench.picture(DATA), await bench.picture(b"shared")]
    await bench.age()
    await bench.pool.execute("delete from bot_guilds where guild_id = 1")
    assert await collected(bench) == {"unused": 1, "pictures": 1}
    assert await bench.rows() == {sha256(b"shared")}
    assert await bench.pictures() == pictures[1:]
    await bench.check()


async def test_a_row_without_bytes(bench: Bench) -> None:
    """Its clips wait for them again."""
    clip_id = await bench.store(DATA)
    await bench.age()
    bench.path(DATA).unlink()
    assert await collected(bench) == {"lost": 1}
    assert (await bench.clip(clip_id))["reason_code"] == "lost"
    await bench.check()


async def test_a_young_row_without_a_clip(bench: Bench) -> None:
    """Whoever stores the same bytes meanwhile finds them there."""
    clip_id = await bench.store(DATA)
    await bench.pool.execute("delete from clips where clip_id = $1", clip_id)
    assert await collected(bench) == {}
    assert await bench.rows() == {sha256(DATA)}


async def test_leftovers(bench: Bench) -> None:
    """What downloads of long ago have left goes, what is being written stays."""
    async with bench.storage.incoming("left") as left:
        await left.write(b"half")
        await left.suspend()
    async with bench.storage.incoming() as being_written:
        await being_written.write(b"x")
        await being_written.flush()
        await bench.age()
        assert await collected(bench) == {"leftovers": 1}
        assert being_written.path.exists()


async def test_what_the_dead_have_marked(bench: Bench) -> None:
    """Is removed where nobody needs it, and else free again; a living one's mark is left alone."""
    used, unused, living = b"used", b"unused", b"living"
    await bench.store(used)
    for data in (unused, living):
        await bench.pool.execute("delete from clips where clip_id = $1", await bench.store(data))
    await bench.pool.execute("update blobs set deleting_at = clock_timestamp()")
    await bench.age()
    await bench.pool.execute("update blobs set deleting_at = clock_timestamp() where sha256 = $1", sha256(living))
    assert await collected(bench) == {"unused": 1}
    assert await bench.rows() == {sha256(used), sha256(living)}
    assert await bench.pool.fetchval("select count(*) from blobs where deleting_at is not null") == 1


async def test_stretch_by_stretch(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many there are of each kind, each is found, wherever it lies."""
    for module in (comparing, collecting):
        for name in {"STRETCH", "AT_ONCE"} & vars(module).keys():
            monkeypatch.setattr(module, name, 2)
    stay = {bytes([number]) for number in range(20)}
    for data in stay:
        await bench.store(data)
    gone = [await bench.store(bytes([number])) for number in range(50, 57)]
    await bench.pool.execute("delete from clips where clip_id = any($1)", gone)
    for number in range(100, 107):
        await bench.keep(bytes([number]))
        await bench.picture(bytes([number]))
    await bench.age()
    for number in range(20, 27):
        await bench.store(bytes([number]))
        bench.path(bytes([number])).unlink()
    await bench.pool.execute("update blobs set stored_at = now() - interval '3 days'")
    assert await collected(bench, most=1.0) == {"unused": 7, "unknown": 7, "lost": 7, "pictures": 7}
    assert await bench.rows() == {sha256(data) for data in stay}
    await bench.check()
    assert await collected(bench) == {}


async def test_a_database_of_another_day(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it knows too little of what lies there, nothing is removed until a person says so."""
    monkeypatch.setattr(collecting, "FEW_UNKNOWN", 3)
    await bench.store(DATA)
    for number in range(4):
        await bench.keep(bytes([number]))
    await bench.age()
    with pytest.raises(WrongStorage, match="Of 5 files in the storage the database knows nothing of 4"):
        await bench.collect()
    assert len(await bench.files()) == 5
    assert await collected(bench, most=1.0) == {"unknown": 4}


async def test_too_many_are_missing(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is removed, and no clip given up."""
    for number in range(10):
        await bench.store(bytes([number]))
    await bench.keep(DATA)
    await bench.age()
    for number in range(4):
        bench.path(bytes([number])).unlink()
    with pytest.raises(WrongStorage, match="Of 10 stored files 4 are not in the storage"):
        await bench.collect()
    assert sha256(DATA) in await bench.files()
    assert await bench.pool.fetchval("select count(*) from clips where state = 'stored'") == 10


async def test_uploads_that_nobody_may_list(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Are no reason to fail: the rest is done, and the log says it."""

    async def refused(*_: object, **__: object) -> int:
        raise StorageUnavailable("403")

    monkeypatch.setattr(LocalStorage, "abort_uploads", refused)
    await bench.keep(DATA)
    await bench.age()
    with capture_logs() as logs:
        assert await collected(bench) == {"unknown": 1}
    assert "storehouse.uploads_not_listed" in {line["event"] for line in logs}


async def test_it_stops_while_it_counts(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """And before a mark is made."""
    await bench.keep(DATA)
    await bench.age()
    await bench.picture(DATA)
    count = collecting.Collecting._count

    async def then_stops(self: collecting.Collecting, over: comparing.Comparing) -> None:
        await count(self, over)
        await bench.age()
        bench.house.stop()

    async def nothing(_: comparing.Comparing) -> AsyncIterator[Any]:
        for found in list[Any]():
            yield found

    monkeypatch.setattr(collecting.Collecting, "_count", then_stops)
    monkeypatch.setattr(comparing.Comparing, "blobs", nothing)
    assert (await bench.collect())["stopped"] is True
    assert len(await bench.pictures()) == 1


async def test_a_listing_in_no_order(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Can't be compared with anything: nothing is removed."""
    await bench.keep(DATA)
    await bench.keep(b"another")
    await bench.age()
    listing = LocalStorage.listing

    async def backwards(self: LocalStorage, *args: Any, **more: Any) -> AsyncIterator[Stored]:
        for stored in sorted([one async for one in listing(self, *args, **more)], key=lambda one: one.name)[::-1]:
            yield stored

    monkeypatch.setattr(LocalStorage, "listing", backwards)
    with pytest.raises(StorageUnavailable, match="in no order"):
        await bench.collect()
    assert len(await bench.files()) == 2


async def test_it_stops_when_it_is_told(bench: Bench) -> None:
    """After what it has in hand; the next run does the rest."""
    await bench.keep(DATA)
    await bench.age()
    bench.house.stop()
    assert (await bench.collect())["stopped"] is True
    assert await collected(bench, house=bench.process()) == {"unknown": 1}
    await bench.check()


class TestBesideSavers:
    """Someone stores the same bytes just now."""

    @pytest.mark.parametrize("known", [True, False])
    async def test_kept_before_the_mark(self, bench: Bench, *, known: bool) -> None:
        """They were brought a moment ago: they stay, whether a row knew them or not."""
        if known:
            await bench.pool.execute("delete from clips where clip_id = $1", await bench.store(DATA))
        else:
            await bench.keep(DATA)
        await bench.age()
        clip_id = await bench.post()
        save = await bench.take(clip_id)
        look = LocalStorage.look

        async def kept_meanwhile(self: LocalStorage, name: str) -> Stored | None:
            await bench.keep(DATA)
            return await look(self, name)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(LocalStorage, "look", kept_meanwhile)
            await bench.collect()
        assert await save.few.in_transaction(lambda conn: save._record(sha256(DATA), len(DATA), None, conn))
        assert (await bench.clip(clip_id))["state"] == "stored"
        assert bench.house.tally.removed["blob"] == 0
        await bench.check()

    @pytest.mark.parametrize("known", [True, False])
    async def test_recorded_while_they_are_removed(
        self, bench: Bench, monkeypatch: pytest.MonkeyPatch, *, known: bool
    ) -> None:
        """The bytes were kept, then removed, and then there is to be a row: they are brought once more."""
        if known:
            await bench.pool.execute("delete from clips where clip_id = $1", await bench.store(DATA))
        else:
            await bench.keep(DATA)
        await bench.age()
        monkeypatch.setattr("clipsaver.clips.saving.steps.REMOVAL", 0.01)
        reached, go_on = asyncio.Event(), asyncio.Event()
        delete = LocalStorage.delete

        async def slowly(self: LocalStorage, name: str) -> None:
            reached.set()
            await go_on.wait()
            await delete(self, name)

        monkeypatch.setattr(LocalStorage, "delete", slowly)
        collecting_now = asyncio.create_task(bench.collect())
        await reached.wait()
        storing = asyncio.create_task(bench.store(DATA))
        waiting = "select count(*) from pg_locks where locktype = 'advisory' and not granted"
        await eventually(partial(bench.pool.fetchval, waiting))
        go_on.set()
        await collecting_now
        clip_id = await storing
        assert (await bench.clip(clip_id))["state"] == "stored"
        await bench.check()

    async def test_needed_again_before_it_is_marked(self, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
        """A row without clips gets one between the look and the mark: it is not marked at all."""
        await bench.pool.execute("delete from clips where clip_id = $1", await bench.store(DATA))
        await bench.age()
        put = collecting.Collecting._put_in_order

        async def later(self: collecting.Collecting, *args: Any) -> None:
            await bench.store(DATA)
            await put(self, *args)

        monkeypatch.setattr(collecting.Collecting, "_put_in_order", later)
        assert await collected(bench) == {}
        await bench.check()

    async def test_needed_again_after_it_was_marked(self, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
        """Whoever writes a clip without looking at the mark (another program's row) is not robbed."""
        clip_id = await bench.store(DATA)
        await bench.pool.execute("update clips set state = 'deleted' where clip_id = $1", clip_id)
        await bench.age()
        removing = bench.house._removing(bench.house._reading(0.0))
        remove = type(removing)._remove

        async def later(self: Any, *args: Any, **more: Any) -> bool:
            await bench.pool.execute("update clips set state = 'stored' where clip_id = $1", clip_id)
            return await remove(self, *args, **more)

        monkeypatch.setattr(type(removing), "_remove", later)
        assert await collected(bench) == {}
        await bench.check()

    async def test_the_mark_was_taken_off(self, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
        """Whoever stood still for so long removes nothing any more."""
        await bench.pool.execute("delete from clips where clip_id = $1", await bench.store(DATA))
        await bench.age()
        removing = type(bench.house._removing(bench.house._reading(0.0)))
        remove = removing._remove
        stored = []

        async def after_a_while(self: Any, *args: Any, **more: Any) -> bool:
            await bench.age()
            stored.append(await bench.store(DATA))
            return await remove(self, *args, **more)

        monkeypatch.setattr(removing, "_remove", after_a_while)
        assert await collected(bench) == {}
        assert (await bench.clip(stored[0]))["state"] == "stored"
        await bench.check()

    async def test_a_picture_of_what_is_stored_again(self, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
        """It stays."""
        await bench.picture(DATA)
        await bench.age()
        remove = collecting.Collecting._remove_picture

        async def later(self: collecting.Collecting, *args: Any) -> bool:
            await bench.store(DATA)
            return await remove(self, *args)

        monkeypatch.setattr(collecting.Collecting, "_remove_picture", later)
        assert await collected(bench) == {}
        assert len(await bench.pictures()) == 1


async def test_a_death_between_bytes_and_row(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mark stays: nobody stores a clip on what is gone, and the next run takes the row too."""
    await bench.pool.execute("delete from clips where clip_id = $1", await bench.store(DATA))
    await bench.age()

    async def dies(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr("clipsaver.clips.storehouse.store.delete_blob", dies)
        with pytest.raises(ZeroDivisionError):
            await bench.collect()
    assert await bench.storage.size(blob_name(sha256(DATA))) is None
    assert await bench.pool.fetchval("select deleting_at is not null from blobs")
    await bench.age()
    assert await collected(bench) == {"unused": 1}
    await bench.check()
