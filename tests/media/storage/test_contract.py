"""What holds for every storage, wherever its bytes lie."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from clipsaver.media.storage import NotStored, Storage, StoredDiffers, blob_name, open_storage, picture_name
from tests.media.storage.bytes_in import BIG, keep, left_over, sha256, whole

ABSENT = blob_name(b"\0" * 32)


@pytest.mark.parametrize("data", [b"x", b"clip" * 10_000, BIG], ids=["tiny", "small", "in parts"])
async def test_what_is_kept_is_what_came_in(storage: Storage, tmp_path: Path, data: bytes) -> None:
    """Under its hash, with its size, and nothing stays on the way."""
    kept = await keep(storage, data)
    assert sha256(data) == kept
    assert len(data) == await storage.size(blob_name(kept))
    assert data == await whole(storage.read(blob_name(kept)))
    assert [] == left_over(tmp_path)


@pytest.mark.parametrize("data", [b"clip" * 10_000, BIG], ids=["small", "in parts"])
async def test_the_same_bytes_twice_are_one(storage: Storage, data: bytes) -> None:
    """Also when they come at the same time."""
    both = await asyncio.gather(keep(storage, data), keep(storage, data))
    assert [sha256(data)] * 3 == [*both, await keep(storage, data)]
    assert [blob_name(sha256(data))] == [stored.name async for stored in storage.listing("blobs")]
    assert data == await whole(storage.read(blob_name(sha256(data))))


async def test_a_part_is_read(storage: Storage) -> None:
    """From start to before stop; behind the end there is nothing."""
    name = blob_name(await keep(storage, BIG))
    assert BIG[5:17] == await whole(storage.read(name, 5, 17))
    assert BIG[600_000:9_000_000] == await whole(storage.read(name, 600_000, 9_000_000))
    assert BIG[-3:] == await whole(storage.read(name, len(BIG) - 3))
    assert BIG[-3:] == await whole(storage.read(name, len(BIG) - 3, len(BIG) + 100))
    assert b"" == await whole(storage.read(name, len(BIG)))
    assert b"" == await whole(storage.read(name, 7, 7))


async def test_what_is_read_comes_in_bounded_pieces(storage: Storage) -> None:
    """However long it is."""
    name = blob_name(await keep(storage, BIG))
    assert max([len(piece) async for piece in storage.read(name)]) <= 4 * 1024 * 1024


async def test_what_is_not_stored(storage: Storage) -> None:
    """Has no size, can't be read, and can be deleted."""
    assert None is await storage.size(ABSENT)
    await storage.delete(ABSENT)
    with pytest.raises(NotStored, match="is not in the storage"):
        await whole(storage.read(ABSENT))
    with pytest.raises(NotStored):
        async with storage.as_file(ABSENT, most=10):
            pass


async def test_deleting(storage: Storage) -> None:
    """Once or twice: it is gone, and can be kept again."""
    name = blob_name(await keep(storage, b"clip"))
    await storage.delete(name)
    await storage.delete(name)
    assert None is await storage.size(name)
    assert sha256(b"clip") == await keep(storage, b"clip")


async def test_a_picture_is_replaced_whole(storage: Storage, tmp_path: Path) -> None:
    """The newer one is what is read."""
    name = picture_name(sha256(b"clip"), 320)
    await storage.put_picture(name, b"first and longer")
    await storage.put_picture(name, b"second")
    assert b"second" == await whole(storage.read(name))
    assert [(name, 6)] == [(stored.name, stored.size) async for stored in storage.listing("thumbnails")]
    assert [] == left_over(tmp_path)


async def test_listing(storage: Storage) -> None:
    """In order of names, of one folder or all, and only what is old enough."""
    names = sorted([blob_name(await keep(storage, bytes([number]) * 9)) for number in range(5)])
    await storage.put_picture(picture_name(sha256(b"clip"), 640), b"webp")
    listed = [stored async for stored in storage.listing("blobs")]
    assert names == [stored.name for stored in listed]
    assert {9} == {stored.size for stored in listed}
    assert all(stored.modified.tzinfo is not None for stored in listed)
    folder = names[0].rpartition("/")[0]
    assert names[0] in [stored.name async for stored in storage.listing(folder)]
    assert [] == [stored async for stored in storage.listing("thumbnails/00")]
    long_ago, soon = datetime(2001, 1, 1, tzinfo=UTC), datetime.now(UTC) + timedelta(days=1)
    assert [] == [stored async for stored in storage.listing("blobs", older_than=long_ago)]
    assert names == [stored.name async for stored in storage.listing("blobs", older_than=soon)]


@pytest.mark.parametrize("data", [b"clip", BIG], ids=["small", "in parts"])
async def test_other_bytes_under_the_name_are_never_overwritten(
    storage: Storage, monkeypatch: pytest.MonkeyPatch, data: bytes
) -> None:
    """It is said instead; once the wrong ones are deleted, the right ones can be kept."""
    with monkeypatch.context() as patch:
        patch.setattr("clipsaver.media.storage.names.blob_name", lambda _: blob_name(sha256(data)))
        await keep(storage, b"cut short by somebody")
    with pytest.raises(StoredDiffers, match=f"another length than {len(data)} bytes"):
        await keep(storage, data)
    name = blob_name(sha256(data))
    assert b"cut short by somebody" == await whole(storage.read(name))
    await storage.delete(name)
    await keep(storage, data)
    assert len(data) == await storage.size(name)


async def test_a_file_to_read(storage: Storage, tmp_path: Path) -> None:
    """For other programs, while the block lasts."""
    name = blob_name(await keep(storage, b"clip" * 1000))
    async with storage.as_file(name, most=4000) as path:
        assert b"clip" * 1000 == path.read_bytes()
    assert [] == left_over(tmp_path)


async def test_room(storage: Storage) -> None:
    """There is some, and the reserve is none of it."""
    free = await storage.free_bytes()
    assert 0 < free
    storage.reserve = 10**15
    assert 0 == await storage.free_bytes()


@pytest.mark.parametrize(
    "name", ["", "/etc/passwd", "../x", "blobs/ab/../../x", f"blobs/ab/{'0' * 64}", ABSENT + "\n", ABSENT.upper()]
)
async def test_only_names_are_names(storage: Storage, name: str) -> None:
    """There is no way out of the storage."""
    for call in (storage.size, storage.delete):
        with pytest.raises(ValueError, match="is no name"):
            await call(name)
    with pytest.raises(ValueError, match="is no name"):
        await whole(storage.read(name))
    with pytest.raises(ValueError, match="is no name"):
        storage.local_path(name)
    with pytest.raises(ValueError, match="is no name"):
        await storage.signed_link(name, expires=timedelta(minutes=1))
    with pytest.raises(ValueError, match="is no picture"):
        await storage.put_picture(ABSENT, b"")
    with pytest.raises(ValueError, match="is no folder"):
        [stored async for stored in storage.listing("..")]


async def test_opened_again(storage: Storage, url: str, tmp_path: Path) -> None:
    """Everything is still there."""
    kept = await keep(storage, b"clip")
    async with await open_storage(url, data_dir=tmp_path / "data") as again:
        assert b"clip" == await whole(again.read(blob_name(kept)))
        await again.check()


async def test_what_is_known_of_it(storage: Storage) -> None:
    """How long it is, and since when it lies there."""
    name = blob_name(await keep(storage, b"clip"))
    found = await storage.look(name)
    assert found is not None
    assert (name, 4) == (found.name, found.size)
    assert found.modified.tzinfo is not None
    assert None is await storage.look(ABSENT)


async def test_its_label(storage: Storage) -> None:
    """Tells it from others; it is no file among the others."""
    assert None is await storage.label()
    for text in ("first", "second"):
        await storage.set_label(text)
        assert text == await storage.label()
    assert [] == [one async for one in storage.listing("blobs")]
    assert 0 == await storage.abort_uploads(older_than=datetime.now(UTC))
