"""One file on its way: what was asked for, what is there already, and whether what comes may be kept."""

from collections.abc import Callable, Mapping
from typing import Final, NoReturn, Protocol

import aiohttp
from attrs import define, field, frozen

from clipsaver.media.fetching import containers
from clipsaver.media.fetching.answers import PARTIAL, Part, is_encoded, media_type, part_of, same_file, validator_of
from clipsaver.media.fetching.errors import Cause, Interrupted, LinkDead, TooLarge, WrongContent
from clipsaver.media.fetching.limits import Lost, Pace
from clipsaver.media.fetching.origins import Target

MOST_RESTARTS: Final = 2
SAID: Final[Mapping[Cause, str]] = {
    "unreachable": "{0} can't be reached",
    "status": "{0} had nothing but an error to say",
    "broken": "The connection to {0} broke off",
    "short": "{0} sent less than the whole file",
    "stalled": "{0} stopped sending",
    "slow": "{0} sent too slowly",
    "ranges": "{0} did not send the part that was asked for",
}


class Sink(Protocol):
    """Where the bytes go, in order."""

    @property
    def offset(self) -> int:
        """How many are there."""

    async def write(self, data: bytes) -> None:
        """Take the next ones, however few: they come as the network brought them."""

    async def restart(self) -> None:
        """Forget all of them."""


@frozen(kw_only=True)
class Fetched:
    """A whole file."""

    size: int
    content_type: str | None
    """What the answer claimed; not to be trusted."""
    container: str | None
    """The media type that its first bytes show; None where those came with an earlier ``fetch``."""


@define(kw_only=True, eq=False)
class Download:
    """Fills a sink from as many answers as it takes."""

    sink: Sink
    expected_size: int | None
    largest: int
    pace: Pace
    validator: str | None
    """What the bytes in the sink belong to."""
    answered: Callable[[], None] = lambda: None
    """Called whenever an answer looks like the file."""
    _container: str | None = None
    _total: int | None = None
    """The file's length, as the last answer said."""
    _restarts: int = field(default=0, init=False)

    async def headers(self) -> dict[str, str]:
        """What to ask for: everything, or the rest of the same file."""
        if self.sink.offset and (self.validator is None or self.sink.offset >= self._most):
            await self._restart()
        headers = {"Accept": "*/*", "Accept-Encoding": "identity"}
        if self.sink.offset and self.validator is not None:
            headers |= {"Range": f"bytes={self.sink.offset}-", "If-Range": self.validator}
        return headers

    async def begin_again(self, target: Target) -> None:
        """Forget what is there, because what came does not belong to it; bounded."""
        self._restarts += 1
        if not self.sink.offset or self._restarts > MOST_RESTARTS:
            self.interrupted(target, "ranges")
        await self._restart()

    async def take(self, response: aiohttp.ClientResponse, target: Target) -> Fetched | None:
        """Keep what a 200 or a 206 holds; None when more has to be asked for."""
        headers = response.headers
        if is_encoded(headers):
            raise WrongContent(f"{target.origin} sent the file in an encoding that was not asked for.")
        part = part_of(response.status, headers)
        if part is None or not self._fits(response.status, headers, part):
            await self.begin_again(target)
            return None
        if self.sink.offset and part.start == 0:
            await self._restart()
        self.validator = validator_of(headers) or (self.validator if part.start else None)
        self._total = part.total
        cause = await self._keep_what_comes(response, part, target)
        return self._finished(response, part, target) if cause is None else self.interrupted(target, cause)

    def interrupted(self, target: Target, cause: Cause, *, status: int | None = None) -> NoReturn:
        """Give up for now, and say how it can go on."""
        said = SAID[cause].format(target.origin) + ("" if status is None else f" ({status})")
        raise Interrupted(
            f"{said}: it will be tried again.",
            cause=cause,
            validator=self.validator if self.sink.offset else None,
            status=status,
        ) from None

    @property
    def _most(self) -> int:
        return self.largest if self.expected_size is None else self.expected_size

    def _fits(self, status: int, headers: Mapping[str, str], part: Part) -> bool:
        """Whether a part belongs to what is there."""
        if status != PARTIAL:
            return True
        if part.start != self.sink.offset or self._total not in {None, part.total}:
            return False
        return self.validator is None or same_file(self.validator, headers)

    async def _restart(self) -> None:
        await self.sink.restart()
        self.validator = self._container = self._total = None

    async def _keep_what_comes(self, response: aiohttp.ClientResponse, part: Part, target: Target) -> Cause | None:
        """Keep an answer's bytes; why no more came, if that is so."""
        try:
            await self._keep(response, part, target)
        except Lost as lost:
            return lost.cause
        return None

    async def _keep(self, response: aiohttp.ClientResponse, part: Part, target: Target) -> None:
        """Hand an answer's bytes on as they come, the first ones looked at before."""
        first: list[bytes] = []
        if part.start == 0:
            first = await self._head(response, part)
            self._look(b"".join(first)[: containers.HEAD], part, target, whole=sum(map(len, first)) < containers.HEAD)
        self._judge(part.total, target)
        self.answered()
        room = (self._most if part.stop is None else part.stop) - part.start
        came = sum(map(len, first))
        if came > room:
            self._too_long(target, None)
        for piece in first:
            await self.sink.write(piece)
        while piece := await self.pace.read(response.content):
            came += len(piece)
            if came > room:
                self._too_long(target, None)
            await self.sink.write(piece)

    async def _head(self, response: aiohttp.ClientResponse, part: Part) -> list[bytes]:
        """The first bytes, as many as decide."""
        wanted = containers.HEAD if part.stop is None else min(containers.HEAD, part.stop)
        pieces: list[bytes] = []
        while wanted > 0 and (piece := await self.pace.read(response.content)):
            pieces.append(piece)
            wanted -= len(piece)
        return pieces

    def _look(self, head: bytes, part: Part, target: Target, *, whole: bool) -> None:
        """Let nothing pass but the beginning of a video."""
        if containers.is_dead_link(head):
            raise LinkDead(str(target.origin))
        self._container = containers.container(head)
        if self._container is not None:
            return
        length = len(head) if part.total is None and whole else part.total
        text = containers.is_text(head)
        itself = length == self.expected_size if self.expected_size is not None else not text
        if not head and self.expected_size:
            self.interrupted(target, "short")
        what = "a text or a page" if text else "nothing that is known as a video"
        raise WrongContent(f"The file at {target.origin} holds {what}.", permanent=itself)

    def _judge(self, total: int | None, target: Target) -> None:
        """Compare what the answer says of the file's length with what the attachment says."""
        if total is None:
            return
        if total > self._most:
            self._too_long(target, total)
        if self.expected_size is not None and total < self.expected_size:
            self._short(target)

    def _too_long(self, target: Target, total: int | None) -> NoReturn:
        if self.expected_size is None:
            raise TooLarge(total, self.largest)
        raise WrongContent(f"{target.origin} sends more than the {self.expected_size:,} bytes the file has.")

    def _short(self, target: Target) -> NoReturn:
        """The whole of it is too short: there is no rest to ask for."""
        self.validator = None
        self.interrupted(target, "short")

    def _finished(self, response: aiohttp.ClientResponse, part: Part, target: Target) -> Fetched | None:
        size = self.sink.offset
        if part.stop is not None and size < part.stop:
            self.interrupted(target, "broken")
        if part.total is not None and size < part.total:
            if self.validator is None:
                self.interrupted(target, "ranges")
            return None
        # The end of a connection is no proof of the end of a file: somebody has to say how long it is.
        chunked = "chunked" in response.headers.get("Transfer-Encoding", "").lower()
        if self.expected_size not in {None, size} or not (part.total or chunked or self.expected_size):
            self._short(target)
        return Fetched(size=size, content_type=media_type(response.headers), container=self._container)
