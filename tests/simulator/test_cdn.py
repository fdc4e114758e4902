"""The CDN and the files behind it."""

import hashlib
import io
from collections.abc import Mapping

import aiohttp
import av
import pytest

from clipsaver.simulator import files, videos
from clipsaver.simulator.cdn_faults import GONE
from clipsaver.simulator.entities import Attachment, Channel
from clipsaver.simulator.faults import Kind
from clipsaver.simulator.server import Simulator
from clipsaver.simulator.world import World
from tests.simulator.client import Client
from tests.simulator.test_past import MESSAGES


@pytest.fixture
def attachment(world: World, clips: Channel) -> Attachment:
    """A video of the past."""
    found = (one for message in world.histories[clips.id].before(1 << 62, 250) for one in message.attachments)
    return next(one for one in found if one.kind == "mp4" and one.content_type == "video/mp4")


@pytest.fixture
def url(simulator: Simulator, attachment: Attachment) -> str:
    """Its link."""
    return simulator.cdn_origin + simulator.world.links.path(attachment)


@pytest.mark.parametrize(
    ("kind", "container", "codec"),
    [("mp4", "mp4", "h264"), ("mov", "mov", "h264"), ("webm", "webm", "vp9"), ("mkv", "matroska", "h264")],
)
def test_videos_are_real_and_as_long_as_they_say(kind: str, container: str, codec: str) -> None:
    """Each plays with its padding, and no two are the same."""
    found = [one for message in MESSAGES for one in message.attachments if one.kind == kind and one.is_clip]
    seen = set()
    for one in found[:4]:
        data = b"".join(videos.pieces(one))
        assert len(data) == one.size
        with av.open(io.BytesIO(data), "r") as opened:
            assert container in opened.format.name
            assert opened.streams.video[0].codec_context.name == codec
            assert len(list(opened.decode(video=0))) == videos.FRAMES
        seen.add(hashlib.sha256(data).digest())
    assert len(seen) == len({one.file_id for one in found[:4]})


def test_other_files_are_what_they_claim() -> None:
    """Pictures decode, archives begin like archives; any size is met."""
    for kind in files.OTHER_TYPES:
        one = Attachment(id=9, channel_id=1, filename=f"x.{kind}", size=9000, kind=kind, file_id=9)
        data = b"".join(videos.pieces(one))
        assert len(data) == 9000
        if kind == "png":
            with av.open(io.BytesIO(data), "r") as opened:
                assert opened.streams.video[0].codec_context.width == 16


def test_a_span_is_a_slice() -> None:
    """Wherever the pieces' edges are."""
    one = Attachment(id=9, channel_id=1, filename="x.mp4", size=200_000, kind="mp4", file_id=9)
    whole = b"".join(videos.pieces(one))
    for start, stop in ((0, 200_000), (5, 6), (1000, 70_000), (199_999, 200_000), (0, 1)):
        assert whole[start:stop] == b"".join(videos.span(one, start, stop))


async def test_a_link_gives_the_file(client: Client, attachment: Attachment, url: str) -> None:
    """With its type, and its size from HEAD alone."""
    answer = await client.get(url)
    assert answer.status == 200
    assert answer.body == b"".join(videos.pieces(attachment))
    assert answer.headers["Content-Type"] == "video/mp4"
    assert answer.headers["Accept-Ranges"] == "bytes"
    head = await client.ask("HEAD", url)
    assert (head.status, int(head.headers["Content-Length"]), head.body) == (200, attachment.size, b"")


async def test_every_link_of_a_page_works(client: Client, clips: Channel) -> None:
    """Attachments, forwards and components alike, without a file being kept anywhere."""
    page = (await client.get(f"/channels/{clips.id}/messages", params={"limit": 100})).body
    urls = set()
    for message in page:
        shown = [message, *(one["message"] for one in message.get("message_snapshots", ()))]
        urls |= {one["url"] for part in shown for one in part["attachments"] if one["size"] < 1 << 20}
    assert len(urls) > 5
    for url in urls:
        assert (await client.ask("HEAD", url)).status == 200


@pytest.mark.parametrize(
    ("asked", "start", "stop"), [("bytes=0-99", 0, 100), ("bytes=100-", 100, None), ("bytes=-50", -50, None)]
)
async def test_ranges_are_served(
    client: Client, attachment: Attachment, url: str, asked: str, start: int, stop: int | None
) -> None:
    """206 and where it lies."""
    whole = b"".join(videos.pieces(attachment))
    answer = await client.get(url, headers={"Range": asked})
    assert (answer.status, answer.body) == (206, whole[start:stop])
    first = start if start >= 0 else len(whole) + start
    assert answer.headers["Content-Range"].startswith(f"bytes {first}-")
    assert answer.headers["Content-Range"].endswith(f"/{len(whole)}")


@pytest.mark.parametrize("asked", ["bytes=99999999-", "bytes=-0"])
async def test_a_range_outside_is_refused(client: Client, attachment: Attachment, url: str, asked: str) -> None:
    """416 with the size."""
    answer = await client.get(url, headers={"Range": asked})
    assert (answer.status, answer.headers["Content-Range"]) == (416, f"bytes */{attachment.size}")


@pytest.mark.parametrize("asked", ["lines=1-2", "bytes=-", "bytes=5-x", "bytes=5-4", "bytes=0-1,4-5"])
async def test_a_range_that_is_none_is_ignored(client: Client, attachment: Attachment, url: str, asked: str) -> None:
    """The whole file comes, as it does without one."""
    answer = await client.get(url, headers={"Range": asked})
    assert (answer.status, len(answer.body)) == (200, attachment.size)


@pytest.mark.parametrize("known_by", ["ETag", "Last-Modified"])
async def test_the_rest_of_the_same_file_can_be_had(client: Client, url: str, known_by: str) -> None:
    """And of any other the whole: If-Range decides."""
    whole = await client.get(url)
    asked = {"Range": "bytes=1000-", "If-Range": whole.headers[known_by]}
    rest = await client.get(url, headers=asked)
    assert (rest.status, rest.body, rest.headers["ETag"]) == (206, whole.body[1000:], whole.headers["ETag"])
    other = await client.get(url, headers=asked | {"If-Range": '"another"'})
    assert (other.status, other.body) == (200, whole.body)


async def test_the_cdn_answers_something_else(client: Client, simulator: Simulator, url: str) -> None:
    """A dead link's page with any status, a redirect, a range that can't be satisfied; errors as everywhere."""
    for status in (200, 403, 404):
        simulator.faults.add("gone", "GET /attachments/*", count=1, status=status)
        answer = await client.get(url)
        assert (answer.status, answer.body) == (status, GONE.encode())
    simulator.faults.add("redirect", count=1, location="http://169.254.169.254/x")
    answer = await client.get(url, allow_redirects=False)
    assert (answer.status, answer.headers["Location"]) == (302, "http://169.254.169.254/x")
    simulator.faults.add("unsatisfiable", count=1)
    answer = await client.get(url)
    assert answer.status == 416
    assert answer.headers["Content-Range"].startswith("bytes */")
    simulator.faults.add("forbidden", count=1)
    assert (await client.get(url)).status == 403
    simulator.faults.add("not_json", count=1)
    answer = await client.get(url)
    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    simulator.faults.add("reset")
    with pytest.raises(aiohttp.ClientError):
        await client.get(url)
    simulator.faults.clear()
    assert (await client.get(url)).status == 200


async def test_the_cdn_sends_other_bytes(client: Client, simulator: Simulator, url: str) -> None:
    """Half of them, twice of them, a picture, packed ones, or those of another file; as though all were well."""
    whole = await client.get(url)

    async def got(kind: Kind, **headers: str) -> tuple[int, bytes, Mapping[str, str]]:
        simulator.faults.add(kind, count=1)
        answer = await client.get(url, headers={"Accept-Encoding": "identity"} | headers)
        return answer.status, answer.body, answer.headers

    assert (await got("half"))[:2] == (200, whole.body[: len(whole.body) // 2])
    assert (await got("long"))[:2] == (200, whole.body * 2)
    assert (await got("long", Range=f"bytes={len(whole.body) - 1}-"))[1] == whole.body[-1:] + whole.body
    assert (await got("long", Range=f"bytes={len(whole.body) + 1}-"))[1] == whole.body[1:]
    _, body, headers = await got("wrong_type")
    assert (body[:4], headers["Content-Type"]) == (b"\x89PNG", "image/png")
    _, body, headers = await got("gzip")
    assert (body, headers["Content-Encoding"]) == (whole.body, "gzip")  # unpacked by the client
    status, body, headers = await got("no_ranges", Range="bytes=5-")
    assert (status, body, headers["Accept-Ranges"]) == (200, whole.body, "none")
    _, body, headers = await got("uncounted")
    assert (body, headers.get("Content-Length")) == (whole.body, None)
    status, body, headers = await got("changed", Range="bytes=4000-", **{"If-Range": whole.headers["ETag"]})
    assert (status, len(body), body[:4096]) == (200, len(whole.body), whole.body[:4096])
    assert body[4096:] == bytes(255 - one for one in whole.body[4096:])
    assert headers["ETag"] != whole.headers["ETag"]
    assert (await got("changed", Range="bytes=5000-5001"))[1] == body[5000:5002]


@pytest.mark.parametrize("kind", ["truncate", "break"])
async def test_the_cdn_breaks_off(client: Client, simulator: Simulator, url: str, kind: Kind) -> None:
    """At half of a file, with an end or a reset."""
    simulator.faults.add(kind, count=1)
    with pytest.raises(aiohttp.ClientError):
        await client.get(url)


async def test_the_cdn_is_slow(client: Client, simulator: Simulator, attachment: Attachment, url: str) -> None:
    """It stops at half, or sends byte for byte; what comes is right."""
    whole = b"".join(videos.pieces(attachment))
    simulator.faults.add("stall", count=1, seconds=0.01)
    assert (await client.get(url)).body == whole
    drip = simulator.faults.add("drip", count=1, seconds=0.0)
    assert (await client.get(url, headers={"Range": "bytes=10-29"})).body == whole[10:30]
    assert drip.happened == 1


async def test_links_end_after_a_day(client: Client, world: World, url: str) -> None:
    """404 with a short text; a fresh link works again."""
    now = world.clock()
    world.clock = lambda: now + 86_401
    answer = await client.get(url)
    assert (answer.status, answer.body.decode()) == (404, GONE)
    assert len(GONE) == 36


@pytest.mark.parametrize(
    "change", [("hm=", "hm=0"), ("ex=", "ex=f"), ("?ex=", "?no="), ("/attachments/1", "/attachments/2")]
)
async def test_a_link_can_not_be_changed(client: Client, url: str, change: tuple[str, str]) -> None:
    """The signature is over all of it."""
    assert (await client.get(url.replace(*change, 1))).status == 404


async def test_what_is_deleted_is_gone(
    client: Client, world: World, clips: Channel, attachment: Attachment, url: str
) -> None:
    """And what was never there."""
    message = next(one for one in files.message_ids(attachment.id) if world.histories[clips.id].get(one))
    world.delete_message(clips.id, message)
    assert (await client.get(url)).status == 404
    for other in (
        Attachment(id=5, channel_id=clips.id, filename="x.mp4", size=9, kind="mp4", file_id=5),
        Attachment(id=5 | files.UPLOAD_BIT, channel_id=6, filename="x.mp4", size=9, kind="mp4", file_id=5),
    ):
        assert (await client.get(world.links.origin + world.links.path(other))).status == 404


async def test_a_name_of_its_own_makes_no_link(client: Client, world: World, clips: Channel) -> None:
    """The file name is part of the link."""
    file = world.make_attachment(clips.id, "a.mp4", data=b"data", content_type=None)
    path = f"/attachments/{clips.id}/{file.id}/b.mp4"
    expires = int(world.clock()) + 99
    signed = f"{path}?ex={expires:x}&is=1&hm={world.links.sign(path, expires, 1)}&"
    assert (await client.get(world.links.origin + signed)).status == 404
    answer = await client.get(world.links.origin + world.links.path(file), headers={"Range": "bytes=1-2"})
    assert (answer.body, answer.headers["Content-Type"]) == (b"at", "application/octet-stream")


async def test_a_huge_file_is_streamed(client: Client, world: World, clips: Channel) -> None:
    """Its end can be had without its middle."""
    file = world.make_attachment(clips.id, size=files.TOO_LARGE)
    answer = await client.get(world.links.origin + world.links.path(file), headers={"Range": "bytes=-10"})
    assert answer.body == bytes(10)
