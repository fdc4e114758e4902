"""From a message to its clip's bytes, its facts and its pictures: through the whole program, over real sockets."""

import asyncio
import hashlib
import io
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Final

import pytest
from asyncpg import Record
from attrs import frozen
from PIL import Image, ImageStat

from clipsaver.app.run import Role
from clipsaver.clips.picturing.service import Pictures
from clipsaver.media.probe.studio import Studio
from clipsaver.postgres.pool import Pool
from tests.flows.conftest import Build
from tests.flows.house import House
from tests.flows.waiting import eventually
from tests.media.films import Film, after_black

TYPES: Final = {"mp4": "video/mp4", "mov": "video/quicktime", "mkv": "video/x-matroska", "webm": "video/webm"}
FORMATS: Final = {"mkv": "matroska"}
CODECS: Final = {"libx264": "h264", "libx265": "hevc", "libvpx-vp9": "vp9", "libsvtav1": "av1", None: None}
SOUNDS: Final = {"aac": "aac", "libopus": "opus", "libmp3lame": "mp3", None: None}
HOUR: Final = 3_600_000 << 22
"""Between two ids."""
LEFT: Final = """
select (select count(*) from clips where state = 'pending') + (select count(*) from thumbnails where state = 'pending')
"""
FOUND: Final = """
select c.clip_id, c.filename, c.sha256, c.state::text as clip_state, c.width as said_width, c.height as said_height,
       c.duration_seconds as said_duration, t.*
from clips c left join thumbnails t on t.sha256 = c.sha256 order by c.message_id
"""


@frozen(kw_only=True)
class Case:
    """A file that somebody posts, and what is known of it afterwards."""

    name: str
    film: Film
    size: tuple[int | None, int | None] = (160, 90)
    """As people see it."""
    rotation: int = 0
    plays: bool = False
    pictures: Mapping[str, tuple[int, int]] | None = None
    """By name; all as large as the video where nothing else is said."""

    @property
    def shown(self) -> Mapping[str, tuple[int | None, int | None]]:
        """The pictures there are."""
        return dict.fromkeys(("320", "640", "preview"), self.size) if self.pictures is None else self.pictures

    def save(self, folder: Path) -> bytes:
        """Make the file; without its encoder the test fails."""
        return self.film.save(folder / self.name).read_bytes()


def _of(ending: str, codec: str | None, audio: str | None = None, *, plays: bool = False, **more: Any) -> Case:
    film = Film(container=FORMATS.get(ending, ending), codec=codec, audio=audio)
    return Case(name=f"{codec}-{audio}.{ending}", film=film, plays=plays, **more)


CASES: Final = (
    _of("mp4", "libx264", "aac", plays=True),
    _of("mov", "libx264", "aac"),
    _of("mkv", "libx264", "libmp3lame"),
    _of("mp4", "libx265", "aac"),
    _of("mov", "libx265"),
    _of("mkv", "libx265", "libopus"),
    _of("mp4", "libvpx-vp9"),
    _of("mkv", "libvpx-vp9", "libopus"),
    _of("webm", "libvpx-vp9", "libopus", plays=True),
    _of("mp4", "libsvtav1", "aac"),
    _of("mkv", "libsvtav1"),
    _of("webm", "libsvtav1", "libopus"),
    Case(name="right.mp4", film=Film(turn=-90.0), size=(90, 160), rotation=90, plays=True),
    Case(name="over.mov", film=Film(container="mov", turn=180.0), rotation=180),
    Case(name="left.mp4", film=Film(turn=90.0, codec="libx265"), size=(90, 160), rotation=270),
    Case(
        name="odd.webm",
        film=Film(container="webm", codec="libvpx-vp9", width=161, height=91),
        size=(161, 91),
        plays=True,
    ),
    Case(name="odd.mp4", film=Film(width=75, height=51, pixel_format="yuv444p"), size=(75, 51)),
    Case(
        name="large.mp4",
        film=Film(width=1280, height=720, draw=after_black(6)),
        size=(1280, 720),
        plays=True,
        pictures={"320": (320, 180), "640": (640, 360), "preview": (320, 180)},
    ),
    Case(name="sound.mp4", film=Film(codec=None, audio="aac"), size=(None, None), plays=True, pictures={}),
    Case(
        name="sound.webm",
        film=Film(container="webm", codec=None, audio="libopus"),
        size=(None, None),
        plays=True,
        pictures={},
    ),
)


async def nothing_left(pool: Pool) -> None:
    """Wait until every clip has its bytes, and every video its pictures, or waits for another attempt."""

    async def look() -> bool:
        return not await pool.fetchval(LEFT)

    await eventually(look, timeout=90)


def post(house: House, name: str, data: bytes) -> None:
    """Someone has posted a file in #clips an hour ago; Discord says nothing of its size and length."""
    where, world = house.channel("clips").id, house.world
    file = world.make_attachment(where, name, data=data, content_type=TYPES[name.rpartition(".")[2]])
    world.send_message(where, min(world.users), id=world.new_id() - HOUR, attachments=[file])


def check_facts(case: Case, row: Record) -> None:
    """What is known of the video is what was made."""
    film = case.film
    assert (row["state"], row["reason"], row["attempts"]) == ("made", None, 0), case.name
    assert (row["width"], row["height"]) == case.size, case.name
    assert row["container"] == film.container, case.name
    assert (row["video_codec"], row["audio_codec"]) == (CODECS[film.codec], SOUNDS[film.audio]), case.name
    assert (row["has_audio"], row["plays_in_browsers"]) == (film.audio is not None, case.plays), case.name
    assert row["rotation"] == case.rotation, case.name
    assert row["duration_seconds"] == pytest.approx(1.2 if film.codec else 1.0, abs=0.3), case.name
    if film.codec:
        assert row["frame_rate"] == pytest.approx(10, abs=1), case.name
        assert row["pixel_format"] == film.pixel_format, case.name
    said = (row["said_width"], row["said_height"], row["said_duration"])
    assert said == (*case.size, row["duration_seconds"]), case.name


def check_pictures(case: Case, row: Record, storage: Path) -> None:
    """They lie where other programs look for them, can be decoded, are as large as they should be, and not black."""
    assert {what: tuple(size) for what, size in row["pictures"].items()} == case.shown, case.name
    digest = row["sha256"].hex()
    folder = storage / "thumbnails" / digest[:2]
    lying = {path.name: path.read_bytes() for path in folder.glob(f"{digest}-*")}
    assert set(lying) == {f"{digest}-{what}.webp" for what in case.shown}, case.name
    for what, size in case.shown.items():
        image = Image.open(io.BytesIO(lying[f"{digest}-{what}.webp"]))
        assert (image.format, image.size) == ("WEBP", size), case.name
        frames = getattr(image, "n_frames", 1)
        assert (frames > 1) == (what == "preview"), case.name
        for number in range(frames):
            image.seek(number)
            seen = ImageStat.Stat(image.convert("L"))
            if what != "preview":
                assert seen.mean[0] > 30, case.name
                assert seen.stddev[0] > 10, case.name


@pytest.mark.timeout(600)
async def test_from_the_message_to_the_pictures(build: Build, tmp_path: Path) -> None:
    """Every codec in every container, turned, odd, and without a picture: stored as served, known, and shown."""
    house = await build(messages=0, saving=True)
    served = {case.name: case.save(tmp_path) for case in CASES}
    for name, data in served.items():
        post(house, name, data)
    async with house.open(CLIPSAVER_MEDIA_CHILDREN="2"):
        await house.ask("/scan start")
        run = await house.ended(house.channel("clips"))
        await nothing_left(house.pool)
        figures = await house.figures()
    assert run.clips_found == len(CASES)
    rows = await house.pool.fetch(FOUND)
    storage = Path(house.settings["CLIPSAVER_DATA_DIR"]) / "storage"
    for case, row in zip(CASES, rows, strict=True):
        digest = hashlib.sha256(served[case.name])
        assert (row["filename"], row["clip_state"], row["sha256"]) == (case.name, "stored", digest.digest())
        stored = storage / "blobs" / digest.hexdigest()[:2] / digest.hexdigest()
        assert stored.read_bytes() == served[case.name]
        check_facts(case, row)
        check_pictures(case, row, storage)
    assert figures["clipsaver_videos_pictured_total"] == len(CASES)
    assert figures['clipsaver_videos_without_pictures{state="pending"}'] == 0
    assert figures['clipsaver_videos_without_pictures{state="failed"}'] == 0
    assert (figures["clipsaver_pictures_failures_total"], figures["clipsaver_pictures_halted"]) == (0, 0)
    assert list(storage.glob("incoming/*")) == []


async def test_a_broken_one_among_others(build: Build, tmp_path: Path) -> None:
    """It keeps its clip, says why it has no pictures, and holds up no other; another try is a word away."""
    house = await build(messages=0, saving=True)
    whole = Film().save(tmp_path / "film.mp4").read_bytes()
    post(house, "cut.mp4", whole[:-600])
    post(house, "film.mp4", whole)
    async with house.open():
        await house.ask("/scan start")
        await until(house.pool, lambda rows: rows["film.mp4"]["state"] == "made" and rows["cut.mp4"]["attempts"] == 1)
    # A worker of its own takes part as well.
    assert await Pictures(pool=house.pool).retry(guild_id=house.guild_id) == 1
    async with house.open(role=Role.WORKER):
        rows = await until(house.pool, lambda rows: rows["cut.mp4"]["reason"] is not None)
    broken = rows["cut.mp4"]
    assert (broken["state"], broken["reason_code"], broken["attempts"]) == ("pending", "cut_off", 1)
    assert broken["reason"] == "The video is cut off: a part of the file is missing."
    assert broken["clip_state"] == "stored"


@pytest.mark.parametrize(("said", "most"), [("", 1), ("2", 2)])
async def test_so_many_at_the_same_time(
    build: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, most: int
) -> None:
    """As many children as the configuration says: one if it says nothing, then the others wait for their turn."""
    living: Counter[str] = Counter()
    together = asyncio.Event()
    ask = Studio._ask

    async def counted(studio: Studio, source: int, *, want_pictures: bool) -> tuple[bytes, int | None]:
        living["now"] += 1
        living["most"] = max(living["most"], living["now"])
        if living["now"] == most:
            together.set()
        try:
            await together.wait()
            return await ask(studio, source, want_pictures=want_pictures)
        finally:
            living["now"] -= 1

    monkeypatch.setattr(Studio, "_ask", counted)
    house = await build(messages=0, saving=True)
    await house.hold_pictures()
    for number in range(4):
        post(house, f"{number}.mp4", Film(frames=3 + number).save(tmp_path / f"{number}.mp4").read_bytes())
    if said:
        house.settings["CLIPSAVER_MEDIA_CHILDREN"] = said
    async with house.open():
        await house.ask("/scan start")
        rows = await until(house.pool, lambda rows: len(rows) == 4)
        assert {row["state"] for row in rows.values()} == {"pending"}
        await house.pictures_due()
        await nothing_left(house.pool)
    assert living == {"now": 0, "most": most}
    assert await house.pool.fetchval("select count(*) from thumbnails where state = 'made'") == 4


async def until(pool: Pool, there: Callable[[Mapping[str, Record]], bool]) -> Mapping[str, Record]:
    """Wait for what is to be seen in the rows, by their files' names."""

    async def look() -> Mapping[str, Record] | None:
        rows = {row["filename"]: row for row in await pool.fetch(FOUND)}
        return rows if rows and all(row["state"] for row in rows.values()) and there(rows) else None

    wait: Awaitable[Mapping[str, Record] | None] = eventually(look)
    found = await wait
    assert found is not None
    return found
