"""What can happen to a gateway session, and which of it Discord's documents call final. Pure."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import hikari

from clipsaver.errors import StartFailed

BAD_TOKEN: Final = "Discord refused the bot token: copy it afresh from the developer portal."  # noqa: S105 - a sentence
FINAL: Final[Mapping[int, str]] = MappingProxyType(
    {
        4004: BAD_TOKEN,
        4010: "Discord refused the number of a session (4010 invalid shard): start the bot again, so that it asks "
        "how many it needs.",
        4011: "The bot is in too many servers for one session (4011 sharding required): start it again, so that it "
        "asks how many it needs.",
        4012: "Discord no longer speaks this version of the gateway (4012 invalid API version): install a newer "
        "clipsaver.",
        4013: "Discord doesn't know an intent the bot asks for (4013 invalid intents): install a newer clipsaver.",
        4014: "Discord doesn't allow the bot to read messages (4014 disallowed intents): switch the Message Content "
        "Intent on for it in the developer portal, under Bot, Privileged Gateway Intents.",
    }
)
"""Discord: Gateway Close Event Codes, those without a reconnect; what a person has to do about each."""
DOCUMENTED: Final = frozenset({4000, 4001, 4002, 4003, 4005, 4007, 4008, 4009})
"""Likewise, those with one."""


class Trouble(Exception):
    """A session has ended, or has to; another may be begun."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
        """One of few words, which figures are kept by."""


def judge(error: Exception) -> Trouble:
    """Tell what ended a session; a StartFailed with what to do when Discord wants no other."""
    match error:
        case Trouble():
            return error
        case StartFailed():
            raise error
        case hikari.GatewayServerClosedConnectionError():
            code = int(error.code or 0)
            if code in FINAL:
                raise StartFailed(FINAL[code]) from error
            return Trouble(f"closed_{code}" if code in DOCUMENTED else "closed")
        case hikari.UnauthorizedError():
            raise StartFailed(BAD_TOKEN) from None
        case hikari.HTTPError() | hikari.GatewayError():
            return Trouble("unreachable")
        case _:
            return Trouble("broken")
