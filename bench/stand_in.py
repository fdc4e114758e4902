"""A Discord in a process of its own: pages from memory, the rest from the simulator; limits, latency, people.

What it is to hold is the command line's JSON. The first line it prints says where it is; then it answers questions, a
line of JSON each on standard input, until that ends. All moments are ``time.monotonic()``, which processes share.
"""

import asyncio
import sys
import time
from collections.abc import Mapping, Sequence
from email.utils import formatdate
from typing import Any, Final
from urllib.parse import parse_qs

import orjson
from attrs import asdict, define, field, frozen

from bench.endless import API, Endless
from bench.stalls import Moments, watch_own_loop
from clipsaver.simulator.entities import TEXT, Overwrite, Role
from clipsaver.simulator.limits import Limits, Window
from clipsaver.simulator.person import Person
from clipsaver.simulator.server import HOST, Simulator
from clipsaver.simulator.world import World

PAGE: Final = b"GET " + API.encode() + b"/channels/"
MESSAGES: Final = "/channels/{channel_id}/messages"
CALLBACK: Final = b"POST " + API.encode() + b"/interactions/"
METHODS: Final = frozenset({b"GET", b"POST", b"PUT", b"PATCH", b"DELETE"})
ROOT: Final = API.encode() + b"/"
EXEMPT: Final = (ROOT + b"webhooks/", ROOT + b"interactions/")
REFUSED: Final = b"HTTP/1.1 429 "
END: Final = b"\r\n\r\n"
LOOK: Final = 0.002


@frozen(kw_only=True)
class Held:
    """What there is, and how it is served."""

    guilds: int = 1
    channels: int = 1
    """In each guild."""
    lengths: Sequence[int] = (10**9,)
    """Messages of the channels, in turn; the last is also that of all further ones."""
    window: Window | None = None
    """None: no limits."""
    latency: float = 0.0
    """Seconds from a request to its answer, half of them on either way."""
    roles: int = 0
    """More roles in each guild."""
    overwrites: int = 0
    """Overwrites of each channel."""
    origin: str | None = None
    """Where the pages' files are; None: where Discord's are."""
    file_size: int | None = None
    """Bytes of each of them; None: each as it was drawn."""

    def told(self) -> str:
        """All of it, for another process's command line."""
        return orjson.dumps(asdict(self)).decode()

    def world(self) -> World:
        """Draw the world; the pasts are not in it."""
        world = World.from_seed(7, guilds=self.guilds, channels=self.channels, messages=0)
        for guild in world.guilds.values():
            more = [world.new_id() for _ in range(self.roles)]
            guild.roles.update({one: Role(id=one, name=f"role {one % 1000}", position=4) for one in more})
            for channel in world.channels_of(guild.id) if more else ():
                channel.topic = "Clips of last week's games only; everything else belongs into the other channels."
                allowed = [Overwrite(id=one, type=0, allow=1 << 11) for one in more[: self.overwrites]]
                channel.overwrites.update({one.id: one for one in allowed})
        return world


@define
class Seen:
    """What was asked, and when."""

    pages: list[tuple[float, int]] = field(factory=list)
    """When a page was answered, and of which channel."""
    asked: float | None = None
    """When the first request about a channel or a guild came."""
    callbacks: dict[str, float] = field(factory=dict)
    """When an interaction's first answer came."""
    requests: int = 0
    counted: list[float] = field(factory=list)
    """When there was a request that the limit for all requests counts, let through or refused."""
    refused: list[float] = field(factory=list)
    """When anything was refused."""
    stalls: Moments = field(factory=list)


@define
class Front:
    """Everything the connections share."""

    endless: Endless
    simulator: Simulator
    limits: Limits | None
    latency: float
    seen: Seen = field(factory=Seen)
    _date: tuple[int, bytes] = field(default=(0, b""), init=False)

    def page(self, head: bytes) -> bytes:
        """Answer Get Channel Messages, or refuse it."""
        target = head.split(b" ", 2)[1].decode("ascii")
        path, _, query = target.partition("?")
        channel = path.removeprefix(API).split("/")[2]
        headers: Mapping[str, str] = {}
        if self.limits is not None:
            self.seen.counted.append(time.monotonic())
            verdict = self.limits.take(self.simulator.token, "GET", MESSAGES, {"channel_id": channel})
            headers = verdict.headers
            if verdict.retry_after is not None:
                self.seen.refused.append(time.monotonic())
                return self._response(b"429 Too Many Requests", orjson.dumps(verdict.body), headers)
        _, body = self.endless.page(int(channel), parse_qs(query))
        self.seen.pages.append((time.monotonic(), int(channel)))
        return self._response(b"200 OK", body, headers)

    def note(self, data: bytes) -> None:
        """Remember a request that is passed on."""
        now = time.monotonic()
        if data.startswith(CALLBACK):
            self.seen.callbacks.setdefault(data[len(CALLBACK) :].split(b"/", 1)[0].decode(), now)
        if self.limits is not None and counts(data):
            self.seen.counted.append(now)
        about = data[:200].split(b" ", 2)[1:2]
        if (
            self.seen.asked is None
            and about
            and about[0].startswith(((API + "/channels").encode(), (API + "/guilds").encode()))
        ):
            self.seen.asked = now

    def _response(self, status: bytes, body: bytes, headers: Mapping[str, str]) -> bytes:
        second = int(time.time())
        if self._date[0] != second:
            self._date = (second, formatdate(second, usegmt=True).encode())
        more = "".join(f"{name}: {value}\r\n" for name, value in headers.items()).encode()
        head = b"HTTP/1.1 %b\r\nDate: %b\r\n%bContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        return head % (status, self._date[1], more, len(body)) + body


def counts(data: bytes) -> bool:
    """Whether this begins a request that the limit for all requests counts; Discord: interactions are not bound to it.

    What follows a request's head in a piece of its own is no request.
    """
    method, _, rest = data[:200].partition(b" ")
    return method in METHODS and rest.startswith(ROOT) and not rest.startswith(EXEMPT)


@define(eq=False)
class Upstream(asyncio.Protocol):
    """The simulator's side of a connection."""

    front: Front
    down: asyncio.Transport

    def data_received(self, data: bytes) -> None:
        """Pass an answer on."""
        if data.startswith(REFUSED):
            self.front.seen.refused.append(time.monotonic())
        asyncio.get_running_loop().call_later(self.front.latency / 2, self.down.write, data)

    def connection_lost(self, _: Exception | None) -> None:
        """End the client's side too."""
        asyncio.get_running_loop().call_later(self.front.latency / 2, self.down.close)


@define(eq=False)
class Connection(asyncio.Protocol):
    """A client's side: requests come one at a time, each after the answer to the one before."""

    front: Front
    _down: asyncio.Transport | None = field(default=None, init=False)
    _up: "asyncio.Task[asyncio.Transport] | None" = field(default=None, init=False)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        if isinstance(transport, asyncio.Transport):
            self._down = transport

    def data_received(self, data: bytes) -> None:
        """Take a request after half of the latency."""
        half = self.front.latency / 2
        if half:
            asyncio.get_running_loop().call_later(half, self._take, data)
        else:
            self._take(data)

    def connection_lost(self, _: Exception | None) -> None:
        """End the simulator's side too."""
        if self._up is not None:
            self._up.add_done_callback(_close)

    def _take(self, data: bytes) -> None:
        if self._down is None or self._down.is_closing():
            return
        head = data.partition(b"\r\n")[0]
        self.front.seen.requests += 1
        if data.startswith(PAGE) and b"/messages?" in head and data.endswith(END):
            answer = self.front.page(head)
            asyncio.get_running_loop().call_later(self.front.latency / 2, self._down.write, answer)
            return
        self.front.note(data)
        if self._up is None:
            self._up = asyncio.create_task(self._connect(self._down))
        self._up.add_done_callback(lambda up: None if up.cancelled() or up.exception() else up.result().write(data))

    async def _connect(self, down: asyncio.Transport) -> asyncio.Transport:
        port = int(self.front.simulator.rest_url.rpartition(":")[2].partition("/")[0])
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_connection(lambda: Upstream(self.front, down), HOST, port)
        return transport


def _close(up: "asyncio.Task[asyncio.Transport]") -> None:
    if not up.cancelled() and up.exception() is None:
        up.result().close()


@define
class Desk:
    """Answers the questions of whoever started us."""

    front: Front
    logins: list[float] = field(factory=list)

    async def answer(self, question: Mapping[str, Any]) -> Any:
        """Answer one."""
        front = self.front
        match question["ask"]:
            case "reset":
                front.seen = Seen(stalls=front.seen.stalls)
                self.logins.clear()
                return {}
            case "seen":
                throttled = {} if front.limits is None else dict(front.limits.throttled)
                seen = front.seen
                told = {"refused": seen.refused, "stalls": seen.stalls, "throttled": throttled}
                told["counted"] = seen.counted
                return {"pages": seen.pages, "asked": seen.asked, "logins": self.logins, **told}
            case "talk":
                return await self.talk(question["lines"], question["times"], question["every"])
        raise ValueError(question)

    async def talk(self, lines: Sequence[str], times: int, every: float) -> dict[str, Any]:
        """Use commands, one every so many seconds, answered or not; the milliseconds to each answer."""
        world = self.front.simulator.world
        guild_id = min(world.guilds)
        moderator = Person(self.front.simulator, world.moderator_of(guild_id), patience=10.0)
        (channel_id, *_) = texts(world)
        taken: dict[str, list[float]] = {line: [] for line in lines}
        failed = 0

        async def use(line: str) -> None:
            nonlocal failed
            begun = time.monotonic()
            reply = await moderator.run(line, in_channel=channel_id)
            came = self.front.seen.callbacks.get(str(reply.interaction.id))
            if came is None or not reply.answered:
                failed += 1
            else:
                taken[line].append((came - begun) * 1_000)

        async with asyncio.TaskGroup() as group:
            for at in range(times):
                group.create_task(use(lines[at % len(lines)]))
                await asyncio.sleep(every)
        return {"ms": taken, "failed": failed}

    async def look(self) -> None:
        """Remember when gateway sessions began."""
        known: set[str] = set()
        while True:
            for session in set(self.front.simulator.gateway.sessions) - known:
                known.add(session)
                self.logins.append(time.monotonic())
            await asyncio.sleep(LOOK)


def texts(world: World) -> list[int]:
    """List the channels that have pages."""
    return sorted(channel.id for channel in world.channels.values() if channel.type == TEXT)


async def questions() -> asyncio.StreamReader:
    """Standard input, line by line."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    return reader


async def serve(held: Held) -> None:
    """Serve until standard input ends."""
    world = held.world()
    limits = None if held.window is None else Limits(window=held.window)
    channels = texts(world)
    many = len(held.lengths)
    lengths = {one: held.lengths[min(at, many - 1)] for at, one in enumerate(channels)}
    endless = Endless.of(lengths, origin=held.origin, file_size=held.file_size)
    loop = asyncio.get_running_loop()
    async with Simulator(world, rate_limits=limits) as simulator:
        desk = Desk(Front(endless, simulator, limits, held.latency))
        watching = [asyncio.create_task(one) for one in (desk.look(), watch_own_loop(desk.front.seen.stalls))]
        server = await loop.create_server(lambda: Connection(desk.front), HOST, 0, backlog=1024)
        told = {
            "url": f"http://{HOST}:{server.sockets[0].getsockname()[1]}{API}",
            "token": world.token,
            "guild": min(world.guilds),
            "channels": channels,
            "messages": 0,
            "clips": 0,
            "guilds": [(one, world.channels[one].guild_id) for one in channels],
        }
        print(orjson.dumps(told).decode(), flush=True)
        reader = await questions()
        while line := await reader.readline():
            print(orjson.dumps(await desk.answer(orjson.loads(line))).decode(), flush=True)
        for one in watching:
            one.cancel()
        server.close()


if __name__ == "__main__":
    asyncio.run(serve(Held(**orjson.loads(sys.argv[1]))))
