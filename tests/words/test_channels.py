"""What people read about a server's channels."""

import pytest

from clipsaver.words import channels
from tests.words.builders import NOW, a_channel, a_status


def test_list() -> None:
    """Each channel that can be read has a line; its threads are counted in it."""
    known = [
        a_channel(4, type="category"),
        a_channel(5, is_nsfw=True, is_reading=True, message_count=1234),
        a_channel(6, type="forum"),
        a_channel(7, type="public_thread", parent_id=6),
        a_channel(8, type="private_thread", parent_id=6),
    ]
    assert channels.listed(known).content == (
        "**2 channels**\n<#5> · text channel · age-restricted · reading · 1,234 messages read\n<#6> · forum · 2 threads"
    )


def test_empty_list() -> None:
    """No channel is said, not shown as nothing."""
    assert "no channel" in channels.listed([]).content


def test_shown() -> None:
    """Everything known of a channel is told."""
    known = a_channel(
        is_nsfw=True, message_count=1, last_scanned_at=NOW, last_activity_at=NOW, settings={"max_file_size_mb": 5}
    )
    assert channels.shown(a_status(channel=known)).content == (
        "**<#5>** · text channel\n"
        "Reading: off\n"
        "97 % read, 2 gaps\n"
        "1 message read in all\n"
        "Age-restricted\n"
        "Last scanned <t:1785585600:R>\n"
        "Last message <t:1785585600:R>\n"
        "Settings of its own: `max_file_size_mb`"
    )


def test_shown_without_much() -> None:
    """What isn't known is left out."""
    assert len(channels.shown(a_status(channel=a_channel(is_reading=True))).content.splitlines()) == 4


@pytest.mark.parametrize(
    ("name", "expected"),
    [("text", "text channel"), ("private_thread", "private thread"), ("type_99", r"type 99"), (None, "channel")],
)
def test_kind(name: str | None, expected: str) -> None:
    """Types have names, those of later years too."""
    assert expected == channels.kind(name)
