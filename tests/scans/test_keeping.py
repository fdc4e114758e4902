"""Keeping what several runs have read in one transaction: what is wrong with one of them is its own."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from attrs import evolve, frozen

from clipsaver.clips.model import Batch, Found, FoundClip, Portion, StaleRules
from clipsaver.clips.service import Clips, Kept
from clipsaver.discord.snapshots import MessageSnapshot
from clipsaver.errors import LeaseLost
from clipsaver.postgres.pool import Connection, Pool
from clipsaver.postgres.ranges import IdRange
from clipsaver.scans.keeping import Keeper
from clipsaver.scans.model import Advance, ChannelRules, Figures

GUILD = 7
MESSAGE = 1000
"""Each channel's one message is this much further on than the channel."""


@frozen
class House:
    """Some channels with a run in hand each."""

    pool: Pool
    keeper: Keeper
    advances: Sequence[Advance]

    async def keep(self, *advances: Advance) -> list[BaseException | None]:
        """Hand in all of them at once; what each was told."""
        return await asyncio.gather(*map(self.keeper.keep, advances), return_exceptions=True)

    async def written(self) -> list[tuple[int, int, bool]]:
        """Of every channel, what its run has counted, its clips, and whether its page is covered."""
        rows = await self.pool.fetch(
            "select c.channel_id, r.messages_scanned, (select count(*) from clips k where k.channel_id = c.channel_id),"
            " c.coverage @> (c.channel_id + $1)::bigint from bot_channels c"
            " join bot_channel_scan_runs r using (channel_id) order by 1",
            MESSAGE,
        )
        return [tuple(row)[1:] for row in rows]


@pytest.fixture
async def house(pool: Pool) -> House:
    """Three of them."""
    await pool.execute("insert into bot_guilds (guild_id, name) values ($1, 'g')", GUILD)
    advances = [await advance(pool, channel_id) for channel_id in (1, 2, 3)]
    return House(pool, Keeper(pool=pool, clips=Clips(pool=pool), lease_time=timedelta(minutes=1)), advances)


async def advance(pool: Pool, channel_id: int) -> Advance:
    """Make a channel, a run in hand, and a page with one clip that it has read."""
    run_id, token = uuid4(), uuid4()
    await pool.execute("insert into bot_channels (channel_id, guild_id) values ($1, $2)", channel_id, GUILD)
    await pool.execute(
        "insert into bot_channel_scan_runs (id, channel_id, guild_id, status, lease_token, horizon, todo)"
        " values ($1, $2, $3, 'running', $4, 5000, '{[0,5000)}')",
        *(run_id, channel_id, GUILD, token),
    )
    return Advance(
        run_id=run_id,
        token=token,
        todo=(),
        figures=Figures(messages_scanned=1, messages_matched=1, clips_found=1),
        rules=ChannelRules(guild_settings={}, settings={}, rules_hash=None),
        portion=Portion(
            guild_id=GUILD,
            channel_id=channel_id,
            batch=batch(channel_id),
            covers=(IdRange(0, 5000),),
            rules_hash="now",
        ),
    )


def batch(channel_id: int, **fields: Any) -> Batch:
    """A page with one message, and that with one clip."""
    number = channel_id + MESSAGE
    clip: dict[str, Any] = {
        "clip_id": f"{number}-1",
        "message_id": number,
        "attachment_id": 1,
        "filename": "a.mp4",
        "url": "x",
    }
    message = MessageSnapshot(id=number, channel_id=channel_id, timestamp=datetime.now(UTC))
    found = Found(message=message, clips=(FoundClip(**(clip | fields)),))
    return Batch(found=(found,), ids=(number,), matched=1)


async def test_what_waits_is_kept_together(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """One transaction for all of them, and every run is told."""
    keep, together = Clips.keep, []

    async def counted(clips: Clips, conn: Connection, portions: Sequence[Portion]) -> Kept:
        together.append(len(portions))
        return await keep(clips, conn, portions)

    monkeypatch.setattr(Clips, "keep", counted)
    assert await house.keep(*house.advances) == [None, None, None]
    assert await house.written() == [(1, 1, True)] * 3
    assert together == [3]


async def test_what_goes_first_waits_for_nobody(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is kept by itself: what was handed in earlier may take long."""
    together: list[list[int]] = []
    keep = Clips.keep

    async def noted(clips: Clips, conn: Connection, portions: Sequence[Portion]) -> Kept:
        together.append(sorted(portion.channel_id for portion in portions))
        return await keep(clips, conn, portions)

    monkeypatch.setattr(Clips, "keep", noted)
    one, two, three = house.advances
    await asyncio.gather(house.keeper.keep(one), house.keeper.keep(two), house.keeper.keep(three, first=True))
    assert sorted(together) == [[1, 2], [3]]
    assert [(1, 1, True)] * 3 == await house.written()


async def test_a_lost_lease_is_its_own(house: House) -> None:
    """Nothing of that run is written; the others' pages are."""
    first, second, third = house.advances
    told = await house.keep(first, evolve(second, token=UUID(int=0)), third)
    assert [type(one) for one in told] == [type(None), LeaseLost, type(None)]
    assert await house.written() == [(1, 1, True), (0, 0, False), (1, 1, True)]


@pytest.mark.parametrize("changed", ["settings", "coverage"])
async def test_other_rules_are_its_own(house: House, changed: str) -> None:
    """The channel's settings have changed, or it was read under others meanwhile: that run looks again."""
    if changed == "settings":
        await house.pool.execute("update bot_channels set settings = '{\"include_bots\": false}' where channel_id = 2")
    else:
        await house.pool.execute("update bot_channels set rules_hash = 'other' where channel_id = 2")
    told = await house.keep(*house.advances)
    assert [type(one) for one in told] == [type(None), StaleRules, type(None)]
    assert await house.written() == [(1, 1, True), (0, 0, False), (1, 1, True)]


async def test_a_row_that_is_refused_is_its_own(house: House) -> None:
    """What PostgreSQL can't take sinks the run that brought it, and no other."""
    first, second, third = house.advances
    bad = evolve(second, portion=evolve(second.portion, batch=batch(2, filename="a\0b")))
    told = await house.keep(first, bad, third)
    assert told[0] is told[2] is None
    assert isinstance(told[1], asyncpg.DataError)
    assert await house.written() == [(1, 1, True), (0, 0, False), (1, 1, True)]


async def test_other_trouble_is_everybodys(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """All are told, nothing is written, and what is handed in next is kept."""

    async def broken(*_: object) -> None:
        raise RuntimeError

    with monkeypatch.context() as patched:
        patched.setattr(Clips, "keep", broken)
        told = await house.keep(*house.advances)
    assert [type(one) for one in told] == [RuntimeError] * 3
    assert await house.written() == [(0, 0, False)] * 3
    assert await house.keep(*house.advances) == [None, None, None]


async def test_who_no_longer_listens_is_left_out(house: House) -> None:
    """A run that was ended before its turn came is not written."""
    first, second, _ = house.advances
    going = asyncio.create_task(house.keeper.keep(first))
    await asyncio.sleep(0)
    gone = asyncio.create_task(house.keeper.keep(second))
    await asyncio.sleep(0)
    gone.cancel()
    await going
    await asyncio.gather(gone, return_exceptions=True)
    assert await house.keep(house.advances[2]) == [None]
    assert await house.written() == [(1, 1, True), (0, 0, False), (1, 1, True)]
