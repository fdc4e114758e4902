"""What can come back from Discord instead of an answer, as errors with a sentence and a fate."""

from datetime import datetime

from clipsaver.errors import ClipsaverError


class Unauthorized(ClipsaverError):
    """The token is not accepted; nothing more is asked until the program is started with another."""

    def __init__(self) -> None:
        super().__init__("Discord does not accept the bot token any more.")


class Halted(ClipsaverError):
    """Too many requests were refused; reading rests, or at last everything, so that the address isn't banned."""

    def __init__(self, until: datetime, *, everything: bool = False) -> None:
        what = "Nothing is asked" if everything else "Reading rests"
        super().__init__(f"Discord refused too many requests. {what} until {until:%H:%M} UTC.")
        self.until = until


class Refused(ClipsaverError):
    """Discord understood and said no; asking again changes nothing."""

    def __init__(self, status: int, code: int) -> None:
        super().__init__(
            SENTENCES.get(code) or STATUSES.get(status) or f"Discord refused it ({status}).", permanent=True
        )
        self.status = status
        self.code = code
        """Discord's own error code; 0 when there was none."""


class Forbidden(Refused):
    """A permission is missing."""


class NotFound(Refused):
    """What was asked for isn't there."""


class BadRequest(Refused):
    """The request itself was wrong."""


class Unavailable(ClipsaverError):
    """Discord did not answer usefully however often it was asked; later it may."""


STATUSES = {
    403: "Discord says the bot is not allowed to do that.",
    404: "Discord does not know what was asked for.",
    400: "Discord did not accept what was sent.",
}
SENTENCES = {
    10003: "That channel is not there any more.",
    10004: "That server is not there any more, or the bot is not in it.",
    10007: "That person is not a member of the server.",
    10008: "That message is not there any more.",
    10013: "That person is not known to Discord.",
    50001: "The bot has no access there.",
    50005: "A message of someone else can't be edited.",
    50007: "That person takes no messages from the bot.",
    50013: "The bot lacks a permission for that.",
    50024: "That can't be done in this kind of channel.",
    50083: "That thread is archived.",
    160005: "That thread is locked.",
}
"""Discord's documented JSON error codes that this program meets."""


def refusal(status: int, body: object) -> Refused:
    """The error for a 4xx answer; of its body only Discord's code is used."""
    code = body.get("code") if isinstance(body, dict) else None
    number = code if isinstance(code, int) and not isinstance(code, bool) else 0
    kind = {403: Forbidden, 404: NotFound}.get(status, BadRequest)
    return kind(status, number)
