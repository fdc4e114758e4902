"""What people read about a server's settings."""

from collections.abc import Mapping, Sequence
from typing import assert_never

from clipsaver.discord.components import Reply
from clipsaver.guilds.settings import SETTINGS, SettingsView, SettingView, Source
from clipsaver.words.language import count, say
from clipsaver.words.text import channel, code, cut, fit

VALUE_LENGTH = 60
LONG_VALUE = 1000
CHOICE_LENGTH = 100
CHOICES = 25
"""Discord: autocomplete results, and the characters of each name."""


def viewed(view: SettingsView, *, channel_id: int | None) -> Reply:
    """Show every setting with the value that holds and whose word it is."""
    head = (
        say("**Settings of this server**")
        if channel_id is None
        else say("**Settings of {channel}**", channel=channel(channel_id))
    )
    lines = [head, *(_line(setting) for setting in view.values.values())]
    if view.unknown:
        lines.append(
            say("Stored, but unknown to me: {keys}", keys=", ".join(code(key, 40) for key in view.unknown[:5]))
        )
    lines += [say("Stored, but unusable: {problem}", problem=cut(problem, 150)) for problem in view.problems[:3]]
    return Reply(content=fit(lines))


def changed(view: SettingView, *, channel_id: int | None) -> Reply:
    """Say what a setting is now, and where."""
    lines = [
        say(
            "{key} is now {value} {where}.",
            key=code(view.setting.key),
            value=code(view.text, LONG_VALUE),
            where=_where(channel_id),
        )
    ]
    if view.setting.unused:
        lines.append(say("Nothing here uses it."))
    return Reply(content="\n".join(lines))


def reset(keys: Sequence[str], *, channel_id: int | None) -> Reply:
    """Say which settings fell back."""
    back_to = say("what I was set up with") if channel_id is None else say("what the server says")
    if not keys:
        return Reply(content=say("There was nothing to reset {where}.", where=_where(channel_id)))
    if len(keys) == 1:
        return Reply(
            content=say(
                "{key} is back to {back_to} {where}.", key=code(keys[0]), back_to=back_to, where=_where(channel_id)
            )
        )
    return Reply(
        content=count(
            len(keys),
            "{n} setting is back to {back_to} {where}.",
            "{n} settings are back to {back_to} {where}.",
            back_to=back_to,
            where=_where(channel_id),
        )
    )


def key_choices(keys: Sequence[str]) -> Mapping[str, str]:
    """Return what autocomplete shows for each key: the key and what it means."""
    return {cut(f"{key} – {SETTINGS[key].description}", CHOICE_LENGTH): key for key in keys[:CHOICES]}  # noqa: RUF001 - a dash


def _where(channel_id: int | None) -> str:
    return say("on this server") if channel_id is None else say("in {channel}", channel=channel(channel_id))


def _line(view: SettingView) -> str:
    note = _source(view.source)
    if view.setting.unused:
        note = say("{note}, unused", note=note)
    return f"{code(view.setting.key)} {code(view.text, VALUE_LENGTH)} · {note}"


def _source(source: Source) -> str:
    match source:
        case "default":
            return say("default")
        case "server":
            return say("server")
        case "channel":
            return say("channel")
        case _:
            assert_never(source)
