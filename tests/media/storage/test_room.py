"""Disks that are full, read-only, or not there."""

import asyncio
import os
import resource
import shutil
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from clipsaver.errors import StartFailed
from clipsaver.media.storage import (
    NotStored,
    Storage,
    StorageFull,
    StorageRefused,
    StorageUnavailable,
    blob_name,
    open_storage,
    picture_name,
)
from tests.media.storage.bytes_in import BIG, keep, left_over, sha256, whole

TOP = Path(__file__).parents[3]
UNSHARE = ["unshare", "--user", "--map-root-user", "--mount"]


def may_mount() -> bool:
    """Whether we can have a file system of our own: as root always, else where the kernel lets everybody."""
    if shutil.which("unshare") is None:
        return False
    return subprocess.run([*UNSHARE, "true"], capture_output=True, check=False).returncode == 0  # noqa: S603 - the system's own


@pytest.mark.skipif(not may_mount(), reason="this user may not mount anything here, not even for itself")
async def test_a_small_disk(tmp_path: Path) -> None:
    """Full, then read-only, then well again: nothing lost, nothing half, and a sentence each time."""
    process = await asyncio.create_subprocess_exec(
        *UNSHARE,
        *(sys.executable, "-m", "tests.media.storage.small_disk", str(tmp_path)),
        cwd=TOP,
        env={**os.environ, "PYTHONPATH": f"{TOP / 'src'}{os.pathsep}{TOP}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    assert "fine" == said.decode().splitlines()[-1], said.decode()


async def test_a_limit_on_files(local: Storage, tmp_path: Path) -> None:
    """Without any privilege: a file that may not grow further is no half file."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    assert signal.SIG_IGN == signal.getsignal(signal.SIGXFSZ)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, hard))
    try:
        with pytest.raises(StorageFull, match="no room"):
            await keep(local, BIG)
        with pytest.raises(StorageFull, match="no room"):
            await local.put_picture(picture_name(sha256(BIG), 320), BIG)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [] == left_over(tmp_path)
    assert [] == [stored async for stored in local.listing("blobs")]
    assert sha256(BIG) == await keep(local, BIG)


async def test_a_disk_that_is_gone(local: Storage, tmp_path: Path) -> None:
    """Is not a storage without anything in it: nobody may think that all the clips were lost."""
    name = blob_name(await keep(local, b"clip"))
    (tmp_path / "storage").rename(tmp_path / "elsewhere")
    (tmp_path / "storage").mkdir()
    with pytest.raises(StorageUnavailable, match="at the moment"):
        await local.size(name)
    with pytest.raises(StorageUnavailable):
        await whole(local.read(name))
    with pytest.raises(StorageUnavailable):
        await local.delete(name)
    with pytest.raises(StorageUnavailable):
        [stored async for stored in local.listing("blobs")]
    with pytest.raises(StorageUnavailable):
        await keep(local, b"clip")
    with pytest.raises(StorageUnavailable):
        await local.put_picture(picture_name(sha256(b"clip"), 320), b"webp")
    (tmp_path / "storage").rmdir()
    (tmp_path / "elsewhere").rename(tmp_path / "storage")
    assert b"clip" == await whole(local.read(name))


async def test_a_folder_that_went_missing_is_made_again(local: Storage, tmp_path: Path) -> None:
    """One of the 256, that somebody removed because it was empty."""
    name = blob_name(await keep(local, b"clip"))
    await local.delete(name)
    (tmp_path / "storage" / name).parent.rmdir()
    assert None is await local.size(name)
    await keep(local, b"clip")
    assert 4 == await local.size(name)


@pytest.mark.parametrize("number", [1, 95, 31], ids=["EPERM", "ENOTSUP", "EMLINK"])
async def test_a_file_system_without_second_names(
    local: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """Files are moved instead, and still nothing is overwritten."""

    def no_link(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "link", no_link)
    assert await keep(local, b"clip") == await keep(local, b"clip")
    assert b"clip" == await whole(local.read(blob_name(sha256(b"clip"))))
    assert [] == left_over(tmp_path)


@pytest.mark.parametrize(
    ("number", "kind"), [(5, StorageUnavailable), (13, StorageRefused), (28, StorageFull), (122, StorageFull)]
)
async def test_what_a_disk_says(
    local: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, kind: type[Exception]
) -> None:
    """Each in its kind, at the last moment too; the next attempt finds a clean table."""

    def trouble(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(os, "link", trouble)
        with pytest.raises(kind, match=os.strerror(number)):
            await keep(local, b"clip")
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", trouble)
        with pytest.raises(kind):
            await keep(local, b"clip")
        with pytest.raises(kind):
            await local.put_picture(picture_name(sha256(b"clip"), 320), b"webp")
    assert [] == left_over(tmp_path)
    await keep(local, b"clip")


async def test_listing_while_files_come_and_go(local: Storage, tmp_path: Path) -> None:
    """Foreign files are none of ours; a link is not followed."""
    name = blob_name(await keep(local, b"clip"))
    folder = (tmp_path / "storage" / name).parent
    (folder / "notes.txt").write_text("mine")
    (folder.parent / "zz").mkdir()
    assert [name] == [stored.name async for stored in local.listing("blobs")]
    (tmp_path / "storage" / name).unlink()
    (tmp_path / "storage" / name).symlink_to("/etc/passwd")
    with pytest.raises(StorageUnavailable):
        await whole(local.read(name))


async def test_a_file_that_lies_there(local: Storage) -> None:
    """Is what other programs read; it has no address."""
    name = blob_name(await keep(local, b"clip"))
    path = local.local_path(name)
    assert path is not None
    assert b"clip" == path.read_bytes()
    async with local.as_file(name, most=1) as same:
        assert path == same
    assert None is await local.signed_link(name, expires=timedelta(minutes=1))


async def test_kept_again_it_is_as_good_as_new(local: Storage) -> None:
    """For those who look for what is old and in no row."""
    name = blob_name(await keep(local, b"clip"))
    path = local.local_path(name)
    assert path is not None
    os.utime(path, (1, 1))
    await keep(local, b"clip")
    assert path.stat().st_mtime > 1


async def test_reading_on_while_it_is_deleted(local: Storage) -> None:
    """Who has begun gets it all; who comes later gets nothing."""
    name = blob_name(await keep(local, BIG))
    pieces = local.read(name)
    got = [await anext(pieces)]
    await local.delete(name)
    got += [piece async for piece in pieces]
    assert BIG == b"".join(got)
    with pytest.raises(NotStored):
        await whole(local.read(name))


async def test_a_start_that_can_not_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One sentence: which folder, and why."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StartFailed, match=r"folder .*/file/storage can't be used: Not a directory"):
        await open_storage("", data_dir=tmp_path / "file")
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(StartFailed, match=r"Nothing can be stored: .*/blobs can't be written to"):
        await open_storage("", data_dir=tmp_path)


async def test_a_start_on_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Is none that fails: the rest of the bot has other things to do."""

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "writev", full)
        storage = await open_storage("", data_dir=tmp_path)
    async with storage:
        assert sha256(b"clip") == await keep(storage, b"clip")


async def test_a_start_that_is_canceled(tmp_path: Path) -> None:
    """Leaves no thread behind that could still do something."""
    task = asyncio.create_task(open_storage("", data_dir=tmp_path))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [] == left_over(tmp_path)
