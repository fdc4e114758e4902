"""What happens to a request on its way through the simulator."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest

from clipsaver.simulator.entities import Channel
from clipsaver.simulator.faults import Faults
from clipsaver.simulator.limits import Limits
from clipsaver.simulator.recording import Recording
from clipsaver.simulator.server import Simulator
from clipsaver.simulator.world import World
from tests.fixtures.discord import StartSimulator, exchanges
from tests.simulator.client import Client
from tests.simulator.conftest import named

PAGE = "GET /channels/*/messages"


@pytest.fixture
def path(clips: Channel) -> str:
    """A page's path."""
    return f"/channels/{clips.id}/messages"


@pytest.mark.parametrize("header", ["", "Bot wrong", "Bearer x", "no"])
async def test_without_a_valid_token_there_is_a_401(client: Client, simulator: Simulator, header: str) -> None:
    """Discord's body, and it counts as invalid."""
    answer = await client.get("/users/@me", headers={"Authorization": header})
    assert (answer.status, answer.body) == (401, {"message": "401: Unauthorized", "code": 0})
    assert simulator.stats.invalid == 1


async def test_without_a_user_agent_cloudflare_answers(client: Client) -> None:
    """HTML, not Discord's JSON."""
    answer = await client.get("/users/@me", headers={"User-Agent": ""})
    assert answer.status == 403
    assert answer.headers["Content-Type"].startswith("text/html")


async def test_what_is_not_there_is_said_in_discords_words(client: Client, simulator: Simulator) -> None:
    """Unknown routes, wrong methods, other versions of the API."""
    assert (await client.get("/nowhere")).body == {"message": "404: Not Found", "code": 0}
    wrong = await client.ask("DELETE", "/users/@me")
    assert (wrong.status, wrong.body["message"]) == (405, "405: Method Not Allowed")
    other = simulator.rest_url.replace("v10", "v3")
    assert (await client.get(other + "/users/@me")).code == 50041
    outside = await client.get(simulator.cdn_origin + "/nowhere")
    assert outside.status == 404


async def test_answers_carry_the_worlds_date(client: Client, world: World) -> None:
    """Horizons are fixed from it."""
    world.clock = lambda: 1_760_000_000.7
    first = await client.get("/users/@me")
    assert first.headers["Date"] == "Thu, 09 Oct 2025 08:53:20 GMT"
    world.clock = lambda: 1_760_000_001.2
    assert (await client.get("/users/@me")).headers["Date"] == "Thu, 09 Oct 2025 08:53:21 GMT"


async def test_limits_show_in_the_headers(simulate: StartSimulator) -> None:
    """And refuse with 429 what is too much; global ones are told as such."""
    simulator = await simulate(rate_limits=Limits(per_second=6))
    channel = named(simulator.world, "clips")
    async with Client(simulator) as client:
        answers = [await client.get(f"/channels/{channel.id}/messages") for _ in range(6)]
        assert [one.status for one in answers] == [200] * 5 + [429]
        assert answers[0].headers["X-RateLimit-Remaining"] == "4"
        assert answers[5].body["global"] is False
        refused = await client.get("/users/@me")
        assert refused.headers["X-RateLimit-Global"] == "true"
        callback = await client.post("/interactions/1/x/callback", json={})
        assert callback.status == 404
    assert simulator.stats.throttled == {"user": 1, "global": 1}
    assert simulator.stats.requests["GET /channels/{channel_id}/messages"] == 6
    assert simulator.stats.invalid == 2


async def test_errors_count_against_the_bucket(simulate: StartSimulator) -> None:
    """Refusals carry the limits' headers too."""
    simulator = await simulate(rate_limits=Limits())
    async with Client(simulator) as client:
        assert (await client.get("/channels/5/messages")).headers["X-RateLimit-Remaining"] == "4"


async def test_a_banned_address_hears_only_cloudflare(simulate: StartSimulator) -> None:
    """HTML and 429 without a word of Discord's; it counts no further."""
    simulator = await simulate(rate_limits=Limits(invalid_limit=3))
    async with Client(simulator) as client:
        for _ in range(3):
            await client.get("/users/@me", headers={"Authorization": ""})
        banned = await client.get("/users/@me")
        assert banned.status == 429
        assert "Via" not in banned.headers
        assert not any(name.startswith("X-RateLimit") for name in banned.headers)
        assert int(banned.headers["Retry-After"]) > 3000
        assert banned.headers["Content-Type"].startswith("text/html")


@pytest.mark.parametrize(
    ("kind", "options", "status", "body"),
    [
        ("status", {"status": 503}, 503, {"message": "503: Server Error", "code": 0}),
        ("unauthorized", {}, 401, {"message": "401: Unauthorized", "code": 0}),
        ("forbidden", {}, 403, {"message": "Missing Access", "code": 50001}),
        ("empty", {}, 200, []),
    ],
)
async def test_faults_answer_in_place_of_the_truth(
    client: Client, simulator: Simulator, path: str, kind: Any, options: dict[str, Any], status: int, body: Any
) -> None:
    """Once, as told."""
    simulator.faults.add(kind, PAGE, count=1, **options)
    answer = await client.get(path)
    assert (answer.status, answer.body) == (status, body)
    assert len((await client.get(path)).body) == 50


async def test_an_error_can_hide_what_happened(client: Client, simulator: Simulator, path: str) -> None:
    """The message is there, though the answer said otherwise: nonces are made for that."""
    body = {"content": "once", "nonce": "7", "enforce_nonce": True}
    simulator.faults.add("status", "POST /channels/*", count=1, status=502, takes_effect=True)
    assert (await client.post(path, json=body)).status == 502
    assert (await client.post(path, json=body)).status == 200
    assert [one["content"] for one in (await client.get(path)).body].count("once") == 1


async def test_a_fault_can_throttle_or_show_a_page(client: Client, simulator: Simulator, path: str) -> None:
    """429s that say little, of Discord's own or not, and HTML with status 200."""
    simulator.faults.add("throttle", PAGE, count=1, variant="bare")
    throttled = await client.get(path)
    assert throttled.status == 429
    assert "Retry-After" not in throttled.headers
    simulator.faults.add("throttle", PAGE, count=1, variant="html")
    page = await client.get(path)
    assert (page.status, page.headers["Retry-After"]) == (429, "1")
    assert page.body.startswith(b"<!DOCTYPE html>")
    simulator.faults.add("throttle", PAGE, count=1, variant="nothing")
    nothing = await client.get(path)
    assert (nothing.status, nothing.body) == (429, b"")
    simulator.faults.add("not_json", PAGE, count=1)
    page = await client.get(path)
    assert page.status == 200
    assert page.body.startswith(b"<!DOCTYPE html>")
    simulator.faults.add("page", PAGE, count=1, status=503)
    page = await client.get(path)
    assert page.status == 503
    assert page.body.startswith(b"<!DOCTYPE html>")


async def test_a_body_can_be_half_of_itself(client: Client, simulator: Simulator, path: str) -> None:
    """Nothing tells it but the JSON."""
    simulator.faults.add("half", PAGE, count=1)
    with pytest.raises(ValueError, match="Unterminated string"):
        await client.get(path)
    assert (await client.get(path)).status == 200


async def test_connections_break_and_bodies_end_early(client: Client, simulator: Simulator, path: str) -> None:
    """A client sees a reset, or a body shorter than announced."""
    # aiohttp's client asks once more by itself.
    simulator.faults.add("reset", PAGE, count=2)
    with pytest.raises(aiohttp.ClientConnectionError):
        await client.get(path)
    simulator.faults.add("truncate", PAGE, count=1)
    with pytest.raises(aiohttp.ClientPayloadError):
        await client.get(path)
    assert (await client.get(path)).status == 200


async def test_answers_come_late_or_falter(client: Client, simulator: Simulator, path: str) -> None:
    """A delay before the answer, or in the middle of its body; whole in the end."""
    simulator.faults.add("delay", PAGE, count=1, seconds=0.01)
    simulator.faults.add("stall", PAGE, count=1, seconds=0.01)
    assert len((await client.get(path)).body) == 50
    assert len((await client.get(path)).body) == 50
    simulator.faults.add("stall", PAGE, seconds=30)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await client.get(path)


async def test_bodies_are_spoiled_but_stay_json(client: Client, simulator: Simulator, path: str) -> None:
    """What has no body stays as it is."""
    simulator.faults.add("omit", PAGE, share=1, fields=frozenset({"content"}))
    assert not any("content" in one for one in (await client.get(path)).body)
    simulator.faults.clear()
    sent = await client.post(path, json={"content": "x"})
    simulator.faults.add("null")
    assert (await client.ask("DELETE", f"{path}/{sent.body['id']}")).status == 204


async def test_links_have_their_faults_too(client: Client, simulator: Simulator, clips: Channel) -> None:
    """The CDN can fail like anyone."""
    file = simulator.world.make_attachment(clips.id)
    url = simulator.cdn_origin + simulator.world.links.path(file)
    simulator.faults.add("status", "GET /attachments/*", count=1, status=502)
    assert (await client.get(url)).status == 502
    assert (await client.get(url)).status == 200


async def test_the_gateway_is_at_the_root(simulator: Simulator) -> None:
    """Its address has no path; the first thing it says is hello."""
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{simulator.gateway_url}/?v=10&encoding=json") as socket,
    ):
        hello = await socket.receive_json()
    assert hello["op"] == 10
    assert not simulator.stats.requests


async def test_latency_holds_every_answer_back(client: Client, simulator: Simulator) -> None:
    """And can be changed while it runs."""
    simulator.latency = 0.05
    loop = asyncio.get_running_loop()
    begun = loop.time()
    await client.get("/users/@me")
    assert loop.time() - begun >= 0.05
    assert simulator.latency == 0.05


def read(folder: Path) -> list[dict[str, Any]]:
    """What was recorded."""
    return [orjson.loads(line) for file in folder.iterdir() for line in file.read_bytes().splitlines()]


async def test_exchanges_are_recorded(simulate: StartSimulator, tmp_path: Path) -> None:
    """Method, path, query, bodies and status; spoiled ones are left out."""
    folder = tmp_path / "exchanges"
    world = World.from_seed(1, messages=5)
    channel = named(world, "clips")
    async with Simulator(world, record=folder) as simulator, Client(simulator) as client:
        path = f"/channels/{channel.id}/messages"
        await client.get(path, params={"limit": "2"})
        await client.post(path, json={"content": "x"})
        await client.post(path, data=b"x", headers={"Content-Type": "text/plain"})
        await client.get("/users/@me", headers={"User-Agent": ""})
        simulator.faults.add("status", count=1)
        await client.get(path)
    page, sent, refused, cloudflare = read(folder)
    assert {"method": "GET", "path": path, "query": {"limit": "2"}, "request": None, "status": 200} == {
        name: value for name, value in page.items() if name != "response"
    }
    assert len(page["response"]) == 2
    assert (sent["request"], sent["response"]["content"]) == ({"content": "x"}, "x")
    assert (refused["request"], refused["status"]) == (None, 400)
    assert (cloudflare["status"], cloudflare["response"]) == (403, None)


def test_records_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file has its size, a folder its number of files."""
    monkeypatch.setattr("clipsaver.simulator.recording.MOST_FILES", 2)
    recording = Recording(tmp_path, most_bytes=30)
    for number in range(5):
        recording.write({"number": number, "text": "x" * 10})
    recording.close()
    assert len(list(tmp_path.iterdir())) == 2
    assert {one["number"] for one in read(tmp_path)} == {0, 1}


@pytest.mark.parametrize("folder", [None, "somewhere"])
def test_the_environment_says_where_to_record(monkeypatch: pytest.MonkeyPatch, folder: str | None) -> None:
    """Nowhere without it."""
    monkeypatch.delenv("CLIPSAVER_EXCHANGES", raising=False)
    if folder:
        monkeypatch.setenv("CLIPSAVER_EXCHANGES", folder)
    assert exchanges() == (Path(folder) if folder else None)


async def test_a_simulator_that_never_began_ends_quietly() -> None:
    """Leaving twice or without entering hurts nobody."""
    simulator = Simulator(World.from_seed(1, messages=1), faults=Faults(3))
    await simulator.__aexit__(None, None, None)
    assert simulator.faults.seed == 3


def test_a_reset_needs_a_connection() -> None:
    """Where the other side has gone already there is nothing to break."""
    from clipsaver.simulator.breaking import reset  # noqa: PLC0415 - tested once, here

    class Gone:
        transport: Any = None

    class Pipe:
        aborted = False

        def get_extra_info(self, _name: str) -> None:
            """No socket behind it."""

        def abort(self) -> None:
            """Remember it."""
            self.aborted = True

    reset(Gone())  # type: ignore[arg-type]
    gone, pipe = Gone(), Pipe()
    gone.transport = pipe
    broken: Callable[[Any], None] = reset
    broken(gone)
    assert pipe.aborted
