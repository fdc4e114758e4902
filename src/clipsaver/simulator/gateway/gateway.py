"""The gateway of a world: who is connected, who hears what, and what a test may do to them."""

import asyncio
import secrets
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import partial
from typing import Any, Final

from aiohttp import web
from attrs import define, field

from clipsaver.simulator import payloads
from clipsaver.simulator.gateway import intents as bits
from clipsaver.simulator.gateway.connection import (
    HEARTBEAT,
    IDENTIFY,
    INVALID_SESSION,
    PATIENCE,
    RECONNECT,
    RESUME,
    Closing,
    Connection,
)
from clipsaver.simulator.gateway.disorder import Disorder, Event, Wrong
from clipsaver.simulator.gateway.identify import MOST_GUILDS, Identity, read_identify, read_resume
from clipsaver.simulator.gateway.requests import answer
from clipsaver.simulator.gateway.session import Session
from clipsaver.simulator.gateway.starts import Starts
from clipsaver.simulator.world import World

VERSION: Final = 10
ENDING: Final = frozenset({4003, 4004, 4007, 4009, 4010, 4011, 4012, 4013, 4014})
"""Close codes after which a session can't be resumed."""
MOST_SESSIONS: Final = 256


@define(kw_only=True, eq=False)
class Gateway:
    """Serves websockets at :meth:`handle` and tells its sessions what happens in the world."""

    world: World = field(kw_only=False)
    heartbeat_interval: int = 41_250
    """Milliseconds, for connections to come."""
    buffered: int = 1000
    """Events kept for a resume, for sessions to come."""
    delay: float = 0.0
    """Seconds each frame is held back."""
    turned_away: int = 0
    """How many of the next connections get op 7 in place of Hello."""
    unanswered: int = 0
    """How many of the next Identifies are never answered."""
    refused: int = 0
    """How many of the next Identifies and Resumes get op 9, without a way back."""
    resumes_closed_with: int | None = None
    """The code that every Resume is closed with, if they are."""
    starts: Starts = field()
    sessions: dict[str, Session] = field(factory=dict, init=False)
    connections: list[Connection] = field(factory=list, init=False)
    _disorder: Disorder = field(factory=Disorder, init=False)
    _gone: asyncio.Event = field(factory=asyncio.Event, init=False)

    @starts.default
    def _make_starts(self) -> Starts:
        return Starts(clock=self._now)

    def __attrs_post_init__(self) -> None:
        self.world.listeners.append(self.dispatch)

    def _now(self) -> float:
        return self.world.clock()

    # Connections.

    async def handle(self, request: web.Request) -> web.WebSocketResponse:
        """Serve one client's websocket."""
        query = request.query
        if query.get("encoding", "json") != "json" or query.get("compress", "zlib-stream") != "zlib-stream":
            raise web.HTTPBadRequest(text="only json, plain or as zlib-stream")
        websocket = web.WebSocketResponse(compress=False, max_msg_size=1 << 20, timeout=PATIENCE)
        await websocket.prepare(request)
        if query.get("v", str(VERSION)) != str(VERSION):
            await websocket.close(code=4012, message=b"Invalid API version.")
            return websocket
        connection = Connection(
            websocket=websocket,
            transport=request.transport,
            url=f"ws://{request.host}{request.path}",
            clock=self._now,
            heartbeat_interval=self.heartbeat_interval,
            welcome=self.turned_away <= 0,
            stream="compress" in query,
            delay=lambda: self.delay,
        )
        self.turned_away = max(self.turned_away - 1, 0)
        self.connections.append(connection)
        try:
            await connection.run(partial(self._received, connection))
        finally:
            self.connections.remove(connection)
            self._gone.set()
            self._left(connection)
        return websocket

    def _left(self, connection: Connection) -> None:
        session = connection.session
        if session is None or session.connection is not connection:
            return
        session.leave(self._now())
        if connection.ended or connection.left_for_good:
            self.sessions.pop(session.id, None)

    def _received(self, connection: Connection, op: int, data: Any) -> None:
        """Handle a frame that is no heartbeat."""
        session = connection.session
        if op in {IDENTIFY, RESUME} and session is not None:
            raise Closing(4005, "Already authenticated.")
        if op == IDENTIFY:
            self._identify(connection, data)
        elif op == RESUME:
            self._resume(connection, data)
        elif session is None:
            raise Closing(4003, "Not authenticated.")
        else:
            answer(self.world, session, op, data)

    # Sessions.

    def _identify(self, connection: Connection, data: Any) -> None:
        world = self.world
        identity = read_identify(data, tokens=world.tokens, application_flags=world.application.flags)
        in_time = self.starts.take(identity.shard[0])
        if self.starts.remaining < 0:
            self._reset_token(identity.token)
        if self.unanswered > 0:
            self.unanswered -= 1
            return
        if not in_time or self._refuse():
            connection.send(INVALID_SESSION, data=False)
            return
        session = Session(
            id=secrets.token_hex(16),
            shard=identity.shard,
            intents=identity.intents,
            large_threshold=identity.large_threshold,
            kept=deque(maxlen=self.buffered),
        )
        session.guilds = {one for one in world.guilds if session.follows(one)}
        if len(session.guilds) > MOST_GUILDS:
            raise Closing(4011, "Sharding required.")
        connection.packets = identity.compress and not connection.stream
        self._forget_old()
        self.sessions[session.id] = session
        self._attach(session, connection)
        session.dispatch("READY", self._ready(session, connection, identity))
        for guild_id in sorted(session.guilds) if session.intents & bits.GUILDS else ():
            self._load(session, guild_id)

    def _reset_token(self, token: str) -> None:
        """Too many identifies in a day: every session ends, and the token is worth nothing any more."""
        self.world.tokens.pop(token, None)
        self.sessions.clear()
        for connection in self.connections:
            connection.abort()
        raise Closing(4004, "Authentication failed.")

    def _ready(self, session: Session, connection: Connection, identity: Identity) -> dict[str, Any]:
        world = self.world
        ready: dict[str, Any] = {
            "v": VERSION,
            "user": payloads.own_user_payload(world.users[world.tokens[identity.token]]),
            "guilds": [{"id": str(one), "unavailable": True} for one in sorted(session.guilds)],
            "session_id": session.id,
            "session_type": "normal",
            "resume_gateway_url": connection.url,
            "application": {"id": str(world.application.id), "flags": world.application.flags},
        }
        return ready | ({"shard": list(session.shard)} if identity.sharded else {})

    def _load(self, session: Session, guild_id: int) -> None:
        """Fill in a guild of the READY: available now, or known to have an outage."""
        guild = self.world.guilds[guild_id]
        if guild.unavailable:
            session.dispatch("GUILD_DELETE", {"id": str(guild_id), "unavailable": True})
            return
        small = len(guild.members) <= session.large_threshold
        everyone = bool(session.intents & bits.GUILD_PRESENCES) and small
        payload = self.world.guild_payload(guild_id, all_members=everyone)
        session.dispatch("GUILD_CREATE", payload | {"unavailable": False})

    def _resume(self, connection: Connection, data: Any) -> None:
        resume = read_resume(data, tokens=self.world.tokens)
        if self.resumes_closed_with is not None:
            raise Closing(self.resumes_closed_with, "Refused on demand.")
        session = self.sessions.get(resume.session_id)
        if session is not None and session.expired(self._now()):
            session = self.sessions.pop(resume.session_id, None) and None
        if session is not None and resume.seq > session.seq:
            del self.sessions[session.id]
            raise Closing(4007, "Invalid seq.")
        missed = None if session is None else session.since(resume.seq)
        if session is None or missed is None or self._refuse():
            self.sessions.pop(resume.session_id, None)
            connection.send(INVALID_SESSION, data=False)
            return
        if session.connection is not None:
            session.connection.session = None
            session.connection.abort()
        self._attach(session, connection)
        for event in missed:
            connection.push(event)
        session.dispatch("RESUMED", {})

    def _refuse(self) -> bool:
        """Whether this Identify or Resume is one of those that are refused on demand."""
        self.refused, left = max(self.refused - 1, 0), self.refused
        return left > 0

    def _attach(self, session: Session, connection: Connection) -> None:
        session.connection, session.left_at = connection, None
        connection.session = session

    def _forget_old(self) -> None:
        now = self._now()
        for session in [one for one in self.sessions.values() if one.expired(now)]:
            del self.sessions[session.id]
        while len(self.sessions) >= MOST_SESSIONS:
            oldest = self.sessions.pop(next(iter(self.sessions)))
            if oldest.connection is not None:
                oldest.connection.abort()

    # Events.

    def dispatch(self, name: str, payload: Mapping[str, Any], guild_id: int | None = None) -> None:
        """Tell every session that follows the guild and asked for such events; the world calls this."""
        self._disorder.apply((name, payload, guild_id), self._tell)

    def _tell(self, event: Event) -> None:
        name, payload, guild_id = event
        bot_id = self.world.bot_id
        for session in tuple(self.sessions.values()):
            if not session.follows(guild_id):
                continue
            shown = self._for_session(session, name, payload, guild_id)
            if bits.lets_through(session.intents, name, payload, guild_id=guild_id, bot_id=bot_id):
                session.dispatch(name, shown)

    def _for_session(
        self, session: Session, name: str, payload: Mapping[str, Any], guild_id: int | None
    ) -> Mapping[str, Any]:
        """The event as this session may see it."""
        if name == "GUILD_CREATE" and guild_id is not None:
            fresh = guild_id not in session.guilds
            session.guilds.add(guild_id)
            kept = {key: value for key, value in payload.items() if key != "unavailable"}
            return kept if fresh else kept | {"unavailable": False}
        if name == "GUILD_DELETE" and guild_id is not None and not payload.get("unavailable"):
            session.guilds.discard(guild_id)
        if name in bits.WITH_CONTENT and guild_id is not None and not session.intents & bits.MESSAGE_CONTENT:
            return payloads.without_content(payload, self.world.bot_id)
        return payload

    # Controls for tests. Without ``shard`` they mean every connection.

    def _meant(self, shard: int | None) -> Iterator[Connection]:
        for connection in tuple(self.connections):
            if shard is None or (connection.session is not None and connection.session.shard[0] == shard):
                yield connection

    def drop(self, shard: int | None = None) -> None:
        """Cut the wires, without a close code."""
        for connection in self._meant(shard):
            connection.abort()

    def close(self, code: int, reason: str = "", shard: int | None = None) -> None:
        """Close connections with a code; where Discord's table says to start anew, the sessions end."""
        for connection in self._meant(shard):
            connection.ended = code in ENDING
            connection.close(code, reason)

    def mute(self, shard: int | None = None, *, muted: bool = True) -> None:
        """Send nothing more though the sockets stay open: no events, no heartbeat answers."""
        for connection in self._meant(shard):
            connection.muted = muted

    def send_reconnect(self, shard: int | None = None) -> None:
        """Ask clients to reconnect and resume (op 7)."""
        for connection in self._meant(shard):
            connection.send(RECONNECT)

    def request_heartbeat(self, shard: int | None = None) -> None:
        """Ask clients for a heartbeat at once (op 1)."""
        for connection in self._meant(shard):
            connection.send(HEARTBEAT)

    def invalidate(self, *, resumable: bool = False, shard: int | None = None) -> None:
        """Tell clients that their session is invalid (op 9); it is gone unless it may be resumed."""
        for connection in self._meant(shard):
            session = connection.session
            if session is not None and not resumable:
                self.sessions.pop(session.id, None)
                session.connection = connection.session = None
            connection.send(INVALID_SESSION, data=resumable)

    def send_nonsense(self, shard: int | None = None) -> None:
        """Send an event that is none: a READY that holds nothing."""
        for connection in self._meant(shard):
            connection.push({"op": 0, "t": "READY", "s": 1, "d": None})

    def lose(self, name: str) -> None:
        """Let the next event of a name never come."""
        self._disorder.order(Wrong.LOSE, name)

    def double(self, name: str) -> None:
        """Let the next event of a name come twice."""
        self._disorder.order(Wrong.DOUBLE, name)

    def swap(self, name: str) -> None:
        """Let the next event of a name come after the one that follows it."""
        self._disorder.order(Wrong.SWAP, name)

    async def stop(self) -> None:
        """Close everything, as at a restart of Discord's, and wait until all are gone."""
        self.close(1001, "Discord WebSocket requesting client reconnect.")
        with suppress(TimeoutError):
            await asyncio.wait_for(self.deserted(), PATIENCE)
        self.drop()

    async def deserted(self) -> None:
        """Wait until nobody is connected any more."""
        while self.connections:
            self._gone.clear()
            await self._gone.wait()
