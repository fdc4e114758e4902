"""Who the bot is, and which of Discord's privileges it was given."""

from typing import Final

from attrs import frozen

from clipsaver.discord.rest import Priority, Rest, Route
from clipsaver.discord.structuring import Mismatch, has_id, whole

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
    application = (await rest.request(Route("GET", "/applications/@me"), priority=Priority.PEOPLE, check=has_id)).body
    user = (await rest.request(Route("GET", "/users/@me"), priority=Priority.PEOPLE, check=has_id)).body
    name, flags = user.get("username"), application.get("flags")
    try:
        number = None if flags is None else whole(flags)
    except Mismatch:
        number = None
    return Application(
        id=whole(application["id"]), bot_id=whole(user["id"]), name=name if isinstance(name, str) else "", flags=number
    )
