"""The small parts: what is left of downloads, where clips wait, who may be asked, and whether there is room."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipsaver.clips.saving import partials, places
from clipsaver.clips.saving.model import Place, Usage
from clipsaver.clips.saving.partials import Partials
from clipsaver.clips.saving.places import Places, share
from clipsaver.clips.saving.room import WANTED, Room
from clipsaver.media.storage import StorageUnavailable, open_storage
from clipsaver.simulator import videos
from tests.clips.saving.workshop import Workshop

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_the_oldest_of_too_many_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is left takes room: only so much is kept."""
    monkeypatch.setattr(partials, "MOST", 2)
    known = Partials()
    assert known.keep("1-1", "a") is None
    assert known.keep("2-2", "b") is None
    assert known.keep("1-1", "c") is None
    assert known.keep("3-3", "d") == known.of("2-2")[0]
    assert [known.of(one)[1] for one in ("1-1", "2-2", "3-3")] == ["c", None, "d"]
    assert known.of("1-1")[0] != Partials().of("1-1")[0]


async def test_the_oldest_files_go_too(shop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    """With its bytes."""
    monkeypatch.setattr(partials, "MOST", 1)
    for _ in range(2):
        await shop.post(videos.base("mp4") + bytes(2**20))
    shop.simulator.faults.add("truncate", "GET /attachments/*")
    await shop.work_off()
    assert len([one for one in shop.folder.rglob("*.part") if one.is_file()]) == 1


def place(channel_id: int, guild_id: int, seconds: int) -> Place:
    """A channel whose first clip is due then."""
    due_at = NOW + timedelta(seconds=seconds)
    return Place(channel_id=channel_id, guild_id=guild_id, due_at=due_at, guild_settings={}, settings={})


def test_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever has the least in hand comes first, then whoever has waited longest."""
    known = Places(defaults={})
    known._by_guild = {1: [place(10, 1, 5)], 2: [place(20, 2, 3), place(21, 2, 9)], 3: [place(30, 3, 1)]}
    assert known.guilds({3: Usage(clips=1)}) == [2, 1, 3]
    assert known.channels(2) == [20, 21]
    known.forget(2, channel_id=20)
    assert known.channels(2) == [21]
    known.forget(2)
    assert known.channels(2) == []
    known.forget(2)
    monkeypatch.setattr(places, "KEPT", 1)
    assert known.settings({}, {}) is known.settings({}, {})
    assert known.settings({"save_bytes": False}, {}).save_bytes is False
    assert known.settings({}, {"save_bytes": False}).save_bytes is False


async def test_many_channels(shop: Workshop) -> None:
    """A look at many lets others have a turn in between."""
    await shop.pool.execute(
        "insert into bot_channels (channel_id, guild_id) select n, $1 from generate_series(1, 150) n", shop.guild_id
    )
    await shop.pool.execute(
        "insert into messages (message_id, channel_id, guild_id, posted_at) "
        "select n, n, $1, now() from generate_series(1, 150) n",
        shop.guild_id,
    )
    await shop.pool.execute(
        "insert into clips (clip_id, message_id, channel_id, guild_id, filename, url) "
        "select n || '-1', n, n, $1, 'x', 'x' from generate_series(1, 150) n",
        shop.guild_id,
    )
    known = Places(defaults={})
    async with shop.pool.acquire() as conn:
        await known.look(conn)
    assert len(known._by_guild[shop.guild_id]) == 150


@given(st.lists(st.integers(0, 12), min_size=1, max_size=12), st.integers(1, 16))
def test_slots_are_shared(clips: list[int], slots: int) -> None:
    """The first server gets as many as if each slot went to the one with the fewest, one after the other."""
    held = sorted(clips)
    turns = list(range(len(held)))
    in_hand = {one: Usage(clips=held[one]) for one in turns if held[one]}
    before = held[0]
    for _ in range(slots):
        held[min(turns, key=lambda one: held[one])] += 1
    assert share(turns, in_hand, slots) == held[0] - before


async def test_leases_of_long_ago(shop: Workshop) -> None:
    """What is left of a clip that is gone is forgotten after a day."""
    await shop.post(None)
    assert await shop.claim(shop.worker()) is not None
    await shop.pool.execute("delete from messages")
    await shop.pool.execute("update downloads set lease_until = now() - interval '2 days'")
    assert not await shop.worker().claim([uuid4()])
    assert await shop.pool.fetchval("select count(*) from downloads") == 0


async def test_a_storage_that_says_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is asked again after a rest that grows, and tried before it is trusted."""
    now = 0.0
    async with await open_storage("", data_dir=tmp_path) as storage:
        room = Room(storage=storage, clock=lambda: now)
        assert await room.takes(0)

        async def away() -> None:
            raise StorageUnavailable("Away.")

        room.failed(StorageUnavailable("Away."))
        monkeypatch.setattr(type(storage), "check", lambda _: away())
        rests = []
        for _ in range(9):
            began = now
            while room._until > now:
                now += 0.5
            rests.append(now - began)
            assert not await room.takes(0)
        assert rests[:4] == [1, 2, 4, 8]
        assert max(rests) == 60
        monkeypatch.undo()
        now += 60
        assert await room.takes(0)
        room.well()
        assert not room.fits(2**62, 0)
        assert not await room.takes(0)
        now += WANTED
        assert await room.takes(0)
        assert room.halted is not None
        room.failed(StorageUnavailable("Away."))
        room.go_on()
        assert room.halted == "Away."
        now += 60
        room.go_on()
        assert room.halted is None


async def test_those_that_fail_together_are_one_trouble(tmp_path: Path) -> None:
    """However many downloads a fault hits at once, the storage is tried again as soon as after one."""
    now = 100.0
    async with await open_storage("", data_dir=tmp_path) as storage:
        room = Room(storage=storage, clock=lambda: now)
        for _ in range(8):
            room.failed(StorageUnavailable("Away."))
        assert not await room.takes(0)
        now += 1.0
        assert await room.takes(0)
