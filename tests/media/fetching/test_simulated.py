"""Fetching from the simulated CDN, with everything that it can do wrong."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from attrs import define, field

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
from clipsaver.simulator import videos
from clipsaver.simulator.entities import Attachment
from clipsaver.simulator.faults import Kind
from clipsaver.simulator.server import Simulator
from tests.fixtures.discord import StartSimulator
from tests.media.fetching.servers import Memory

PATIENT = Limits(pause=0.0)
HASTY = Limits(pause=0.0, stall=0.2, window=0.1, least_rate=50_000)


@define(eq=False)
class Cdn:
    """A simulator, one file in it, and a fetcher."""

    simulator: Simulator
    file: Attachment
    fetcher: Fetcher
    sink: Memory = field(factory=Memory)

    @property
    def url(self) -> str:
        """A fresh link."""
        return self.simulator.cdn_origin + self.simulator.world.links.path(self.file)

    async def fetch(self, url: str | None = None, **options: Any) -> bytes:
        """The file's bytes."""
        options = {"expected_size": self.file.size, "largest": 1 << 27} | options
        await self.fetcher.fetch(url or self.url, self.sink, **options)
        return bytes(self.sink.data)


@pytest.fixture
async def cdn(simulate: StartSimulator) -> AsyncIterator[Cdn]:
    """One that serves an MP4 of 40,000 bytes."""
    simulator = await simulate(plan={"messages": 0})
    channel = next(iter(simulator.world.channels))
    file = simulator.world.make_attachment(channel, size=40_000)
    async with Fetcher([simulator.cdn_origin], limits=PATIENT) as fetcher:
        yield Cdn(simulator, file, fetcher)


@pytest.mark.parametrize("kind", videos.CODECS)
async def test_every_kind_of_video_comes_as_it_is(cdn: Cdn, kind: str) -> None:
    """Byte for byte."""
    cdn.file = cdn.simulator.world.make_attachment(cdn.file.channel_id, f"x.{kind}", kind=kind)
    assert await cdn.fetch() == b"".join(videos.pieces(cdn.file))


async def test_a_link_that_expired_on_the_way_is_dead(cdn: Cdn) -> None:
    """A fresh one is good."""
    url = cdn.url
    now = cdn.simulator.world.clock()
    cdn.simulator.world.clock = lambda: now + 86_401
    with pytest.raises(LinkDead):
        await cdn.fetch(url)
    cdn.simulator.world.links.clock = cdn.simulator.world.clock
    assert len(await cdn.fetch()) == 40_000


@pytest.mark.parametrize("kind", ["truncate", "break", "reset", "half", "no_ranges", "uncounted", "delay"])
async def test_once_wrong_is_soon_right(cdn: Cdn, kind: Kind) -> None:
    """At once, or when it is tried again."""
    cdn.simulator.faults.add(kind, count=1, seconds=0.0)
    try:
        await cdn.fetch()
    except Interrupted as interrupted:
        await cdn.fetch(validator=interrupted.validator)
    assert bytes(cdn.sink.data) == b"".join(videos.pieces(cdn.file))


async def test_another_file_under_the_same_link_is_not_mixed_with_the_first(cdn: Cdn) -> None:
    """It begins again, and what comes is one of them."""
    cdn.simulator.faults.add("truncate", count=1)
    changed = cdn.simulator.faults.add("changed", count=1)
    body = await cdn.fetch()
    assert changed.happened == 1
    assert body[4096:] == bytes(255 - one for one in b"".join(videos.pieces(cdn.file))[4096:])


WRONG: list[tuple[Kind, dict[str, Any], type[FetchFailed], bool]] = [
    ("drip", {"seconds": 0.01}, Interrupted, False),
    ("stall", {"seconds": 60}, Interrupted, False),
    ("break", {}, Interrupted, False),
    ("truncate", {}, Interrupted, False),
    ("reset", {}, Interrupted, False),
    ("half", {}, Interrupted, False),
    ("long", {}, WrongContent, False),
    ("wrong_type", {}, WrongContent, False),
    ("not_json", {}, WrongContent, False),
    ("gzip", {}, WrongContent, False),
    ("gone", {"status": 200}, LinkDead, False),
    ("gone", {"status": 403}, LinkDead, False),
    ("gone", {"status": 404}, LinkDead, False),
    ("forbidden", {}, LinkDead, False),
    ("unauthorized", {}, LinkDead, False),
    ("page", {"status": 502}, Interrupted, False),
    ("status", {"status": 500}, Interrupted, False),
    ("status", {"status": 503}, Busy, False),
    ("throttle", {"variant": "hour"}, Busy, False),
    ("throttle", {"variant": "bare"}, Busy, False),
    ("unsatisfiable", {}, Interrupted, False),
    ("redirect", {"location": "http://10.0.0.1/x"}, Refused, True),
    ("redirect", {"location": "http://169.254.169.254/"}, Refused, True),
    ("redirect", {"location": "http://localhost:1/"}, Refused, True),
    ("empty", {}, WrongContent, False),
]


@pytest.mark.parametrize(("kind", "options", "error", "permanent"), WRONG)
async def test_what_stays_wrong_is_said(
    cdn: Cdn, kind: Kind, options: dict[str, Any], error: type[FetchFailed], *, permanent: bool
) -> None:
    """The right error each time; then, with all well again, the right bytes."""
    cdn.simulator.faults.add(kind, **options)
    limits = HASTY if kind in {"drip", "stall"} else PATIENT
    async with Fetcher([cdn.simulator.cdn_origin], limits=limits) as cdn.fetcher:
        with pytest.raises(error) as raised:
            await cdn.fetch()
    assert (type(raised.value), raised.value.permanent) == (error, permanent)
    cdn.simulator.faults.clear()
    async with Fetcher([cdn.simulator.cdn_origin]) as cdn.fetcher:
        validator = raised.value.validator if isinstance(raised.value, Interrupted) else None
        assert await cdn.fetch(validator=validator) == b"".join(videos.pieces(cdn.file))


@pytest.mark.parametrize("kind", ["png", "txt", "zip"])
async def test_a_file_that_is_no_video_is_final(cdn: Cdn, kind: str) -> None:
    """Whatever its name says; it has the very length of the attachment."""
    cdn.file = cdn.simulator.world.make_attachment(cdn.file.channel_id, "x.mp4", kind=kind)
    with pytest.raises(WrongContent) as error:
        await cdn.fetch()
    assert error.value.permanent
    assert cdn.sink.writes == []


async def test_a_huge_file_is_not_begun(cdn: Cdn) -> None:
    """Whether its attachment says how large it is or not."""
    cdn.file = cdn.simulator.world.make_attachment(cdn.file.channel_id, "x.mp4", size=1 << 28)
    for expected in (cdn.file.size, None):
        with pytest.raises(TooLarge):
            await cdn.fetch(expected_size=expected)
    assert cdn.sink.writes == []
