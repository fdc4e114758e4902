"""What people read about which channels are read."""

from clipsaver.words import reading
from tests.words.builders import a_channel


def test_switched() -> None:
    """Both ways say what they mean for the clips that are there."""
    assert reading.switched(a_channel(is_reading=True)).content.startswith("I read <#5> now.")
    assert reading.switched(a_channel()).content.startswith("I don't read <#5> any more.")


def test_list() -> None:
    """Only channels that are read are listed; threads that follow theirs are not."""
    known = [
        a_channel(5, is_reading=True),
        a_channel(6),
        a_channel(7, type="public_thread", parent_id=5, is_reading=True),
        a_channel(8, type="public_thread", parent_id=6, is_reading=True),
    ]
    assert reading.listed(known).content == "**I read 2 channels**\n<#5>\n<#8>"


def test_nothing_read() -> None:
    """An empty list says how to begin, and there is nothing to ask then."""
    assert "`/read on`" in reading.listed([a_channel()]).content
    assert reading.ask_none([a_channel()], user_id=9).components == ()


def test_question() -> None:
    """Stopping everywhere is asked for, of one person."""
    reply = reading.ask_none([a_channel(5, is_reading=True), a_channel(6, is_reading=True)], user_id=9)
    assert "Should I stop reading 2 channels?" in reply.content
    assert [b["custom_id"] for b in reply.components[0]["components"]] == ["read:none:9", "read:keep:9"]


def test_outcomes() -> None:
    """What was changed is counted."""
    assert reading.all_on(1).content == "I read 1 more channel now."
    assert "already" in reading.all_on(0).content
    assert reading.all_off(3).content == "I stopped reading 3 channels."
    assert reading.left_alone().content == "Nothing was changed."
