"""Every command, asked by a moderator, a member, and a moderator without access to the channel."""

from typing import Any

import pytest

from clipsaver.simulator.person import PersonRefused
from tests.extensions.play import Play

WITH_CHANNEL: list[tuple[str, dict[str, Any]]] = [
    ("/scan start", {}),
    ("/scan status", {}),
    ("/scan cancel", {}),
    ("/scan retry", {}),
    ("/scan retry", {"reason": "link_dead"}),
    ("/read on", {}),
    ("/read off", {}),
    ("/channel show", {}),
    ("/settings view", {}),
    ("/settings set", {"key": "save_bytes", "value": "no"}),
    ("/settings reset", {}),
]
OF_THE_SERVER: list[tuple[str, dict[str, Any]]] = [
    ("/scan list", {}),
    ("/scan retry", {"everywhere": True}),
    ("/read list", {}),
    ("/read all", {}),
    ("/read none", {}),
    ("/channel list", {}),
    ("/settings view", {}),
    ("/settings set", {"key": "save_bytes", "value": "no"}),
    ("/settings reset", {}),
]
everything = pytest.mark.parametrize(("line", "values"), WITH_CHANNEL + OF_THE_SERVER)


async def facts(play: Play) -> list[Any]:
    """Return everything in the database that a command could have changed."""
    async with play.stage.pool.acquire() as conn:
        return [
            await conn.fetch(f"select * from {table} order by 1")  # noqa: S608 - a fixed list
            for table in ("bot_channels", "guild_settings", "bot_channel_scan_runs", "audit", "clips")
        ]


@everything
async def test_members_are_not_offered_it(play: Play, line: str, values: dict[str, Any]) -> None:
    """Who doesn't manage the server doesn't see the command."""
    with pytest.raises(PersonRefused):
        await play.ask(line, by=play.stage.member, **values)


@everything
async def test_members_are_refused(play: Play, line: str, values: dict[str, Any]) -> None:
    """Where administrators offer it to everyone, the permission is still asked for, and nothing changes."""
    play.let_everyone_use_commands()
    before = await facts(play)
    reply = await play.ask(line, by=play.stage.member, **values)
    assert "You need Manage Server on this server to do that." == reply.text
    assert reply.ephemeral
    assert before == await facts(play)


@pytest.mark.parametrize(("line", "values"), WITH_CHANNEL)
async def test_hidden_channels_are_refused(play: Play, line: str, values: dict[str, Any]) -> None:
    """A moderator who can't see a channel changes nothing there and learns nothing about it."""
    before = await facts(play)
    reply = await play.ask_of_hidden(line, **values)
    assert "You can't see that channel: you need View Channel there." == reply.text
    assert reply.ephemeral
    assert before == await facts(play)


@pytest.mark.parametrize(("line", "values"), OF_THE_SERVER)
async def test_lists_leave_hidden_channels_out(play: Play, line: str, values: dict[str, Any]) -> None:
    """What is told of the whole server doesn't tell of channels that a moderator can't see."""
    stage = play.stage
    await stage.channels.set_reading(stage.guild_id, stage.secret, on=True, by=stage.owner)
    await stage.begin(stage.secret)
    reply = await play.ask(line, **values)
    assert reply.ephemeral
    assert str(stage.secret) not in reply.text


@everything
async def test_moderators_are_answered(play: Play, line: str, values: dict[str, Any]) -> None:
    """Who manages the server gets an answer, privately, that names nothing missing."""
    reply = await play.ask(line, **values)
    assert reply.ephemeral
    assert reply.text
    assert "You need" not in reply.text
    assert "went wrong" not in reply.text
    assert reply.states[0].thinking


@pytest.mark.parametrize("line", ["/scan start", "/read on"])
async def test_the_bots_own_permission(play: Play, line: str) -> None:
    """What the bot lacks, elsewhere or here, is named with its place."""
    stage = play.stage
    stage.world.set_overwrite(stage.clips, stage.world.bot_id, deny=1 << 16, member=True)
    expected = f"I can't read <#{stage.clips}>: I need Read Message History there."
    elsewhere = await play.ask(line, channel=stage.clips)
    assert expected == elsewhere.text
    here = await play.ask(line, where=stage.clips)
    assert expected == here.text


@pytest.mark.parametrize("line", ["/scan start", "/read on"])
async def test_channels_the_bot_cannot_see(play: Play, line: str) -> None:
    """A channel that is hidden from the bot is refused as any other that it may not read."""
    stage = play.stage
    stage.world.set_overwrite(stage.clips, stage.world.bot_id, deny=1 << 10, member=True)
    reply = await play.ask(line, channel=stage.clips)
    assert reply.text.startswith(f"I can't read <#{stage.clips}>: I need View Channel")
