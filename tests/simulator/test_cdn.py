"""The CDN and the files behind it."""

import hashlib
import io

import av
import pytest

from clipsaver.simulator import files, videos
from clipsaver.simulator.cdn import GONE
from clipsaver.simulator.entities import Attachment, Channel
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


@pytest.mark.parametrize("asked", ["lines=1-2", "bytes=-", "bytes=5-x"])
async def test_a_range_that_is_none_is_ignored(client: Client, attachment: Attachment, url: str, asked: str) -> None:
    """The whole file comes."""
    assert len((await client.get(url, headers={"Range": asked})).body) == attachment.size


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
