"""What holds for every answer: it is counted and logged, it has its headers, and an error is JSON."""

import time
from collections.abc import Awaitable, Callable

import structlog
from aiohttp import hdrs, web
from aiohttp.typedefs import Middleware

from clipsaver.logs import reference
from clipsaver.web.metrics import Metrics

log = structlog.get_logger("clipsaver.web")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-store",
}
"""What an answer says unless it says otherwise itself."""
METHODS = hdrs.METH_ALL


async def add_headers(_request: web.Request, response: web.StreamResponse) -> None:
    """Put the headers on every answer, also on those that no handler made; for `on_response_prepare`."""
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers["Server"] = "clipsaver"


@web.middleware
async def errors_as_json(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer every error as JSON; one that nobody expected is logged under the reference that is shown."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        if error.status < web.HTTPBadRequest.status_code:
            raise
        allowed = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
        return web.json_response({"error": error.reason}, status=error.status, headers=allowed)
    except Exception:
        shown = reference()
        log.exception("web.failed", reference=shown, route=route_of(request))
        return web.json_response({"error": "Something went wrong.", "reference": shown}, status=500)


def counted(metrics: Metrics) -> Middleware:
    """Count and time every answer under its route's template, and log it for those who look closely."""

    @web.middleware
    async def count(request: web.Request, handler: Handler) -> web.StreamResponse:
        began, status = time.monotonic(), 499
        try:
            response = await handler(request)
            status = response.status
        except web.HTTPException as answer:
            status = answer.status
            raise
        finally:
            seconds = time.monotonic() - began
            route = route_of(request)
            method = request.method if request.method in METHODS else "other"
            metrics.http_requests.labels(method, route, str(status)).inc()
            metrics.http_seconds.labels(route).observe(seconds)
            log.debug("web.answered", method=method, route=route, status=status, seconds=round(seconds, 6))
        return response

    return count


def route_of(request: web.Request) -> str:
    """A route's template, never the path itself: there are few of one, and endlessly many of the other."""
    resource = request.match_info.route.resource
    return "unknown" if resource is None else resource.canonical
