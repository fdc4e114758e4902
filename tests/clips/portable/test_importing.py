"""Clips that are taken back: what is there in the end, whatever somebody put into the folder."""

import asyncio
import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from attrs import evolve

from clipsaver.clips.portable import store
from clipsaver.clips.portable.folder import Folder
from clipsaver.clips.portable.importing import Import, Stopped
from clipsaver.clips.portable.model import Clip, Place, Tally
from clipsaver.errors import StartFailed
from clipsaver.media.storage import Incoming, Storage, StorageUnavailable, blob_name, open_storage
from clipsaver.media.storage.local import LocalStorage
from tests.clips.portable.house import ANN, CHANNEL, GUILD, House, moment

Change = Callable[[dict[str, Any]], object]


async def rows(house: House) -> list[dict[str, Any]]:
    """All clips, with their messages and authors, but for what is each database's own."""
    found = await house.pool.fetch(
        "select c.*, m.*, u.username, u.global_name, u.avatar, b.size, b.media_type from clips c "
        "join messages m using (message_id) left join users u on u.discord_user_id = m.author_id "
        "left join blobs b using (sha256) order by c.clip_id"
    )
    return [{name: value for name, value in row.items() if name not in {"created_at", "due_at"}} for row in found]


async def filled(house: House) -> list[str]:
    """Clips of every kind, exported."""
    await house.guild(11, "Others")
    await house.channel(1, "goals", guild_id=11, type="public_thread", parent_id=3, is_nsfw=True)
    clips = [
        await house.clip(title="one", description="d", content="hello", edited_at=moment(9), participants=[1, ANN]),
        await house.clip(0, is_clip=True, is_spoiler=True, is_forward=True, game="chess", clip_created_at=moment(3)),
        await house.clip(
            1, author_id=None, content_type=None, size=None, width=None, height=None, duration_seconds=None
        ),
        await house.clip(2, data=b"same", guild_id=11, channel_id=1, url_expires_at=None),
        await house.clip(3, data=b"same"),
    ]
    assert 0 == (await house.export()).left_out.total()
    return clips


def change(house: House, clip_id: str, what: Change) -> None:
    """Rewrite a clip's line."""
    for path in house.folder.glob("manifest/*/*.jsonl"):
        lines = [orjson.loads(line) for line in path.read_bytes().splitlines()]
        for line in lines:
            if line.get("clip_id") == clip_id:
                what(line)
        path.write_bytes(b"".join(orjson.dumps(line) + b"\n" for line in lines))


# ── there and back ──


async def test_there_and_back(house: House, other: House, tmp_path: Path) -> None:
    """All rows are the same, and what is exported from there is the same to the byte."""
    await filled(house)
    first = house.everything()
    tally = await other.take()
    assert (5, 5, 0) == (tally.clips, tally.written, tally.left_out.total())
    await other.check()
    assert await rows(house) == await rows(other)
    channels = "select channel_id, guild_id, name, type, is_nsfw, parent_id, position, coverage from bot_channels"
    there = await other.pool.fetch(f"{channels} order by channel_id")
    assert await house.pool.fetch(f"{channels} order by channel_id") == there
    again = evolve(other, folder=tmp_path / "again")
    await again.export()
    assert first == again.everything()


async def test_into_a_bucket(house: House, other: House, s3: Storage, tmp_path: Path) -> None:
    """Where the bytes lie makes no difference, neither for what comes nor for what goes."""
    await filled(house)
    far = evolve(other, storage=s3)
    assert (5, 0) == ((tally := await far.take()).written, tally.left_out.total())
    again = evolve(far, folder=tmp_path / "again")
    assert (4, 0) == ((tally := await again.export()).written + tally.linked - 1, tally.left_out.total())
    assert house.everything() == again.everything()


async def test_again_changes_nothing(house: House, other: House) -> None:
    """All is there; not a row is written."""
    await filled(house)
    await other.take()
    before = await other.pool.fetch("select xmin::text, * from clips order by clip_id")
    tally = await other.take()
    assert (5, 0, 5) == (tally.clips, tally.written, tally.kept)
    assert before == await other.pool.fetch("select xmin::text, * from clips order by clip_id")


async def test_into_where_it_came_from(house: House) -> None:
    """What is there stays as it is."""
    await filled(house)
    before = await rows(house)
    tally = await house.take()
    assert (5, 5) == (tally.clips, tally.kept)
    assert before == await rows(house)


@pytest.mark.parametrize("at", [1, 2, 3])
async def test_stopped_in_the_middle(house: House, other: House, at: int) -> None:
    """What was taken is whole; the next time it goes on."""
    for seconds in range(20):
        await house.clip(seconds)
    await house.export()
    done = 0

    def notify() -> None:
        nonlocal done
        done += 1
        if done == at:
            task.cancel()

    with Folder(other.folder) as folder:
        task = asyncio.ensure_future(Import(pool=other.pool, storage=other.storage, folder=folder, notify=notify)())
        with pytest.raises(asyncio.CancelledError):
            await task
    await other.check()
    taken = await other.pool.fetchval("select count(*) from clips")
    tally = await other.take()
    assert (20 - taken, taken) == (tally.written, tally.kept)
    await other.check()


# ── what is there ──


@pytest.mark.parametrize("state", ["pending", "failed", "gone"])
async def test_a_clip_without_bytes_gets_them(house: House, state: str) -> None:
    """The rest of its row stays as it is, and its server is charged."""
    clip_id = await house.clip(data=b"bytes", title="then")
    await house.export()
    (await house.blob(clip_id)).unlink()
    await house.pool.execute(
        "update clips set state = $1::clip_state, sha256 = null, reason = 'x', reason_code = 'gone', title = 'now'",
        state,
    )
    await house.pool.execute("delete from blobs")
    assert 1 == (await house.take()).written
    (row,) = await house.pool.fetch("select * from clips")
    assert ("stored", None, None, "now") == tuple(row[key] for key in ("state", "reason", "reason_code", "title"))
    await house.check()


@pytest.mark.parametrize("state", ["skipped", "deleted"])
async def test_what_was_decided_stays(house: House, state: str) -> None:
    """A clip that was left out or erased here is not brought back."""
    await house.clip()
    await house.export()
    await house.pool.execute("update clips set state = $1::clip_state, sha256 = null", state)
    tally = await house.take()
    assert (0, 1, 0) == (tally.written, tally.untouched, tally.left_out.total())
    assert state == await house.pool.fetchval("select state::text from clips")


async def test_bytes_that_were_lost_come_back(house: House) -> None:
    """A stored clip whose bytes are missing, or are too few, has them again."""
    clips = [await house.clip(data=b"first"), await house.clip(data=b"later")]
    await house.export()
    (await house.blob(clips[0])).unlink()
    (await house.blob(clips[1])).write_bytes(b"lat")
    assert 2 == (await house.take()).written
    await house.check()


async def test_a_clip_with_other_bytes(house: House) -> None:
    """It keeps those it has."""
    clip_id = await house.clip(data=b"old")
    await house.export()
    await house.pool.execute("update clips set sha256 = $1", await house.keep(b"newer"))
    assert 1 == (await house.take()).kept
    assert b"newer" == (await house.blob(clip_id)).read_bytes()


async def test_what_was_gone_stays_gone(house: House, other: House) -> None:
    """Unless it is asked for."""
    await house.clip()
    await house.clip(1)
    await house.export()
    await house.pool.execute("delete from bot_guilds")
    await house.export()
    tally = await other.take()
    assert (2, 2, 0, 0) == (tally.clips, tally.gone, tally.written, tally.left_out.total())
    assert 2 == (await other.take(with_gone=True)).written
    await other.check()


async def test_bytes_that_are_being_removed(house: House, other: House) -> None:
    """They are kept again until the removal is over; if that never ends it is said, and no row is without bytes."""
    await house.clip(data=b"bytes")
    await house.export()
    await other.pool.execute(
        "insert into blobs (sha256, size, deleting_at) values ($1, 5, clock_timestamp())",
        hashlib.sha256(b"bytes").digest(),
    )
    tally = await other.take()
    assert {"not taken by the storage": 1} == dict(tally.left_out)
    assert "are being removed from the storage just now" in tally.complaints[0]
    assert 0 == await other.pool.fetchval("select count(*) from clips")
    await other.pool.execute("delete from blobs")
    assert 1 == (await other.take()).written


# ── hostile folders ──


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda line: line.update(file="../../etc/passwd"), "file is '../../etc/passwd', which does not lie in clips/"),
        (lambda line: line.update(file="clips/Friends/clips/nothing.mp4"), "nothing.mp4 is not there"),
        (lambda line: line.update(sha256="00" * 32), "is not what its checksum says"),
        (lambda line: line.update(bytes=5_000), "has another length than 5000 bytes"),
        (lambda line: line.update(bytes=1), "has another length than 1 bytes"),
        (lambda line: line.update(bytes=2**62), "There is no room for it"),
        (lambda line: line.update(bytes=-5), "bytes is -5, and no whole number"),
        (lambda line: line.update(message_id=17), "message_id is 17, and no id"),
        (lambda line: line.update(kind="channel"), "it is no clipsaver-export"),
        (lambda line: line.pop("url"), "url is missing"),
    ],
)
async def test_a_bad_line(house: House, other: House, damage: Change, told: str) -> None:
    """One sentence says what is wrong with it; all others are taken."""
    clips = await filled(house)
    change(house, clips[0], damage)
    tally = await other.take()
    assert (4, 1) == (tally.written, tally.left_out.total())
    assert told in tally.complaints[0]
    await other.check()


async def test_links_and_pipes(house: House, other: House) -> None:
    """Nothing but a file is read, and nothing through a link, wherever on the way it is."""
    clips = await filled(house)
    paths = [house.path_of(clip_id) for clip_id in clips]
    secret = house.folder.parent / "secret"
    secret.write_bytes(paths[0].read_bytes())
    paths[0].unlink()
    paths[0].symlink_to(secret)
    paths[1].unlink()
    os.mkfifo(paths[1])
    paths[3].parent.rename(house.folder.parent / "moved")
    paths[3].parent.symlink_to(house.folder.parent / "moved")
    tally = await other.take()
    assert (2, 3) == (tally.written, tally.left_out.total())
    told = " ".join(tally.complaints)
    assert "is no file" in told
    assert "can't be read: " in told
    await other.check()


async def test_many_links(house: House, other: House) -> None:
    """However many: the rest is taken."""
    clips = [await house.clip(seconds) for seconds in range(30)]
    await house.export()
    for clip_id in clips[:25]:
        house.path_of(clip_id).unlink()
        house.path_of(clip_id).symlink_to("/etc/passwd")
    tally = await other.take()
    assert (5, {"missing or damaged in the folder": 25}) == (tally.written, dict(tally.left_out))


async def test_what_the_database_can_not_hold(house: House, other: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line that looks right and is not, is one sentence."""
    clips = await filled(house)
    change(house, clips[0], lambda line: line.update(title="too much"))
    real = store.put_clip

    async def put_clip(conn: Any, clip: Clip, place: Place) -> bool:
        return await real(conn, evolve(clip, width=2**40) if clip.title == "too much" else clip, place)

    monkeypatch.setattr(store, "put_clip", put_clip)
    tally = await other.take()
    assert (4, 1) == (tally.written, tally.left_out.total())
    assert "the database does not take it: " in tally.complaints[0]


async def test_bytes_that_vanish_meanwhile(house: House, other: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is gone again before its row is written is kept again."""
    await house.clip()
    await house.export()
    real, times = LocalStorage.keep, 0

    async def keep(storage: LocalStorage, incoming: Incoming, **more: Any) -> bytes:
        nonlocal times
        times += 1
        sha256 = await real(storage, incoming, **more)
        if times == 1:
            await storage.delete(blob_name(sha256))
        return sha256

    monkeypatch.setattr(LocalStorage, "keep", keep)
    assert 1 == (await other.take()).written
    assert 2 == times
    await other.check()


async def test_lists_that_are_links(house: House, other: House) -> None:
    """They are no lists, and neither is anything else that lies there."""
    await filled(house)
    list_path = house.list_path()
    list_path.rename(house.folder.parent / "list.jsonl")
    list_path.symlink_to(house.folder.parent / "list.jsonl")
    (list_path.parent / "notes.txt").write_text("x")
    (list_path.parent / "x.jsonl").write_text("x")
    (list_path.parent / "77.jsonl").mkdir()
    (list_path.parent.parent / "stray").mkdir()
    tally = await other.take()
    assert (1, 1) == (tally.written, tally.left_out.total())
    assert "Of 2 lists there are 1." in tally.complaints


@pytest.mark.parametrize("which", ["manifest", "manifest/10"])
async def test_folders_that_are_links(house: House, other: House, which: str) -> None:
    """Nothing is read through them."""
    await filled(house)
    (house.folder / which).rename(house.folder.parent / "elsewhere")
    (house.folder / which).symlink_to(house.folder.parent / "elsewhere")
    tally = await other.take()
    assert 1 == tally.left_out.total()
    assert tally.written == (0 if which == "manifest" else 1)


async def test_a_list_that_is_cut_off(house: House, other: House) -> None:
    """In the middle of a line: what is before it is taken, and both are told."""
    for seconds in range(5):
        await house.clip(seconds)
    await house.export()
    data = house.list_path().read_bytes()
    house.list_path().write_bytes(data[: data.rindex(b'"kind":"clip"') + 30])
    tally = await other.take()
    assert (4, 2) == (tally.written, tally.left_out.total())
    assert "it is no JSON" in tally.complaints[0]
    assert "is cut off" in tally.complaints[1]
    await other.check()


async def test_nonsense_between_lines(house: House, other: House) -> None:
    """Bytes of any kind, lines without end, lines twice and in no order: each is told, bounded, and spoils nothing."""
    for seconds in range(5):
        await house.clip(seconds)
    await house.export()
    head, *clips, end = house.list_path().read_bytes().splitlines(keepends=True)
    rest = b"".join([*clips[2:], head, end, clips[0]])
    junk = b"\xff\n" * 70 + b"\n  \n"
    house.list_path().write_bytes(head + clips[1] + junk + clips[0] + clips[1] + b"[" * 3_000_000 + b"\n" + rest)
    tally = await other.take()
    assert 5 == await other.pool.fetchval("select count(*) from clips where state = 'stored'")
    assert {"the list is damaged": 70 + 2} == dict(tally.left_out)
    assert 50 == len(tally.complaints)
    await other.check()


async def test_messages_of_other_channels(house: House, other: House) -> None:
    """What is known here of a message or a channel is not put in doubt by a list."""
    clips = [await house.clip(), await house.clip(1)]
    await house.export()
    await other.guild(77, "Elsewhere")
    await other.channel(1, guild_id=77)
    await other.pool.execute(
        "insert into messages (message_id, channel_id, guild_id, posted_at) values ($1, 1, 77, now())",
        int(clips[0].partition("-")[0]),
    )
    tally = await other.take()
    assert (1, 1) == (tally.written, tally.left_out.total())
    assert "its message is known here as one of another channel" in tally.complaints[0]
    await other.pool.execute("delete from bot_guilds where guild_id = $1", GUILD)
    await other.channel(CHANNEL, guild_id=77)
    tally = await other.take()
    assert (0, 2) == (tally.written, tally.left_out.total())
    assert "its channel is known here as one of another server" in tally.complaints[0]
    assert 0 == await other.pool.fetchval("select count(*) from bot_guilds where guild_id = $1", GUILD)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b"{", "manifest.json can't be read: it is no JSON"),
        (b'{"format": "zip"}', "it is no clipsaver-export"),
        (b'{"format": "clipsaver-export", "version": 2}', "its version is 2, and this clipsaver reads version 1"),
        (b"[]", "it is no clipsaver-export"),
        (None, "holds no export: there is no manifest.json in it"),
    ],
)
async def test_what_is_no_export(other: House, text: bytes | None, told: str) -> None:
    """It is said, and nothing is done."""
    other.folder.mkdir()
    if text is not None:
        (other.folder / "manifest.json").write_bytes(text)
    with pytest.raises(StartFailed) as failed:
        await other.take()
    assert told in failed.value.message


async def test_no_folder(other: House) -> None:
    """The same sentence."""
    with pytest.raises(StartFailed, match="holds no export"):
        await other.take()


async def test_a_manifest_that_is_a_folder(other: House) -> None:
    """It is no file."""
    (other.folder / "manifest.json").mkdir(parents=True)
    with pytest.raises(StartFailed, match=r"manifest\.json is no file"):
        await other.take()


async def test_an_export_that_has_not_ended(house: House, other: House) -> None:
    """What it has written so far can be taken."""
    await house.clip()
    await house.export()
    (house.folder / "manifest.json").unlink()
    assert 1 == (await other.take()).written


async def test_a_list_of_another_version(house: House, other: House) -> None:
    """It is left out as a whole, in one sentence."""
    await filled(house)
    data = house.list_path().read_bytes()
    house.list_path().write_bytes(data.replace(b'"version":1', b'"version":9', 1))
    tally = await other.take()
    assert (1, 1) == (tally.written, tally.left_out.total())
    assert "its version is 9" in tally.complaints[0]


# ── trouble ──


async def test_a_storage_that_takes_nothing(house: House, other: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends when it is clear that nothing more will come of it; no row is left without bytes."""
    for seconds in range(30):
        await house.clip(seconds)
    await house.export()

    async def away(*_: Any, **__: Any) -> bytes:
        raise StorageUnavailable("the bucket can't be used at the moment.")

    monkeypatch.setattr(LocalStorage, "keep", away)
    tally = Tally()
    with Folder(other.folder) as folder, pytest.raises(Stopped, match="It goes no further now: the bucket"):
        await Import(pool=other.pool, storage=other.storage, folder=folder, tally=tally)()
    assert 20 == tally.left_out.total()
    assert 0 == await other.pool.fetchval("select count(*) from bot_guilds")
    monkeypatch.undo()
    assert 30 == (await other.take()).written


async def test_a_storage_that_thinks_for_long(house: House, other: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for it under a lock."""
    await house.clip()
    await house.export()

    async def slow(*_: Any) -> int:
        raise TimeoutError

    monkeypatch.setattr(Storage, "size", slow)
    tally = await other.take()
    assert ["the storage takes too long to answer."] == [told.partition(": ")[2] for told in tally.complaints]


async def test_no_room(house: House, other: House, tmp_path: Path) -> None:
    """Nothing is begun that does not fit beside the reserve; the others are taken."""
    await house.clip()
    await house.export()
    async with await open_storage("", data_dir=tmp_path / "full", reserve=2**62) as storage:
        tally = await evolve(other, storage=storage).take()
    assert {"not taken by the storage": 1} == dict(tally.left_out)
    assert "There is no room for it in the storage" in tally.complaints[0]


async def test_a_name_in_the_storage(house: House, other: House) -> None:
    """Bytes lie where other programs look for them."""
    await house.clip(data=b"bytes")
    await house.export()
    await other.take()
    path = other.storage.local_path(blob_name(hashlib.sha256(b"bytes").digest()))
    assert path is not None
    assert b"bytes" == path.read_bytes()
