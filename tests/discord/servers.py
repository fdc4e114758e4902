"""A small server to be Discord in tests: it answers what the test says, over real sockets."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import orjson
from aiohttp import web
from attrs import define, field

from clipsaver.discord.limits import MARGIN

STEP = 0.002
"""Seconds between two looks at how late the machine lets us wake."""
LONG = 0.01
"""Seconds from which on being late is more than a machine's usual coarseness."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse] | web.StreamResponse]


@define(kw_only=True)
class Asked:
    """A request as it arrived."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Any
    at: float


@define
class Server:
    """Answers with the handler; remembers what it was asked."""

    handler: Handler
    asked: list[Asked] = field(factory=list)
    url: str = ""
    _arrived: asyncio.Condition = field(factory=asyncio.Condition)

    async def asked_for(self, times: int = 1) -> None:
        """Wait until so many requests have come."""
        async with self._arrived:
            await self._arrived.wait_for(lambda: len(self.asked) >= times)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Remember the request and answer it."""
        raw = await request.read()
        self.asked.append(
            Asked(
                method=request.method,
                path=request.path,
                query=dict(request.query),
                headers=request.headers,
                body=orjson.loads(raw) if raw else None,
                at=time.monotonic(),
            ),
        )
        async with self._arrived:
            self._arrived.notify_all()
        answer = self.handler(request)
        return answer if isinstance(answer, web.StreamResponse) else await answer

    @property
    def paths(self) -> list[str]:
        """What was asked for, in order."""
        return [asked.path for asked in self.asked]


@asynccontextmanager
async def serve(handler: Handler) -> AsyncIterator[Server]:
    """Serve on a free port of this machine."""
    server = Server(handler)
    app = web.Application(client_max_size=2**20)
    app.router.add_route("*", "/{path:.*}", server.handle)
    runner = web.AppRunner(app, handle_signals=False, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        server.url = f"http://{host}:{port}/api/v10"
        yield server
    finally:
        await runner.cleanup()


def say(body: Any = None, status: int = 200, **headers: Any) -> Handler:
    """A handler that always answers this; header names are written with underscores."""
    named = {name.replace("_", "-"): str(value) for name, value in headers.items()}
    raw = body if isinstance(body, bytes) else b"" if body is None else orjson.dumps(body)
    return lambda _: web.Response(status=status, body=raw, headers=named)


def one_by_one(handlers: Sequence[Handler]) -> Handler:
    """A handler that takes the next of these each time, and stays with the last."""
    left = list(handlers)

    def handle(request: web.Request) -> Awaitable[web.StreamResponse] | web.StreamResponse:
        return (left.pop(0) if len(left) > 1 else left[0])(request)

    return handle


def by_path(handlers: Mapping[str, Handler]) -> Handler:
    """A handler that looks at the path below the API's base; what it doesn't know is not there."""

    def handle(request: web.Request) -> Awaitable[web.StreamResponse] | web.StreamResponse:
        path = request.path.removeprefix("/api/v10")
        return handlers.get(path, say({"code": 10003, "message": "Unknown Channel"}, 404))(request)

    return handle


async def truncate(request: web.Request) -> web.StreamResponse:
    """Promise more than is sent, and hang up."""
    response = web.StreamResponse(headers={"Content-Length": "1000"})
    await response.prepare(request)
    await response.write(b'[{"id": "1"')
    hang_up(request)
    return response


async def reset(request: web.Request) -> web.StreamResponse:
    """Hang up without a word."""
    hang_up(request)
    return web.Response()


async def stay_silent(_: web.Request) -> web.StreamResponse:
    """Never answer."""
    await asyncio.Event().wait()
    return web.Response()


def hang_up(request: web.Request) -> None:
    """Close the connection at once."""
    assert request.transport is not None
    request.transport.abort()


class Pages:
    """The same history in every channel, as Discord pages it."""

    def __init__(self, ids: Sequence[int]) -> None:
        self.ids = sorted(ids)

    def __call__(self, request: web.Request) -> web.StreamResponse:
        """Newest first, also with ``after``."""
        limit = int(request.query["limit"])
        if "before" in request.query:
            chosen = [i for i in self.ids if i < int(request.query["before"])][-limit:]
        else:
            chosen = [i for i in self.ids if i > int(request.query["after"])][:limit]
        channel_id = request.path.split("/")[-2]
        return web.json_response([{"id": str(i), "channel_id": channel_id} for i in reversed(chosen)])


@define
class Stalls:
    """How badly the machine kept this process waiting: what no program on it could have avoided."""

    worst: float = 0.0
    """Seconds."""
    total: float = 0.0
    long: float = 0.0
    """Seconds in all, of those that were long."""
    late: int = 0
    """How many were longer than the margin that requests are sent with."""

    def add(self, seconds: float) -> None:
        """Count one."""
        self.worst, self.total = max(self.worst, seconds), self.total + seconds
        self.long += seconds if seconds > LONG else 0.0
        self.late += seconds > MARGIN


@asynccontextmanager
async def watched() -> AsyncIterator[Stalls]:
    """Measure by how much a short sleep comes late, all the time."""
    stalls = Stalls()
    loop = asyncio.get_running_loop()

    async def watch() -> None:
        while True:
            due = loop.time() + STEP
            await asyncio.sleep(STEP)
            stalls.add(loop.time() - due)

    watching = asyncio.create_task(watch())
    try:
        yield stalls
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
