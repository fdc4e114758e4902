"""Who the bot is, and which of Discord's privileges it was given."""

from typing import Any, Final

from attrs import frozen

from clipsaver.discord.rest import Priority, Rest, Route
from clipsaver.discord.snapshots import OddPayload, structure_user
from clipsaver.discord.structuring import Mismatch, whole

MESSAGE_CONTENT: Final = (1 << 18) | (1 << 19)
"""GATEWAY_MESSAGE_CONTENT, and its limited form for bots in fewer than a hundred servers."""


@frozen(kw_only=True)
class Application:
    """The bot's application and account."""

    id: int
    """The application's id, which its own messages carry."""
    bot_id: int
    """The bot's user id; the same for all but the oldest applications."""
    name: str = ""
    """The bot's name."""
    flags: int | None = None
    """None if Discord didn't say."""

    @property
    def may_read_content(self) -> bool | None:
        """Whether messages come with their content and files; None if Discord didn't say."""
        return None if self.flags is None else bool(self.flags & MESSAGE_CONTENT)


async def describe(rest: Rest) -> Application:
    """Ask Discord whose token this is: Get Current Application and Get Current User."""
    application = await _me(rest, "/applications/@me")
    user = structure_user(await _me(rest, "/users/@me"))
    try:
        flags = whole(application["flags"])
    except (Mismatch, KeyError):
        flags = None
    return Application(id=whole(application["id"]), bot_id=user.id, name=user.username, flags=flags)


async def _me(rest: Rest, path: str) -> Any:
    return (await rest.request(Route("GET", path), priority=Priority.PEOPLE, check=_has_id)).body


def _has_id(body: Any) -> bool:
    """Whether a body is an object with an id: an application is read like a user for that."""
    try:
        structure_user(body)
    except OddPayload:
        return False
    return True
