"""The message that shows how a run goes."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from attrs import evolve

from clipsaver.extensions.progress import AT_ONCE, MOST_KNOWN, Progress
from clipsaver.scans.service import Scans
from clipsaver.words import scans as words
from tests.extensions.stage import SEND, VIEW, Stage

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


class Clock:
    """A clock that a test moves."""

    now = 0.0

    def __call__(self) -> float:
        """Return the moment."""
        return self.now


@pytest.fixture
def progress(stage: Stage) -> Progress:
    """The messages of the stage's runs."""
    return Progress(scans=stage.scans, messages=stage.messages, clock=Clock(), look_every=0.01)


async def look(progress: Progress) -> None:
    """Write everything that is due."""
    await progress.look()
    await progress.settle()


async def due(stage: Stage, run: Any, **columns: Any) -> None:
    """Let a run's message be due again."""
    await stage.set_run(run, progress_shown_at=LONG_AGO, **columns)


async def final(stage: Stage, run: Any) -> bool:
    """Whether nothing more is written about a run."""
    async with stage.pool.acquire() as conn:
        last: bool = await conn.fetchval("select progress_final from bot_channel_scan_runs where id = $1", run.id)
    return last


async def test_a_run_from_its_first_message_to_its_last(stage: Stage, progress: Progress) -> None:
    """One message is sent, edited while the run goes on, and closed without a button when it ends."""
    run = await stage.begin()
    await look(progress)
    (message,) = stage.said()
    assert f"Scan of <#{stage.clips}>: waiting for its turn" in message.content
    assert f"scan:cancel:{run.id}" == message.components[0]["components"][0]["custom_id"]
    assert not await final(stage, run)

    await due(stage, run, status="running", started_at=datetime.now(UTC) - timedelta(seconds=30), messages_scanned=1500)
    await look(progress)
    (message,) = stage.said()
    assert "1,500 messages read" in message.content
    assert len(message.components) == 1

    await stage.set_run(run, status="succeeded", finished_at=datetime.now(UTC))
    await look(progress)
    (message,) = stage.said()
    assert f"Scan of <#{stage.clips}>: done" in message.content
    assert tuple(message.components) == ()
    assert await final(stage, run)
    assert progress._shown == {}


async def test_an_unchanged_message_is_left_alone(stage: Stage, progress: Progress) -> None:
    """While nothing changes, nothing is edited, though the run counts as shown."""
    run = await stage.begin()
    await look(progress)
    asked = sum(stage.simulator.stats.requests.values())
    await due(stage, run)
    await look(progress)
    assert asked == sum(stage.simulator.stats.requests.values())
    assert list(await stage.scans.to_show(5)) == []


async def test_a_crash_between_sending_and_remembering(stage: Stage, progress: Progress) -> None:
    """A message that was sent but not remembered is not sent twice."""
    run = await stage.begin()
    await look(progress)
    await due(stage, run, progress_message_id=None)
    await look(Progress(scans=stage.scans, messages=stage.messages))
    assert len(stage.said()) == 1
    assert not await final(stage, run)


async def test_a_message_that_was_deleted_stays_deleted(stage: Stage, progress: Progress) -> None:
    """A person who deletes the message doesn't get another one."""
    run = await stage.begin()
    await look(progress)
    (message,) = stage.said()
    stage.world.delete_message(stage.lobby, message.id)
    await due(stage, run, messages_scanned=5)
    await look(progress)
    assert stage.said() == []
    assert await final(stage, run)


async def test_where_the_bot_may_not_write(stage: Stage, progress: Progress) -> None:
    """Where writing is forbidden, only the command tells."""
    stage.world.set_overwrite(stage.lobby, stage.world.bot_id, deny=SEND, allow=VIEW, member=True)
    run = await stage.begin()
    await look(progress)
    assert stage.said() == []
    assert await final(stage, run)


async def test_trouble_is_tried_again_later(stage: Stage, progress: Progress) -> None:
    """While Discord is in trouble a message is left for a while, then written."""
    trouble = stage.simulator.faults.add("status", "POST /channels/*/messages")
    stage.rest.pause = 0.0
    run = await stage.begin()
    await look(progress)
    assert stage.said() == []
    assert not await final(stage, run)
    stage.simulator.faults.clear()
    asked = trouble.happened
    await look(progress)
    assert asked == trouble.happened
    assert stage.said() == []
    progress.clock.now += 60  # type: ignore[attr-defined]  # a test's clock
    await look(progress)
    assert len(stage.said()) == 1


async def test_many_runs_take_turns(stage: Stage, progress: Progress) -> None:
    """Only so many messages are written at once; the others come next."""
    made = []
    for number in range(AT_ONCE + 2):
        made.append(stage.world.create_channel(stage.guild_id, f"more{number}").id)
        await stage.know()
        await stage.begin(made[-1], progress_channel_id=made[-1])
    await progress.look()
    assert len(progress._writing) == AT_ONCE
    await progress.look()
    assert len(progress._writing) <= AT_ONCE
    await progress.settle()
    await look(progress)
    assert [1] * len(made) == [len(stage.said(channel)) for channel in made]
    assert list(await stage.scans.to_show(50)) == []


async def test_only_one_is_brought_up_to_date_at_a_time(stage: Stage, progress: Progress) -> None:
    """With many scans, edits must not take what the scans need; the last word of a run doesn't wait for its turn."""
    runs = []
    for number in range(3):
        channel = stage.world.create_channel(stage.guild_id, f"more{number}").id
        await stage.know()
        runs.append(await stage.begin(channel, progress_channel_id=channel))
        await look(progress)
    for run in runs[:2]:
        await due(stage, run, status="running", messages_scanned=5)
    await due(stage, runs[2], status="succeeded", finished_at=datetime.now(UTC))
    await look(progress)
    said = [stage.said(run.channel_id)[0].content for run in runs]
    assert "done" in said[2]
    assert ["5 messages read" in one for one in said].count(True) == 1
    await look(progress)
    assert all("5 messages read" in stage.said(run.channel_id)[0].content for run in runs[:2])


async def test_a_database_that_is_away(stage: Stage, progress: Progress, monkeypatch: pytest.MonkeyPatch) -> None:
    """A message that was sent and could not be remembered is edited later, not sent again."""
    real, failures = Scans.shown, [OSError("away")]

    async def shown(self: Scans, *args: Any, **options: Any) -> None:
        if failures:
            raise failures.pop()
        await real(self, *args, **options)

    monkeypatch.setattr(Scans, "shown", shown)
    run = await stage.begin()
    await look(progress)
    progress.clock.now += 60  # type: ignore[attr-defined]  # a test's clock
    await look(progress)
    assert len(stage.said()) == 1
    assert not await final(stage, run)


async def test_what_is_remembered_is_bounded(stage: Stage, progress: Progress) -> None:
    """Runs that are gone are forgotten some time."""
    progress._not_before = {uuid4(): 1e9 for _ in range(MOST_KNOWN + 1)}
    await stage.begin()
    await look(progress)
    assert progress._not_before == {}
    assert len(progress._shown) == 1


async def test_a_run_without_a_place(stage: Stage, progress: Progress) -> None:
    """A run whose message has no place any more is given up."""
    run = await stage.begin()
    reply = words.progress(await stage.scans.status(stage.guild_id, stage.clips), now=datetime.now(UTC))
    await progress._show(evolve(run, progress_channel_id=None), reply)
    assert await final(stage, run)


async def test_the_end_does_not_wait_for_ever(
    stage: Stage, progress: Progress, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A message that takes too long is left to the next start."""
    monkeypatch.setattr("clipsaver.extensions.progress.AT_THE_END", 0.01)
    stage.simulator.faults.add("delay", "POST /channels/*/messages", seconds=30)
    await stage.begin()
    await look(progress)
    assert progress._writing == {}


async def test_the_loop_lives_and_ends(stage: Stage, progress: Progress, monkeypatch: pytest.MonkeyPatch) -> None:
    """The loop survives a database that is away, writes what is due, and ends when it is told to."""
    looked = asyncio.Event()
    real, failures = progress.look, [OSError("away")]

    async def look_once() -> None:
        if failures:
            raise failures.pop()
        await real()
        looked.set()

    monkeypatch.setattr(Progress, "look", lambda _: look_once())
    await stage.begin()
    loop = asyncio.create_task(progress.run())
    await asyncio.wait_for(looked.wait(), 60)
    await progress.stop()
    await asyncio.wait_for(loop, 60)
    assert len(stage.said()) == 1
