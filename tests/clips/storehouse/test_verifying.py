"""Stored bytes are read again: what is missing or has changed is fetched again, and nothing else is touched."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from structlog.testing import capture_logs

from clipsaver.clips.storehouse.model import Blob, WrongStorage
from clipsaver.clips.storehouse.reading import Reading
from clipsaver.media.storage import Storage, StorageUnavailable, blob_name
from clipsaver.media.storage.local import LocalStorage
from tests.clips.storehouse.bench import Bench, sha256

DATA = b"a clip"


async def test_all_is_well(bench: Bench) -> None:
    """Every blob is read once, and its row says when."""
    for number in range(5):
        await bench.store(bytes([number]) * 1000)
    began = datetime.now(UTC) - timedelta(seconds=1)
    said = await bench.verify()
    assert said == {"verified": 5, "bytes": 5000, "lost": 0, "unreadable": 0, "behind": 0}
    rows = await bench.pool.fetch("select verified_at, checking_until from blobs")
    assert all(row["verified_at"] > began and row["checking_until"] is None for row in rows)
    assert (bench.house.tally.verified, bench.house.tally.verified_bytes) == (5, 5000)
    await bench.check()


async def test_a_share_and_the_oldest_first(bench: Bench) -> None:
    """After as many runs as there are shares all were read, none twice."""
    for number in range(10):
        await bench.store(bytes([number]) * 10)
        await bench.pool.execute(
            "update blobs set stored_at = now() - interval '100 days' + $2 * interval '1 day' where sha256 = $1",
            sha256(bytes([number]) * 10),
            number,
        )
    for done in (4, 8, 10):
        await bench.verify(share=0.4)
        rows = await bench.pool.fetch("select sha256 from blobs where verified_at is not null")
        assert {row["sha256"] for row in rows} == {sha256(bytes([number]) * 10) for number in range(done)}


async def test_missing_bytes_are_fetched_again(bench: Bench) -> None:
    """Its clips wait again, each with a reason, and the log says how many."""
    first, second = await bench.store(DATA), await bench.store(DATA, guild_id=2)
    other = await bench.store(b"another")
    bench.path(DATA).unlink()
    with capture_logs() as logs:
        assert (await bench.verify())["lost"] == 1
    for clip_id in (first, second):
        clip = await bench.clip(clip_id)
        assert (clip["state"], clip["reason_code"], clip["sha256"], clip["attempts"]) == ("pending", "lost", None, 0)
        assert clip["reason"] == "Its file was not in the storage any more, and is to be fetched again."
    (line,) = [line for line in logs if line["log_level"] == "error"]
    assert (line["event"], line["damage"], line["clips"]) == ("storehouse.blob_lost", "missing", 2)
    assert line["reason"].startswith("The bytes of 2 clips are not in the storage any more; they are fetched again")
    assert bench.house.tally.lost == {"missing": 1, "changed": 0}
    assert (await bench.clip(other))["state"] == "stored"
    await bench.check()
    await bench.store(DATA, clip_id=first)
    assert (await bench.clip(first))["reason"] is None
    await bench.check()


@pytest.mark.parametrize("wrong", [b"a clap", b"a cli", b"a clip, and more", b""])
async def test_changed_bytes_are_removed(bench: Bench, wrong: bytes) -> None:
    """Whatever is wrong with them, nobody gets them any more."""
    clip_id = await bench.store(DATA)
    bench.path(DATA).write_bytes(wrong)
    with capture_logs() as logs:
        assert (await bench.verify())["lost"] == 1
    assert "changed" in {line.get("damage") for line in logs}
    assert (await bench.clip(clip_id))["state"] == "pending"
    assert not bench.path(DATA).exists()
    await bench.check()


async def test_more_clips_than_one_transaction_takes(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """All wait again; the row goes with the last of them."""
    monkeypatch.setattr("clipsaver.clips.storehouse.removing.AT_ONCE", 2)
    for _ in range(5):
        await bench.store(DATA)
    bench.path(DATA).unlink()
    await bench.verify()
    assert await bench.pool.fetchval("select count(*) from clips where reason_code = 'lost'") == 5
    await bench.check()


async def test_a_moment_of_trouble_is_no_loss(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is wrong once and right when looked at again stays."""
    clip_id = await bench.store(DATA)
    read = LocalStorage.read
    times = 0

    async def once_wrong(self: LocalStorage, name: str) -> AsyncIterator[bytes]:
        nonlocal times
        times += 1
        if times == 1:
            yield b"wrong"
            return
        async for piece in read(self, name):
            yield piece

    monkeypatch.setattr(LocalStorage, "read", once_wrong)
    assert (await bench.verify())["verified"] == 1
    assert (await bench.clip(clip_id))["state"] == "stored"
    await bench.check()


class TestMarks:
    """A loss is looked at again under a mark."""

    async def test_another_is_at_it(self, bench: Bench) -> None:
        """Whoever has marked it decides."""
        clip_id = await bench.store(DATA)
        row = await bench.pool.fetchrow("update blobs set deleting_at = clock_timestamp() returning sha256, size")
        assert row is not None
        removing = bench.house._removing(bench.house._reading(0.0))
        assert await removing.lost(_blob(row["sha256"], row["size"])) is None
        assert (await bench.clip(clip_id))["state"] == "stored"

    async def test_trouble_on_the_second_look(self, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
        """The mark is taken off, and nothing was lost."""
        await bench.store(DATA)
        removing = bench.house._removing(bench.house._reading(0.0))

        async def down(*_: object) -> None:
            raise StorageUnavailable("Down.")

        monkeypatch.setattr(Reading, "damage_of", down)
        with pytest.raises(StorageUnavailable):
            await removing.lost(_blob(sha256(DATA), len(DATA)))
        assert await bench.pool.fetchval("select deleting_at is null from blobs")
        await bench.check()

    async def test_the_mark_was_taken_off(self, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
        """By someone who stored the same bytes meanwhile: they stay, and so does the clip."""
        await bench.store(DATA)
        bench.path(DATA).unlink()
        removing = bench.house._removing(bench.house._reading(0.0))
        damage_of = Reading.damage_of

        async def slowly(self: Reading, blob: Blob) -> object:
            damage = await damage_of(self, blob)
            await bench.age()
            await bench.store(DATA)
            return damage

        monkeypatch.setattr(Reading, "damage_of", slowly)
        assert await removing.lost(_blob(sha256(DATA), len(DATA))) is None
        await bench.check()
        assert await bench.pool.fetchval("select count(*) from clips where state = 'stored'") == 2


async def test_a_disk_that_is_gone(bench: Bench) -> None:
    """A storage that can't be read has lost nothing: nothing changes."""
    clip_id = await bench.store(DATA)
    (bench.folder / "storage").rename(bench.folder / "elsewhere")
    with pytest.raises(StorageUnavailable):
        await bench.verify()
    with pytest.raises(StorageUnavailable):
        await bench.collect()
    assert (await bench.clip(clip_id))["state"] == "stored"
    (bench.folder / "elsewhere").rename(bench.folder / "storage")
    assert (await bench.verify())["verified"] == 1
    await bench.check()


@pytest.mark.parametrize("clips", [1, 20])
async def test_an_empty_folder_in_its_place(bench: Bench, clips: int) -> None:
    """Is another storage, however few clips there are: a sentence says so, and no clip is given up."""
    for number in range(clips):
        await bench.store(bytes([number]))
    (bench.folder / "storage").rename(bench.folder / "elsewhere")
    LocalStorage.at(bench.folder / "storage").threads.close()
    with capture_logs() as logs:
        for run in (bench.verify, bench.collect):
            with pytest.raises(WrongStorage, match="are not in the storage, which has no label"):
                await run()
        await bench.house.settle()
    assert {line["event"] for line in logs} == {"storehouse.stopped", "storehouse.not_trusted"}
    assert all("Is the right disk mounted" in line["reason"] for line in logs)
    assert await bench.pool.fetchval("select count(*) from clips where state = 'stored'") == clips
    LocalStorage.at(bench.folder / "storage").threads.close()
    (bench.folder / "storage").rename(bench.folder / "wrong")
    (bench.folder / "elsewhere").rename(bench.folder / "storage")
    await bench.verify()
    await bench.check()


async def test_most_of_it_is_gone(bench: Bench) -> None:
    """Stops as well; and if a person says that it really is gone, all of it is fetched again."""
    for number in range(20):
        await bench.store(bytes([number]))
    for number in range(10):
        bench.path(bytes([number])).unlink()
    with pytest.raises(WrongStorage, match="are not in the storage"):
        await bench.verify()
    with pytest.raises(WrongStorage, match="are not in the storage"):
        await bench.collect(grace=timedelta(0))
    assert await bench.pool.fetchval("select count(*) from clips where state = 'stored'") == 20
    assert (await bench.verify(most=1.0))["lost"] == 10
    await bench.check()


class TestLabel:
    """What tells the storage from others."""

    async def test_a_storage_without_one(self, bench: Bench) -> None:
        """Whose files are there, it is given the database's again: as after a copy of the blobs alone."""
        await bench.store(DATA)
        (bench.folder / "storage" / "storage-label").unlink()
        await bench.verify()
        assert await bench.storage.label() == await bench.pool.fetchval("select label from storage_label")

    async def test_that_of_another(self, bench: Bench) -> None:
        """Two databases don't share one: each would remove what the other needs."""
        await bench.store(DATA)
        await bench.storage.set_label("another's")
        with pytest.raises(WrongStorage, match="label of another database"):
            await bench.collect()

    async def test_a_database_that_is_new(self, bench: Bench) -> None:
        """It removes nothing from a storage of which it knows nothing, and takes it over once it does."""
        await bench.pool.execute("delete from storage_label")
        name = await bench.keep(DATA)
        await bench.age()
        with pytest.raises(WrongStorage, match="knows no file in it"):
            await bench.collect()
        assert await bench.storage.size(name) == len(DATA)
        await bench.store(b"another")
        assert (await bench.collect())["unknown"] == 1
        assert await bench.storage.label() == await bench.pool.fetchval("select label from storage_label")


async def test_a_file_that_can_not_be_read(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """One is reported and passed over; where many can't, the storage is in trouble and the run ends."""
    for number in range(8):
        await bench.store(bytes([number]))
    read = LocalStorage.read
    broken = {blob_name(sha256(bytes([number]))) for number in range(1)}

    async def failing(self: LocalStorage, name: str) -> AsyncIterator[bytes]:
        if name in broken:
            raise StorageUnavailable("Input/output error.")
        async for piece in read(self, name):
            yield piece

    monkeypatch.setattr(LocalStorage, "read", failing)
    with capture_logs() as logs:
        said = await bench.verify()
    assert (said["verified"], said["unreadable"], said["lost"]) == (7, 1, 0)
    assert [line["event"] for line in logs if line["log_level"] == "error"] == ["storehouse.unreadable"]
    await bench.age()
    broken |= {blob_name(sha256(bytes([number]))) for number in range(8)}
    with pytest.raises(StorageUnavailable, match="Input/output error"):
        await bench.verify()
    await bench.age()

    async def down(_: Storage) -> None:
        raise StorageUnavailable("Down.")

    monkeypatch.setattr(LocalStorage, "check", down)
    with pytest.raises(StorageUnavailable, match="Input/output error"):
        await bench.verify()
    assert await bench.pool.fetchval("select count(*) from clips where state = 'stored'") == 8


async def test_several_processes(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Never read the same blob at once, and leave none out."""
    for number in range(30):
        await bench.store(bytes([number]) * 10)
    read = LocalStorage.read
    names, reading = set[str](), set[str]()

    async def noted(self: LocalStorage, name: str) -> AsyncIterator[bytes]:
        assert name not in reading
        reading.add(name)
        names.add(name)
        async for piece in read(self, name):
            yield piece
        reading.remove(name)

    monkeypatch.setattr(LocalStorage, "read", noted)
    said = await asyncio.gather(*(bench.verify(bench.process()) for _ in range(3)))
    assert sum(one["verified"] for one in said) >= 30
    assert len(names) == 30
    assert not reading


async def test_a_reader_that_died(bench: Bench) -> None:
    """Its blob is another's once its time is over, or lies where no time can."""
    await bench.store(DATA)
    await bench.pool.execute("update blobs set checking_until = clock_timestamp() + interval '5 minutes'")
    assert (await bench.verify())["verified"] == 0
    for then in ("- interval '1 second'", "+ interval '3 days'"):
        await bench.pool.execute(
            f"update blobs set verified_at = null, checking_until = clock_timestamp() {then}"  # noqa: S608 - our words
        )
        assert (await bench.verify())["verified"] == 1


async def test_it_stops_when_it_is_told(bench: Bench) -> None:
    """In the middle of a blob, which is handed back; the next run goes on there."""
    await bench.store(DATA)
    bench.house.stop()
    with capture_logs() as logs:
        assert (await bench.verify())["verified"] == 0
    assert "storehouse.verifying_stopped" in {line["event"] for line in logs}
    assert (await bench.verify(bench.process()))["verified"] == 1


async def test_it_stops_after_a_while(bench: Bench) -> None:
    """And says how many of its share are left."""
    await bench.store(DATA)
    assert (await bench.verify(patience=timedelta(0)))["behind"] == 1


async def test_it_is_not_faster_than_allowed(bench: Bench) -> None:
    """However fast the disk is."""
    now = 100.0

    async def wait(seconds: float) -> None:
        nonlocal now
        now += seconds

    await bench.store(bytes(5_000_000))
    reading = Reading(storage=bench.storage, bytes_per_second=1e6, clock=lambda: now, sleep=wait)
    verifying = bench.house
    for _ in range(2):
        row = await bench.pool.fetchrow("select sha256, size from blobs")
        assert row is not None
        assert await reading.damage_of(_blob(row["sha256"], row["size"])) is None
    assert now == pytest.approx(110.0)
    assert verifying.tally.verified == 0


def _blob(digest: bytes, size: int) -> Blob:
    return Blob(sha256=digest, size=size)
