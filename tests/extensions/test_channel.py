"""``/channel`` from the person's question to the answer."""

from tests.extensions.play import Play


async def test_list(play: Play) -> None:
    """Channels that the person sees are listed with what is known of them."""
    stage = play.stage
    await play.ask("/read on", channel=stage.clips)
    reply = await play.ask("/channel list")
    assert f"<#{stage.clips}> · text channel · reading · 1 thread" in reply.text
    assert f"<#{stage.voice}> · voice channel" in reply.text
    assert str(stage.secret) not in reply.text
    assert f"<#{stage.secret}> · text channel" in (await play.ask("/channel list", by=stage.owner)).text


async def test_show(play: Play) -> None:
    """One channel's facts are told."""
    reply = await play.ask("/channel show", channel=play.stage.clips)
    assert reply.text.startswith(f"**<#{play.stage.clips}>** · text channel\nReading: off\n")
