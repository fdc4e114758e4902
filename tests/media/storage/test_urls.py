"""What `storage.url` says, and what a start says to it."""

import sys
from pathlib import Path

import pytest

from clipsaver.errors import StartFailed
from clipsaver.media.storage import StorageUnavailable, open_storage, picture_name
from clipsaver.media.storage.urls import Place, parse
from tests.media.storage.conftest import Stores

HERE = Path("/data")


@pytest.mark.parametrize(
    ("url", "folder"),
    [
        ("", "/data/storage"),
        ("file:///srv/clips", "/srv/clips"),
        ("file:///srv/my%20clips", "/srv/my clips"),
        ("file:///C:/clips", "C:/clips"),
    ],
)
def test_folders(url: str, folder: str) -> None:
    """Absolute, and with everything a path may hold."""
    assert Path(folder) == parse(url, data_dir=HERE)


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("s3://clips", Place(scheme="s3", bucket="clips", options={})),
        ("s3://clips/", Place(scheme="s3", bucket="clips", options={})),
        (
            "s3://clips/some/where/?endpoint=http://127.0.0.1:9000&region=eu-central-1",
            Place(
                scheme="s3",
                bucket="clips",
                prefix="some/where",
                options={"endpoint": "http://127.0.0.1:9000", "region": "eu-central-1"},
            ),
        ),
        ("gs://clips/a", Place(scheme="gs", bucket="clips", prefix="a", options={})),
        ("az://clips?account=me", Place(scheme="az", bucket="clips", options={"account": "me"})),
    ],
)
def test_buckets(url: str, place: Place) -> None:
    """Where in it, and how to reach it."""
    assert place == parse(url, data_dir=HERE)


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("ftp://there", "must begin with file:///, s3://, gs:// or az://"),
        ("file://host/folder", "must name an absolute folder"),
        ("file:folder", "must name an absolute folder"),
        ("file:///folder?x=y", "must name an absolute folder"),
        ("s3:///folder", "names no bucket: it must look like s3://bucket/folder"),
        ("s3://key:secret@bucket", "must not hold keys"),
        ("s3://bucket?colour=red", "has an option 'colour' that s3:// doesn't know; it knows endpoint, region"),
        ("s3://bucket?colour", "can't be read"),
        ("s3://[bucket", "can't be read"),
        ("az://bucket/a/../b", "must name a plain folder"),
        ("az://bucket/a//b", "must name a plain folder"),
    ],
)
def test_what_can_not_be(url: str, sentence: str) -> None:
    """Is said in one sentence."""
    with pytest.raises(StartFailed) as raised:
        parse(url, data_dir=HERE)
    assert sentence in str(raised.value)


async def test_no_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """How to install it is said."""
    for module in ("objects", "clients", "signing"):
        monkeypatch.delitem(sys.modules, f"clipsaver.media.storage.{module}", raising=False)
        monkeypatch.delattr(f"clipsaver.media.storage.{module}", raising=False)
    monkeypatch.setitem(sys.modules, "obstore", None)
    monkeypatch.setitem(sys.modules, "obstore.exceptions", None)
    with pytest.raises(StartFailed, match=r's3://bucket needs the extra "s3": pip install "clipsaver\[s3\]"'):
        await open_storage("s3://bucket", data_dir=tmp_path)


@pytest.mark.usefixtures("keys")
@pytest.mark.parametrize("kind", ["s3", "gs", "az"])
async def test_no_bucket(stores: Stores, tmp_path: Path, kind: str) -> None:
    """It is not made: who mistyped its name would pay for two."""
    with pytest.raises(StartFailed, match="Nothing can be stored: There is no bucket nosuch"):
        await open_storage(stores.url(kind, bucket="nosuch"), data_dir=tmp_path)


@pytest.mark.usefixtures("keys")
async def test_a_setting_that_can_not_be(tmp_path: Path) -> None:
    """The library's own words, and no more of them than one reads."""
    with pytest.raises(StartFailed, match="s3://bucket can't be used: "):
        await open_storage("s3://bucket?virtual_hosted=perhaps", data_dir=tmp_path)


@pytest.mark.usefixtures("keys")
async def test_no_room_for_what_comes_in(tmp_path: Path) -> None:
    """Buckets need a folder too."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StartFailed, match=r"folder .*/incoming for incoming files can't be used: Not a directory"):
        await open_storage("s3://bucket", data_dir=tmp_path / "file" / "below")


@pytest.mark.usefixtures("keys")
async def test_nobody_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The start goes on, and each attempt says so."""
    monkeypatch.setattr("clipsaver.media.storage.clients.RETRIES", {"max_retries": 0})
    async with await open_storage("s3://bucket?endpoint=http://127.0.0.1:9", data_dir=tmp_path) as storage:
        with pytest.raises(StorageUnavailable, match="s3://bucket can't be used at the moment"):
            await storage.put_picture(picture_name(b"\0" * 32, 320), b"webp")
