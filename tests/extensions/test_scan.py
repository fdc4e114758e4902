"""``/scan`` from the person's question to the rows."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from clipsaver.discord import snowflakes
from clipsaver.discord import store as discord_store
from clipsaver.scans.model import Run, RunStatus
from clipsaver.simulator.entities import PUBLIC_THREAD
from clipsaver.simulator.person.choosing import Choosing
from tests.extensions.play import Play
from tests.extensions.stage import SEND, VIEW


async def run_in(play: Play, channel_id: int) -> Run:
    """Return a channel's latest run."""
    run = (await play.stage.scans.status(play.stage.guild_id, channel_id)).run
    assert run is not None
    return run


async def test_start_here(play: Play) -> None:
    """Without options, the channel it is used in is scanned as set up, and shows the progress."""
    reply = await play.ask("/scan start")
    lobby = play.stage.lobby
    assert f"The scan of <#{lobby}> has begun.\nA message in this channel shows how far it is." == reply.text
    run = await run_in(play, lobby)
    assert (RunStatus.QUEUED, "backward", "continue") == (run.status, run.direction, run.rescan)
    assert (play.stage.moderator, lobby, None) == (run.requested_by, run.progress_channel_id, run.message_limit)


async def test_start_with_everything(play: Play) -> None:
    """Every option arrives where it belongs."""
    clips = play.stage.clips
    reply = await play.ask(
        "/scan start",
        channel=clips,
        direction="forward",
        limit=5000,
        since="2026-01-31",
        until="2026-02-28 12:00",
        rescan="update",
    )
    assert "It reads messages from <t:1769817600:f> until <t:1772280000:f>." in reply.text
    assert "It reads at most 5,000 messages." in reply.text
    run = await run_in(play, clips)
    assert ("forward", "update", 5000) == (run.direction, run.rescan, run.message_limit)
    assert snowflakes.at(datetime(2026, 1, 31, tzinfo=UTC)) - 1 == run.after_message_id
    assert snowflakes.at(datetime(2026, 2, 28, 12, tzinfo=UTC)) == run.before_message_id
    assert play.stage.lobby == run.progress_channel_id


async def test_ages(play: Play) -> None:
    """An age counts back from now."""
    await play.ask("/scan start", since="30d")
    run = await run_in(play, play.stage.lobby)
    assert run.after_message_id is not None
    began = snowflakes.created_at(run.after_message_id)
    assert timedelta(minutes=1) > abs(datetime.now(UTC) - timedelta(days=30) - began)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"since": "yesterday"}, "I can't read `yesterday` as a date."),
        ({"until": "2026-02-30"}, "There is no such day: `2026-02-30`."),
        ({"since": "2d", "until": "5d"}, "`since` has to be earlier than `until`."),
        ({"since": "2099-01-01"}, "`since` lies in the future"),
    ],
)
async def test_odd_dates(play: Play, values: dict[str, Any], expected: str) -> None:
    """What can't be used is named, and nothing begins."""
    reply = await play.ask("/scan start", **values)
    assert reply.text.startswith(expected)
    assert [] == list(await play.stage.scans.list(play.stage.guild_id))


async def test_a_second_start_shows_the_first(play: Play) -> None:
    """One channel has one scan; whoever asks again sees it."""
    await play.ask("/scan start", channel=play.stage.clips)
    first = await run_in(play, play.stage.clips)
    reply = await play.ask("/scan start", channel=play.stage.clips, limit=5)
    assert reply.text.startswith(f"<#{play.stage.clips}> is being scanned already.")
    assert "[Cancel]" in reply.text
    assert first.id == (await run_in(play, play.stage.clips)).id


async def test_where_the_bot_may_not_write(play: Play) -> None:
    """Without Send Messages here, the scan runs and the command that tells is named."""
    stage = play.stage
    stage.world.set_overwrite(stage.lobby, stage.world.bot_id, allow=VIEW, deny=SEND, member=True)
    reply = await play.ask("/scan start", channel=stage.clips)
    assert "`/scan status` tells how far it is." in reply.text
    assert (await run_in(play, stage.clips)).progress_channel_id is None


async def test_age_restricted_channels(play: Play) -> None:
    """An age-restricted channel and its threads are refused until the settings allow them."""
    stage = play.stage
    stage.world.update_channel(stage.clips, nsfw=True)
    await stage.know()
    for place in (stage.clips, stage.thread):
        reply = await play.ask("/scan start", channel=place)
        assert reply.text.startswith(f"<#{place}> is age-restricted")
    await play.ask("/settings set", key="scan_nsfw", value="yes", channel=stage.clips)
    for place in (stage.clips, stage.thread):
        reply = await play.ask("/scan start", channel=place)
        assert "has begun" in reply.text


@pytest.mark.parametrize("line", ["/scan start", "/read on"])
async def test_channels_the_database_does_not_know(play: Play, line: str) -> None:
    """A thread that no event told of is looked up and known from then on."""
    stage = play.stage
    thread = stage.world.create_thread(stage.clips, "old", PUBLIC_THREAD, owner_id=stage.member).id
    reply = await play.ask(line, channel=thread)
    assert f"<#{thread}>" in reply.text
    assert "public_thread" == (await stage.channels.get(stage.guild_id, thread)).type


async def test_threads_and_voice(play: Play) -> None:
    """Whatever holds messages can be scanned."""
    for place in (play.stage.thread, play.stage.voice):
        assert "has begun" in (await play.ask("/scan start", channel=place)).text


async def test_status(play: Play) -> None:
    """The status tells of the scan and of what has been read, with a button to end it."""
    nothing = await play.ask("/scan status", channel=play.stage.clips)
    assert nothing.text.startswith(f"<#{play.stage.clips}> has not been scanned yet.")
    run = await play.stage.begin()
    await play.stage.set_run(run, status="running", started_at=datetime.now(UTC), messages_scanned=1234)
    reply = await play.ask("/scan status", channel=play.stage.clips)
    assert "1,234 messages read" in reply.text
    assert f"by <@{play.stage.moderator}>" in reply.text
    assert "[Cancel]" in reply.text


async def test_cancel(play: Play) -> None:
    """A scan can be ended, once."""
    await play.stage.begin()
    reply = await play.ask("/scan cancel", channel=play.stage.clips)
    assert f"I canceled the scan of <#{play.stage.clips}>. What was read stays read." == reply.text
    assert RunStatus.CANCELED == (await run_in(play, play.stage.clips)).status
    again = await play.ask("/scan cancel", channel=play.stage.clips)
    assert "No scan is running" in again.text


async def test_list(play: Play) -> None:
    """The list shows the scans of channels that the person sees."""
    stage = play.stage
    empty = await play.ask("/scan list")
    assert "Nothing has been scanned here yet." in empty.text
    await stage.begin()
    await stage.begin(stage.secret)
    moderators = await play.ask("/scan list")
    assert f"<#{stage.clips}> · waiting" in moderators.text
    assert str(stage.secret) not in moderators.text
    owners = await play.ask("/scan list", by=stage.owner)
    assert f"<#{stage.secret}> · waiting" in owners.text


async def test_a_channel_that_is_named_and_not_described(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    """A channel that comes without its permissions is not taken for the one the command was used in."""
    monkeypatch.setattr(Choosing, "resolved", lambda _: {})
    reply = await play.ask("/scan start", channel=play.stage.clips)
    assert reply.text == "I can't see which channel you mean."


async def test_reading_that_rests(play: Play) -> None:
    """Status and list say why nothing goes on, and until when."""
    await play.stage.begin()
    async with play.stage.pool.acquire() as conn:
        await discord_store.note_invalid(conn, 1000, reading_stops=1000, everything_stops=5000)
    for command, options in (("/scan status", {"channel": play.stage.clips}), ("/scan list", {})):
        reply = await play.ask(command, **options)
        assert "Reading rests until <t:" in reply.text
        assert "because Discord refused too many requests." in reply.text
