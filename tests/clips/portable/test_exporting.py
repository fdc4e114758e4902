"""Clips that are written out as files: what is there in the end, whatever was there before."""

import asyncio
import hashlib
import os
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import orjson
import pytest
from attrs import evolve

from clipsaver.clips.portable import exporting
from clipsaver.clips.portable.exporting import Export, Stopped
from clipsaver.clips.portable.folder import Folder
from clipsaver.clips.portable.model import Scope, Tally
from clipsaver.errors import NotThere, StartFailed
from clipsaver.media.storage import StorageUnavailable, picture_name
from tests.clips.portable.house import CHANNEL, GUILD, House, message_id, moment
from tests.clips.portable.test_pages import Reader

DASH = "\N{EN DASH}"
FIRST = f"clips/Friends/clips/2026-01-02 03.04.05 {DASH} Ann {DASH} "
WEBP = b"RIFF\x04\0\0\0WEBPdata"


def inodes(house: House) -> dict[Path, int]:
    """Which file each is; one that is written anew is another."""
    return {path: path.stat().st_ino for path in house.folder.rglob("*")}


async def test_a_clip_is_a_file(house: House) -> None:
    """Its name tells who posted it when; it is in the list, in the sums, and on a page."""
    clip_id = await house.clip(data=b"moving", title="Double kill")
    tally = await house.export()
    assert (1, 1, 6, 0) == (tally.clips, tally.written, tally.bytes, tally.left_out.total())
    name = f"{FIRST}Double kill.mp4"
    assert [name] == house.files()
    assert b"moving" == (house.folder / name).read_bytes()
    assert moment().timestamp() == (house.folder / name).stat().st_mtime
    head, clip, end = house.lines()
    assert ("channel", "clipsaver-export", 1, "10", "500") == tuple(
        head[key] for key in ("kind", "format", "version", "guild_id", "channel_id")
    )
    assert (clip_id, str(message_id(0, 7001)), "42", name) == tuple(
        clip[key] for key in ("clip_id", "message_id", "author_id", "file")
    )
    assert {"kind": "end", "clips": 1, "bytes": 6} == end
    about = orjson.loads((house.folder / "manifest.json").read_bytes())
    assert {"format": "clipsaver-export", "version": 1, "channels": 1, "clips": 1, "bytes": 6} == about
    page = Reader((house.folder / f"pages/10/{CHANNEL}-1.html").read_bytes())
    assert "Double kill" in page.text
    assert "1 clip" in (house.folder / "index.html").read_text()


async def test_sums_are_those_of_coreutils(house: House) -> None:
    """Its own program finds every file and list right, and one that is not."""
    clip_id = await house.clip(title="a \\ b\nc")
    await house.clip(1, title="naïve 日本語 \N{VIDEO CAMERA}")
    await house.export()
    assert (0, "", "") == ((ran := house.checked()).returncode, ran.stdout, ran.stderr)
    listed = (house.folder / "SHA256SUMS").read_text().splitlines()
    assert sorted([*house.files(), *house.files("manifest")]) == sorted(line[66:] for line in listed)
    house.path_of(clip_id).write_bytes(b"other")
    assert 1 == house.checked().returncode


async def test_again_changes_nothing(house: House) -> None:
    """Not one file is touched."""
    for seconds in range(3):
        await house.clip(seconds)
    await house.export()
    before = inodes(house)
    tally = await house.export()
    assert (3, 0, 3) == (tally.clips, tally.written, tally.kept)
    assert before == inodes(house)


async def test_it_adds_what_is_new(house: House) -> None:
    """Older clips and newer ones; what is there stays the file it is."""
    await house.clip(100)
    await house.export()
    before = {path: inode for path, inode in inodes(house).items() if path.suffix == ".mp4"}
    await house.clip(50)
    await house.clip(150)
    assert 2 == (await house.export()).written
    assert before.items() <= inodes(house).items()
    assert 3 == len(house.entries())
    assert 0 == house.checked().returncode


async def test_nothing_to_export(house: House) -> None:
    """There is an export all the same, with nothing in it."""
    await house.clip(data=None)
    tally = await house.export()
    assert (1, 1, 0) == (tally.clips, tally.unsaved, tally.left_out.total())
    assert [] == house.files()
    assert not house.list_path().exists()
    assert (house.folder / "index.html").exists()


@pytest.mark.parametrize(("state", "unsaved"), [("pending", 1), ("failed", 1), ("skipped", 1), ("gone", 0)])
async def test_clips_without_bytes(house: House, state: str, unsaved: int) -> None:
    """They are counted, and nothing is written of them."""
    await house.clip()
    await house.clip(1, data=None, state=state)
    tally = await house.export()
    assert (2, 1, unsaved) == (tally.clips, tally.written, tally.unsaved)
    assert 1 == len(house.entries())


# ── names ──


async def test_two_of_one_name(house: House) -> None:
    """In one second: the second file has the clip's id in its name; also where only capitals or accents differ."""
    names = ["Goal", "gOAL", "caf\N{LATIN SMALL LETTER E WITH ACUTE}", "cafe\N{COMBINING ACUTE ACCENT}"]
    clips = [await house.clip(data=title.encode(), title=title) for title in names]
    await house.export()
    entries = house.entries()
    assert f"{FIRST}Goal.mp4" == entries[clips[0]]["file"]
    assert f"{FIRST}gOAL [{clips[1]}].mp4" == entries[clips[1]]["file"]
    assert 4 == len({entry["file"].casefold() for entry in entries.values()})
    assert all(house.path_of(one).read_bytes() == title.encode() for one, title in zip(clips, names, strict=True))


async def test_a_name_that_an_earlier_export_gave_away(house: House) -> None:
    """It stays with whose it is, though another clip with that name comes before it now."""
    first = message_id(0, 5)
    later = await house.clip(title="x")
    await house.export()
    earlier = await house.clip(message_id=first, title="X")
    await house.export()
    assert f"{FIRST}x.mp4" == house.entries()[later]["file"]
    assert f"{FIRST}X [{earlier}].mp4" == house.entries()[earlier]["file"]


async def test_channels_of_one_name(house: House) -> None:
    """Each has a folder; none lies in another's or outside."""
    await house.channel(1, "CLIPS")
    await house.channel(2, "../../../etc")
    await house.channel(3, "CON")
    await house.channel(4, "goals", type="public_thread", parent_id=CHANNEL)
    for channel_id in (CHANNEL, 1, 2, 3, 4):
        await house.clip(channel_id=channel_id)
    await house.export()
    folders = {line["channel_id"]: line["folder"] for line in (house.lines(one)[0] for one in (CHANNEL, 1, 2, 3, 4))}
    assert {
        "1": "clips/Friends/CLIPS",
        "2": "clips/Friends/_.._.._etc",
        "3": "clips/Friends/_CON",
        "4": f"clips/Friends/clips {DASH} goals",
        "500": "clips/Friends/clips [500]",
    } == folders
    assert 5 == len(house.files())


async def test_servers_of_one_name(house: House) -> None:
    """Each has a folder."""
    await house.guild(11, "FRIENDS")
    await house.channel(1, guild_id=11)
    await house.clip()
    await house.clip(guild_id=11, channel_id=1)
    await house.export()
    assert ["clips/FRIENDS [11]/clips", "clips/Friends/clips"] == sorted(
        str(Path(name).parent.as_posix()) for name in house.files()
    )


async def test_names_stay(house: House) -> None:
    """Whatever is renamed: files stay where they are, and the list has the new name."""
    await house.clip(title="one")
    await house.export()
    files = house.files()
    await house.pool.execute("update bot_channels set name = 'renamed'")
    await house.pool.execute("update bot_guilds set name = 'Others'")
    await house.pool.execute("update users set global_name = 'Anna'")
    await house.pool.execute("update clips set title = 'two'")
    await house.clip(1)
    assert 1 == (await house.export()).written
    assert files == house.files()[:1]
    assert f"clips/Friends/clips/2026-01-02 03.04.06 {DASH} Anna {DASH} video.mp4" == house.files()[1]
    assert ("renamed", "Others") == tuple(house.lines()[0][key] for key in ("channel_name", "guild_name"))
    assert "two" == house.lines()[1]["title"]


# ── what was there before ──


@pytest.mark.parametrize("damage", ["changed", "shorter", "removed", "a link", "a folder"])
async def test_a_file_that_is_not_what_it_was(house: House, damage: str) -> None:
    """It is written anew, from the storage; what a link leads to is let alone."""
    clip_id = await house.clip(data=b"right")
    await house.export()
    path, elsewhere = house.path_of(clip_id), house.folder.parent / "elsewhere"
    elsewhere.write_bytes(b"right")
    path.unlink()
    match damage:
        case "changed":
            path.write_bytes(b"wrong")
        case "shorter":
            path.write_bytes(b"rig")
        case "a link":
            path.symlink_to(elsewhere)
        case "a folder":
            path.mkdir()
    tally = await house.export()
    if damage == "a folder":
        assert 1 == tally.left_out.total()
        assert "Is a directory" in tally.complaints[0]
        return
    assert 1 == tally.written
    assert not path.is_symlink()
    assert b"right" == path.read_bytes()
    assert 0 == house.checked().returncode


async def test_somebody_elses_file_stays(house: House) -> None:
    """A file that no list knows is never overwritten; one with the same bytes is taken for ours."""
    await house.clip(data=b"first", title="a")
    await house.clip(1, data=b"later", title="b")
    await house.export()
    house.list_path().unlink()
    theirs = house.folder / f"{FIRST}a.mp4"
    theirs.write_bytes(b"theirs")
    tally = await house.export()
    assert (1, 1) == (tally.written, tally.kept)
    assert b"theirs" == theirs.read_bytes()
    assert 3 == len(house.files())
    assert 0 == house.checked().returncode


async def test_a_clip_that_is_gone(house: House) -> None:
    """Its file stays, its line says since when, the same from then on; should it come back, that is forgotten."""
    clip_id = await house.clip()
    await house.clip(1)
    await house.export()
    await house.pool.execute("update clips set state = 'deleted', sha256 = null where clip_id = $1", clip_id)
    assert 1 == (await house.export()).gone
    since = house.entries()[clip_id]["gone_since"]
    assert house.path_of(clip_id).exists()
    await house.pool.execute("delete from clips where clip_id = $1", clip_id)
    before = house.everything()
    assert 1 == (await house.export()).gone
    assert before == house.everything()
    assert since == house.entries()[clip_id]["gone_since"]
    await house.pool.execute("update messages set edited_at = now()")
    sha256 = bytes.fromhex(house.entries()[clip_id]["sha256"])
    await house.pool.execute(
        "insert into clips (clip_id, message_id, attachment_id, channel_id, guild_id, filename, url, state, sha256) "
        "values ($1, $2, 7001, $3, $4, 'video.mp4', 'x', 'stored', $5)",
        *(clip_id, int(clip_id.partition("-")[0]), CHANNEL, GUILD, sha256),
    )
    assert 0 == (await house.export()).gone
    assert "gone_since" not in house.entries()[clip_id]


async def test_a_clip_that_waits_again(house: House) -> None:
    """Its file stays as it is, and it is not gone."""
    clip_id = await house.clip()
    await house.export()
    before = house.everything()
    await house.pool.execute("update clips set state = 'pending', sha256 = null")
    tally = await house.export()
    assert (0, 1) == (tally.gone, tally.kept)
    assert before == house.everything()
    assert "gone_since" not in house.entries()[clip_id]


async def test_a_server_that_is_gone(house: House) -> None:
    """All its clips are gone, and all its files stay."""
    await house.clip()
    await house.clip(1)
    await house.export()
    files = house.files()
    await house.pool.execute("delete from bot_guilds")
    assert 2 == (await house.export()).gone
    assert files == house.files()
    assert 0 == house.checked().returncode


async def test_other_bytes(house: House) -> None:
    """A clip that has other bytes now has them in its file."""
    clip_id = await house.clip(data=b"old")
    await house.export()
    await house.pool.execute("update clips set sha256 = $1", await house.keep(b"newer"))
    assert 1 == (await house.export()).written
    assert b"newer" == house.path_of(clip_id).read_bytes()
    assert 0 == house.checked().returncode


# ── what is wanted ──


async def test_only_some(house: House) -> None:
    """A server's, a channel's with its threads, and those since a day; together one export."""
    await house.guild(11, "Others")
    await house.channel(1, "far", guild_id=11)
    await house.channel(2, "thread", type="public_thread", parent_id=CHANNEL)
    await house.channel(3, "beside", parent_id=77)
    clips = {
        "old": await house.clip(0),
        "new": await house.clip(1000),
        "far": await house.clip(guild_id=11, channel_id=1),
        "thread": await house.clip(channel_id=2),
        "beside": await house.clip(channel_id=3),
    }

    async def exported(scope: Scope) -> set[str]:
        await house.export(scope)
        entries = house.entries()
        return {name for name, clip_id in clips.items() if clip_id in entries}

    assert {"new"} == await exported(Scope(channel_id=CHANNEL, since_id=message_id(500)))
    assert {"new", "old", "thread"} == await exported(Scope(channel_id=CHANNEL))
    assert {"new", "old", "thread", "beside"} == await exported(Scope(guild_id=GUILD))
    assert {"new", "old", "thread", "beside", "far"} == await exported(Scope())
    assert 0 == house.checked().returncode


async def test_what_is_not_wanted_stays_as_it_is(house: House) -> None:
    """Clips of other channels and times are neither looked for nor taken for gone."""
    await house.channel(1, "other", parent_id=CHANNEL)
    for seconds, channel_id in ((0, CHANNEL), (1000, CHANNEL), (1000, 1)):
        await house.clip(seconds, channel_id=channel_id)
    await house.export()
    before = house.everything()
    await house.pool.execute("delete from messages")
    tally = await house.export(Scope(channel_id=CHANNEL, since_id=message_id(2000)))
    assert (0, 0) == (tally.clips, tally.gone)
    assert before == house.everything()
    assert 1 == (await house.export(Scope(channel_id=CHANNEL, since_id=message_id(500)))).gone
    assert 3 == (await house.export()).gone


@pytest.mark.parametrize("scope", [Scope(guild_id=5), Scope(channel_id=5), Scope(guild_id=11, channel_id=CHANNEL)])
async def test_what_nobody_knows(house: House, scope: Scope) -> None:
    """It is said, and nothing is made."""
    await house.guild(11)
    with pytest.raises(NotThere, match="Nothing is known of that server or channel"):
        await house.export(scope)
    assert not house.folder.exists()


# ── the same bytes ──


async def test_same_bytes(house: House) -> None:
    """They are on the disk once, whatever they are called; when one is damaged the other is not."""
    await house.channel(1, "other")
    one = await house.clip(data=b"same")
    two = await house.clip(5, data=b"same", channel_id=1)
    tally = await house.export()
    assert (1, 1) == (tally.written, tally.linked)
    assert house.path_of(one).samefile(house.path_of(two))
    house.path_of(one).write_bytes(b"bad!")
    tally = await house.export()
    assert (1, 1, 0) == (tally.written, tally.linked, tally.left_out.total())
    assert b"same" == house.path_of(one).read_bytes() == house.path_of(two).read_bytes()


async def test_no_links_there(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where files can't have two names, they are copied."""

    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(1, "Operation not permitted")

    await house.clip(data=b"same")
    await house.clip(5, data=b"same")
    monkeypatch.setattr(os, "link", refuse)
    tally = await house.export()
    assert (2, 0) == (tally.written, tally.linked)


async def test_few_are_remembered(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was forgotten is copied again."""
    monkeypatch.setattr(exporting, "MOST_SHARED", 1)
    for seconds, data in enumerate((b"a", b"b", b"a", b"b", b"b")):
        await house.clip(seconds, data=data)
    tally = await house.export()
    assert (4, 1) == (tally.written, tally.linked)


# ── trouble ──


async def test_bytes_that_are_missing(house: House) -> None:
    """It is said which, the others are there, and the next time it is there if it can."""
    clip_id = await house.clip(data=b"lost")
    await house.clip(1)
    blob = await house.blob(clip_id)
    blob.unlink()
    tally = await house.export()
    assert (1, {"missing in the storage": 1}) == (tally.written, dict(tally.left_out))
    assert "is not in the storage" in tally.complaints[0]
    assert clip_id not in house.entries()
    assert 0 == house.checked().returncode
    blob.write_bytes(b"lost")
    assert 1 == (await house.export()).written


async def test_bytes_that_are_damaged(house: House) -> None:
    """They are not written out as what they are not."""
    clip_id = await house.clip(data=b"right")
    (await house.blob(clip_id)).write_bytes(b"wrong")
    tally = await house.export()
    assert {"damaged in the storage": 1} == dict(tally.left_out)
    assert [] == house.files()


async def test_a_damaged_file_that_can_not_be_mended(house: House) -> None:
    """Its line stays: nothing that was known is lost."""
    clip_id = await house.clip(data=b"right")
    await house.export()
    house.path_of(clip_id).write_bytes(b"wrong")
    (await house.blob(clip_id)).unlink()
    tally = await house.export()
    assert 1 == tally.left_out.total()
    assert clip_id in house.entries()
    assert b"wrong" == house.path_of(clip_id).read_bytes()


async def test_no_room(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """What does not fit is left out before anything of it is written; what does is there."""
    await house.clip(data=b"x" * 100)
    await house.clip(1, data=b"x" * 10)
    monkeypatch.setattr(Folder, "free", lambda _: 50)
    tally = await house.export()
    assert (1, {"no room": 1}) == (tally.written, dict(tally.left_out))
    monkeypatch.undo()
    tally = await house.export()
    assert (1, 1, 0) == (tally.written, tally.kept, tally.left_out.total())


async def test_a_storage_that_does_not_answer(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for each of a million clips: it ends with what was said, and what is there is in order."""
    await house.channel(1, "before")
    await house.clip(channel_id=1)
    for seconds in range(30):
        await house.clip(seconds)
    await house.export(Scope(channel_id=1))

    def away(*_: Any, **__: Any) -> Any:
        raise StorageUnavailable("the bucket can't be used at the moment.")

    monkeypatch.setattr(type(house.storage), "read", away)
    tally = Tally()
    with Folder(house.folder) as folder, pytest.raises(Stopped, match="It goes no further now: the bucket"):
        await Export(pool=house.pool, storage=house.storage, folder=folder, scope=Scope(), tally=tally)()
    assert 20 == tally.left_out.total()
    assert 1 == len(house.entries())
    assert 0 == house.checked().returncode


async def test_more_complaints_than_anybody_reads(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first few are told, the others counted."""
    for seconds in range(60):
        (await house.blob(await house.clip(seconds))).unlink()
    tally = await house.export()
    assert (60, 50, 10) == (tally.left_out.total(), len(tally.complaints), tally.untold)


@pytest.mark.parametrize("at", [1, 7, 12])
async def test_stopped_in_the_middle(house: House, at: int) -> None:
    """Nothing half is left, and the next time it goes on: no file is written twice."""
    for seconds in range(15):
        await house.clip(seconds)
    done = 0

    def notify() -> None:
        nonlocal done
        done += 1
        if done == at:
            task.cancel()

    with Folder(house.folder) as folder:
        work = Export(pool=house.pool, storage=house.storage, folder=folder, scope=Scope(), notify=notify)
        task = asyncio.ensure_future(work())
        with pytest.raises(asyncio.CancelledError):
            await task
    assert ["lock"] == [path.name for path in (house.folder / ".incoming").iterdir()]
    before = len(house.files())
    tally = await house.export()
    assert (15 - before, before) == (tally.written, tally.kept)
    assert 15 == len(house.entries())
    assert 0 == house.checked().returncode


async def test_what_a_killed_one_has_left(house: House) -> None:
    """Files that nobody writes any more are swept away."""
    await house.export()
    (house.folder / ".incoming/0123.part").write_bytes(b"half")
    await house.export()
    assert ["lock"] == [path.name for path in (house.folder / ".incoming").iterdir()]


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        (b"{\n", "line 2: it is no JSON"),
        (b"", "is cut off: its last line is missing"),
        (b'{"kind":"end","clips":5,"bytes":1}\n', "has 2 of its 5 clips"),
    ],
)
async def test_a_damaged_list(house: House, broken: bytes, told: str) -> None:
    """What can be read of it counts, it is kept aside, and the new one is whole."""
    clips = [await house.clip(seconds) for seconds in range(3)]
    await house.export()
    lines = house.list_path().read_bytes().splitlines(keepends=True)
    house.list_path().write_bytes(
        lines[0] + broken + b"".join(lines[2:]) if broken.startswith(b"{\n") else b"".join(lines[:3]) + broken
    )
    tally = await house.export()
    assert {"the list is damaged": 1} == dict(tally.left_out)
    assert told in tally.complaints[0]
    assert (3, 0) == (tally.kept, tally.written)
    assert set(clips) == house.entries().keys()
    assert house.list_path().with_suffix(".jsonl.damaged").exists()
    assert 0 == (await house.export()).left_out.total()


@pytest.mark.parametrize("text", [b"", b"nonsense\n", b'{"kind":"end","clips":0,"bytes":0}\n', b'{"kind":"clip"}\n'])
async def test_a_list_that_is_none(house: House, text: bytes) -> None:
    """It is kept aside, and made anew."""
    await house.clip()
    await house.export()
    house.list_path().write_bytes(text)
    tally = await house.export()
    assert {"the list is damaged": 1} == dict(tally.left_out)
    assert 1 == tally.kept
    assert 1 == len(house.entries())


async def test_a_list_of_another_channel(house: House) -> None:
    """It is not believed."""
    await house.channel(1, "other")
    await house.clip()
    await house.clip(channel_id=1)
    await house.export()
    house.list_path().write_bytes(house.list_path(1).read_bytes())
    tally = await house.export()
    assert "it is the list of another channel" in tally.complaints[0]
    assert 2 == len(house.entries())


async def test_a_damaged_list_that_is_not_looked_at(house: House) -> None:
    """An export of something else leaves it as it is; it is in the sums again once it was mended."""
    await house.channel(1, "other")
    await house.clip()
    await house.clip(channel_id=1)
    await house.export()
    house.list_path(1).write_bytes(b"nonsense")
    assert 0 == (await house.export(Scope(channel_id=CHANNEL))).left_out.total()
    assert b"nonsense" == house.list_path(1).read_bytes()
    assert 0 == house.checked().returncode
    await house.export()
    assert 2 == len(house.entries())


# ── the folder ──


async def test_a_folder_with_other_things_in_it(house: House) -> None:
    """It is let alone; what an empty disk has in it does not count."""
    house.folder.mkdir()
    (house.folder / "lost+found").mkdir()
    await house.export()
    other = evolve(house, folder=house.folder.parent / "photos")
    other.folder.mkdir()
    (other.folder / "holiday.jpg").write_bytes(b"x")
    with pytest.raises(StartFailed, match="has other files in it"):
        await other.export()
    assert ["holiday.jpg"] == [path.name for path in other.folder.iterdir()]


async def test_no_folder(house: House) -> None:
    """A file is none."""
    house.folder.write_bytes(b"x")
    with pytest.raises(StartFailed, match="is no folder"):
        await house.export()


async def test_a_folder_that_can_not_be_made(house: House) -> None:
    """The sentence says where and why."""
    (house.folder.parent / "file").write_bytes(b"")
    other = evolve(house, folder=house.folder.parent / "file/export")
    with pytest.raises(StartFailed, match="file/export can't be written to: Not a directory"):
        await other.export()


async def test_two_at_a_time(house: House) -> None:
    """The second one is told so."""
    with Folder(house.folder) as folder:
        await folder.prepare()
        with pytest.raises(StartFailed, match="Another export is writing"):
            await house.export()
    await house.export()


async def test_a_folder_that_leads_elsewhere(house: House) -> None:
    """Nothing is written through a link."""
    elsewhere = house.folder.parent / "elsewhere"
    elsewhere.mkdir()
    await house.export()
    (house.folder / "clips").symlink_to(elsewhere)
    await house.clip()
    tally = await house.export()
    assert 1 == tally.left_out.total()
    assert "is a link to somewhere else" in tally.complaints[0]
    assert [] == [*elsewhere.iterdir()]


async def test_a_place_that_can_not_be_written_to(house: House) -> None:
    """Everything else is exported all the same."""
    await house.channel(1, "after")
    await house.channel(900, "last")
    for seconds in range(25):
        await house.clip(seconds)
    await house.clip(channel_id=1)
    await house.clip(channel_id=900)
    await house.export(Scope(channel_id=1))
    (house.folder / "clips/Friends/clips").write_bytes(b"in the way")
    tally = await house.export()
    assert {"not taken by the folder": 25} == dict(tally.left_out)
    assert 2 == len(house.entries())
    assert 0 == house.checked().returncode


async def test_more_than_a_page(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Clips and channels are asked for a few at a time, and none is left out or taken twice."""
    monkeypatch.setattr(exporting, "ROWS", 2)
    for channel_id in range(1, 5):
        await house.channel(channel_id, f"channel {channel_id}")
        for seconds in (0, 0, 0, 1, 2):
            await house.clip(seconds, channel_id=channel_id)
    tally = await house.export()
    assert (20, 20) == (tally.clips, tally.written)
    assert 20 == len(house.entries())


async def test_private(house: House) -> None:
    """Nobody else gets in."""
    await house.clip()
    await house.export()
    assert 0o700 == house.folder.stat().st_mode & 0o777
    assert {0o600} == {(house.folder / name).stat().st_mode & 0o777 for name in house.files()}


# ── pages ──


async def test_pages_lead_to_files(house: House) -> None:
    """Every address on every page is a file; a page has no more than fifty clips."""
    for seconds in range(51):
        await house.clip(seconds, data=b"same", title=f"100% #{seconds}?")
    await house.export()
    pages = sorted(house.folder.glob("pages/10/*.html"))
    assert [f"{CHANNEL}-1.html", f"{CHANNEL}-2.html"] == [page.name for page in pages]
    reached = set()
    for page in [*pages, house.folder / "index.html"]:
        for address in Reader(page.read_bytes()).addresses():
            target = (page.parent / unquote(address)).resolve()
            assert target.is_file(), address
            reached.add(target.relative_to(house.folder).as_posix())
    assert {*house.files(), *house.files("pages"), "index.html"} <= reached


async def test_pictures(house: House) -> None:
    """Those that were made are on the pages; one that is away, or is none, is not, and spoils nothing."""
    hashes = {}
    for seconds, name in enumerate(("made", "away", "none", "never")):
        await house.clip(seconds, data=name.encode())
        hashes[name] = hashlib.sha256(name.encode()).digest()
    made = [hashes[name] for name in ("made", "away", "none")]
    await house.pool.execute(
        "update thumbnails set state = 'made', pictures = '{\"320\": [320, 180]}' where sha256 = any($1)", made
    )
    await house.storage.put_picture(picture_name(hashes["made"], 320), WEBP)
    await house.storage.put_picture(picture_name(hashes["none"], 320), b"<html>")
    assert 0 == (await house.export()).left_out.total()
    (picture,) = house.files("pictures")
    assert WEBP == (house.folder / picture).read_bytes()
    page = house.folder / f"pages/10/{CHANNEL}-1.html"
    assert [f"../../{picture}"] == [
        one["poster"] for one in Reader(page.read_bytes()).all_of("video") if "poster" in one
    ]
    await house.storage.delete(picture_name(hashes["made"], 320))
    before = house.everything()
    await house.export()
    assert before == house.everything()


async def test_pages_that_can_not_be_written(house: House) -> None:
    """It is said, and the files are there all the same."""
    await house.clip()
    await house.export()
    (house.folder / f"pages/10/{CHANNEL}-1.html").unlink()
    (house.folder / f"pages/10/{CHANNEL}-1.html").mkdir()
    tally = await house.export()
    assert {"not taken by the folder": 1} == dict(tally.left_out)
    assert 0 == house.checked().returncode
