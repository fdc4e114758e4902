"""One exchange with Discord over aiohttp: bounded in time and size, and either whole or lost."""

import time
from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final, Self
from urllib.parse import quote, urlencode

import aiohttp
import orjson
from attrs import define, field, frozen
from yarl import URL

from clipsaver.discord.gate import Gate
from clipsaver.discord.routes import Route

LARGEST: Final = 32 * 2**20
"""Bytes of a body; a page of the longest messages is below a megabyte."""
CONNECTIONS: Final = 256
TIMEOUT: Final = aiohttp.ClientTimeout(total=30, sock_connect=10)
PROJECT: Final = "https://github.com/clipsaver/clipsaver"

Read = Callable[[bytes], Any]
"""Makes of a body what is wanted of it; raises ValueError if that can't be."""


class Lost(Exception):
    """No whole answer came; ``sent`` tells whether Discord may have acted on the request."""

    def __init__(self, kind: str, *, sent: bool) -> None:
        super().__init__(kind)
        self.kind = kind
        self.sent = sent


@frozen(kw_only=True)
class Reply:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: Any
    """What was read from it: the JSON in it, and None where it is empty."""
    readable: bool
    """Whether that could be read."""
    seconds: float


def user_agent() -> str:
    """The name Discord asks bots to give: project and version."""
    try:
        release = version("clipsaver")
    except PackageNotFoundError:
        release = "0"
    return f"DiscordBot ({PROJECT}, {release})"


@define(kw_only=True)
class Transport:
    """A connection pool to one base URL; an async context manager."""

    base: str
    token: str = field(repr=False)
    timeout: aiohttp.ClientTimeout = TIMEOUT
    largest: int = LARGEST
    _session: aiohttp.ClientSession | None = field(default=None, repr=False)
    _gate: Gate = field(factory=Gate, init=False)

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=CONNECTIONS),
            timeout=self.timeout,
            headers={"Authorization": f"Bot {self.token}", "User-Agent": user_agent()},
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def exchange(
        self,
        route: Route,
        *,
        params: Mapping[str, Any] | None = None,
        body: Any = None,
        reason: str | None = None,
        read: Read | None = None,
    ) -> Reply:
        """Send one request and read the whole answer; raises Lost. ``read`` is for the body of one that succeeded."""
        if self._session is None:
            raise RuntimeError("Discord's REST API was asked outside of its context.")
        began = time.monotonic()
        try:
            async with self._session.request(
                route.method,
                self._url(route, params),
                data=None if body is None else orjson.dumps(body),
                headers=_headers(json=body is not None, reason=reason),
                allow_redirects=False,
            ) as response:
                raw = await self._whole(response)
                seconds = time.monotonic() - began
                wanted = read if response.ok else None
                if wanted is not None:
                    await self._gate.enter()
                readable, parsed = _parse(raw, wanted)
                return Reply(
                    status=response.status,
                    headers=response.headers,
                    body=parsed,
                    readable=readable,
                    seconds=seconds,
                )
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise Lost(type(error).__name__, sent=False) from error
        except (aiohttp.ClientError, OSError) as error:
            raise Lost(type(error).__name__, sent=True) from error

    def _url(self, route: Route, params: Mapping[str, Any] | None) -> URL:
        query = f"?{urlencode(params)}" if params else ""
        return URL(self.base.rstrip("/") + route.path + query, encoded=True)

    async def _whole(self, response: aiohttp.ClientResponse) -> bytes:
        chunks: list[bytes] = []
        size = 0
        while chunk := await response.content.readany():
            chunks.append(chunk)
            size += len(chunk)
            if size > self.largest:
                response.close()
                raise Lost("TooLarge", sent=True)
        return b"".join(chunks)


def _headers(*, json: bool, reason: str | None) -> dict[str, str]:
    headers = {"Content-Type": "application/json"} if json else {}
    if reason:
        headers["X-Audit-Log-Reason"] = quote(reason[:512], safe=" ")
    return headers


def _parse(raw: bytes, read: Read | None) -> tuple[bool, Any]:
    """Whether a body is readable, and what is in it."""
    try:
        if read is not None:
            return True, read(raw)
        return True, orjson.loads(raw) if raw.strip() else None
    except ValueError:
        return False, None
