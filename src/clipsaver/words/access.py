"""Who may do what where, and the sentences that say what is missing. Pure."""

from clipsaver.discord.here import Here, Place
from clipsaver.discord.permissions import VOICE_TYPES, Permission, missing, needed_to_read
from clipsaver.errors import NotAllowed
from clipsaver.words.language import say
from clipsaver.words.text import channel, enumerated

MODERATOR = Permission.MANAGE_GUILD
THREAD_TYPES = frozenset({10, 11, 12})


def is_moderator(here: Here) -> bool:
    """Whether the member manages the server."""
    return not missing(here.place.permissions, MODERATOR)


def require_moderator(here: Here) -> None:
    """Refuse a member who doesn't manage the server: who may use a command can be changed on Discord."""
    if lacking := missing(here.place.permissions, MODERATOR):
        raise NotAllowed(say("You need {permissions} on this server to do that.", permissions=enumerated(lacking)))


def require_moderator_of(here: Here, place: Place) -> None:
    """Refuse a member who doesn't manage the server, or can't read the channel it is about."""
    require_moderator(here)
    require_reader(place)


def require_reader(place: Place) -> None:
    """Refuse a member who can't read the channel; who can't see it learns nothing about it."""
    if missing(place.permissions, Permission.VIEW_CHANNEL):
        raise NotAllowed(say("You can't see that channel: you need View Channel there."))
    if lacking := missing(place.permissions, needed_to_read(place.type)):
        raise NotAllowed(
            say(
                "You can't read {channel}: you need {permissions} there.",
                channel=channel(place.channel_id),
                permissions=enumerated(lacking),
            )
        )


def require_bot_reader(permissions: Permission, place: Place) -> None:
    """Refuse a channel that the bot itself isn't allowed to read."""
    if lacking := missing(permissions, needed_to_read(place.type)):
        raise NotAllowed(
            say(
                "I can't read {channel}: I need {permissions} there.",
                channel=channel(place.channel_id),
                permissions=enumerated(lacking),
            )
        )


def bot_may_write(here: Here) -> bool:
    """Whether the bot can put an ordinary message into the channel."""
    threads = here.place.type in THREAD_TYPES
    wanted = Permission.VIEW_CHANNEL | (Permission.SEND_MESSAGES_IN_THREADS if threads else Permission.SEND_MESSAGES)
    if here.place.type in VOICE_TYPES:
        wanted |= Permission.CONNECT
    return not missing(here.bot_permissions, wanted)
