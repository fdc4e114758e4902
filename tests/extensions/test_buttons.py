"""Buttons: routed by what they say, after a look at who presses."""

import asyncio
from typing import Any

import pytest
import structlog

from clipsaver.discord.components import button, row
from clipsaver.extensions.progress import Progress
from clipsaver.scans.model import RunStatus
from clipsaver.simulator.person import Reply
from tests.extensions.play import Play, playing
from tests.extensions.stage import Stage


async def shown_run(stage: Stage, channel_id: int) -> Any:
    """Begin a scan whose progress shows in the lobby."""
    run = await stage.begin(channel_id)
    progress = Progress(scans=stage.scans, messages=stage.messages)
    await progress.look()
    await progress.settle()
    return run


async def press(play: Play, person_id: int, name: str) -> Reply:
    """Press a button on the newest message in the lobby that has it."""
    person = play.person(person_id)
    message = await person.wait_for_message(play.stage.lobby, lambda one: bool(one.buttons))
    return await (await person.press(message, name)).wait_final()


async def status_of(stage: Stage, run: Any) -> RunStatus:
    """Return where a run stands."""
    return (await stage.scans.run(stage.guild_id, run.id)).status


async def test_cancel_after_a_restart(stage: Stage) -> None:
    """A button made before the bot was restarted still does what it says."""
    run = await shown_run(stage, stage.clips)
    async with playing(stage) as play:
        reply = await press(play, stage.moderator, "Cancel")
    assert f"I canceled the scan of <#{stage.clips}>. What was read stays read." == reply.text
    assert reply.ephemeral
    assert RunStatus.CANCELED == await status_of(stage, run)


async def test_cancel_twice(play: Play) -> None:
    """What is over is called over."""
    await shown_run(play.stage, play.stage.clips)
    await press(play, play.stage.moderator, "Cancel")
    reply = await press(play, play.stage.moderator, "Cancel")
    assert "already ended" in reply.text
    assert reply.ephemeral


async def test_members_cannot_cancel(play: Play) -> None:
    """Anyone sees the button; only who manages the server may use it."""
    run = await shown_run(play.stage, play.stage.clips)
    reply = await press(play, play.stage.member, "Cancel")
    assert "You need Manage Server on this server to do that." == reply.text
    assert reply.ephemeral
    assert RunStatus.QUEUED == await status_of(play.stage, run)


async def test_hidden_channels_cannot_be_canceled(play: Play) -> None:
    """A moderator who can't see the scanned channel can't end its scan; who can, can."""
    run = await shown_run(play.stage, play.stage.secret)
    reply = await press(play, play.stage.moderator, "Cancel")
    assert "You can't see that channel: you need View Channel there." == reply.text
    assert RunStatus.QUEUED == await status_of(play.stage, run)
    await press(play, play.stage.owner, "Cancel")
    assert RunStatus.CANCELED == await status_of(play.stage, run)


@pytest.mark.parametrize(
    ("custom_id", "expected"),
    [
        ("old", "This button doesn't do anything any more."),
        ("scan:restart:5", "This button doesn't do anything any more."),
        ("scan:cancel:5", "This button doesn't do anything any more."),
        ("scan:cancel:5e0d7a3c-1f2b-4c6d-8e9f-a0b1c2d3e4f5", "I don't know that scan any more."),
    ],
)
async def test_buttons_of_the_past(play: Play, custom_id: str, expected: str) -> None:
    """A button that means nothing any more says so."""
    stage = play.stage
    await stage.messages.send(stage.lobby, {"content": "x", "components": [row(button("Go", custom_id))]})
    reply = await press(play, stage.moderator, "Go")
    assert reply.text.startswith(expected)
    assert reply.ephemeral


async def test_questions_are_for_one_person(play: Play) -> None:
    """A question can be answered only by whoever was asked."""
    stage = play.stage
    await play.ask("/read on", channel=stage.clips)
    question = [row(button("Yes", f"read:none:{stage.moderator}"), button("No", f"read:keep:{stage.moderator}"))]
    await stage.messages.send(stage.lobby, {"content": "?", "components": question})
    for name in ("Yes", "No"):
        person = play.owner
        message = await person.wait_for_message(stage.lobby, lambda one: bool(one.buttons))
        reply = await person.press(message, name)
        await reply.wait_for(lambda now: "Only whoever was asked can answer this." in now.text)
        await stage.messages.send(stage.lobby, {"content": "?", "components": question})
    assert (await stage.channels.get(stage.guild_id, stage.clips)).is_reading


@pytest.mark.parametrize("line", ["/scan list", "/read list", "/channel list"])
async def test_pages_are_turned(play: Play, line: str) -> None:
    """A long list has pages, and each page comes fresh."""
    stage = play.stage
    made = [stage.world.create_channel(stage.guild_id, f"more{n}").id for n in range(45)]
    await stage.know()
    await stage.channels.set_reading_all(stage.guild_id, on=True, by=stage.owner)
    for channel in made:
        await stage.begin(channel)
    first = await play.ask(line)
    assert "Page 1 of 3" in first.text
    second = await (await play.moderator.press(first, "Next")).wait_for(lambda now: "Page 2 of 3" in now.text)
    third = await (await play.moderator.press(second, "Next")).wait_for(lambda now: "Page 3 of 3" in now.text)
    back = await (await play.moderator.press(third, "Back")).wait_for(lambda now: "Page 2 of 3" in now.text)
    assert back.ephemeral
    assert str(stage.secret) not in first.text + second.text + third.text


@pytest.mark.parametrize(
    ("route", "status", "event"),
    [
        ("POST /interactions/*", 404, "interaction.lost"),
        ("PATCH /webhooks/*", 404, "interaction.lost"),
        ("PATCH /webhooks/*", 400, "interaction.unanswered"),
    ],
)
async def test_answers_that_do_not_arrive(play: Play, route: str, status: int, event: str) -> None:
    """Whoever can't be answered is noted in the log, and the bot goes on."""
    stage = play.stage
    run = await shown_run(stage, stage.clips)
    message = await play.member.wait_for_message(stage.lobby, lambda one: bool(one.buttons))
    stage.simulator.faults.add("status", route, status=status)
    with structlog.testing.capture_logs() as logs:
        member = play.member
        member.patience = 0.3
        await member.press(message, "Cancel")
        async with asyncio.timeout(60):
            while event not in [line["event"] for line in logs]:
                await stage.pool.fetchval("select 1")
    assert await status_of(stage, run) == RunStatus.QUEUED
