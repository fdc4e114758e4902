"""What happens to every request on its way: faults, bans, authorization, limits, the answer's headers, the record."""

import asyncio
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from email.utils import formatdate
from typing import Any, Final

import orjson
from aiohttp import web
from attrs import define, field

from clipsaver.simulator.answers import USER, answer, refusal
from clipsaver.simulator.breaking import reset
from clipsaver.simulator.cdn_faults import FAULT
from clipsaver.simulator.faults import Fault, Faults, throttled
from clipsaver.simulator.interactions.bodies import read_body
from clipsaver.simulator.interactions.forms import Refused
from clipsaver.simulator.limits import Limits
from clipsaver.simulator.recording import Recording
from clipsaver.simulator.world import World

API: Final = "/api/v10"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
WITHOUT_TOKEN: Final = re.compile(r"/gateway|/interactions/.*|/webhooks/[^/]+/[^/]+.*")
"""Routes whose path is their proof, or that anyone may read."""
PAGE: Final = "<!DOCTYPE html><html><head><title>{0}</title></head><body><center><h1>{0}</h1></center></body></html>"
BODY_FAULTS: Final = frozenset({"omit", "null", "unknown"})


@define(kw_only=True)
class Stats:
    """What a simulator has seen."""

    requests: Counter[str] = field(factory=Counter)
    """By method and route template, such as ``GET /channels/{channel_id}/messages``."""
    statuses: Counter[int] = field(factory=Counter)
    throttled: Counter[str] = field(factory=Counter)
    """429s by scope; faults' own count as ``fault``."""
    invalid: int = 0
    """Answers that count towards a ban: 401, 403, and 429 unless shared."""


@define(kw_only=True)
class Exchange:
    """The middleware around every route."""

    world: World
    limits: Limits | None
    faults: Faults
    recording: Recording | None
    latency: float = 0.0
    stats: Stats = field(factory=Stats)
    _date: tuple[int, str] = field(default=(-1, ""), init=False)

    async def handle(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer one request."""
        path = request.rel_url.path
        if path == "/":
            return await handler(request)
        template = _template(request)
        self.stats.requests[f"{request.method} {template}"] += 1
        if self.latency:
            await asyncio.sleep(self.latency)
        fault = self.faults.draw(request.method, path.removeprefix(API))
        if fault is not None and fault.kind == "delay":
            await asyncio.sleep(fault.seconds)
            fault = None
        if not path.startswith("/api/"):
            return await self._from_cdn(request, handler, fault)
        response = await self._answer(request, handler, template, fault)
        self._count(response)
        if fault is not None:
            return await self._spoiled(request, response, fault)
        if self.recording is not None and isinstance(response, web.Response):
            await self._record(self.recording, request, response)
        return response

    async def _from_cdn(self, request: web.Request, handler: Handler, fault: Fault | None) -> web.StreamResponse:
        """A file, or what there is in its place; most faults are the CDN's own to play."""
        if fault is None:
            return await self._done(request, handler, None)
        request[FAULT] = fault
        if fault.kind == "reset":
            reset(request)
        return await self._done(request, handler, fault)

    async def _answer(
        self, request: web.Request, handler: Handler, template: str, fault: Fault | None
    ) -> web.StreamResponse:
        """The answer with its headers, refused where the ban, the token or the limits refuse it."""
        banned = self.limits.banned_for() if self.limits else 0.0
        if banned > 0:
            # Cloudflare answers, not Discord: HTML, and none of Discord's headers.
            return _page(429, "You are being rate limited", {"Retry-After": str(int(banned) + 1)})
        if not request.headers.get("User-Agent"):
            return _page(403, "error code: 1010", {})
        headers: Mapping[str, str] = {}
        try:
            who = self._authorize(request, template)
            if self.limits is not None and not template.endswith("/callback"):
                exempt = template.startswith(("/webhooks/", "/interactions/"))
                verdict = self.limits.take(who, request.method, template, request.match_info, exempt=exempt)
                headers = verdict.headers
                if verdict.retry_after is not None:
                    self.stats.throttled[verdict.scope] += 1
                    return self._dressed(answer(verdict.body, 429), headers)
            response = await self._done(request, handler, fault)
        except Refused as refused:
            response = refusal(refused)
        return self._dressed(response, headers)

    def _authorize(self, request: web.Request, template: str) -> str:
        """Who asks; refused without a valid token where one is needed."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        user = self.world.tokens.get(token) if scheme == "Bot" else None
        if user is not None:
            request[USER] = user
            return token
        if WITHOUT_TOKEN.fullmatch(template) is None:
            raise Refused(401, 0, "401: Unauthorized")
        return request.remote or ""

    async def _done(self, request: web.Request, handler: Handler, fault: Fault | None) -> web.StreamResponse:
        """The handler's answer, or what a fault says in its place."""
        instead = None if fault is None else _instead(fault)
        if instead is None or (fault is not None and fault.takes_effect):
            response = await self._found(request, handler)
            return response if instead is None else instead
        return instead

    async def _found(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """The handler's answer, or Discord's words where there is no such route."""
        try:
            return await handler(request)
        except web.HTTPMethodNotAllowed as error:
            return answer({"message": "405: Method Not Allowed", "code": 0}, error.status)
        except web.HTTPNotFound:
            if re.match(r"/api/v\d+(/|$)", request.path) and not request.path.startswith(API + "/"):
                return answer({"message": "Invalid API version", "code": 50041}, 400)
            return answer({"message": "404: Not Found", "code": 0}, 404)

    async def _spoiled(self, request: web.Request, response: web.StreamResponse, fault: Fault) -> web.StreamResponse:
        """What a fault leaves of an answer."""
        if fault.kind == "reset":
            reset(request)
        body = response.body if isinstance(response, web.Response) else None
        if not isinstance(body, bytes) or fault.kind not in BODY_FAULTS | {"truncate", "stall", "half"}:
            return response
        if fault.kind == "half":
            half = web.Response(body=body[: len(body) // 2], status=response.status, content_type="application/json")
            return self._dressed(half, {})
        if fault.kind in BODY_FAULTS:
            changed = answer(self.faults.spoil(fault, orjson.loads(body)), response.status) if body else response
            return self._dressed(changed, response.headers)
        partial = web.StreamResponse(status=response.status, headers=response.headers)
        partial.content_length = len(body)
        await partial.prepare(request)
        await partial.write(body[: len(body) // 2])
        if fault.kind == "stall":
            await asyncio.sleep(fault.seconds)
            await partial.write(body[len(body) // 2 :])
        elif request.transport is not None:
            request.transport.close()
        return partial

    def _dressed(self, response: web.StreamResponse, headers: Mapping[str, str]) -> web.StreamResponse:
        """An answer with what Discord's own have: the limits, its clock, the way it came."""
        for name, value in headers.items():
            response.headers.setdefault(name, value)
        second = int(self.world.clock())
        if self._date[0] != second:
            self._date = (second, formatdate(second, usegmt=True))
        response.headers.setdefault("Date", self._date[1])
        response.headers.setdefault("Via", "1.1 google")
        return response

    def _count(self, response: web.StreamResponse) -> None:
        status = response.status
        self.stats.statuses[status] += 1
        scope = response.headers.get("X-RateLimit-Scope")
        if status in {401, 403, 429} and scope != "shared":
            self.stats.invalid += 1
        if self.limits is not None and "Via" in response.headers:
            self.limits.count_invalid(status, scope)

    async def _record(self, recording: Recording, request: web.Request, response: web.Response) -> None:
        asked: Any = None
        if request.body_exists:
            try:
                asked = read_body(request.headers.get("Content-Type", ""), await request.read()).json
            except Refused:
                asked = None
        body = response.body if response.content_type == "application/json" else None
        recording.write(
            {
                "method": request.method,
                "path": request.rel_url.path.removeprefix(API),
                "query": dict(request.query),
                "request": asked,
                "status": response.status,
                "response": orjson.Fragment(body) if isinstance(body, bytes) else None,
            }
        )


def _instead(fault: Fault) -> web.Response | None:
    """What a fault answers in place of the truth; None where it only spoils it."""
    match fault.kind:
        case "status":
            response = answer({"message": f"{fault.status}: Server Error", "code": 0}, fault.status)
        case "unauthorized":
            response = answer({"message": "401: Unauthorized", "code": 0}, 401)
        case "forbidden":
            response = answer({"message": "Missing Access", "code": 50001}, 403)
        case "empty":
            response = answer([])
        case "page":
            response = _page(fault.status, f"{fault.status}", {})
        case "not_json":
            response = _page(200, "502 Bad Gateway", {})
        case "throttle":
            response = _throttled(*throttled(fault.variant))
        case _:
            return None
    return response


def _throttled(headers: Mapping[str, str], body: dict[str, Any] | str | None) -> web.Response:
    if isinstance(body, str):
        return _page(429, body, headers)
    response = web.Response(status=429) if body is None else answer(body, 429)
    response.headers.update(headers)
    return response


def _template(request: web.Request) -> str:
    resource = request.match_info.route.resource
    return "unknown" if resource is None else resource.canonical.removeprefix(API)


def _page(status: int, title: str, headers: Mapping[str, str]) -> web.Response:
    return web.Response(status=status, text=PAGE.format(title), content_type="text/html", headers=headers)
