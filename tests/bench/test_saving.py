"""Files that are made up when they are asked for, and what is made of the figures."""

import asyncio
from pathlib import Path

import aiohttp
import pytest
from bench.client_files import Order, run
from bench.measuring import Discord
from bench.media_server import ENDING, HEAD, asked_for, beginning, ending, path_of
from bench.programs import settings_for
from bench.saving import media_server
from bench.saving_report import summary

from clipsaver.config import load
from clipsaver.media.fetching.containers import container


async def test_files_are_videos_and_differ() -> None:
    """As long as their addresses say, and each begins in its own way; anything else isn't there."""
    async with media_server() as url, aiohttp.ClientSession() as session:
        bodies = []
        for number in (1, 2):
            async with session.get(url + path_of(number, 100_000)) as response:
                bodies.append(await response.read())
        async with session.get(f"{url}/attachments") as response:
            assert response.status == 404
    assert [100_000, 100_000] == [len(body) for body in bodies]
    assert [beginning(1), beginning(2)] == [body[:HEAD] for body in bodies]
    assert bodies[0][HEAD:] == bodies[1][HEAD:]
    assert container(bodies[0]) == "video/mp4"


async def test_a_video_is_another_one_each_time(tmp_path: Path) -> None:
    """It is under every address, with a box behind it that no other has."""
    video = tmp_path / "clip.mp4"
    await asyncio.to_thread(video.write_bytes, beginning(0) + b"frames")
    bodies = []
    async with media_server(video) as url, aiohttp.ClientSession() as session:
        for name in ("1/2/a.mp4?ex=1", "1/2/a.mp4?ex=1", "3/4/b.webm"):
            async with session.get(f"{url}/attachments/{name}") as response:
                bodies.append(await response.read())
        async with session.get(f"{url}/else") as response:
            assert response.status == 404
    assert [body[:-ENDING] for body in bodies] == [beginning(0) + b"frames"] * 3
    assert [body[-ENDING:] for body in bodies] == [ending(1), ending(2), ending(3)]


@pytest.mark.parametrize("media", [None, "http://127.0.0.1:9"])
def test_nothing_is_fetched_from_discord(media: str | None) -> None:
    """Clips are fetched from the bench's own server, or not at all."""
    discord = Discord(url="http://127.0.0.1:8/api/v10", token="token", guild=1, channels=(), messages=0, clips=0)
    config = load(None, settings_for(discord, media=media, metered=True), Path("/"))
    assert config.guild_defaults["save_bytes"] is (media is not None)
    assert media is None or config.discord.media_origins == (media,)


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (b"GET /attachments/1/7/64.mp4 HTTP/1.1", (7, 64)),
        (b"GET /attachments/1/7/1.mp4 HTTP/1.1", None),
        (b"GET /attachments/1/7/64.webm HTTP/1.1", None),
        (b"POST /attachments/1/7/64.mp4 HTTP/1.1", None),
    ],
)
def test_what_is_asked_for(line: bytes, found: tuple[int, int] | None) -> None:
    """Only what there is."""
    assert asked_for(line) == found


@pytest.mark.parametrize("checked", [False, True])
async def test_the_other_clients_write_everything(tmp_path: Path, checked: bool) -> None:  # noqa: FBT001 - a case
    """All files are there, whole."""
    async with media_server() as url:
        order = Order(url=url, folder=str(tmp_path), first=5, files=3, size=1_000, at_once=2, checked=checked)
        told = await run(order)
    assert told["bytes"] == 3_000
    there = await asyncio.to_thread(lambda: [one.read_bytes() for one in tmp_path.iterdir()])
    assert sorted(beginning(number) for number in (5, 6, 7)) == sorted(body[:HEAD] for body in there)


def test_ratios_are_those_of_a_turn() -> None:
    """Whoever was disturbed in one turn doesn't decide."""

    def runs(*seconds: float) -> list[dict[str, float]]:
        more = {"cpu_seconds": 1.0, "postgres_cpu_seconds": 0.5, "most_memory_mb": 50.0}
        return [{"bytes": 1e9, "seconds": one, **more} for one in seconds]

    told = summary({"clipsaver": runs(1.0, 8.0, 2.0), "bare": runs(0.9, 7.2, 0.2), "checked": runs(2.0, 16.0, 4.0)})
    assert told["ratios"] == {"bare": pytest.approx(0.9), "checked": pytest.approx(2.0)}
    assert told["reached"]
    assert told["clients"]["clipsaver"]["bytes_per_second"] == 5e8
    assert told["clients"]["clipsaver"]["postgres_cpu_seconds_per_gb"] == 0.5
