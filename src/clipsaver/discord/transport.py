"""One exchange with Discord over aiohttp: bounded in time and size, and either whole or lost."""

import time
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final, Self
from urllib.parse import quote

import aiohttp
import orjson
from attrs import define, field, frozen

from clipsaver.discord.routes import Route

LARGEST: Final = 32 * 2**20
"""Bytes of a body; a page of the longest messages is below a megabyte."""
CONNECTIONS: Final = 256
TIMEOUT: Final = aiohttp.ClientTimeout(total=30, sock_connect=10, sock_read=20)
PROJECT: Final = "https://github.com/clipsaver/clipsaver"


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
    """The JSON in it; None for an empty body."""
    readable: bool
    """Whether the body was JSON, or empty."""
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

    async def exchange(self, route: Route, *, params: Mapping[str, Any] | None, body: Any, reason: str | None) -> Reply:
        """Send one request and read the whole answer; raises Lost."""
        if self._session is None:
            raise RuntimeError("Discord's REST API was asked outside of its context.")
        headers = {}
        data = None
        if body is not None:
            data = orjson.dumps(body)
            headers["Content-Type"] = "application/json"
        if reason:
            headers["X-Audit-Log-Reason"] = quote(reason[:512], safe=" ")
        began = time.monotonic()
        try:
            async with self._session.request(
                route.method,
                self.base.rstrip("/") + route.path,
                params={name: str(value) for name, value in (params or {}).items()},
                data=data,
                headers=headers,
                allow_redirects=False,
            ) as response:
                raw = await self._read(response)
                readable, parsed = _parse(raw)
                return Reply(
                    status=response.status,
                    headers=response.headers,
                    body=parsed,
                    readable=readable,
                    seconds=time.monotonic() - began,
                )
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise Lost(type(error).__name__, sent=False) from error
        except (aiohttp.ClientError, OSError) as error:
            raise Lost(type(error).__name__, sent=True) from error

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        chunks = bytearray()
        async for chunk in response.content.iter_chunked(2**16):
            chunks += chunk
            if len(chunks) > self.largest:
                response.close()
                raise Lost("TooLarge", sent=True)
        return bytes(chunks)


def _parse(raw: bytes) -> tuple[bool, Any]:
    """Whether a body is readable, and what is in it."""
    if not raw.strip():
        return True, None
    try:
        return True, orjson.loads(raw)
    except orjson.JSONDecodeError:
        return False, None
