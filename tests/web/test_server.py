"""The HTTP server, over a real socket."""

import asyncio
import errno
import socket
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import aiohttp
import pytest
from aiohttp import web
from attrs import define, field
from prometheus_client.parser import text_string_to_metric_families
from structlog.testing import capture_logs

from clipsaver.errors import StartFailed
from clipsaver.web.metrics import Metrics
from clipsaver.web.middleware import HEADERS
from clipsaver.web.readiness import Part, Readiness
from clipsaver.web.server import Running, _why, create_app, serve


@define
class Parts:
    """What the program says about itself."""

    parts: dict[str, Part] = field(factory=dict)
    error: Exception | None = None
    hangs: bool = False

    async def readiness(self) -> Readiness:
        """Say it, or fail to."""
        if self.error is not None:
            raise self.error
        if self.hangs:
            await asyncio.Event().wait()
        return Readiness(parts=self.parts)


@pytest.fixture
def parts() -> Parts:
    """Parts to be changed by a test."""
    return Parts(
        parts={
            "database": Part(ok=True),
            "gateway": Part(ok=True, detail={"shards": {0: "connected"}, "tags": {"b", "a"}, "since": UUID(int=1)}),
        }
    )


@pytest.fixture
async def server(parts: Parts) -> AsyncIterator[Running]:
    """A server with a few routes of its own."""
    app = create_app(parts.readiness, Metrics(), patience=0.05)

    async def broken(_request: web.Request) -> web.Response:
        raise ValueError("secret")

    async def away(_request: web.Request) -> web.Response:
        raise web.HTTPFound("/health")

    async def cached(_request: web.Request) -> web.Response:
        return web.Response(headers={"Cache-Control": "max-age=60"})

    app.router.add_get("/broken", broken)
    app.router.add_get("/away/{place}", away)
    app.router.add_get("/cached", cached)
    running = await serve(app, host="127.0.0.1", port=0)
    yield running
    await running.close()


@pytest.fixture
async def client(server: Running) -> AsyncIterator[aiohttp.ClientSession]:
    """A client of the server."""
    async with aiohttp.ClientSession(server.url) as session:
        yield session


async def test_health_is_ok_while_the_process_lives(client: aiohttp.ClientSession, parts: Parts) -> None:
    """Whatever else is missing."""
    parts.error = OSError()

    async with client.get("/health") as answer:
        assert (answer.status, await answer.json()) == (200, {"status": "ok"})


async def test_ready_when_every_part_is_there(client: aiohttp.ClientSession) -> None:
    """Each part says what it knows."""
    async with client.get("/ready") as answer:
        assert answer.status == 200
        assert await answer.json() == {
            "status": "ready",
            "missing": [],
            "parts": {
                "database": {"ok": True},
                "gateway": {
                    "ok": True,
                    "shards": {"0": "connected"},
                    "tags": ["a", "b"],
                    "since": "00000000-0000-0000-0000-000000000001",
                },
            },
        }


async def test_not_ready_says_what_is_missing(client: aiohttp.ClientSession, parts: Parts) -> None:
    """By the part's name."""
    parts.parts["commands"] = Part(ok=False, detail={"error": "not registered yet"})

    async with client.get("/ready") as answer:
        said = await answer.json()
        assert (answer.status, said["status"], said["missing"]) == (503, "not ready", ["commands"])
        assert said["parts"]["commands"] == {"ok": False, "error": "not registered yet"}


@pytest.mark.parametrize(
    ("error", "hangs", "name"), [(OSError("secret"), False, "OSError"), (None, True, "TimeoutError")]
)
async def test_parts_that_cannot_say_are_not_ready(
    client: aiohttp.ClientSession, parts: Parts, error: Exception | None, name: str, *, hangs: bool
) -> None:
    """A probe gets its answer in time, and no more than the kind of trouble."""
    parts.error, parts.hangs = error, hangs

    with capture_logs() as logs:
        async with client.get("/ready") as answer:
            assert answer.status == 503
            assert (await answer.json())["parts"] == {"readiness": {"ok": False, "error": name}}

    assert logs[0]["event"] == "web.readiness_unknown"


async def test_metrics_are_counted_by_template(client: aiohttp.ClientSession) -> None:
    """Neither paths nor odd methods make new series."""
    for path in ("/health", "/nowhere", "/else"):
        await client.get(path)
    await client.get("/away/1", allow_redirects=False)
    await client.get("/away/2", allow_redirects=False)
    await client.request("PROPFIND", "/health")

    async with client.get("/metrics") as answer:
        assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        families = text_string_to_metric_families(await answer.text())

    assert {
        tuple(sample.labels.values()): sample.value
        for family in families
        for sample in family.samples
        if sample.name == "clipsaver_http_requests_total"
    } == {
        ("GET", "/health", "200"): 1,
        ("GET", "unknown", "404"): 2,
        ("GET", "/away/{place}", "302"): 2,
        ("other", "unknown", "405"): 1,
    }


@pytest.mark.parametrize("path", ["/health", "/ready", "/metrics"])
async def test_head_is_answered(client: aiohttp.ClientSession, path: str) -> None:
    """Some probes ask like that."""
    async with client.head(path) as answer:
        assert (answer.status, await answer.read()) == (200, b"")


async def test_an_unknown_path_is_json(client: aiohttp.ClientSession) -> None:
    """And nothing of the path is repeated."""
    async with client.get("/nowhere") as answer:
        assert (answer.status, answer.content_type, await answer.json()) == (
            404,
            "application/json",
            {"error": "Not Found"},
        )


async def test_a_wrong_method_is_json(client: aiohttp.ClientSession) -> None:
    """It says which ones there are."""
    async with client.post("/health") as answer:
        assert (answer.status, answer.headers["Allow"]) == (405, "GET,HEAD")
        assert await answer.json() == {"error": "Method Not Allowed"}


async def test_an_error_has_a_reference_and_nothing_else(client: aiohttp.ClientSession) -> None:
    """The log has the rest."""
    with capture_logs() as logs:
        async with client.get("/broken") as answer:
            said = await answer.json()

    (line,) = [line for line in logs if line["event"] == "web.failed"]
    assert (answer.status, said) == (500, {"error": "Something went wrong.", "reference": line["reference"]})
    assert line["route"] == "/broken"


@pytest.mark.parametrize("path", ["/health", "/nowhere", "/broken", "/away/1"])
async def test_every_answer_has_its_headers(client: aiohttp.ClientSession, path: str) -> None:
    """Errors and redirects too."""
    async with client.get(path, allow_redirects=False) as answer:
        assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS
        assert answer.headers["Server"] == "clipsaver"


async def test_an_answer_may_have_headers_of_its_own(client: aiohttp.ClientSession) -> None:
    """What it says itself counts."""
    async with client.get("/cached") as answer:
        assert answer.headers["Cache-Control"] == "max-age=60"


async def test_answers_are_logged_for_those_who_look_closely(client: aiohttp.ClientSession) -> None:
    """With the template, since a path may hold what nobody should read."""
    with capture_logs() as logs:
        await client.get("/away/secret?code=secret", allow_redirects=False)

    (line,) = logs
    assert (line["event"], line["log_level"], line["method"], line["route"], line["status"]) == (
        "web.answered",
        "debug",
        "GET",
        "/away/{place}",
        302,
    )


async def test_a_port_that_is_taken_is_said(server: Running) -> None:
    """In one sentence, with the port."""
    with pytest.raises(StartFailed, match=rf"^Port {server.port} on 127\.0\.0\.1 is taken"):
        await serve(create_app(Parts().readiness, Metrics()), host="127.0.0.1", port=server.port)


async def test_an_address_of_another_machine_is_said() -> None:
    """It can't be listened on."""
    with pytest.raises(StartFailed, match=r"^web\.host is 192\.0\.2\.1, which is no address of this machine\.$"):
        await serve(create_app(Parts().readiness, Metrics()), host="192.0.2.1", port=0)


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (OSError(errno.EACCES, "denied"), "Port 80 may not be used by this user: set web.port to one above 1023."),
        (socket.gaierror(), "web.host is h, which is no address of this machine."),
        (OSError(errno.EMFILE, "Too many"), "The HTTP server can't listen on h, port 80: Too many."),
        (OSError(), "The HTTP server can't listen on h, port 80: OSError."),
    ],
)
def test_whatever_keeps_it_from_listening_is_a_sentence(error: OSError, sentence: str) -> None:
    """Which an operator can act on."""
    assert _why(error, "h", 80) == sentence


async def test_ipv6_addresses_are_written_in_brackets() -> None:
    """As in any address."""
    running: Any = Running(host="::1", port=8000, runner=None)  # type: ignore[arg-type]

    assert running.url == "http://[::1]:8000"


async def test_a_client_that_goes_is_counted_too(server: Running, parts: Parts) -> None:
    """Closing does not wait for what hangs."""
    parts.hangs = True
    _, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b"GET /ready HTTP/1.1\r\nHost: x\r\n\r\n")
    await writer.drain()
    writer.close()
    await writer.wait_closed()
