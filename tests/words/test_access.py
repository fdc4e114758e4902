"""Who may do what where."""

import pytest

from clipsaver.discord.here import Here, Place, granted
from clipsaver.discord.permissions import Permission
from clipsaver.errors import NotAllowed
from clipsaver.words import access

READER = Permission.VIEW_CHANNEL | Permission.READ_MESSAGE_HISTORY
MODERATOR = READER | Permission.MANAGE_GUILD


def place(permissions: Permission = READER, *, kind: int = 0) -> Place:
    """Return a channel."""
    return Place(channel_id=5, type=kind, permissions=permissions)


def here(permissions: Permission = MODERATOR, *, bot: Permission = READER, kind: int = 0) -> Here:
    """Return a member somewhere."""
    return Here(guild_id=1, user_id=2, role_ids=(1,), place=place(permissions, kind=kind), bot_permissions=bot)


def test_moderators_pass() -> None:
    """Who manages the server and reads the channel may go on; an administrator may anyhow."""
    access.require_moderator_of(here(), place())
    administrator = granted(Permission.ADMINISTRATOR)
    access.require_moderator_of(here(administrator), place(administrator))


def test_members_are_refused() -> None:
    """Without Manage Server, the permission is named."""
    with pytest.raises(NotAllowed, match="You need Manage Server"):
        access.require_moderator_of(here(READER), place())


def test_hidden_channels_stay_hidden() -> None:
    """Who can't see a channel learns neither its name nor anything else."""
    with pytest.raises(NotAllowed, match="View Channel") as refused:
        access.require_reader(place(Permission.READ_MESSAGE_HISTORY))
    assert "5" not in refused.value.message


def test_unreadable_channels_are_named() -> None:
    """What is missing in a visible channel is named, and where."""
    with pytest.raises(NotAllowed) as refused:
        access.require_reader(place(Permission.VIEW_CHANNEL, kind=2))
    assert refused.value.message == "You can't read <#5>: you need Read Message History and Connect there."


def test_the_bot_says_what_it_needs() -> None:
    """The bot's own missing permission is named, and where."""
    access.require_bot_reader(READER, place())
    with pytest.raises(NotAllowed) as refused:
        access.require_bot_reader(Permission.VIEW_CHANNEL, place())
    assert refused.value.message == "I can't read <#5>: I need Read Message History there."


@pytest.mark.parametrize(
    ("kind", "permissions", "expected"),
    [
        (0, READER | Permission.SEND_MESSAGES, True),
        (0, READER | Permission.SEND_MESSAGES_IN_THREADS, False),
        (11, READER | Permission.SEND_MESSAGES, False),
        (11, READER | Permission.SEND_MESSAGES_IN_THREADS, True),
        (2, READER | Permission.SEND_MESSAGES, False),
        (2, READER | Permission.SEND_MESSAGES | Permission.CONNECT, True),
    ],
)
def test_where_the_bot_may_write(kind: int, permissions: Permission, expected: bool) -> None:  # noqa: FBT001 - a table
    """Writing takes another permission in threads, and Connect in voice channels."""
    assert expected is access.bot_may_write(here(bot=permissions, kind=kind))
