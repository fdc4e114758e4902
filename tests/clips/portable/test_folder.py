"""The folder of an export: files that are whole or not there, on whatever system and disk."""

import asyncio
import errno
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from clipsaver.clips.portable.folder import Folder, Look, NoFile
from clipsaver.media.storage import StorageFull, StorageRefused, StorageUnavailable
from tests.media.storage.bytes_in import sha256
from tests.media.storage.test_room import TOP, UNSHARE, may_mount


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """A folder that is ready to be written to."""
    made = Folder(tmp_path / "export")
    asyncio.run(made.prepare())
    return made


def test_no_descriptors_of_folders(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a folder can't be held open, every part of a way is looked at."""
    monkeypatch.setattr(os, "supports_dir_fd", set())
    asyncio.run(folder.write("clips/a", b"text"))
    with folder.open("clips/a") as file:
        assert b"text" == file.read()
    (folder.root / "link").symlink_to(folder.root / "clips")
    with pytest.raises(StorageRefused, match="is a link to somewhere else"), folder.open("link/a"):
        pass
    with pytest.raises(NoFile, match="clips/b is not there"), folder.open("clips/b"):
        pass


def test_a_link_on_the_way(folder: Folder) -> None:
    """It is not followed."""
    asyncio.run(folder.write("clips/a", b"text"))
    (folder.root / "link").symlink_to(folder.root / "clips")
    with pytest.raises(StorageUnavailable, match="link/a can't be read"), folder.open("link/a"):
        pass


async def test_a_write_that_fails(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was there stays, and nothing half is left."""
    await folder.write("a", b"before")

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageFull, match="There is no room in"):
        await folder.write("a", b"after")
    with pytest.raises(StorageFull), folder.draft("a") as draft:
        draft.add(b"line\n")
    assert b"before" == (folder.root / "a").read_bytes()
    assert ["lock"] == [path.name for path in (folder.root / ".incoming").iterdir()]


async def test_a_write_that_changes_nothing(folder: Folder) -> None:
    """It is none."""
    assert await folder.write("a", b"text")
    assert not await folder.write("a", b"text")
    assert Look.SAME is await folder.look("a", sha256=sha256(b"text"), size=4)


async def test_a_draft_that_is_not_wanted(folder: Folder) -> None:
    """It leaves nothing."""
    with folder.draft("a/b") as draft:
        draft.add(b"line\n")
        draft.wanted = False
    assert not folder.has("a/b")
    assert not (folder.root / "a").exists()


async def test_a_link_that_fails(folder: Folder) -> None:
    """The bytes have to be had otherwise."""
    assert not await folder.link("nothing", "clips/b")
    assert not folder.has("clips/b")


def test_closed_twice(tmp_path: Path) -> None:
    """A folder that was never prepared has nothing to let go."""
    with Folder(tmp_path / "export"):
        pass
    assert not (tmp_path / "export").exists()


@pytest.mark.skipif(not may_mount(), reason="this user may not mount anything here, not even for itself")
async def test_a_small_disk(database_url: str, tmp_path: Path) -> None:
    """Full, then read-only, then well again: nothing lost, nothing half, and a sentence each time."""
    (tmp_path / "export").mkdir()
    process = await asyncio.create_subprocess_exec(
        *UNSHARE,
        *(sys.executable, "-m", "tests.clips.portable.small_disk", database_url),
        *(str(tmp_path / "data"), str(tmp_path / "export")),
        cwd=TOP,
        env={**os.environ, "PYTHONPATH": f"{TOP / 'src'}{os.pathsep}{TOP}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    assert "fine" == said.decode().splitlines()[-1], said.decode()
