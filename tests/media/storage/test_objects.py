"""Bytes in buckets: what is sent, what is taken back, and what is made of what the other side says."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from clipsaver.media.storage import (
    Storage,
    StorageFull,
    StorageRefused,
    StorageUnavailable,
    blob_name,
    objects,
    open_storage,
    picture_name,
)
from clipsaver.media.storage.signing import with_more
from tests.media.storage.bytes_in import BIG, keep, left_over, sha256, whole
from tests.media.storage.conftest import Stores, ask, fetch
from tests.media.storage.scripted import NO_SUCH_KEY, Answer, Scripted, failed, scripted

NAME = blob_name(sha256(b"clip"))


def bucket_of(storage: Storage) -> str:
    """Its address."""
    assert isinstance(storage, objects.ObjectStorage)
    return f"{storage.place.options['endpoint']}/{storage.place.bucket}"


async def test_an_upload_that_is_stopped_is_taken_back(
    s3: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of it stays in the bucket, where it would cost for ever, nor here."""
    under_way = asyncio.Event()
    loop = asyncio.get_running_loop()
    really = objects._parts

    def slowly(path: Path, stop: threading.Event) -> Iterator[bytes]:
        for part in really(path, stop):
            yield part
            loop.call_soon_threadsafe(under_way.set)
            assert stop.wait(20)

    monkeypatch.setattr(objects, "_parts", slowly)
    task = asyncio.create_task(keep(s3, BIG))
    await under_way.wait()
    assert "<UploadId>" in ask("GET", f"{bucket_of(s3)}?uploads")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert "<UploadId>" not in ask("GET", f"{bucket_of(s3)}?uploads")
    assert None is await s3.size(blob_name(sha256(BIG)))
    assert [] == left_over(tmp_path)


async def test_what_was_stopped_before_it_began_never_begins(s3: Storage, tmp_path: Path) -> None:
    """All threads were busy."""
    gate = threading.Event()
    busy = [s3.threads.start(gate.wait, 20) for _ in range(s3.threads.count)]
    task = asyncio.create_task(s3.put_picture(picture_name(sha256(b"clip"), 320), b"webp"))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    gate.set()
    for job in busy:
        await s3.threads.finish(job)
    assert [] == [stored async for stored in s3.listing("thumbnails")]


async def test_nobody_waits_for_an_answer_that_nobody_wants(s3: Storage) -> None:
    """A question is dropped at once, and what becomes of it is nobody's concern."""
    gate = threading.Event()

    def question() -> None:
        gate.wait(20)
        raise ZeroDivisionError

    task = asyncio.create_task(s3.threads.ask(question))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    gate.set()


async def test_nothing_lies_on_this_machine(s3: Storage) -> None:
    """Other programs need a copy."""
    assert None is s3.local_path(NAME)


async def test_a_copy_has_a_bound(s3: Storage, tmp_path: Path) -> None:
    """What is longer is not copied, and the copy begun is gone."""
    kept = await keep(s3, BIG)
    with pytest.raises(StorageFull, match="larger than a copy may be: 1000000 bytes"):
        async with s3.as_file(blob_name(kept), most=1_000_000):
            pass
    assert [] == left_over(tmp_path)


async def test_signed_links(s3: Storage) -> None:
    """Anybody can fetch it for a while, under its own name and as what it is."""
    name = blob_name(await keep(s3, b"clip"))
    link = await s3.signed_link(name, expires=timedelta(minutes=5), filename="Mäh & Muh.mp4", content_type="video/webm")
    assert link is not None
    data, headers = await asyncio.to_thread(fetch, link)
    assert (b"clip", "video/webm") == (data, headers["Content-Type"])
    assert "inline; filename*=UTF-8''M%C3%A4h%20%26%20Muh.mp4" == headers["Content-Disposition"]
    plain = await s3.signed_link(name, expires=timedelta(minutes=5))
    assert plain is not None
    assert "video/mp4" == (await asyncio.to_thread(fetch, plain))[1]["Content-Type"]
    for too in (timedelta(0), timedelta(days=8)):
        with pytest.raises(ValueError, match="at most seven days"):
            await s3.signed_link(name, expires=too)


async def test_no_key_to_sign_with(s3: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then there is no link, or one that says nothing of a name."""
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    link = await s3.signed_link(NAME, expires=timedelta(minutes=5), filename="x.mp4")
    assert link is not None
    assert "response-content" not in link

    def no_key(*_: object) -> str:
        raise ValueError("no key")

    monkeypatch.setattr("obstore.sign", no_key)
    assert None is await s3.signed_link(NAME, expires=timedelta(minutes=5))


def test_only_our_own_signatures_are_made_anew() -> None:
    """Not Azure's, not Google's, not one by a borrowed key."""
    signed = "https://x.test/b?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-SignedHeaders=host&X-Amz-Credential=other%2F1%2Fr%2Fs3%2Fx"
    for url in ("https://x.test/b?sig=1", signed):
        assert url == with_more(url, {"a": "b"}, key_id="ours", secret="ours")


def test_amazons_own_example() -> None:
    """The address in Amazon's documents ("Authenticating Requests: Using Query Parameters") is signed like this."""
    url = (
        "https://examplebucket.s3.amazonaws.com/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256"
        "&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"
        "&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&X-Amz-Signature=none"
    )
    again = with_more(url, {}, key_id="AKIAIOSFODNN7EXAMPLE", secret="wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
    assert again.endswith("=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404")


@asynccontextmanager
async def told(answer: Callable[[str], Answer], tmp_path: Path) -> AsyncIterator[tuple[Storage, Scripted]]:
    """A storage whose other side says what we want."""
    with scripted(answer) as script:
        async with await open_storage(f"s3://bucket?endpoint={script.url}", data_dir=tmp_path) as storage:
            script.asked.clear()
            yield storage, script


@pytest.fixture
def few_retries(keys: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two, and soon."""
    monkeypatch.setattr(
        "clipsaver.media.storage.clients.RETRIES",
        {
            "max_retries": 2,
            "backoff": {"init_backoff": timedelta(milliseconds=1), "max_backoff": timedelta(milliseconds=2), "base": 2},
        },
    )


@pytest.mark.usefixtures("few_retries")
@pytest.mark.parametrize(
    ("answer", "kind", "times"),
    [
        (failed(500, "InternalError"), StorageUnavailable, 3),
        (failed(503, "SlowDown"), StorageUnavailable, 3),
        (failed(403, "AccessDenied"), StorageRefused, 1),
        (failed(401, "Unauthorized"), StorageRefused, 1),
        (failed(403, "QuotaExceeded"), StorageFull, 1),
        (failed(404, "NoSuchBucket"), StorageRefused, 1),
        (failed(507, "XMinioStorageFull"), StorageFull, 3),
    ],
)
async def test_what_the_other_side_says(tmp_path: Path, answer: Answer, kind: type[Exception], times: int) -> None:
    """Each in its kind, tried again where that can help, and no more often."""
    healthy = [True]

    def answers(asked: str) -> Answer:
        if healthy[0]:
            return 200, b"<ListBucketResult/>"
        return NO_SUCH_KEY if asked.startswith("HEAD") else answer

    async with told(answers, tmp_path) as (storage, script):
        healthy[0] = False
        with pytest.raises(kind) as raised:
            await storage.put_picture(picture_name(sha256(b"clip"), 320), b"webp")
        assert len(str(raised.value)) < 450
        assert "Debug source" not in str(raised.value)
        assert times == len(script.asked)
        with pytest.raises(kind):
            await whole(storage.read(NAME))
        with pytest.raises(kind):
            await keep(storage, b"clip")
        with pytest.raises(kind):
            [stored async for stored in storage.listing("blobs")]
    assert [] == left_over(tmp_path)


@pytest.mark.usefixtures("few_retries")
async def test_an_upload_that_fails_is_taken_back(tmp_path: Path) -> None:
    """The other side is told that nothing more comes."""

    def answer(asked: str) -> Answer:
        if asked.startswith("POST") and "uploads" in asked:
            return 200, b"<InitiateMultipartUploadResult><UploadId>7</UploadId></InitiateMultipartUploadResult>"
        if asked.startswith("PUT") and "partNumber=2" in asked:
            return failed(500, "InternalError")
        if asked.startswith(("HEAD", "GET")) and "list-type" not in asked:
            return NO_SUCH_KEY
        return (204, b"") if asked.startswith("DELETE") else (200, b"<ListBucketResult/>")

    async with told(answer, tmp_path) as (storage, script):
        with pytest.raises(StorageUnavailable):
            await keep(storage, BIG)
        assert any(asked.startswith("DELETE") and "uploadId=7" in asked for asked in script.asked)
    assert [] == left_over(tmp_path)


@pytest.mark.usefixtures("few_retries")
async def test_a_server_without_conditions(tmp_path: Path) -> None:
    """Some that speak S3 know none: then it is put without one."""
    there: list[int] = []

    def answer(asked: str) -> Answer:
        if asked.startswith("HEAD") and there:
            return 200, b"clip"
        if asked.startswith(("HEAD", "GET")) and "list-type" not in asked:
            return NO_SUCH_KEY
        if asked.startswith("PUT") and "blobs" in asked:
            if asked.endswith("if new"):
                return failed(501, "NotImplemented")
            there.append(1)
        return 200, b"<ListBucketResult/>"

    async with told(answer, tmp_path) as (storage, script):
        await keep(storage, b"clip")
        assert 1 == sum(asked.startswith("PUT") and not asked.endswith("if new") for asked in script.asked)


@pytest.mark.usefixtures("few_retries")
async def test_a_key_that_may_only_read(tmp_path: Path) -> None:
    """Nothing is sent without the condition, and it is said."""

    def answer(asked: str) -> Answer:
        if asked.startswith("PUT") and "blobs" in asked:
            return failed(403, "AccessDenied")
        if asked.startswith(("HEAD", "GET")) and "list-type" not in asked:
            return NO_SUCH_KEY
        return 200, b"<ListBucketResult/>"

    async with told(answer, tmp_path) as (storage, script):
        with pytest.raises(StorageRefused, match="s3://bucket refuses"):
            await keep(storage, b"clip")
        assert ["PUT"] == [asked.split()[0] for asked in script.asked if asked.startswith("PUT")]


@pytest.mark.usefixtures("few_retries")
async def test_somebody_else_was_faster(tmp_path: Path) -> None:
    """Between our look and our sending: the condition fails, and what is there is ours as well."""
    there: list[int] = []

    def answer(asked: str) -> Answer:
        if asked.startswith("HEAD") and there:
            return 200, b"clip"
        if asked.startswith(("HEAD", "GET")) and "list-type" not in asked:
            return NO_SUCH_KEY
        if asked.startswith("PUT") and "blobs" in asked:
            there.append(1)
            return failed(412, "PreconditionFailed")
        return 200, b"<ListBucketResult/>"

    async with told(answer, tmp_path) as (storage, script):
        assert sha256(b"clip") == await keep(storage, b"clip")
        assert 1 == sum(asked.startswith("PUT") for asked in script.asked)


@pytest.mark.usefixtures("keys")
async def test_a_blob_without_bytes(stores: Stores, tmp_path: Path) -> None:
    """Can be read too: nothing comes."""
    async with await open_storage(stores.url("s3", prefix=""), data_dir=tmp_path) as storage:
        name = blob_name(await keep(storage, b""))
        assert b"" == await whole(storage.read(name))
        assert 0 == await storage.size(name)


async def test_many_pages_of_names(s3: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    """One after the other."""
    monkeypatch.setattr(objects, "PAGE", 2)
    names = sorted([blob_name(await keep(s3, bytes([number]))) for number in range(5)])
    assert names == [stored.name async for stored in s3.listing("blobs")]
