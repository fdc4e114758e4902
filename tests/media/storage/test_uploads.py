"""Uploads in parts that a dead process has left in a bucket."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from clipsaver.media.storage import Storage, StorageUnavailable, blob_name, open_storage
from tests.media.storage.bytes_in import keep, sha256
from tests.media.storage.conftest import Stores, ask
from tests.media.storage.scripted import Answer, scripted

NAME = blob_name(sha256(b"left"))
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
"""moto says of each that it was begun in 2010."""


@pytest.fixture
async def bucket(stores: Stores, keys: None, tmp_path: Path) -> AsyncIterator[tuple[Storage, str]]:
    """A storage, and its bucket's address."""
    name = stores.bucket("s3")
    async with await open_storage(stores.url("s3", bucket=name), data_dir=tmp_path) as storage:
        yield storage, f"{stores.s3}/{name}"


async def test_old_ones_are_taken_back(bucket: tuple[Storage, str]) -> None:
    """Those of ours, and no younger ones."""
    storage, url = bucket
    kept = blob_name(await keep(storage, b"clip"))
    for key in (f"below/it/{NAME}", "below/it/elsewhere", "another/" + NAME):
        assert "<UploadId>" in ask("POST", f"{url}/{key}?uploads")
    assert await storage.abort_uploads(older_than=LONG_AGO) == 0
    assert await storage.abort_uploads(older_than=datetime.now(UTC) + timedelta(hours=1)) == 1
    left = ask("GET", f"{url}?uploads")
    assert f"<Key>below/it/{NAME}</Key>" not in left
    assert left.count("<Upload>") == 2
    assert await storage.size(kept) == 4


async def test_without_keys_nothing_is_asked(bucket: tuple[Storage, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A rule of the bucket has to remove them."""
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    assert await bucket[0].abort_uploads(older_than=datetime.now(UTC) + timedelta(hours=1)) == 0

    def no_key(*_: object) -> str:
        raise ValueError("no key")

    monkeypatch.setattr("obstore.sign", no_key)
    assert await bucket[0].abort_uploads(older_than=datetime.now(UTC) + timedelta(hours=1)) == 0


def listed(*keys: str, after: str = "", undated: str = "") -> Answer:
    """A page of a list."""
    uploads = "".join(
        f"<Upload><Key>{key}</Key><UploadId>of&amp;{key[-2:]}</UploadId><Initiated>2026-01-01T00:00:00.000Z</Initiated></Upload>"
        for key in keys
    )
    uploads += f"<Upload><Key>{undated}</Key><UploadId>1</UploadId></Upload>" if undated else ""
    more = f"<IsTruncated>true</IsTruncated><NextKeyMarker>{after}</NextKeyMarker>" if after else ""
    return 200, f"<ListMultipartUploadsResult>{uploads}{more}</ListMultipartUploadsResult>".encode()


@pytest.mark.usefixtures("keys")
async def test_page_by_page(tmp_path: Path) -> None:
    """However many there are; what the other side says instead of a list is trouble with it."""
    first, second = "blobs/aa/one", "blobs/bb/two"
    refuses = [False]

    def answer(asked: str) -> Answer:
        if "list-type" in asked:
            return 200, b"<ListBucketResult/>"
        if refuses[0]:
            return 403, b"<Error><Code>AccessDenied</Code></Error>"
        if asked.startswith("GET") and "uploads=" in asked:
            return listed(second) if "key-marker=" in asked else listed(first, after=first, undated="blobs/cc/three")
        return 204 if asked.startswith("DELETE") else 200, b""

    with scripted(answer) as script:
        async with await open_storage(f"s3://bucket?endpoint={script.url}", data_dir=tmp_path) as storage:
            script.asked.clear()
            assert await storage.abort_uploads(older_than=datetime.now(UTC)) == 2
            gone = [asked.split("?")[0] for asked in script.asked if asked.startswith("DELETE")]
            assert gone == [f"DELETE /bucket/{first}", f"DELETE /bucket/{second}"]
            assert all("uploadId=of%26" in asked for asked in script.asked if asked.startswith("DELETE"))
            refuses[0] = True
            with pytest.raises(StorageUnavailable, match="unfinished uploads"):
                await storage.abort_uploads(older_than=datetime.now(UTC))
