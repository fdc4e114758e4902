"""Bytes on their way in: what is taken, what goes on where it ended, and what is left behind."""

import asyncio
import errno
import os
import stat
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from clipsaver.media.storage import Storage, StorageFull, blob_name, files, objects, open_storage, picture_name
from clipsaver.media.storage.incoming import BEHIND, GATHER, MOST_CHUNKS, OPENING, SYNC_AHEAD
from tests.media.storage.bytes_in import BIG, keep, left_over, sha256, whole

SOON = datetime.now(UTC) + timedelta(hours=1)


async def test_size_hash_and_beginning_are_known_while_it_grows(local: Storage) -> None:
    """Whatever the chunks are."""
    async with local.incoming() as incoming:
        await incoming.write(BIG[:10])
        await incoming.write(BIG[10:300_000])
        assert (300_000, BIG[:OPENING]) == (incoming.size, incoming.opening)
        assert sha256(BIG[:300_000]) == await incoming.digest()
        assert BIG[:300_000] == incoming.path.read_bytes()
        await incoming.write(BIG[300_000:])
        assert sha256(BIG) == await incoming.digest()


async def test_many_tiny_chunks(local: Storage) -> None:
    """A byte at a time: they are not heaped up."""
    async with local.incoming() as incoming:
        for number in range(2 * MOST_CHUNKS + 3):
            await incoming.write(bytes([number % 256]))
            assert len(incoming._gathered) <= MOST_CHUNKS
        expected = bytes(number % 256 for number in range(2 * MOST_CHUNKS + 3))
        assert sha256(expected) == await local.keep(incoming)


async def test_a_system_that_takes_little_at_a_time(local: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Or knows no gathered writing: all of it is written."""
    really = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: really(descriptor, data[:1000]))
    monkeypatch.setattr(os, "writev", lambda descriptor, chunks: really(descriptor, chunks[0][:5]))
    assert BIG[:100_001] == await whole(local.read(blob_name(await keep(local, BIG[:100_001], chunk=999))))
    monkeypatch.delattr(os, "writev")
    monkeypatch.delattr(os, "posix_fadvise")
    assert BIG == await whole(local.read(blob_name(await keep(local, BIG))))


Told = list[tuple[str, int, int]]
"""What the system was told of files: ``synced``, or ``uncached`` from there on, so many bytes."""


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Told:
    """Everything that it is told from now on."""
    heard: Told = []
    sync, advise = os.fsync, os.posix_fadvise

    def watched_sync(descriptor: int) -> None:
        heard.append(("synced", 0, 0))
        sync(descriptor)

    def watched_advice(descriptor: int, start: int, size: int, advice: int) -> None:
        assert advice == os.POSIX_FADV_DONTNEED
        heard.append(("uncached", start, size))
        advise(descriptor, start, size, advice)

    monkeypatch.setattr(os, "fsync", watched_sync)
    monkeypatch.setattr(os, "posix_fadvise", watched_advice)
    return heard


def windows(told: Told, size: int, *, freed: bool) -> Told:
    """Check what was told while a file grew to that size; what was told from its synchronisation on is returned."""
    done = told.index(("synced", 0, 0))
    while_it_grew, begun = iter(told[:done]), 0
    for _, start, length in while_it_grew:
        assert start == begun
        assert length >= SYNC_AHEAD
        if freed and begun >= BEHIND:
            assert next(while_it_grew) == ("uncached", begun - BEHIND, length)
        begun += length
    assert size - SYNC_AHEAD < begun <= size
    return told[done:]


@pytest.mark.parametrize("chunk", [SYNC_AHEAD, 65_536, 700_001])
async def test_the_systems_memory_is_given_back(local: Storage, told: Told, chunk: int) -> None:
    """Begun while the file grows, piece after piece; the whole file once it is on the disk, whatever the chunks are."""
    size = BEHIND + 5 * SYNC_AHEAD + 17
    await keep(local, bytes(size), chunk=chunk)
    afterwards = windows(told, size, freed=True)
    assert afterwards[:2] == [("synced", 0, 0), ("uncached", 0, 0)]
    assert 1 == sum(start == length == 0 for kind, start, length in told if kind == "uncached")


async def test_what_is_sent_on_is_not_read_back_from_the_disk(
    s3: Storage, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bucket's file is begun to be written early, and stays in the system's memory until it is sent and gone."""
    at_upload: list[int] = []
    parts = objects._parts

    def watched(path: Path, stop: threading.Event) -> Iterator[bytes]:
        at_upload.append(len(told))
        return parts(path, stop)

    monkeypatch.setattr(objects, "_parts", watched)
    size = BEHIND + 5 * SYNC_AHEAD + 17
    kept = await keep(s3, bytes(size))
    assert [("synced", 0, 0)] == windows(told, size, freed=False)
    assert [len(told)] == at_upload
    assert size == await s3.size(blob_name(kept))


async def test_a_refused_hint_loses_nothing(local: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    """File systems and sandboxes may know no such thing: the file is stored all the same."""
    refused: list[int] = []

    def refuse(descriptor: int, start: int, size: int, advice: int) -> None:
        refused.append(descriptor)
        raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr(os, "posix_fadvise", refuse)
    assert BIG == await whole(local.read(blob_name(await keep(local, BIG))))
    assert len(refused) > 2


async def test_nothing_is_left_of_what_is_not_kept(local: Storage, tmp_path: Path) -> None:
    """Not after the block, not after an error in it, not after a cancellation."""
    async with local.incoming() as incoming:
        await incoming.write(BIG)
    with pytest.raises(ZeroDivisionError):
        await fail(local)
    assert [] == left_over(tmp_path)


async def fail(storage: Storage) -> None:
    """An error while bytes come in."""
    async with storage.incoming() as incoming:
        await incoming.write(BIG)
        raise ZeroDivisionError


@pytest.mark.parametrize("turns", range(12))
async def test_nothing_is_left_after_a_cancellation(local: Storage, tmp_path: Path, turns: int) -> None:
    """Wherever it hits, also twice: no file, no open descriptor, and what is stored is whole."""
    task = asyncio.create_task(keep(local, BIG, chunk=GATHER))
    for _ in range(turns * 3):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    assert [] == left_over(tmp_path)
    stored = [blob async for blob in local.listing("blobs")]
    assert all(len(BIG) == blob.size for blob in stored)


async def test_begun_again(local: Storage) -> None:
    """A server that begins at the start again, although we asked for the rest."""
    async with local.incoming() as incoming:
        await incoming.write(BIG)
        await incoming.restart()
        assert (0, b"") == (incoming.size, incoming.opening)
        await incoming.write(b"clip")
        assert sha256(b"clip") == await local.keep(incoming)
    assert b"clip" == await whole(local.read(blob_name(sha256(b"clip"))))


async def test_what_was_suspended_goes_on(local: Storage, tmp_path: Path) -> None:
    """With its size, its hash and its beginning; once it is kept, the key begins anew."""
    async with local.incoming("12-34") as incoming:
        await incoming.write(BIG[:5_000_000])
        await incoming.suspend()
    assert 1 == len(left_over(tmp_path))
    async with local.incoming("12-34") as incoming:
        assert (5_000_000, BIG[:OPENING]) == (incoming.size, incoming.opening)
        await incoming.write(BIG[5_000_000:])
        assert sha256(BIG) == await local.keep(incoming)
    assert [] == left_over(tmp_path)
    async with local.incoming("12-34") as incoming:
        assert 0 == incoming.size


async def test_two_with_one_key(local: Storage, tmp_path: Path) -> None:
    """The second gets a file of its own, and neither is in the other's way."""
    async with local.incoming("key") as first, local.incoming("key") as second:
        await first.write(b"first")
        await second.write(b"second")
        assert [sha256(b"first"), sha256(b"second")] == [await local.keep(first), await local.keep(second)]
    assert [] == left_over(tmp_path)


async def test_a_kept_file_is_not_written_to(local: Storage) -> None:
    """Nothing more goes in, and a left-over second name of a blob is no beginning of anything."""
    async with local.incoming("key") as incoming:
        await incoming.write(b"clip")
        kept = await local.keep(incoming)
        with pytest.raises(ValueError, match="nothing more"):
            await incoming.write(b"more")
        with pytest.raises(ValueError, match="nothing more"):
            await incoming.restart()
        assert kept == await local.keep(incoming)
        await incoming.suspend()  # as if the process had ended here
    async with local.incoming("key") as incoming:
        assert 0 == incoming.size
        await incoming.write(b"other")
    assert b"clip" == await whole(local.read(blob_name(kept)))


async def test_after_the_machine_started_anew_nothing_goes_on(local: Storage) -> None:
    """Nobody knows what of it reached the disk."""
    async with local.incoming("key") as incoming:
        await incoming.write(b"clip")
        await incoming.suspend()
    local.arrivals._boot = "another"
    async with local.incoming("key") as incoming:
        assert 0 == incoming.size
    local.arrivals._boot = ""  # a system that doesn't say
    async with local.incoming("key") as incoming:
        assert 0 == incoming.size


@pytest.mark.parametrize("key", ["", "../x", "a/b", "x" * 101, "a.b", "\0"])
async def test_only_plain_keys(local: Storage, key: str) -> None:
    """They become part of a file's name."""
    with pytest.raises(ValueError, match="can't be a key"):
        async with local.incoming(key):
            pass


async def test_sweeping(local: Storage, tmp_path: Path) -> None:
    """What is old and in nobody's hands goes; other files are none of our business."""
    async with local.incoming("left") as incoming:
        await incoming.suspend()
    (tmp_path / "storage/incoming/notes.txt").write_text("mine")
    (tmp_path / "storage/incoming/folder.part").mkdir()
    long_ago = datetime.now(UTC) - timedelta(hours=1)
    async with local.incoming("in hand".replace(" ", "_")) as incoming:
        await incoming.write(b"clip")
        assert 0 == await local.sweep(older_than=long_ago)
        assert 1 == await local.sweep(older_than=SOON)
        assert sha256(b"clip") == await local.keep(incoming)
    assert ["folder.part", "notes.txt"] == left_over(tmp_path)


async def test_swept_away_under_somebodys_hands(local: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Opened before it was swept, locked after: a new file is begun."""

    def swept(descriptor: int, path: Path) -> bool:
        path.unlink()
        return False

    monkeypatch.setattr(files, "is_at", swept)
    opened = local.incoming("key")
    with monkeypatch.context():
        incoming = await opened.__aenter__()
        monkeypatch.undo()
    await incoming.write(b"clip")
    assert sha256(b"clip") == await local.keep(incoming)
    await opened.__aexit__(None, None, None)


async def test_private_whatever_the_umask(tmp_path: Path) -> None:
    """Files are ours alone, and so are the folders."""
    for number, umask in enumerate((0o000, 0o377, 0o022)):
        before = os.umask(umask)
        try:
            async with await open_storage("", data_dir=tmp_path / str(number)) as storage:
                async with storage.incoming() as incoming:
                    assert 0o600 == stat.S_IMODE(incoming.path.stat().st_mode)
                kept = await keep(storage, b"clip")
                await storage.put_picture(picture_name(kept, 320), b"webp")
        finally:
            os.umask(before)
        found = list((tmp_path / str(number) / "storage").rglob("*"))
        assert 7 == len(found)
        assert all((0o700 if path.is_dir() else 0o600) == stat.S_IMODE(path.stat().st_mode) for path in found)


async def test_trouble_with_writing_comes_up(local: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the latest when it is kept; after a restart there may be room again."""

    def full(descriptor: int, chunks: list[bytes]) -> int:
        raise OSError(28, "No space left on device")

    async with local.incoming() as incoming:
        with monkeypatch.context() as patch:
            patch.setattr(os, "writev", full)
            await incoming.write(b"clip")
            with pytest.raises(StorageFull, match=r"no room in .*No space left"):
                await local.keep(incoming)
        with pytest.raises(StorageFull):  # what was lost stays lost
            await local.keep(incoming)
    assert [] == [one async for one in local.listing("blobs")]
    async with local.incoming() as incoming:
        with monkeypatch.context() as patch:
            patch.setattr(os, "writev", full)
            await incoming.write(bytes(GATHER))
            with pytest.raises(StorageFull):
                await incoming.write(bytes(GATHER))
        await incoming.restart()
        await incoming.write(b"clip")
        assert sha256(b"clip") == await local.keep(incoming)
    assert [] == left_over(tmp_path)
