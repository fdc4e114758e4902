"""`clipsaver export` and `clipsaver import`, as an operator runs them."""

import asyncio
import io
import os
import signal
import subprocess
import sys
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from attrs import define, evolve

from clipsaver import app
from clipsaver.app.portable import Shown, export_clips, import_clips, quiet, summary
from clipsaver.clips.portable.exporting import Export
from clipsaver.clips.portable.model import Tally
from clipsaver.config import Config, load
from clipsaver.errors import StartFailed
from clipsaver.media.storage import StorageRefused, open_storage
from clipsaver.media.storage.local import LocalStorage
from clipsaver.postgres.embedded import Embedded
from clipsaver.postgres.pool import Pool, open_pool
from clipsaver.simulator.server import Simulator
from tests.app.moderation import Moderation
from tests.app.programs import SOURCE, program, settings, until
from tests.clips.portable.house import House

UNSAVED = "select count(*) from clips where state = 'pending'"
TAKEN = "select count(*) from clips"


@pytest.fixture
async def house(pool: Pool, tmp_path: Path) -> House:
    """A server with three clips, in the place of this configuration."""
    async with await open_storage("", data_dir=tmp_path / "data") as storage:
        made = House(pool=pool, storage=storage, folder=tmp_path / "export")
        await made.settle()
        for seconds in range(3):
            await made.clip(seconds)
        return made


@pytest.fixture
def config(database_url: str, tmp_path: Path) -> Config:
    """What an operator set: a database, and no token."""
    return load(None, {"CLIPSAVER_DATABASE_URL": database_url, "CLIPSAVER_DATA_DIR": str(tmp_path / "data")}, tmp_path)


def wanted(folder: Path, **more: Any) -> Namespace:
    """What was typed."""
    return Namespace(**{"folder": folder, "guild": None, "channel": None, "since": None, "gone": False} | more)


async def test_what_is_told(config: Config, house: House, capsys: pytest.CaptureFixture[str]) -> None:
    """A few lines on standard output, and nothing else when all went well."""
    assert 0 == await export_clips(config, wanted(house.folder))
    assert ("clips         3 looked at\nwritten       3, 27 bytes\n", "") == capsys.readouterr()
    assert 0 == await import_clips(config, wanted(house.folder))
    assert ("clips         3 looked at\ntaken         0, 0 bytes\nright already 3\n", "") == capsys.readouterr()


async def test_what_is_left_out(config: Config, house: House, capsys: pytest.CaptureFixture[str]) -> None:
    """It is told, and so is the exit status; the rest is there."""
    (clip_id, *_) = [row["clip_id"] for row in await house.pool.fetch("select clip_id from clips order by clip_id")]
    (await house.blob(clip_id)).unlink()
    assert 1 == await export_clips(config, wanted(house.folder))
    out, err = capsys.readouterr()
    assert "left out      1: 1 missing in the storage" in out
    assert "is not in the storage.\n" in err
    assert 2 == len(house.entries())
    house.path_of(next(iter(house.entries()))).write_bytes(b"x")
    await house.pool.execute("update clips set state = 'pending', sha256 = null")
    assert 1 == await import_clips(config, wanted(house.folder))
    out, err = capsys.readouterr()
    assert "left out      1: 1 missing or damaged in the folder" in out


async def test_only_since(config: Config, house: House) -> None:
    """A day, or an age."""
    assert 0 == await export_clips(config, wanted(house.folder, since="2026-01-02 03:04:06"))
    assert 2 == len(house.entries())


def main(config: Config, monkeypatch: pytest.MonkeyPatch, **options: Any) -> int:
    """The exit status of a command."""
    monkeypatch.setattr(app, "load", lambda *_: config)
    return app.main(Namespace(config=None, **vars(wanted(**options))), environ={}, cwd=Path())


@pytest.mark.parametrize(
    ("command", "more", "told"),
    [
        ("export", {"since": "someday"}, "I can't read `someday` as a date"),
        ("export", {"folder": Path("/proc/nothing")}, "can't be written to"),
        ("export", {"guild": 5}, "Nothing is known of that server or channel"),
        ("import", {"folder": Path("/proc/nothing")}, "holds no export"),
    ],
)
def test_what_can_not_be_done(
    config: Config,
    command: str,
    more: dict[str, Any],
    told: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    """One sentence, and 1."""
    assert 1 == main(config, monkeypatch, **{"command": command, "folder": tmp_path / "export"} | more)
    assert told in capsys.readouterr().err
    assert not (tmp_path / "export").exists()


def test_less_is_logged(config: Config) -> None:
    """Unless more was asked for."""
    assert "WARNING" == quiet(config).log.level
    chatty = evolve(config, log=evolve(config.log, level="DEBUG"))
    assert chatty == quiet(chatty)


async def test_the_database_goes_away(
    config: Config, house: House, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is said, and what is done is told."""

    async def away(_: Export) -> None:
        raise asyncpg.ConnectionDoesNotExistError

    monkeypatch.setattr(Export, "__call__", away)
    assert 1 == await export_clips(config, wanted(house.folder))
    assert "The database went away (ConnectionDoesNotExistError)" in capsys.readouterr().err


async def test_a_storage_that_is_read_only(config: Config, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is enough for an export, and no place to import into."""

    async def refuse(_: LocalStorage) -> None:
        raise StorageRefused("the disk is read-only.")

    monkeypatch.setattr(LocalStorage, "check", refuse)
    assert 0 == await export_clips(config, wanted(house.folder))
    with pytest.raises(StartFailed, match="Nothing can be stored: the disk is read-only"):
        await import_clips(config, wanted(house.folder))


class Terminal(io.StringIO):
    """Somebody looks."""

    def isatty(self) -> bool:
        """Tell so."""
        return True


def test_progress() -> None:
    """One line on a terminal, written over and over, not too often, and gone in the end; nothing elsewhere."""
    err = Terminal()
    shown = Shown(out=io.StringIO(), err=err, tally=Tally(clips=5, bytes=3 * 2**20))
    shown.progress()
    shown.progress()
    assert "\r\x1b[2K5 clips looked at, 3 MB copied, 0 left out" == err.getvalue()
    shown.tally.complaints.append("a sentence.")
    shown.tally.left_out["x"] = 3
    shown.tell("taken", "the end.")
    assert err.getvalue().endswith("\r\x1b[2Ka sentence.\n… and 2 more like these.\nthe end.\n")
    nobody = io.StringIO()
    Shown(out=io.StringIO(), err=nobody).progress()
    assert "" == nobody.getvalue()


def test_everything_that_can_be_told() -> None:
    """One line for each thing that happened."""
    tally = Tally(clips=9_000, written=1, linked=2, kept=3, bytes=5 * 2**30, unsaved=4, gone=5, untouched=6)
    tally.complain("no room", "x")
    tally.complain("no room", "y")
    assert [
        "clips         9,000 looked at",
        "written       1, 5 GB",
        "linked        2 have the same bytes as another file",
        "right already 3",
        "gone          5 are no longer in the database that the folder was written from",
        "without bytes 4 are not saved: there is nothing to write",
        "untouched     6 were left out or erased here, and stay so",
        "left out      2: 2 no room",
    ] == summary(tally, "written")


# ── as programs ──


@define
class Ran:
    """A command in a process of its own."""

    environ: Mapping[str, str]
    folder: Path

    async def begin(self, *arguments: str) -> asyncio.subprocess.Process:
        """Start it."""
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "clipsaver", *arguments),
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": SOURCE, **self.environ},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    async def __call__(self, *arguments: str) -> tuple[int | None, str, str]:
        """Run it: its status, and what it wrote."""
        process = await self.begin(*arguments)
        out, err = await process.communicate()
        return process.returncode, out.decode(), err.decode()


def videos(folder: Path) -> int:
    """How many files of clips there are."""
    return len([*folder.glob("clips/*/*/*")])


async def test_beside_a_running_bot(discord: Simulator, tmp_path: Path) -> None:
    """Both join its embedded database; another installation takes what it has saved, without a token."""
    environ = settings(discord, tmp_path, CLIPSAVER_DISCORD_MEDIA_ORIGINS=discord.cdn_origin)
    run = Ran(environ, tmp_path)
    async with program("run", environ, tmp_path) as bot:
        await bot.ready()
        moderation = Moderation(discord)
        await moderation.scan()
        await moderation.finished()
        async with Embedded(tmp_path / "data") as database, await open_pool(database.url, size=1) as pool:
            async with asyncio.timeout(60):
                while await pool.fetchval(UNSAVED):  # noqa: ASYNC110 - another process's work
                    await asyncio.sleep(0.05)
            expected = await pool.fetchval("select count(*) from clips where state = 'stored'")
        assert expected
        status, out, err = await run("export", "export")
        assert (0, "") == (status, err), err
        assert expected == videos(tmp_path / "export")
        status, out, err = await run("export", "export")
        assert (0, "") == (status, err), err
        assert f"right already {expected}" in out.splitlines()
        assert 0 == await bot.stop()
    checked = subprocess.run(["sha256sum", "-c", "--quiet", "SHA256SUMS"], cwd=tmp_path / "export", check=False)  # noqa: ASYNC221, S607 - short, and whichever there is
    assert 0 == checked.returncode
    elsewhere = Ran({"CLIPSAVER_DATA_DIR": str(tmp_path / "elsewhere"), "BOT_TOKEN": ""}, tmp_path)
    status, out, err = await elsewhere("import", "export")
    assert (0, "", f"taken         {expected},") == (status, err, out.splitlines()[1][: 15 + len(str(expected))])
    status, _, err = await elsewhere("export", "again")
    assert (0, "") == (status, err)

    def lists(folder: str) -> dict[str, bytes]:
        below = tmp_path / folder
        names = ("manifest/*/*.jsonl", "manifest.json", "SHA256SUMS")
        return {str(path.relative_to(below)): path.read_bytes() for name in names for path in below.glob(name)}

    assert lists("export") == lists("again")


@pytest.mark.parametrize("command", ["export", "import"])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
async def test_ended_in_the_middle(
    command: str, number: signal.Signals, pool: Pool, database_url: str, tmp_path: Path
) -> None:
    """However it ends, nothing half is left where it counts, and the next time it goes on."""
    environ = {"CLIPSAVER_DATABASE_URL": database_url, "CLIPSAVER_DATA_DIR": str(tmp_path / "data")}
    run = Ran(environ, tmp_path)
    async with await open_storage("", data_dir=tmp_path / "data") as storage:
        house = House(pool=pool, storage=storage, folder=tmp_path / "export")
        await house.settle()
        for seconds in range(150):
            await house.clip(seconds)
        if command == "import":
            await house.export()
            await pool.execute("delete from bot_guilds")
            await pool.execute("delete from blobs")
        process = await run.begin(command, "export")
        if command == "export":
            await until(lambda: process.returncode is not None or [*house.folder.glob("clips/*/*/*.mp4")])
        else:
            while process.returncode is None and not await pool.fetchval(TAKEN):  # noqa: ASYNC110 - another process's work
                await asyncio.sleep(0.01)
        if process.returncode is None:
            process.send_signal(number)
        _, err = await process.communicate()
        if number == signal.SIGTERM:
            assert process.returncode == 0 or (130, True) == (process.returncode, b"It was interrupted" in err)
        await house.check()
        status, out, _ = await run(command, "export")
        assert (0, "clips         150 looked at") == (status, out.splitlines()[0])
        await house.check()
        assert 150 == len(house.entries()) == await pool.fetchval("select count(*) from clips")
        assert 0 == house.checked().returncode
        assert ["lock"] == [path.name for path in (house.folder / ".incoming").iterdir()]
