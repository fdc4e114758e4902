"""``/settings`` from the person's question to the rows."""

import pytest

from tests.extensions.play import Play


async def test_set_view_and_reset(play: Play) -> None:
    """A server's setting is changed, shown and given back."""
    stage = play.stage
    assert (
        "`max_file_size_mb` is now `25` on this server."
        == (await play.ask("/settings set", key="max_file_size_mb", value="25 MB")).text
    )
    assert 25 == (await stage.guilds.settings_of(stage.guild_id)).max_file_size_mb
    assert "`max_file_size_mb` `25` · server" in (await play.ask("/settings view")).text
    reply = await play.ask("/settings reset", key="max_file_size_mb")
    assert "`max_file_size_mb` is back to what I was set up with on this server." == reply.text
    assert 100 == (await stage.guilds.settings_of(stage.guild_id)).max_file_size_mb


async def test_a_channels_own(play: Play) -> None:
    """A channel's value lies over the server's until it is reset."""
    stage = play.stage
    reply = await play.ask("/settings set", key="min_video_seconds", value="5", channel=stage.clips)
    assert f"`min_video_seconds` is now `5` in <#{stage.clips}>." == reply.text
    assert 5 == (await stage.channels.rules_for(stage.clips)).min_video_seconds
    assert 0 == (await stage.guilds.settings_of(stage.guild_id)).min_video_seconds
    assert "`min_video_seconds` `5` · channel" in (await play.ask("/settings view", channel=stage.clips)).text
    reset = await play.ask("/settings reset", channel=stage.clips)
    assert f"`min_video_seconds` is back to what the server says in <#{stage.clips}>." == reset.text
    assert 0 == (await stage.channels.rules_for(stage.clips)).min_video_seconds


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("max_size", "5", "There is no setting called"),
        ("max_file_size_mb", "huge", "max_file_size_mb"),
        ("match_regex", "(", "match_regex"),
        ("scan_mode", "sideways", "backward or forward"),
    ],
)
async def test_what_was_not_suggested(play: Play, key: str, value: str, expected: str) -> None:
    """Keys and values that autocomplete never offered are checked again, and refused with what is allowed."""
    before = await play.stage.guilds.settings_of(play.stage.guild_id)
    reply = await play.ask("/settings set", key=key, value=value)
    assert expected in reply.text
    assert before == await play.stage.guilds.settings_of(play.stage.guild_id)


async def test_suggested_keys(play: Play) -> None:
    """Typing part of a key suggests those that fit, with what they mean."""
    lobby = play.stage.lobby
    choices = await play.moderator.autocomplete("/settings set", "key", "regex", in_channel=lobby)
    assert ["exclude_regex", "match_regex"] == sorted(choice.value for choice in choices)
    assert all(choice.name.startswith(f"{choice.value} – ") for choice in choices)  # noqa: RUF001 - a dash
    assert [] == await play.moderator.autocomplete("/settings reset", "key", "zzz", in_channel=lobby)
    assert 0 < len(await play.moderator.autocomplete("/settings reset", "key", "", in_channel=lobby)) <= 25


async def test_suggested_values(play: Play) -> None:
    """Values are suggested for the key that was chosen; without one there are none."""
    lobby = play.stage.lobby
    choices = await play.moderator.autocomplete("/settings set", "value", "", in_channel=lobby, key="scan_mode")
    assert ["backward", "forward"] == [choice.value for choice in choices]
    assert [] == await play.moderator.autocomplete("/settings set", "value", "", in_channel=lobby)


async def test_what_holds_is_suggested(play: Play) -> None:
    """The value that holds is among the suggestions, for those who may see it."""
    lobby = play.stage.lobby
    await play.ask("/settings set", key="max_file_size_mb", value="7")
    line, values = "/settings set", {"key": "max_file_size_mb"}
    moderators = await play.moderator.autocomplete(line, "value", "", in_channel=lobby, **values)
    assert moderators[0].value == "7"
    play.let_everyone_use_commands()
    members = await play.member.autocomplete(line, "value", "", in_channel=lobby, **values)
    assert "7" not in [choice.value for choice in members]
