"""Fetching over real sockets, from a server that can't be trusted."""

import asyncio
import random
import ssl
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import trustme

from clipsaver.media.fetching.download import Fetched
from clipsaver.media.fetching.errors import (
    Busy,
    FetchFailed,
    Interrupted,
    LinkDead,
    Refused,
    TooLarge,
    WrongContent,
)
from clipsaver.media.fetching.fetcher import Fetcher
from clipsaver.media.fetching.limits import Limits
from tests.media.fetching.servers import Answer, Asked, Memory, Server, abort, answer, chunked, video

SIZE = 20_000
CLIP = video(SIZE)
LARGEST = 1 << 24
QUICK = Limits(pause=0.0)
SECRET = "5ec4e7" * 8
PATH = f"/attachments/1/2/a.mp4?ex=1&hm={SECRET}&"
TAG = '"tag"'

Serve = Callable[..., Awaitable[Server]]
Fetch = Callable[..., Awaitable[Fetched]]


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    """What ends with the test."""
    async with AsyncExitStack() as stack:
        yield stack


@pytest.fixture
def serve(stack: AsyncExitStack) -> Serve:
    """Start servers."""

    async def start(*answers: Answer, tls: ssl.SSLContext | None = None) -> Server:
        return await stack.enter_async_context(Server(list(answers), tls))

    return start


@pytest.fixture
def sink() -> Memory:
    """Where it goes."""
    return Memory()


@pytest.fixture
def fetch(stack: AsyncExitStack, sink: Memory) -> Fetch:
    """Fetch a clip from a server, with a fetcher of its own."""

    async def run(server: Server, **options: Any) -> Fetched:
        path = options.pop("path", PATH)
        limits = options.pop("limits", QUICK)
        options = {"expected_size": SIZE, "largest": LARGEST} | options
        fetcher = await stack.enter_async_context(Fetcher([server.origin], limits=limits))
        return await fetcher.fetch(server.origin + path, sink, **options)

    return run


def cut(body: bytes, at: int, *, reset: bool = False, **headers: Any) -> Answer:
    """An answer that promises more than it sends."""

    async def send(_: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(body, **headers)[: at - len(body)])
        await writer.drain()
        if reset:
            abort(writer)

    return send


def rest_of(body: bytes, *, most: int | None = None, tag: str = TAG) -> Answer:
    """Answers as a server does that keeps to ranges, with at most so many bytes at once."""

    async def send(asked: Asked, writer: asyncio.StreamWriter) -> None:
        start = int(asked.headers.get("range", "bytes=0-")[len("bytes=") : -1])
        part = body[start : None if most is None else start + most]
        said = f"bytes {start}-{start + len(part) - 1}/{len(body)}"
        writer.write(answer(part, 206, ETag=tag, Content_Range=said))

    return send


async def abort_at_once(_: Asked, writer: asyncio.StreamWriter) -> None:
    """A reset in place of an answer."""
    abort(writer)


async def hang(_: Asked, writer: asyncio.StreamWriter) -> None:
    """Say nothing."""
    await asyncio.get_running_loop().create_future()


async def test_a_file_comes_whole(serve: Serve, fetch: Fetch, sink: Memory) -> None:
    """With what is known of it; the link was asked for as it is, and its bytes as they are."""
    server = await serve(answer(CLIP, Content_Type="Video/MP4", ETag=TAG))
    assert await fetch(server) == Fetched(size=SIZE, content_type="video/mp4", container="video/mp4")
    assert bytes(sink.data) == CLIP
    [asked] = server.asked
    assert asked.path == PATH
    assert (asked.headers["accept-encoding"], asked.headers["user-agent"]) == ("identity", "clipsaver")
    assert "range" not in asked.headers
    assert "authorization" not in asked.headers


async def test_proxies_of_the_environment_are_passed_by(
    serve: Serve, fetch: Fetch, sink: Memory, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Nobody else may look names up; nor are there passwords for anyone."""
    server, proxy = await serve(answer(CLIP)), await serve(answer(b"", 502))
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, proxy.origin)
        monkeypatch.setenv(name.upper(), proxy.origin)
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password hunter2\n", encoding="ascii")
    monkeypatch.setenv("NETRC", str(netrc))
    await fetch(server)
    assert bytes(sink.data) == CLIP
    assert proxy.asked == []
    assert "authorization" not in server.asked[0].headers


@pytest.mark.parametrize("given", [chunked(CLIP[:7], CLIP[7:]), answer(CLIP, counted=False), answer(CLIP)])
async def test_the_attachments_length_is_proof_enough(serve: Serve, fetch: Fetch, sink: Memory, given: bytes) -> None:
    """However the answer ends."""
    assert (await fetch(await serve(given))).size == SIZE
    assert bytes(sink.data) == CLIP


@pytest.mark.parametrize("given", [chunked(CLIP), answer(CLIP)])
async def test_without_it_the_answer_has_to_prove_it(serve: Serve, fetch: Fetch, given: bytes) -> None:
    """By its own length or its own end."""
    assert (await fetch(await serve(given), expected_size=None)).size == SIZE


async def test_the_end_of_a_connection_proves_nothing(serve: Serve, fetch: Fetch) -> None:
    """Where nobody says how long the file is."""
    with pytest.raises(Interrupted) as error:
        await fetch(await serve(answer(CLIP, counted=False)), expected_size=None)
    assert (error.value.cause, error.value.validator) == ("short", None)


async def test_bytes_are_handed_on_as_they_come(serve: Serve, fetch: Fetch, sink: Memory) -> None:
    """Nothing is held back to be put together, and no piece is larger than what is read at once."""
    for size in (SIZE, 5_000_000):
        await sink.restart()
        sink.writes.clear()
        await fetch(await serve(answer(video(size))), expected_size=size)
        assert bytes(sink.data) == video(size)
    assert sum(sink.writes) == 5_000_000
    assert max(sink.writes) <= 256 * 1024
    assert 0 not in sink.writes


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 451])
async def test_a_link_that_gives_nothing_is_dead(serve: Serve, fetch: Fetch, sink: Memory, status: int) -> None:
    """A fresh one may give it."""
    with pytest.raises(LinkDead) as error:
        await fetch(await serve(answer(b"This content is no longer available.", status)))
    assert not error.value.permanent
    assert not sink.data


@pytest.mark.parametrize("expected", [SIZE, 36, None])
async def test_the_page_of_a_dead_link_is_no_clip(
    serve: Serve, fetch: Fetch, sink: Memory, expected: int | None
) -> None:
    """Though it comes with a 200, and even with the right length."""
    with pytest.raises(LinkDead):
        await fetch(await serve(answer(b"This content is no longer available.")), expected_size=expected)
    assert not sink.writes


PAGE = b"<!DOCTYPE html><html><head><title>502 Bad Gateway</title></head></html>"
PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(100)


@pytest.mark.parametrize("kind", ["video/mp4", "text/html"])
@pytest.mark.parametrize(
    ("body", "expected", "permanent"),
    [
        (PAGE, SIZE, False),
        (PAGE, None, False),
        (PAGE, len(PAGE), True),
        (b'{"code": 0}', SIZE, False),
        (PICTURE, SIZE, False),
        (PICTURE, None, True),
        (PICTURE, len(PICTURE), True),
        (b"", None, True),
    ],
)
async def test_what_is_no_video_is_not_kept(
    serve: Serve, fetch: Fetch, sink: Memory, kind: str, body: bytes, expected: int | None, *, permanent: bool
) -> None:
    """Whatever type it claims; final where it is as long as the attachment, and so is the attachment."""
    for given in (answer(body, Content_Type=kind), chunked(*([body] if body else []))):
        with pytest.raises(WrongContent) as error:
            await fetch(await serve(given), expected_size=expected)
        assert error.value.permanent is permanent
    assert not sink.writes


async def test_a_wrong_type_spoils_no_right_bytes(serve: Serve, fetch: Fetch) -> None:
    """A type is a claim."""
    found = await fetch(await serve(answer(CLIP, Content_Type="image/png")))
    assert (found.content_type, found.container) == ("image/png", "video/mp4")


@pytest.mark.parametrize("encoding", ["gzip", "br", "x"])
async def test_an_encoding_is_refused(serve: Serve, fetch: Fetch, sink: Memory, encoding: str) -> None:
    """It was not asked for, and its length says nothing."""
    with pytest.raises(WrongContent) as error:
        await fetch(await serve(answer(CLIP, Content_Encoding=encoding)))
    assert not error.value.permanent
    assert not sink.writes


async def test_too_large_a_file_is_not_asked_for(serve: Serve, fetch: Fetch) -> None:
    """Its attachment says so."""
    server = await serve(answer(CLIP))
    with pytest.raises(TooLarge) as error:
        await fetch(server, expected_size=LARGEST + 1)
    assert (error.value.permanent, error.value.size, server.asked) == (True, LARGEST + 1, [])


@pytest.mark.parametrize(
    ("given", "most"), [(answer(CLIP), 0), (chunked(CLIP), 0), (chunked(CLIP[:5000], CLIP), SIZE - 1)]
)
async def test_too_large_a_file_is_cut_off(serve: Serve, fetch: Fetch, sink: Memory, given: bytes, most: int) -> None:
    """Where nobody said before how large it is; no byte too many gets through."""
    with pytest.raises(TooLarge) as error:
        await fetch(await serve(given), expected_size=None, largest=SIZE - 1)
    assert error.value.permanent
    assert len(sink.data) <= most


async def test_a_body_without_end_is_cut_off(serve: Serve, fetch: Fetch, sink: Memory) -> None:
    """At the first byte too many."""
    ended = asyncio.get_running_loop().create_future()

    async def endless(_: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(CLIP, counted=False))
        try:
            while True:
                writer.write(bytes(65536))
                await writer.drain()
        except OSError:
            ended.set_result(None)

    with pytest.raises(WrongContent) as error:
        await fetch(await serve(endless), expected_size=SIZE)
    assert not error.value.permanent
    assert len(sink.data) <= SIZE
    await ended


@pytest.mark.parametrize(
    "given", [answer(CLIP + b"x"), chunked(CLIP, b"x"), answer(CLIP + b"x", counted=False), answer(2 * CLIP)]
)
async def test_a_body_longer_than_said_is_refused(serve: Serve, fetch: Fetch, given: bytes) -> None:
    """By a byte or by all of it."""
    with pytest.raises(WrongContent, match="more than"):
        await fetch(await serve(given))


@pytest.mark.parametrize("given", [answer(CLIP[:-1]), chunked(CLIP[:-1]), answer(CLIP[:9000]), answer(b"")])
async def test_a_whole_body_shorter_than_said_is_interrupted(serve: Serve, fetch: Fetch, given: bytes) -> None:
    """There is no rest of it: the next time it begins again."""
    server = await serve(given)
    with pytest.raises(Interrupted) as error:
        await fetch(server)
    assert (error.value.cause, error.value.validator, error.value.permanent) == ("short", None, False)
    assert len(server.asked) == 1


@pytest.mark.parametrize("reset", [False, True])
async def test_a_broken_download_goes_on(serve: Serve, fetch: Fetch, sink: Memory, *, reset: bool) -> None:
    """From where it broke, of the same file only."""
    server = await serve(cut(CLIP, 12_000, reset=reset, ETag=TAG), rest_of(CLIP))
    assert (await fetch(server)).container == "video/mp4"
    assert bytes(sink.data) == CLIP
    if not reset:
        assert server.asked[1].headers["range"] == "bytes=12000-"
        assert server.asked[1].headers["if-range"] == TAG


async def test_a_date_serves_where_there_is_no_tag(serve: Serve, fetch: Fetch, sink: Memory) -> None:
    """If it is old enough."""
    dates: dict[str, Any] = {"Last_Modified": "Sun, 01 Mar 2026 11:00:00 GMT", "Date": "Sun, 01 Mar 2026 12:00:00 GMT"}
    rest = answer(CLIP[12_000:], 206, Content_Range=f"bytes 12000-{SIZE - 1}/{SIZE}", **dates)
    server = await serve(cut(CLIP, 12_000, **dates), rest)
    await fetch(server)
    assert server.asked[1].headers["if-range"] == dates["Last_Modified"]
    assert bytes(sink.data) == CLIP


@pytest.mark.parametrize("seed", range(8))
async def test_however_it_is_cut_it_comes_whole(serve: Serve, fetch: Fetch, sink: Memory, seed: int) -> None:
    """At any places, several times, in parts or not."""
    chance = random.Random(seed)  # noqa: S311 - no secret

    async def unsteady(asked: Asked, writer: asyncio.StreamWriter) -> None:
        start = int(asked.headers.get("range", "bytes=0-")[len("bytes=") : -1])
        stop = chance.randint(start + 1, SIZE)
        said = f"bytes {start}-{stop - 1}/{SIZE}"
        whole = answer(CLIP[start:stop], 206, ETag=TAG, Content_Range=said) if start else answer(CLIP, ETag=TAG)
        writer.write(whole[: chance.randint(len(whole) // 2, len(whole))])
        await writer.drain()
        if chance.random() < 0.3:
            abort(writer)

    await fetch(await serve(unsteady), limits=Limits(pause=0.0, resumes=1000))
    assert bytes(sink.data) == CLIP


async def test_a_cancelled_download_leaves_its_place(serve: Serve, stack: AsyncExitStack, sink: Memory) -> None:
    """And blames nobody."""
    arrived = asyncio.Event()

    async def wait(asked: Asked, writer: asyncio.StreamWriter) -> None:
        arrived.set()
        await hang(asked, writer)

    server = await serve(wait, answer(CLIP))
    fetcher = await stack.enter_async_context(Fetcher([server.origin], limits=Limits(connections=1, failures=1)))
    task = asyncio.create_task(fetcher.fetch(server.origin + PATH, sink, expected_size=SIZE, largest=LARGEST))
    await arrived.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await fetcher.fetch(server.origin + PATH, sink, expected_size=SIZE, largest=LARGEST)
    assert bytes(sink.data) == CLIP


async def test_many_parts_make_a_whole(serve: Serve, fetch: Fetch, sink: Memory) -> None:
    """Where a server sends no more than so much at once."""
    server = await serve(rest_of(CLIP, most=6000))
    assert (await fetch(server)).size == SIZE
    assert (bytes(sink.data), len(server.asked)) == (CLIP, 4)


async def test_a_part_shorter_than_it_says_is_broken(serve: Serve, fetch: Fetch, sink: Memory) -> None:
    """The rest of it is asked for."""
    said: dict[str, Any] = {"Content_Range": f"bytes 0-{SIZE - 1}/{SIZE}", "ETag": TAG}
    server = await serve(answer(CLIP[:9000], 206, counted=False, **said), rest_of(CLIP))
    await fetch(server)
    assert (bytes(sink.data), server.asked[1].headers["range"]) == (CLIP, "bytes=9000-")


async def test_parts_that_nothing_holds_together_are_not_put_together(serve: Serve, fetch: Fetch) -> None:
    """They could be of several files."""
    with pytest.raises(Interrupted) as error:
        await fetch(await serve(answer(CLIP[:6000], 206, Content_Range=f"bytes 0-5999/{SIZE}")))
    assert (error.value.cause, error.value.validator) == ("ranges", None)


@pytest.mark.parametrize(
    "second",
    [
        answer(CLIP, ETag='"other"'),
        rest_of(CLIP, tag='"other"'),
        answer(b"", 416, Content_Range=f"bytes */{SIZE}"),
        answer(CLIP[:100], 206, ETag=TAG, Content_Range=f"bytes 0-99/{SIZE}"),
        answer(CLIP[12_000:], 206, ETag=TAG, Content_Range=f"bytes 12000-{SIZE - 1}/{SIZE + 1}"),
        answer(CLIP[12_000:], 206, ETag=TAG),
        answer(b"--x", 206, ETag=TAG, Content_Type="multipart/byteranges; boundary=x"),
    ],
)
async def test_what_does_not_belong_together_begins_again(
    serve: Serve, fetch: Fetch, sink: Memory, second: Answer
) -> None:
    """Another file, another part, or none."""
    server = await serve(cut(video(SIZE)[:8] + b"0" * (SIZE - 8), 12_000, ETag=TAG), second, answer(CLIP))
    await fetch(server)
    assert (bytes(sink.data), sink.restarts) == (CLIP, 1)


async def test_it_does_not_begin_again_for_ever(serve: Serve, fetch: Fetch) -> None:
    """A server that never sends what is asked for is left."""
    broken = cut(CLIP, 12_000, ETag=TAG)
    nonsense = answer(b"", 416)
    server = await serve(*[broken, nonsense] * 9)
    with pytest.raises(Interrupted) as error:
        await fetch(server, limits=Limits(pause=0.0, resumes=9))
    assert error.value.cause == "ranges"
    assert len(server.asked) < 9


async def test_a_break_that_goes_on_is_left_to_the_caller(serve: Serve, fetch: Fetch, sink: Memory) -> None:
    """Who comes back later, with the same sink, and gets the rest."""
    broken = cut(CLIP, 12_000, ETag=TAG)
    server = await serve(broken, abort_at_once, abort_at_once, abort_at_once, rest_of(CLIP))
    with pytest.raises(Interrupted) as error:
        await fetch(server, limits=Limits(pause=0.0, resumes=1))
    assert (error.value.cause, error.value.validator, sink.offset) == ("broken", TAG, 12_000)
    server.answers = [rest_of(CLIP)]
    assert (await fetch(server, validator=error.value.validator)).container is None
    assert (bytes(sink.data), sink.restarts) == (CLIP, 0)


@pytest.mark.parametrize(("already", "validator"), [(100, None), (SIZE, TAG), (SIZE + 5, TAG)])
async def test_a_sink_of_unknown_content_is_emptied(
    serve: Serve, fetch: Fetch, sink: Memory, already: int, validator: str | None
) -> None:
    """As is one that is full."""
    await sink.write(bytes(already))
    server = await serve(answer(CLIP))
    await fetch(server, validator=validator)
    assert bytes(sink.data) == CLIP
    assert "range" not in server.asked[0].headers


@pytest.mark.parametrize("status", [204, 304, 418, 500, 502, 504, 300])
async def test_other_answers_are_tried_again_later(serve: Serve, fetch: Fetch, status: int) -> None:
    """They say nothing of the file."""
    with pytest.raises(Interrupted) as error:
        await fetch(await serve(answer(b"", status)))
    assert (error.value.cause, error.value.status) == ("status", status)
    assert str(status) in error.value.message


@pytest.mark.parametrize("status", [429, 503])
async def test_a_busy_origin_is_left_alone(serve: Serve, stack: AsyncExitStack, sink: Memory, status: int) -> None:
    """By all, for as long as it says."""
    server = await serve(answer(b"", status, Retry_After="7"))
    fetcher = await stack.enter_async_context(Fetcher([server.origin], limits=QUICK))
    said: list[Busy] = []
    for _ in range(2):
        with pytest.raises(Busy) as error:
            await fetcher.fetch(server.origin + PATH, sink, expected_size=SIZE, largest=LARGEST)
        assert 6 < error.value.retry_after <= 7.7
        assert error.value.asked == (len(said) == 0)
        said.append(error.value)
    assert len(server.asked) == 1
    assert list(fetcher.rests()) == [server.origin]


@pytest.mark.parametrize("given", [answer(b"", 429), answer(b"", 503, Retry_After="0")])
async def test_it_is_left_alone_as_well_where_it_does_not_say(serve: Serve, fetch: Fetch, given: bytes) -> None:
    """For a time of our own."""
    with pytest.raises(Busy) as error:
        await fetch(await serve(given))
    assert 2.5 <= error.value.retry_after <= 5


async def test_an_origin_that_keeps_failing_is_given_a_rest(serve: Serve, stack: AsyncExitStack, sink: Memory) -> None:
    """The others are not."""
    bad, good = await serve(answer(b"", 500)), await serve(answer(CLIP))
    fetcher = await stack.enter_async_context(Fetcher([bad.origin, good.origin], limits=Limits(failures=3)))
    for _ in range(3):
        with pytest.raises(Interrupted):
            await fetcher.fetch(bad.origin + PATH, sink, expected_size=SIZE, largest=LARGEST)
    with pytest.raises(Busy):
        await fetcher.fetch(bad.origin + PATH, sink, expected_size=SIZE, largest=LARGEST)
    assert len(bad.asked) == 3
    assert fetcher.lets_begin() == 0
    await fetcher.fetch(good.origin + PATH, sink, expected_size=SIZE, largest=LARGEST)
    assert fetcher.lets_begin() == fetcher.limits.connections


@pytest.mark.parametrize("before", [b"", answer(CLIP)[:-14_000], answer(CLIP, ETag=TAG)[:-14_000]])
async def test_a_server_that_stands_still_is_left(serve: Serve, fetch: Fetch, before: bytes) -> None:
    """Before its answer or inside of it."""

    async def stand_still(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(before)
        await hang(asked, writer)

    with pytest.raises(Interrupted) as error:
        await fetch(await serve(stand_still), limits=Limits(pause=0.0, stall=0.05, answer=0.3, resumes=0))
    assert error.value.cause == "stalled"


async def test_a_stall_goes_on_elsewhere(serve: Serve, fetch: Fetch, sink: Memory) -> None:
    """On a new connection, if anything came before."""

    async def half_then_hang(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(CLIP, ETag=TAG)[:-8000])
        await hang(asked, writer)

    await fetch(await serve(half_then_hang, rest_of(CLIP)), limits=Limits(pause=0.0, stall=0.3))
    assert (bytes(sink.data), sink.restarts) == (CLIP, 0)


async def test_drops_are_not_waited_for(serve: Serve, fetch: Fetch) -> None:
    """Byte after byte, and none for too long."""

    async def drip(_: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(CLIP)[:-SIZE])
        for one in CLIP:
            writer.write(bytes((one,)))
            await writer.drain()
            await asyncio.sleep(0.005)

    with pytest.raises(Interrupted) as error:
        await fetch(await serve(drip), limits=Limits(window=0.1, least_rate=1e5, spare=60))
    assert error.value.cause == "slow"


async def test_a_server_that_is_not_there_can_not_be_reached(serve: Serve, fetch: Fetch) -> None:
    """Once is enough for now."""
    server = await serve(answer(CLIP))
    server._server.close()
    await server._server.wait_closed()
    with pytest.raises(Interrupted) as error:
        await fetch(server)
    assert (error.value.cause, server.asked) == ("unreachable", [])


@pytest.mark.parametrize(
    "given", [b"", b"what is this\r\n\r\n", b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n", abort_at_once]
)
async def test_what_is_no_http_is_tried_again(serve: Serve, fetch: Fetch, given: Answer) -> None:
    """A few times at once."""
    server = await serve(given)
    with pytest.raises(Interrupted) as error:
        await fetch(server)
    assert error.value.cause == "broken"
    assert 1 < len(server.asked) <= 8  # aiohttp asks once more on its own


async def test_a_redirect_to_a_named_origin_is_followed(serve: Serve, stack: AsyncExitStack, sink: Memory) -> None:
    """And resumed there."""
    behind = await serve(cut(CLIP, 12_000, ETag=TAG), rest_of(CLIP))
    front = await serve(answer(b"", 302, Location=f"{behind.origin}/there?x=1"))
    fetcher = await stack.enter_async_context(Fetcher([front.origin, behind.origin], limits=QUICK))
    await fetcher.fetch(front.origin + PATH, sink, expected_size=SIZE, largest=LARGEST)
    assert (bytes(sink.data), len(front.asked), behind.asked[0].path) == (CLIP, 1, "/there?x=1")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_elsewhere_is_not(serve: Serve, fetch: Fetch, status: int) -> None:
    """To a private address, or to any other; nothing was asked there."""
    elsewhere = await serve(answer(CLIP))
    for location in (elsewhere.origin + "/x", "http://169.254.169.254/latest", "http://localhost/", "file:///x"):
        with pytest.raises(Refused) as error:
            await fetch(await serve(answer(b"", status, Location=location)))
        assert error.value.permanent
    assert elsewhere.asked == []


async def test_redirects_in_circles_end(serve: Serve, fetch: Fetch) -> None:
    """After a few."""
    server = await serve(answer(b"", 302, Location="/again"))
    with pytest.raises(Refused, match="circles"):
        await fetch(server)
    assert len(server.asked) == 4


async def test_nothing_else_is_asked(serve: Serve, stack: AsyncExitStack, sink: Memory) -> None:
    """Of an origin that was not named."""
    server = await serve(answer(CLIP))
    fetcher = await stack.enter_async_context(Fetcher(["https://cdn.example"]))
    for link in (server.origin + PATH, f"http://localhost:{server.port}/x", "http://cdn.example/"):
        with pytest.raises(Refused):
            await fetcher.fetch(link, sink, expected_size=SIZE, largest=LARGEST)
    assert server.asked == []


class Rebinding:
    """A name that is somewhere else each time it is asked for."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = answers
        self.asked = 0

    async def __call__(self, _host: str, _port: int) -> Sequence[str]:
        """The next address."""
        self.asked += 1
        return self.answers[min(self.asked, len(self.answers)) - 1]


async def test_a_name_that_leads_inside_is_refused(serve: Serve, stack: AsyncExitStack, sink: Memory) -> None:
    """Before anything is connected to; a public address beside it changes nothing."""
    server = await serve(answer(CLIP))
    for addresses in (["127.0.0.1"], ["::ffff:127.0.0.1"], ["198.51.100.9", "127.0.0.1"], ["8.8.8.8", "127.0.0.1"]):
        lookup = Rebinding(addresses)
        origin = f"https://cdn.example:{server.port}"
        fetcher = await stack.enter_async_context(Fetcher([origin], lookup=lookup))
        with pytest.raises(Refused) as error:
            await fetcher.fetch(origin + PATH, sink, expected_size=SIZE, largest=LARGEST)
        assert (error.value.permanent, lookup.asked) == (False, 1)
    assert server.asked == []


async def test_what_was_looked_up_once_is_connected_to(serve: Serve, stack: AsyncExitStack, sink: Memory) -> None:
    """And kept for a while: a name that moves away moves nobody."""
    server = await serve(answer(CLIP))
    lookup = Rebinding(["127.0.0.1"], ["127.0.0.2"])
    origin = f"http://own.example:{server.port}"
    fetcher = await stack.enter_async_context(Fetcher([origin], lookup=lookup))
    for _ in range(2):
        await sink.restart()
        await fetcher.fetch(origin + PATH, sink, expected_size=SIZE, largest=LARGEST)
    assert (lookup.asked, server.asked[1].headers["host"]) == (1, f"own.example:{server.port}")


async def test_a_name_that_does_not_exist_can_not_be_reached(stack: AsyncExitStack, sink: Memory) -> None:
    """For now."""
    fetcher = await stack.enter_async_context(Fetcher(["https://cdn.example"], lookup=Rebinding([])))
    with pytest.raises(Interrupted) as error:
        await fetcher.fetch("https://cdn.example/x", sink, expected_size=SIZE, largest=LARGEST)
    assert error.value.cause == "unreachable"


async def test_certificates_are_checked(serve: Serve, stack: AsyncExitStack, sink: Memory) -> None:
    """One that nobody vouches for is as good as no server."""
    authority, own = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(own)
    server = await serve(answer(CLIP), tls=own)
    origin = f"https://localhost:{server.port}"
    lookup = Rebinding(["127.0.0.1"])
    fetcher = await stack.enter_async_context(Fetcher([origin], lookup=lookup))
    with pytest.raises(Interrupted) as error:
        await fetcher.fetch(origin + PATH, sink, expected_size=SIZE, largest=LARGEST)
    assert (error.value.cause, server.asked) == ("unreachable", [])
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    fetcher = await stack.enter_async_context(Fetcher([origin], lookup=lookup, tls=trusting))
    await fetcher.fetch(origin + PATH, sink, expected_size=SIZE, largest=LARGEST)
    assert bytes(sink.data) == CLIP


async def test_only_so_many_come_at_once(serve: Serve, stack: AsyncExitStack) -> None:
    """From one origin, and from all together."""
    running: list[str] = []
    go, full = asyncio.Event(), asyncio.Event()
    most = {"all": 0, "a": 0, "b": 0}

    def counted(name: str) -> Answer:
        async def send(_: Asked, writer: asyncio.StreamWriter) -> None:
            running.append(name)
            most[name] = max(most[name], running.count(name))
            most["all"] = max(most["all"], len(running))
            if len(running) == 3:
                full.set()
            await go.wait()
            running.remove(name)
            writer.write(answer(CLIP))

        return send

    servers = [await serve(counted("a")), await serve(counted("b"))]
    limits = Limits(connections=3, per_origin=2)
    fetcher = await stack.enter_async_context(Fetcher([one.origin for one in servers], limits=limits))
    async with asyncio.TaskGroup() as group:
        for server in servers * 6:
            group.create_task(fetcher.fetch(server.origin + PATH, Memory(), expected_size=SIZE, largest=LARGEST))
        await full.wait()
        go.set()
    assert (most["all"], max(most["a"], most["b"])) == (3, 2)


class Full(Memory):
    """A sink on a full disk."""

    async def write(self, data: bytes) -> None:  # noqa: ARG002 - it has no room for any
        """Refuse it."""
        raise OSError(28, "No space left on device")


async def test_the_sinks_own_errors_are_its_own(serve: Serve, stack: AsyncExitStack) -> None:
    """They are not the network's, and blame no origin."""
    server = await serve(answer(CLIP))
    fetcher = await stack.enter_async_context(Fetcher([server.origin], limits=Limits(failures=1)))
    for _ in range(3):
        with pytest.raises(OSError, match="No space left"):
            await fetcher.fetch(server.origin + PATH, Full(), expected_size=SIZE, largest=LARGEST)
    assert fetcher.rests() == {}


@pytest.mark.parametrize(
    "given",
    [
        answer(b"", 404),
        answer(b"", 500),
        answer(b"", 429),
        answer(PAGE),
        answer(CLIP * 2),
        answer(CLIP[:-1]),
        answer(b"", 302, Location=f"http://10.0.0.1/x?hm={SECRET}"),
        b"what is this\r\n\r\n",
        abort_at_once,
        cut(CLIP, 9000),
    ],
)
async def test_no_error_says_what_was_signed(
    serve: Serve, fetch: Fetch, caplog: pytest.LogCaptureFixture, given: Answer
) -> None:
    """Not in its text, not in what it came from, not in any log line."""
    with pytest.raises(FetchFailed) as error:
        await fetch(await serve(given))
    assert SECRET not in "".join(traceback.format_exception(error.value)) + repr(error.value) + caplog.text
    assert error.value.message.endswith((".", ")."))
    chain: BaseException | None = error.value
    while chain is not None:
        assert SECRET not in str(chain)
        chain = chain.__context__


async def test_outside_of_its_context_nothing_is_fetched(sink: Memory) -> None:
    """That would be a mistake of ours."""
    fetcher = Fetcher(["https://cdn.example"])
    await fetcher.__aexit__()
    with pytest.raises(RuntimeError):
        await fetcher.fetch("https://cdn.example/x", sink, expected_size=1, largest=1)
