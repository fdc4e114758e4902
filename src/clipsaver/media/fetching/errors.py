"""Why a file did not come. No sentence says more of its link than the origin: what follows is signed."""

from typing import Literal

from clipsaver.errors import ClipsaverError

Cause = Literal[
    "unreachable",  # no connection, or no name for it
    "status",  # an answer with a status that says nothing of the file
    "broken",  # the connection ended in the middle, or what came was not HTTP
    "short",  # a whole answer, but shorter than the attachment
    "stalled",  # nothing came for too long
    "slow",  # too little came
    "ranges",  # the rest was asked for, and something else came
]
"""What interrupted a download."""


class FetchFailed(ClipsaverError):
    """A file did not come, or may not come."""

    @property
    def blames_origin(self) -> bool:
        """Whether this may be the origin's trouble; a dead link, or a file that is no video, is an answer like any."""
        return False


class LinkDead(FetchFailed):
    """The link has expired or its file is gone: read the message again for a fresh one; without it the file is gone."""

    def __init__(self, origin: str) -> None:
        super().__init__(f"The link to {origin} no longer works: a fresh one is needed.")
        self.origin = origin


class TooLarge(FetchFailed):
    """The file is larger than allowed; nothing of it is kept."""

    def __init__(self, size: int | None, largest: int) -> None:
        said = "The file" if size is None else f"The file has {size:,} bytes; it"
        super().__init__(f"{said} is larger than the {largest:,} bytes allowed here.", permanent=True)
        self.size = size
        """None where it was found out on the way."""
        self.largest = largest


class WrongContent(FetchFailed):
    """What came is not the video that was said to be there.

    Permanent where it has the very length that the attachment has: then this is the file, and it is no video.
    Otherwise something stood in the file's place, and may be gone the next time.
    """

    @property
    def blames_origin(self) -> bool:
        """An error page, perhaps."""
        return not self.permanent


class Refused(FetchFailed):
    """Nothing may be fetched from there. Not permanent where it is the name server that says so."""

    @property
    def blames_origin(self) -> bool:
        """Its name leads where it must not."""
        return not self.permanent


class Interrupted(FetchFailed):
    """Not all came. What did is in the sink; with the same sink and this validator it goes on from there."""

    def __init__(self, message: str, *, cause: Cause, validator: str | None = None, status: int | None = None) -> None:
        super().__init__(message)
        self.cause = cause
        self.validator = validator
        """To be given to the next ``fetch``; None if that has to begin again."""
        self.status = status

    @property
    def blames_origin(self) -> bool:
        """Always, however little."""
        return True


class Busy(FetchFailed):
    """The origin wants to be left alone, or is given a rest because it kept failing."""

    def __init__(self, origin: str, retry_after: float, *, asked: bool = True) -> None:
        super().__init__(f"{origin} is busy or failing: it is asked again in {max(1, round(retry_after))} s.")
        self.origin = origin
        self.retry_after = retry_after
        """Seconds."""
        self.asked = asked
        """Whether it said so itself; False where it wasn't asked, and what is in the sink is as it was."""
