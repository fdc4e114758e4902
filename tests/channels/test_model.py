"""Tests of what channels are, and of the order in which they are shown."""

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clipsaver.channels.model import TYPE_NAMES, Channel, in_order, is_thread_type, type_name

NOW = datetime(2026, 1, 31, tzinfo=UTC)


def known(channel_id: int, kind: str = "text", *, parent_id: int | None = None, position: int = 0) -> Channel:
    """A channel as the database has it."""
    return Channel(
        channel_id=channel_id,
        guild_id=1,
        type=kind,
        settings={},
        created_at=NOW,
        updated_at=NOW,
        parent_id=parent_id,
        position=position,
    )


def test_types_have_names() -> None:
    """One that Discord added since has its number."""
    assert type_name(0) == "text"
    assert type_name(99) == "type_99"
    assert {number for number in TYPE_NAMES if is_thread_type(number)} == {10, 11, 12}
    assert not is_thread_type(99)


@pytest.mark.parametrize(
    ("kind", "can_be_read", "holds_messages"),
    [
        ("text", True, True),
        ("voice", True, True),
        ("stage", True, True),
        ("announcement", True, True),
        ("public_thread", True, True),
        ("forum", True, False),
        ("media", True, False),
        ("category", False, False),
        ("directory", False, False),
        ("type_99", False, False),
    ],
)
def test_messages_are_in_some_channels_only(kind: str, *, can_be_read: bool, holds_messages: bool) -> None:
    """A forum's lie in its threads."""
    channel = known(1, kind)
    assert (channel.can_be_read, channel.holds_messages) == (can_be_read, holds_messages)


def test_a_channel_is_called_by_its_name() -> None:
    """Or by its id, if that is all there is."""
    assert known(5).label == "channel 5"


def test_channels_are_shown_as_discord_shows_them() -> None:
    """Those without a category first, text before voice, threads under their channel."""
    channels = [
        known(1, "category", position=1),
        known(2, "category", position=0),
        known(3, "voice", parent_id=1, position=0),
        known(4, parent_id=1, position=9),
        known(5, "public_thread", parent_id=4, position=7),
        known(6, "private_thread", parent_id=4),
        known(7, position=3),
        known(8, "voice", position=1),
        known(9, "forum", parent_id=2),
        known(10, "public_thread", parent_id=99),
    ]
    assert [channel.channel_id for channel in in_order(channels)] == [10, 7, 8, 2, 9, 1, 4, 5, 6, 3]


@settings(deadline=None)
@given(
    st.lists(
        st.builds(
            known,
            st.integers(0, 9),
            st.sampled_from(["text", "category", "public_thread"]),
            parent_id=st.none() | st.integers(0, 9),
            position=st.integers(0, 3),
        ),
        max_size=10,
        unique_by=lambda channel: channel.channel_id,
    )
)
def test_no_channel_is_lost_by_sorting(channels: list[Channel]) -> None:
    """Not even where parents go round in a circle."""
    ordered = in_order(channels)
    assert len(ordered) == len(channels)
    assert set(map(id, ordered)) == set(map(id, channels))
