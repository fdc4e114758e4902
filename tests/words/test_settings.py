"""What people read about a server's settings."""

from clipsaver.guilds.settings import SETTINGS, suggest_keys, view
from clipsaver.words import settings


def test_view_of_a_server() -> None:
    """Every setting is there with its value and whose word it is, in one message."""
    reply = settings.viewed(view({}, {"max_file_size_mb": 25, "odd_key": 1, "scan_mode": "up"}), channel_id=None)
    lines = reply.content.splitlines()
    assert lines[0] == "**Settings of this server**"
    assert "`max_file_size_mb` `25` · server" in lines
    assert "`auto_scan` `yes` · default" in lines
    assert "`prefix` `!` · default, unused" in lines
    assert any("unknown to me: `odd_key`" in line for line in lines)
    assert any("unusable" in line and "scan_mode" in line for line in lines)
    assert all(any(f"`{key}`" in line for line in lines) for key in SETTINGS)
    assert len(reply.content) <= 2000


def test_view_of_a_channel() -> None:
    """A channel's own word is told apart."""
    reply = settings.viewed(view({}, {}, {"save_bytes": False}), channel_id=5)
    assert reply.content.startswith("**Settings of <#5>**")
    assert "`save_bytes` `no` · channel" in reply.content


def test_view_of_the_worst() -> None:
    """The longest settings still fit into one message, and what is cut shows that it is."""
    stored = {
        "match_regex": "x" * 500,
        "exclude_regex": "y" * 500,
        "video_formats": [f"ext{n}" for n in range(100)],
        "allowed_mime_types": [f"video/type{n}" for n in range(100)],
        **{f"unknown_{n}" * 10: 1 for n in range(50)},
    }
    reply = settings.viewed(view({}, stored), channel_id=5)
    assert len(reply.content) <= 2000
    assert "…" in reply.content


def test_changed() -> None:
    """A change is said with its place."""
    values = view({}, {"match_regex": "`a` *b*", "prefix": "?"}).values
    assert (
        settings.changed(values["match_regex"], channel_id=None).content
    ) == "`match_regex` is now `\u02cba\u02cb *b*` on this server."
    assert "in <#5>.\nNothing here uses it." in settings.changed(values["prefix"], channel_id=5).content


def test_reset() -> None:
    """What fell back is named when it is one, counted when it is more."""
    assert settings.reset([], channel_id=None).content == "There was nothing to reset on this server."
    one = settings.reset(["save_bytes"], channel_id=5).content
    assert one == "`save_bytes` is back to what the server says in <#5>."
    assert settings.reset(["a", "b"], channel_id=None).content.startswith("2 settings are back to ")


def test_key_choices() -> None:
    """Autocomplete shows what each key means, within Discord's limits."""
    choices = settings.key_choices(suggest_keys(""))
    assert set(SETTINGS) == set(choices.values())
    assert len(choices) <= 25
    assert all(len(name) <= 100 for name in choices)
