"""The server that every role may have: /health, /ready and /metrics."""

import asyncio
import errno
import socket
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import orjson
import structlog
from aiohttp import web
from attrs import frozen
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from clipsaver.errors import StartFailed
from clipsaver.web.metrics import Metrics
from clipsaver.web.middleware import add_headers, counted, errors_as_json
from clipsaver.web.readiness import Part, Readiness

log = structlog.get_logger("clipsaver.web")

PATIENCE = 5.0
"""Seconds the parts may take to say whether they are ready."""
GRACE = 2.0
"""Seconds that open requests get when the server stops."""
LARGEST_BODY = 64 * 1024


def _json(content: Any) -> str:
    return orjson.dumps(content, default=_plain, option=orjson.OPT_NON_STR_KEYS).decode()


def _plain(value: object) -> Any:
    return sorted(value) if isinstance(value, set | frozenset) else str(value)


json_response = partial(web.json_response, dumps=_json)


def create_app(
    readiness: Callable[[], Awaitable[Readiness]], metrics: Metrics, *, patience: float = PATIENCE
) -> web.Application:
    """The application; routes can be added to it until it is served."""

    async def health(_request: web.Request) -> web.Response:
        """Say that the process lives."""
        return json_response({"status": "ok"})

    async def ready(_request: web.Request) -> web.Response:
        """Say whether the process can do its work, and what is missing."""
        now = await _asked(readiness, patience)
        return json_response(now.as_json(), status=503 if now.missing else 200)

    async def figures(_request: web.Request) -> web.Response:
        """Say what the process counts."""
        return web.Response(body=await metrics.render(), headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4})

    app = web.Application(middlewares=[counted(metrics), errors_as_json], client_max_size=LARGEST_BODY)
    app.on_response_prepare.append(add_headers)
    app.router.add_get("/health", health)
    app.router.add_get("/ready", ready)
    app.router.add_get("/metrics", figures)
    return app


async def _asked(readiness: Callable[[], Awaitable[Readiness]], patience: float) -> Readiness:
    """What the parts say; that they can't say it is a kind of not being ready."""
    try:
        async with asyncio.timeout(patience):
            return await readiness()
    except Exception as error:
        log.warning("web.readiness_unknown", exc_info=error)
        return Readiness(parts={"readiness": Part(ok=False, detail={"error": type(error).__name__})})


@frozen(kw_only=True)
class Running:
    """A server that answers."""

    host: str
    port: int
    """The one it really listens on."""
    _runner: web.AppRunner

    @property
    def url(self) -> str:
        """Its address, as seen from this machine."""
        return f"http://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"

    async def close(self) -> None:
        """Stop listening, and let open requests end, within bounds."""
        await self._runner.cleanup()


async def serve(app: web.Application, *, host: str, port: int) -> Running:
    """Listen, 0 being any free port; StartFailed says in one sentence why it can't."""
    runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=GRACE)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError as error:
        await runner.cleanup()
        raise StartFailed(_why(error, host, port)) from None
    address: tuple[Any, ...] = runner.addresses[0]
    log.info("web.listening", host=host, port=address[1])
    return Running(host=host, port=address[1], runner=runner)


def _why(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"Port {port} on {host} is taken: end what uses it, or set web.port to another."
    if error.errno == errno.EACCES:
        return f"Port {port} may not be used by this user: set web.port to one above 1023."
    if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
        return f"web.host is {host}, which is no address of this machine."
    return f"The HTTP server can't listen on {host}, port {port}: {error.strerror or type(error).__name__}."
