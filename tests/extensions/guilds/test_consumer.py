"""Tests of the way from raw payloads to rows: order, batches, patience."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import asyncpg
import pytest
from structlog.testing import capture_logs

from clipsaver.channels.service import Channels
from clipsaver.discord.snapshots import GuildSnapshot, structure_guild
from clipsaver.discord.snowflakes import created_at
from clipsaver.errors import ClipsaverError
from clipsaver.extensions.guilds import consumer
from clipsaver.extensions.guilds.consumer import GuildEvents
from clipsaver.guilds.model import Shard
from clipsaver.guilds.service import Guilds
from clipsaver.guilds.state import BotState
from clipsaver.postgres.pool import Pool

LATE = 2 << 40


def payload(guild_id: int, channels: Sequence[int] = (), **said: Any) -> dict[str, Any]:
    """GUILD_CREATE, as small as it can be."""
    return {
        "id": str(guild_id),
        "name": f"guild {guild_id}",
        "owner_id": "900",
        "roles": [{"id": str(guild_id), "name": "@everyone", "permissions": "0", "position": 0}],
        "channels": [{"id": str(channel_id), "type": 0, "name": "c"} for channel_id in channels],
        "threads": [],
    } | said


def ready(*guild_ids: int) -> dict[str, Any]:
    """READY."""
    return {"guilds": [{"id": str(guild_id), "unavailable": True} for guild_id in guild_ids]}


class Again:
    """Reads guilds again, as told."""

    def __init__(self) -> None:
        self.asked: list[int] = []
        self.answers: list[GuildSnapshot | ClipsaverError | None] = []

    async def __call__(self, guild_id: int) -> GuildSnapshot | None:
        """Give the next answer."""
        self.asked.append(guild_id)
        answer = self.answers.pop(0)
        if isinstance(answer, ClipsaverError):
            raise answer
        return answer


@pytest.fixture
def again() -> Again:
    """What Discord answers when asked for a guild."""
    return Again()


@pytest.fixture
def make(pool: Pool, again: Again) -> Callable[..., GuildEvents]:
    """Make the consumer with the settings of a test."""

    def made(**options: Any) -> GuildEvents:
        return GuildEvents(
            guilds=Guilds(pool=pool, defaults={}),
            channels=Channels(pool=pool, defaults={}),
            state=BotState(),
            reread=again,
            **({"gather": 0.0} | options),
        )

    return made


@pytest.fixture
def events(make: Callable[..., GuildEvents]) -> GuildEvents:
    """The consumer as it is."""
    return make()


async def told(events: GuildEvents, *payloads: tuple[str, dict[str, Any]]) -> None:
    """Put events and write them."""
    for name, said in payloads:
        events.put(name, said)
    while events._inbox:
        await events.step()


async def rows(pool: Pool, statement: str) -> list[Any]:
    """The first column of what a statement finds."""
    return [row[0] for row in await pool.fetch(statement)]


GUILDS = "select guild_id from bot_guilds order by 1"
CHANNELS = "select channel_id from bot_channels order by 1"


async def test_a_session_ends_with_everything_written(events: GuildEvents, pool: Pool) -> None:
    """And only then is the bot synchronised."""
    await told(events, ("READY", ready(1, 2)), ("GUILD_CREATE", payload(1, [10, 11])))
    assert events.state.expected == {2}
    before = events.state.synchronised
    await told(events, ("GUILD_CREATE", payload(2, [20])))
    assert (before, events.state.synchronised) == (False, True)
    assert events.state.guilds == {1, 2}
    assert (await rows(pool, GUILDS), await rows(pool, CHANNELS)) == ([1, 2], [10, 11, 20])
    assert events.state.tags == frozenset()


async def test_guilds_and_channels_that_vanished_are_reconciled(events: GuildEvents, pool: Pool) -> None:
    """By READY and by the list of channels."""
    await told(events, ("GUILD_CREATE", payload(1, [10, 11])), ("GUILD_CREATE", payload(2, [20])))
    await told(events, ("READY", ready(1)), ("GUILD_CREATE", payload(1, [11, 12])))
    assert (await rows(pool, GUILDS), await rows(pool, CHANNELS)) == ([1], [11, 12])
    assert events.state.guilds == {1}


async def test_a_session_that_does_not_tell_its_guilds_deletes_none(events: GuildEvents, pool: Pool) -> None:
    """It is logged instead."""
    await told(events, ("GUILD_CREATE", payload(1)))
    with capture_logs() as logs:
        await told(events, ("READY", {}))
    assert await rows(pool, GUILDS) == [1]
    assert events.state.synchronised
    assert [(line["event"], line["reason"]) for line in logs] == [("guild_event.odd", "guilds: not a list")]


async def test_a_session_answers_for_its_own_shard(events: GuildEvents, pool: Pool) -> None:
    """The other's guilds are none of its business."""
    first, second = 2 << 22, 3 << 22
    await told(events, ("GUILD_CREATE", payload(first)), ("GUILD_CREATE", payload(second)))
    events.put("READY", ready(), shard=Shard(id=1, count=2))
    await events.step()
    assert await rows(pool, GUILDS) == [first]
    assert events.state.guilds == {first}


async def test_an_outage_keeps_everything(events: GuildEvents, pool: Pool) -> None:
    """Whichever way it is told; and it ends when the guild comes back."""
    await told(events, ("GUILD_CREATE", payload(1, [10])), ("GUILD_DELETE", {"id": "1", "unavailable": True}))
    assert (events.state.guilds, events.state.unavailable) == (set(), {1})
    assert await rows(pool, CHANNELS) == [10]
    await told(events, ("GUILD_CREATE", {"id": "1", "unavailable": True}))
    assert events.state.unavailable == {1}
    await told(events, ("GUILD_CREATE", payload(1, [10])))
    assert (events.state.guilds, events.state.unavailable) == ({1}, set())


async def test_leaving_deletes(events: GuildEvents, pool: Pool) -> None:
    """What was expected of the guild is expected no longer."""
    await told(events, ("READY", ready(1)), ("GUILD_CREATE", payload(1, [10])), ("GUILD_DELETE", {"id": "1"}))
    assert (await rows(pool, GUILDS), await rows(pool, CHANNELS)) == ([], [])
    assert events.state.guilds == set()


async def test_live_changes_are_written(events: GuildEvents, pool: Pool) -> None:
    """Guild, channels, threads, roles: made, changed, gone."""
    await told(
        events,
        ("GUILD_CREATE", payload(1, [10])),
        ("GUILD_UPDATE", payload(1, name="Renamed") | {"channels": None}),
        ("CHANNEL_CREATE", {"id": "11", "guild_id": "1", "type": 2, "name": "voice"}),
        ("CHANNEL_UPDATE", {"id": "10", "guild_id": "1", "type": 0, "name": "clips"}),
        ("THREAD_CREATE", {"id": "20", "guild_id": "1", "type": 11, "parent_id": "10", "name": "talk"}),
        ("THREAD_LIST_SYNC", {"guild_id": "1", "threads": [{"id": "21", "type": 11, "parent_id": "10"}]}),
        ("GUILD_ROLE_CREATE", {"guild_id": "1", "role": {"id": "5", "name": "a"}}),
        ("GUILD_ROLE_CREATE", {"guild_id": "1", "role": {"id": "6", "name": "b"}}),
        ("GUILD_ROLE_DELETE", {"guild_id": "1", "role_id": "5"}),
        ("THREAD_DELETE", {"id": "21", "guild_id": "1", "parent_id": "10", "type": 11}),
        ("CHANNEL_DELETE", {"id": "11", "guild_id": "1", "type": 2}),
    )
    assert await rows(pool, "select name from bot_guilds") == ["Renamed"]
    assert await rows(pool, "select name from bot_channels order by channel_id") == ["clips", "talk"]
    assert await rows(pool, "select role_id from roles order by 1") == [1, 6]


async def test_an_event_told_twice_changes_nothing(events: GuildEvents, pool: Pool) -> None:
    """Discord sends them zero, one or several times."""
    told_twice = [("GUILD_CREATE", payload(1, [10])), ("CHANNEL_DELETE", {"id": "10", "guild_id": "1"})]
    await told(events, *told_twice, told_twice[1], ("GUILD_DELETE", {"id": "1"}), ("GUILD_DELETE", {"id": "1"}))
    assert await rows(pool, GUILDS) == []


async def test_an_odd_payload_is_logged_and_passed_over(events: GuildEvents, pool: Pool) -> None:
    """By where it is odd, not by what was in it."""
    with capture_logs() as logs:
        await told(
            events,
            ("GUILD_CREATE", payload(1) | {"channels": [{"id": "10", "type": 0}, {"id": "hush", "type": 0}]}),
            ("CHANNEL_CREATE", {"id": "11", "guild_id": "1", "type": "hush"}),
        )
    assert await rows(pool, CHANNELS) == [10]
    odd = [(line["name"], line["reason"]) for line in logs if line["event"] == "guild_event.odd"]
    assert odd == [
        ("GUILD_CREATE", "channels[1].id: not a whole number"),
        ("CHANNEL_CREATE", "type: not a whole number"),
    ]
    assert "hush" not in str(logs)


async def test_guilds_that_come_close_together_are_one_batch(make: Callable[..., GuildEvents]) -> None:
    """Also those that come while the first is waiting for company."""
    events = make(gather=30.0)
    batches: list[int] = []
    write = events._writer.write

    async def counted(batch: Sequence[Any]) -> None:
        batches.append(len(batch))
        await write(batch)

    object.__setattr__(events, "_writer", type("Counting", (), {"write": staticmethod(counted)}))
    step = asyncio.create_task(events.step())
    for number in range(1, consumer.BATCH + 1):
        events.put("GUILD_CREATE", payload(number))
        await asyncio.sleep(0)
    await step
    assert batches == [consumer.BATCH]


async def test_a_guild_alone_does_not_wait_for_ever(make: Callable[..., GuildEvents], pool: Pool) -> None:
    """Only as long as it may."""
    events = make(gather=0.01)
    await told(events, ("GUILD_CREATE", payload(1)))
    assert await rows(pool, GUILDS) == [1]


async def test_guilds_that_never_come_are_given_up(make: Callable[..., GuildEvents]) -> None:
    """They are in an outage; the bot is ready without them."""
    events = make(settle=0.01)
    await told(events, ("READY", ready(1, 2)), ("GUILD_CREATE", payload(1)))
    with capture_logs() as logs:
        await events.step()
    assert events.state.synchronised
    assert events.state.unavailable == {2}
    assert [(line["event"], line["guilds"]) for line in logs] == [("guilds.not_come", 1)]


def failing(monkeypatch: pytest.MonkeyPatch, *errors: Exception) -> None:
    """Let the next writes of guilds fail."""
    seen = Guilds.seen
    left = list(errors)

    async def fails(self: Guilds, *args: Any) -> frozenset[int]:
        if left:
            raise left.pop(0)
        return await seen(self, *args)

    monkeypatch.setattr(Guilds, "seen", fails)


async def test_a_database_that_is_away_is_waited_for(
    make: Callable[..., GuildEvents], pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ever longer, and nothing is lost."""
    waits: list[float] = []

    async def pause(seconds: float) -> None:
        waits.append(seconds)

    events = make(pause=pause)
    failing(
        monkeypatch,
        ConnectionRefusedError(),
        asyncpg.CannotConnectNowError("starting up"),
        asyncpg.InterfaceError("connection is closed"),
        *(TimeoutError() for _ in range(9)),
    )
    await told(events, ("GUILD_CREATE", payload(1, [10])), ("CHANNEL_DELETE", {"id": "10", "guild_id": "1"}))
    assert (await rows(pool, GUILDS), await rows(pool, CHANNELS)) == ([1], [])
    assert len(waits) == 12
    assert max(waits) <= consumer.LONGEST_PAUSE
    assert waits[3] > waits[0]


async def test_what_cannot_be_written_does_not_hold_up_the_rest(
    events: GuildEvents, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The batch is written one by one, and what is refused is logged."""
    seen = Guilds.seen

    async def fails(self: Guilds, guilds: Any, owners: Any) -> frozenset[int]:
        listed = list(guilds)
        if any(guild.id == 2 for guild in listed):
            raise asyncpg.CheckViolationError("no")
        return await seen(self, listed, owners)

    monkeypatch.setattr(Guilds, "seen", fails)
    with capture_logs() as logs:
        await told(events, *(("GUILD_CREATE", payload(number)) for number in (1, 2, 3)))
    assert await rows(pool, GUILDS) == [1, 3]
    refused = [line for line in logs if line["event"] == "guild_event.refused"]
    assert [(line["kind"], line["guild_id"]) for line in refused] == [("GuildSeen", "2")]


async def test_a_session_that_cannot_be_reconciled_is_refused(
    events: GuildEvents, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asyncpg's complaint about a value is no reason to wait, though it is an interface error."""

    async def fails(*_: Any) -> frozenset[int]:
        raise BadValue

    monkeypatch.setattr(Guilds, "reconcile", fails)
    with capture_logs() as logs:
        await told(events, ("READY", ready(1)))
    assert [(line["event"], line["kind"]) for line in logs] == [("guild_event.refused", "SessionReady")]


class BadValue(asyncpg.InterfaceError, ValueError):
    """As asyncpg's own."""

    def __init__(self) -> None:
        super().__init__("invalid input for query argument $1")


async def test_a_guild_whose_events_found_no_room_is_read_again(
    make: Callable[..., GuildEvents], again: Again, pool: Pool
) -> None:
    """Once there is time; leaves and sessions always find room."""
    events = make(capacity=3)
    with capture_logs() as logs:
        events.put("GUILD_CREATE", payload(1, [10]))
        for number in (11, 12):
            events.put("CHANNEL_CREATE", {"id": str(number), "guild_id": "1", "type": 0})
        events.put("GUILD_DELETE", {"id": "2"})
        events.put("READY", ready(1))
    assert [line["guild_id"] for line in logs if line["event"] == "guild_events.overflow"] == ["1"]
    assert events.missed == {1}
    again.answers = [structure_guild(payload(1, [10, 11, 12]))]
    await told(events)
    assert again.asked == [1]
    assert events.missed == set()
    assert await rows(pool, CHANNELS) == [10, 11, 12]
    assert events.state.synchronised


@pytest.mark.parametrize(
    ("answer", "left"),
    [
        (None, set()),
        (ClipsaverError("gone wrong", permanent=True), set()),
        (ClipsaverError("not now"), {1}),
    ],
)
async def test_a_guild_that_cannot_be_read_again_is_kept_in_mind_if_that_can_help(
    events: GuildEvents, again: Again, answer: Any, left: set[int]
) -> None:
    """Nothing is deleted either way."""
    again.answers = [answer]
    events.missed.add(1)
    await events.step()
    assert events.missed == left


async def test_reading_again_is_tried_again_later(
    events: GuildEvents, again: Again, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And does not keep events waiting meanwhile."""
    again.answers = [ClipsaverError("not now"), structure_guild(payload(1))]
    events.missed.add(1)
    await events.step()
    await told(events, ("GUILD_CREATE", payload(2)))
    assert await rows(pool, GUILDS) == [2]
    monkeypatch.setattr(events, "_reread_at", 0.0)
    await events.step()
    assert await rows(pool, GUILDS) == [1, 2]


async def test_the_newest_message_of_each_channel_is_its_activity(events: GuildEvents, pool: Pool) -> None:
    """Written in one statement, however many there were."""
    await told(events, ("GUILD_CREATE", payload(1, [10, 11])))
    for message_id in (LATE, LATE + 5, LATE - 7):
        events.put("MESSAGE_CREATE", {"id": str(message_id), "channel_id": "10", "guild_id": "1"})
    events.put("MESSAGE_CREATE", {"id": str(LATE), "channel_id": "11"})
    events.put("MESSAGE_CREATE", {"id": "x", "channel_id": "11", "guild_id": "1"})
    await events.flush_activity()
    await events.flush_activity()
    assert await rows(pool, "select last_activity_at from bot_channels order by channel_id") == [
        created_at(LATE + 5),
        None,
    ]


async def test_what_we_write_ourselves_is_no_activity(events: GuildEvents) -> None:
    """A scan's own progress message must not look like something that is still to be read."""
    message = {"id": str(LATE), "channel_id": "10", "guild_id": "1"}
    events.own_id = 7
    events.put("MESSAGE_CREATE", message | {"author": {"id": "7"}})
    assert events._active == {}
    events.put("MESSAGE_CREATE", message | {"author": {"id": "8"}})
    assert events._active == {10: LATE}


async def test_activity_waits_for_the_database(
    events: GuildEvents, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What can never be written is dropped."""
    await told(events, ("GUILD_CREATE", payload(1, [10])))
    write = Channels.activity
    errors: list[Exception] = [ConnectionResetError(), asyncpg.DataError("no")]

    async def fails(self: Channels, latest: Any) -> None:
        if errors:
            raise errors.pop(0)
        await write(self, latest)

    monkeypatch.setattr(Channels, "activity", fails)
    events.put("MESSAGE_CREATE", {"id": str(LATE), "channel_id": "10", "guild_id": "1"})
    await events.flush_activity()
    assert events._active == {10: LATE}
    await events.flush_activity()
    assert events._active == {}


async def test_activity_is_bounded(events: GuildEvents, monkeypatch: pytest.MonkeyPatch) -> None:
    """Channels beyond the bound wait for their next message."""
    monkeypatch.setattr(consumer, "MOST_ACTIVE", 1)
    for channel_id in ("10", "11", "10"):
        events.put("MESSAGE_CREATE", {"id": str(LATE), "channel_id": channel_id, "guild_id": "1"})
    assert events._active == {10: LATE}


async def test_it_runs_until_it_is_cancelled(
    make: Callable[..., GuildEvents], pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Events and activity both."""
    written = asyncio.Event()
    write: Callable[..., Awaitable[None]] = Channels.activity

    async def seen(self: Channels, latest: Any) -> None:
        await write(self, latest)
        written.set()

    monkeypatch.setattr(Channels, "activity", seen)
    events = make(activity_every=0.001)
    running = asyncio.create_task(events.run())
    events.put("GUILD_CREATE", payload(1, [10]))
    await events.idle()
    events.put("MESSAGE_CREATE", {"id": str(LATE), "channel_id": "10", "guild_id": "1"})
    await written.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert await rows(pool, "select last_activity_at from bot_channels") == [created_at(LATE)]
