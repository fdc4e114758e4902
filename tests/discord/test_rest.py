"""The one way to Discord: what it sends, what it tries again, what it refuses to ask."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest
from structlog.testing import capture_logs

from clipsaver.discord import lanes, limits, pacing, transport
from clipsaver.discord.rest import (
    BadRequest,
    Forbidden,
    NotFound,
    Priority,
    Refused,
    Rest,
    Route,
    Unauthorized,
    Unavailable,
)
from tests.discord.servers import Handler, Server, one_by_one, reset, say, serve, stay_silent, truncate

TOKEN = "made.up.token"
PAGE = Route("GET", "/channels/{channel_id}/messages", channel_id=2)
POST = Route("POST", "/channels/{channel_id}/messages", channel_id=2)
Connect = Callable[..., AbstractAsyncContextManager[tuple[Rest, Server]]]


@asynccontextmanager
async def connect(handler: Handler, **options: Any) -> AsyncIterator[tuple[Rest, Server]]:
    """A client, and the server that answers it."""
    async with serve(handler) as server, Rest(token=TOKEN, url=server.url, **({"pause": 0.001} | options)) as rest:
        yield rest, server


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The least waits after refusals are milliseconds."""
    monkeypatch.setattr(limits, "FIRST_PENALTY", 0.001)
    monkeypatch.setattr(limits, "LONGEST_PENALTY", 0.01)
    monkeypatch.setattr(limits, "MARGIN", 0.001)


async def test_a_request_as_discord_wants_it() -> None:
    """Token, user agent, reason, parameters and body are sent as documented."""
    async with connect(say({"id": "1"}, Date="Thu, 01 Jan 2026 12:00:00 GMT")) as (rest, server):
        answer = await rest.request(POST, params={"wait": 1}, body={"content": "é"}, reason="why é")
    (asked,) = server.asked
    assert (asked.method, asked.path) == ("POST", "/api/v10/channels/2/messages")
    assert asked.query == {"wait": "1"}
    assert asked.body == {"content": "é"}
    assert asked.headers["Authorization"] == f"Bot {TOKEN}"
    assert asked.headers["User-Agent"].startswith("DiscordBot (https://")
    assert asked.headers["X-Audit-Log-Reason"] == "why %C3%A9"
    assert (answer.status, answer.body) == (200, {"id": "1"})
    assert answer.date == answer.moment == datetime(2026, 1, 1, 12, tzinfo=UTC)


async def test_no_content_is_an_answer() -> None:
    """204 has no body; a missing clock is ours, less a margin."""
    async with connect(say(status=204, Date="never")) as (rest, _):
        answer = await rest.request(Route("DELETE", "/channels/{channel_id}", channel_id=2))
    assert (answer.status, answer.body, answer.date) == (204, None, None)
    assert answer.moment < datetime.now(UTC) - timedelta(minutes=4)


@pytest.mark.parametrize(
    "trouble",
    [
        say(b"<html>", 502),
        say({"message": "x"}, 500),
        say(None, 503, Retry_After="0.01"),
        say(None, 408),
        say(None, 302, Location="https://elsewhere.example/"),
        say(b"<html>"),
        say(b'{"id": '),
        truncate,
        reset,
        say([]),
    ],
)
async def test_trouble_passes(trouble: Handler) -> None:
    """What is broken once is asked for again."""
    async with connect(one_by_one([trouble, trouble, say({"id": "1"})])) as (rest, server):
        answer = await rest.request(PAGE, check=lambda body: isinstance(body, dict))
    assert answer.body == {"id": "1"}
    assert len(server.asked) == 3


@pytest.mark.parametrize("trouble", [say(None, 500), truncate, say(b"x" * 200)])
async def test_trouble_that_stays_is_an_error(trouble: Handler, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a bounded number of tries it is said, and it may work later."""
    monkeypatch.setattr(transport, "LARGEST", 100)
    async with connect(trouble) as (rest, server):
        rest._transport.largest = 100
        with pytest.raises(Unavailable) as caught:
            await rest.request(PAGE)
    assert len(server.asked) == 5
    assert not caught.value.permanent


async def test_silence_is_bounded() -> None:
    """A server that never answers is given up on."""
    async with connect(stay_silent, timeout=aiohttp.ClientTimeout(total=0.05)) as (rest, server):
        with pytest.raises(Unavailable, match="5 times"):
            await rest.request(PAGE)
        # A try may be given up before the server has seen it.
        assert rest.stats.requests["GET", "/channels/{channel_id}/messages", 0] == 5
    assert len(server.asked) <= 5


async def test_nobody_there() -> None:
    """A closed port is trouble like any other, and nothing was sent: even a message may be tried again."""
    async with serve(say()) as server:
        url = server.url
    async with Rest(token=TOKEN, url=url, pause=0.001) as rest:
        with pytest.raises(Unavailable, match="5 times"):
            await rest.request(POST, body={})
        assert rest.stats.requests["POST", "/channels/{channel_id}/messages", 0] == 5


@pytest.mark.parametrize("trouble", [say(None, 500), truncate, reset])
async def test_a_message_is_not_sent_twice(trouble: Handler) -> None:
    """What may have been done is not asked for again, unless that does no harm."""
    async with connect(one_by_one([trouble, say({"id": "1"})])) as (rest, server):
        with pytest.raises(Unavailable, match="did not say whether"):
            await rest.request(POST, body={})
        assert len(server.asked) == 1
    async with connect(one_by_one([trouble, say({"id": "1"})])) as (rest, _):
        assert (await rest.request(POST, body={}, repeatable=True)).body == {"id": "1"}


@pytest.mark.parametrize(
    ("status", "body", "kind", "sentence"),
    [
        (403, {"code": 50001, "message": "secret"}, Forbidden, "The bot has no access there."),
        (403, b"<html>", Forbidden, "Discord says the bot is not allowed to do that."),
        (404, {"code": 10003}, NotFound, "That channel is not there any more."),
        (400, {"code": 50035, "errors": {"content": "secret"}}, BadRequest, "Discord did not accept what was sent."),
        (405, {"code": True}, BadRequest, "Discord refused it (405)."),
    ],
)
async def test_a_no_is_a_no(status: int, body: Any, kind: type[Refused], sentence: str) -> None:
    """A refusal is not asked again; its sentence is ours, its code Discord's."""
    async with connect(say(body, status)) as (rest, server):
        with pytest.raises(kind) as caught:
            await rest.request(PAGE)
        assert rest.stats.invalid == (status == 403)
    assert len(server.asked) == 1
    assert str(caught.value) == sentence
    assert caught.value.permanent
    assert caught.value.code == (body.get("code") if isinstance(body, dict) and body["code"] is not True else 0)


async def test_a_dead_token_ends_everything() -> None:
    """After a 401 the network is not touched any more, and whoever waits is sent home."""
    gate = asyncio.Event()

    async def refuse(_: Any) -> Any:
        await gate.wait()
        return say({"message": "401: Unauthorized"}, 401)(_)

    async with connect(refuse) as (rest, server):
        assert rest.halted is None
        asking = [asyncio.create_task(rest.request(PAGE)) for _ in range(3)]
        await server.asked_for()
        gate.set()
        results = await asyncio.gather(*asking, return_exceptions=True)
        assert all(isinstance(result, Unauthorized) for result in results)
        with pytest.raises(Unauthorized):
            await rest.request(PAGE, priority=Priority.PEOPLE)
        assert len(server.asked) == 1
        assert rest.halted == "Discord does not accept the bot token any more."


@pytest.mark.parametrize(
    ("body", "headers", "scope", "invalid"),
    [
        ({"retry_after": 0.02, "global": False}, {"X_RateLimit_Scope": "user", "X_RateLimit_Bucket": "b"}, "user", 1),
        ({"retry_after": 0.02, "global": True}, {"X_RateLimit_Global": "true"}, "global", 1),
        ({"retry_after": 0.02}, {"X_RateLimit_Scope": "shared", "Retry_After": "0.03"}, "shared", 0),
        ({}, {}, "user", 1),
        (b"<html>", {"Retry_After": "0.02"}, "global", 1),
        (None, {}, "global", 1),
        ({}, {"X_RateLimit_Reset_After": "0", "X_RateLimit_Remaining": "0", "X_RateLimit_Limit": "5"}, "user", 1),
    ],
)
async def test_every_429_is_obeyed(body: Any, headers: dict[str, str], scope: str, invalid: int) -> None:
    """Whatever a 429 looks like, the request waits and goes on, and the scope is counted."""
    async with connect(one_by_one([say(body, 429, **headers), say([])])) as (rest, server):
        assert (await rest.request(PAGE)).body == []
        assert rest.stats.throttled == {scope: 1}
        assert rest.stats.invalid == invalid
    asked = float(headers.get("Retry_After") or (body.get("retry_after") if isinstance(body, dict) else 0) or 0)
    assert server.asked[1].at - server.asked[0].at >= max(asked, 0.001)


@pytest.mark.parametrize("endless", [say({}, 429), say(b"<html>", 429), say({"retry_after": 0}, 429, Retry_After="0")])
async def test_429s_without_end_are_bounded(endless: Handler) -> None:
    """A server that refuses for ever is asked a bounded number of times."""
    async with connect(endless) as (rest, server):
        with pytest.raises(Unavailable):
            await rest.request(PAGE)
    assert len(server.asked) == 8


async def test_a_global_429_holds_everyone_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other channels wait, too."""
    monkeypatch.setattr(pacing, "WORTH_TELLING", 0.0)
    other = Route("GET", "/channels/{channel_id}/messages", channel_id=3)
    refusal = say({"retry_after": 0.05, "global": True}, 429, X_RateLimit_Scope="global")
    async with connect(one_by_one([refusal, say([])])) as (rest, server):
        told = asyncio.Event()
        first = asyncio.create_task(rest.request(PAGE, on_wait=lambda _: told.set()))
        await told.wait()
        await rest.request(other)
        await first
    assert server.asked[1].at - server.asked[0].at >= 0.05


async def test_an_hour_is_told_and_obeyed() -> None:
    """A scan waits and says until when; a person is told at once."""
    told: list[datetime | None] = []
    waiting = asyncio.Event()

    def on_wait(until: datetime | None) -> None:
        told.append(until)
        waiting.set()

    async with connect(say({"retry_after": 3600}, 429, X_RateLimit_Scope="user")) as (rest, server):
        scan = asyncio.create_task(rest.request(PAGE, on_wait=on_wait))
        await waiting.wait()
        assert told[0] is not None
        assert timedelta(minutes=59) < told[0] - datetime.now(UTC) < timedelta(minutes=61)
        with pytest.raises(Unavailable, match="asks to wait until"):
            await rest.request(PAGE, priority=Priority.PEOPLE)
        scan.cancel()
        await asyncio.gather(scan, return_exceptions=True)
        assert told[-1] is None
        assert len(server.asked) == 1


async def test_trouble_is_told_when_it_takes_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses between tries are told like other waits."""
    monkeypatch.setattr("clipsaver.discord.rest.WORTH_TELLING", 0.0)
    told: list[datetime | None] = []
    async with connect(one_by_one([say(None, 500), say([])])) as (rest, _):
        await rest.request(PAGE, on_wait=told.append)
    assert told[0] is not None
    assert told[1:] == [None]


async def test_buckets_are_learned() -> None:
    """A route's bucket, once named, is obeyed per channel, also by another route that shares it."""
    headers: dict[str, Any] = {"X_RateLimit_Bucket": "b", "X_RateLimit_Limit": 1, "X_RateLimit_Remaining": 0}
    other = Route("GET", "/channels/{channel_id}/pins", channel_id=2)
    minutes, moment = say([], X_RateLimit_Reset_After=600, **headers), say([], X_RateLimit_Reset_After=0.1, **headers)
    later = 0.0
    answers = one_by_one([minutes, minutes, moment])
    async with connect(answers, clock=lambda: time.monotonic() + later) as (rest, server):
        await rest.request(PAGE)
        async with asyncio.timeout(60):
            await rest.request(Route("GET", "/channels/{channel_id}/messages", channel_id=3))
        later = 700.0
        await rest.request(other)
        await rest.request(other)
        await rest.request(PAGE)
    assert server.asked[3].at - server.asked[2].at >= 0.1
    assert server.asked[4].at - server.asked[3].at >= 0.1


async def test_people_go_before_scans() -> None:
    """In a bucket that is full, a person who comes last is served first."""
    gate = asyncio.Event()

    async def handle(request: Any) -> Any:
        await gate.wait()
        return say([])(request)

    async with connect(handle) as (rest, server):
        scans = [asyncio.create_task(rest.request(PAGE, params={"n": n})) for n in range(3)]
        await server.asked_for()
        person = asyncio.create_task(rest.request(PAGE, params={"n": 9}, priority=Priority.PEOPLE))
        await asyncio.sleep(0)
        gate.set()
        await asyncio.gather(*scans, person)
    assert [asked.query["n"] for asked in server.asked] == ["0", "9", "1", "2"]


async def test_a_cancelled_request_strands_nothing() -> None:
    """Whether it was waiting, granted or sent: the next one gets its turn."""
    async with connect(one_by_one([stay_silent, say([])])) as (rest, server):
        sent = asyncio.create_task(rest.request(PAGE))
        await server.asked_for()
        waiting = asyncio.create_task(rest.request(PAGE))
        last = asyncio.create_task(rest.request(PAGE))
        await asyncio.sleep(0)
        waiting.cancel()
        sent.cancel()
        assert (await last).body == []
        for ticks in range(6):
            task = asyncio.create_task(rest.request(PAGE))
            for _ in range(ticks):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        assert (await rest.request(PAGE)).body == []


async def test_a_fault_of_ours_sends_everyone_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for ever for a turn that never comes."""
    async with connect(stay_silent) as (rest, server):
        first = asyncio.create_task(rest.request(PAGE))
        await server.asked_for()
        monkeypatch.setattr(pacing.Pacer, "_choose", lambda *_: 1 / 0)
        with capture_logs() as logs, pytest.raises(Unavailable, match="Something went wrong here"):
            await rest.request(PAGE)
        assert {"discord.pacing_failed"} == {entry["event"] for entry in logs}
        monkeypatch.undo()
        first.cancel()


async def test_closing_sends_everyone_home() -> None:
    """Who waits when the program stops gets an error, not silence; afterwards nothing is sent."""
    async with connect(stay_silent) as (rest, server):
        first = asyncio.create_task(rest.request(PAGE))
        await server.asked_for()
        second = asyncio.create_task(rest.request(PAGE))
        await asyncio.sleep(0)
        await rest.__aexit__()
        with pytest.raises(Unavailable, match="stopping"):
            await second
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        await rest.__aexit__()
        with pytest.raises(RuntimeError, match="outside"):
            await rest._transport.exchange(PAGE, params=None, body=None, reason=None)


async def test_what_is_idle_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Channels of long ago take no memory."""
    monkeypatch.setattr(lanes, "MOST", 3)
    now = time.monotonic()
    async with connect(say([])) as (rest, _):
        rest._pacer.clock = lambda: now
        for channel in range(10):
            now += 100
            await rest.request(Route("GET", "/channels/{channel_id}/messages", channel_id=channel))
        assert len(rest._pacer.lanes._buckets) <= 4
        assert len(rest._pacer.lanes._lanes) <= 4


async def test_nothing_secret_is_said() -> None:
    """Neither errors nor logs nor reprs hold the token, ids in paths, or what people wrote."""
    hook = Route("POST", "/webhooks/{webhook_id}/{token}", webhook_id=5, token="secret-hook")
    with capture_logs() as logs:
        async with connect(one_by_one([say({"retry_after": 0}, 429), say({"message": "secret"}, 400)])) as (rest, _):
            with pytest.raises(BadRequest) as caught:
                await rest.request(hook, body={"content": "secret words"})
            said = f"{rest!r} {rest._transport!r} {caught.value!r} {caught.value} {logs}"
    assert "secret" not in said
    assert TOKEN not in said
    assert hook.path == "/webhooks/5/secret-hook"
    assert hook.major == "webhook_id=5"


async def test_latencies_are_counted() -> None:
    """Requests, statuses and latencies are there for metrics."""
    async with connect(say([])) as (rest, _):
        await rest.request(PAGE)
        assert rest.stats.requests == {("GET", "/channels/{channel_id}/messages", 200): 1}
        assert sum(rest.stats.latency) == 1
        assert rest.stats.latency_sum > 0


def test_an_agent_without_an_installation(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run from a checkout there may be no version; the name stays well formed."""
    monkeypatch.setattr(transport, "version", lambda _: "1.2")
    assert transport.user_agent().endswith(", 1.2)")
