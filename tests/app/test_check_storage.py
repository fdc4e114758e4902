"""`clipsaver check` on where bytes lie."""

import io
import os
import sys
from pathlib import Path

import pytest
from attrs import evolve

from clipsaver.app.check_storage import look_at_storage
from clipsaver.app.report import Report
from clipsaver.clips.saving.model import GIBIBYTE
from clipsaver.config import Config
from clipsaver.media import storage as storage_package
from clipsaver.media.storage import StorageUnavailable
from clipsaver.media.storage.at_rest import AtRest, Machine
from clipsaver.media.storage.local import LocalStorage
from tests.app.conftest import Configure


async def told(config: Config, *, encrypted: bool | None = None) -> tuple[int, str]:
    """Look, on a machine whose disks are like that; how much is wrong, and what is written."""

    class Known(Machine):
        def at_rest(self, folder: Path) -> AtRest:
            return AtRest(encrypted=encrypted, how=f"as {folder.name} is")

    report = Report(io.StringIO())
    await look_at_storage(report, config, machine=Known())
    assert isinstance(report.out, io.StringIO)
    return report.failures, report.out.getvalue()


async def test_all_is_well(configure: Configure) -> None:
    """Written to, with room, closed to others, encrypted."""
    config = configure()
    failures, text = await told(config, encrypted=True)
    assert failures == 0
    assert f"ok    storage: {config.data_dir / 'storage'} can be written to\n" in text
    assert "of storage.reserve_gb" in text
    assert "is closed to others (mode 0700)" in text
    assert "ok    encryption at rest: clips in" in text
    assert "(as storage is)" in text
    assert "the database" not in text


async def test_encryption_that_is_not_seen(configure: Configure) -> None:
    """What could not be seen is not called missing; the embedded database is looked at too."""
    config = configure(CLIPSAVER_DATABASE_URL="")
    failures, text = await told(config)
    assert "note  encryption at rest: clips in" in text
    assert "note  encryption at rest: the database in" in text
    assert text.count("could not be seen") == 2
    missing, text = await told(config, encrypted=False)
    assert failures == missing == 0
    assert text.count("use LUKS or the like: see docs/storage.md") == 2


async def test_no_room(configure: Configure, monkeypatch: pytest.MonkeyPatch) -> None:
    """None is a failure, and little is a note."""
    free = 0

    async def free_bytes(_: object) -> int:
        return free

    monkeypatch.setattr(LocalStorage, "free_bytes", free_bytes)
    failures, text = await told(configure())
    assert failures == 1
    assert "FAIL  storage: no room for clips: nothing is saved until there is more" in text
    free = GIBIBYTE // 2
    failures, text = await told(configure())
    assert failures == 0
    assert "note  storage: little room: 512 MB free for clips" in text


async def test_an_open_folder(configure: Configure, monkeypatch: pytest.MonkeyPatch) -> None:
    """Others who get in, or whose it is, are told."""
    config = configure()
    folder = config.data_dir / "storage"
    folder.mkdir(parents=True)
    folder.chmod(0o755)
    failures, text = await told(config)
    assert failures == 0
    assert "note  storage: others may look into" in text
    assert "(mode 0755)" in text
    if hasattr(os, "getuid"):
        monkeypatch.setattr(os, "getuid", lambda: folder.stat().st_uid + 1)
        assert "belongs to another user" in (await told(config))[1]


async def test_a_storage_that_is_away(configure: Configure, monkeypatch: pytest.MonkeyPatch) -> None:
    """A start would go on without it; here it is told."""

    async def away(_: object) -> None:
        raise StorageUnavailable("The disk is away.")

    monkeypatch.setattr(LocalStorage, "check", away)
    failures, text = await told(configure())
    assert (failures, text) == (1, "FAIL  storage: The disk is away.\n")


async def test_a_folder_that_can_not_be_made(configure: Configure, tmp_path: Path) -> None:
    """Where a start would end, it is told why."""
    (tmp_path / "file").touch()
    failures, text = await told(configure(CLIPSAVER_STORAGE_URL=(tmp_path / "file" / "clips").as_uri()))
    assert failures == 1
    assert "FAIL  storage: The storage's folder" in text


async def test_the_extra_is_missing(configure: Configure, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which it is."""
    for name in ("clients", "objects"):
        monkeypatch.setitem(sys.modules, f"clipsaver.media.storage.{name}", None)
        monkeypatch.delattr(storage_package, name, raising=False)
    failures, text = await told(configure(CLIPSAVER_STORAGE_URL="s3://clips"))
    assert failures == 1
    assert 'FAIL  storage: s3://clips needs the extra "s3": pip install "clipsaver[s3]".' in text


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("s3://clips/x", "ok    encryption at rest: Amazon encrypts all objects"),
        ("s3://clips?encryption=aws:kms", "ok    encryption at rest: every object is sent to s3://clips with aws:kms"),
        ("s3://clips?endpoint=http://127.0.0.1:9", "whether http://127.0.0.1:9 encrypts what it stores can't be asked"),
        ("gs://clips", "Google encrypts all objects"),
        ("az://clips", "Azure encrypts all objects"),
    ],
)
async def test_buckets(
    configure: Configure, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, url: str, expected: str
) -> None:
    """What can't be asked is said, with what to look at."""
    storage = LocalStorage.at(tmp_path / "standing in")

    async def opened(_: str, **__: object) -> LocalStorage:
        return storage

    monkeypatch.setattr("clipsaver.app.check_storage.open_storage", opened)
    config = configure()
    config = evolve(config, storage=evolve(config.storage, url=url))
    failures, text = await told(config)
    assert failures == 0
    assert expected in text
    assert ("AbortIncompleteMultipartUpload" in text) == (not url.startswith("az:"))
    assert "closed to others" not in text
