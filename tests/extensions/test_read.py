"""``/read`` from the person's question to the rows."""

from tests.extensions.play import Play


async def reading(play: Play) -> set[int]:
    """Return the channels that are read."""
    return {one.channel_id for one in await play.stage.channels.list(play.stage.guild_id) if one.is_reading}


async def test_on_and_off(play: Play) -> None:
    """A channel and its threads are switched together."""
    stage = play.stage
    on = await play.ask("/read on", channel=stage.clips)
    assert on.text.startswith(f"I read <#{stage.clips}> now.")
    assert {stage.clips, stage.thread} == await reading(play)
    off = await play.ask("/read off", where=stage.clips)
    assert off.text.startswith(f"I don't read <#{stage.clips}> any more.")
    assert set() == await reading(play)


async def test_forums(play: Play) -> None:
    """A forum can be read, though it holds only threads."""
    await play.ask("/read on", channel=play.stage.forum)
    assert {play.stage.forum} == await reading(play)


async def test_list(play: Play) -> None:
    """The list shows what is read and seen."""
    stage = play.stage
    assert "`/read on`" in (await play.ask("/read list")).text
    for channel in (stage.clips, stage.secret):
        await stage.channels.set_reading(stage.guild_id, channel, on=True, by=stage.owner)
    assert f"**I read 1 channel**\n<#{stage.clips}>" == (await play.ask("/read list")).text
    assert f"<#{stage.secret}>" in (await play.ask("/read list", by=stage.owner)).text


async def test_all_and_none(play: Play) -> None:
    """Everything that is seen is switched on at once, and off after a question; what is hidden stays as it was."""
    stage = play.stage
    reply = await play.ask("/read all")
    on = await reading(play)
    assert f"I read {len(on - {stage.thread})} more channels now." == reply.text
    assert {stage.clips, stage.lobby, stage.voice, stage.forum, stage.thread} <= on
    assert stage.secret not in on
    assert "already" in (await play.ask("/read all")).text

    await stage.channels.set_reading(stage.guild_id, stage.secret, on=True, by=stage.owner)
    question = await play.ask("/read none")
    assert f"Should I stop reading {len(on - {stage.thread})} channels?" in question.text
    assert on | {stage.secret} == await reading(play)
    done = await (await play.moderator.press(question, "Stop reading everywhere")).wait_for(
        lambda now: "I stopped reading" in now.text
    )
    assert f"I stopped reading {len(on - {stage.thread})} channels." == done.text
    assert {stage.secret} == await reading(play)
    assert "I don't read any channel here." == (await play.ask("/read none")).text


async def test_none_can_be_left(play: Play) -> None:
    """The other button leaves everything as it is, and takes the question away."""
    await play.ask("/read on", channel=play.stage.clips)
    question = await play.ask("/read none")
    reply = await (await play.moderator.press(question, "Leave it as it is")).wait_for(
        lambda now: "Nothing was changed." == now.text
    )
    assert reply.ephemeral
    assert play.stage.clips in await reading(play)
