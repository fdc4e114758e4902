"""The simulator itself: one process's Discord on loopback, with REST, gateway and CDN."""

from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from aiohttp import web

from clipsaver.simulator.cdn import Cdn
from clipsaver.simulator.exchange import API, Exchange, Stats
from clipsaver.simulator.faults import Faults
from clipsaver.simulator.gateway import Gateway
from clipsaver.simulator.interactions import Interactions
from clipsaver.simulator.limits import Limits
from clipsaver.simulator.recording import Recording
from clipsaver.simulator.rest import Rest
from clipsaver.simulator.rest_channels import Channels
from clipsaver.simulator.rest_messages import Messages
from clipsaver.simulator.world import World

HOST: Final = "127.0.0.1"
LARGEST_REQUEST: Final = 26 * 1024 * 1024


class Simulator:
    """Serves a world for as long as it is entered; REST and gateway on one port, the CDN on another."""

    def __init__(
        self,
        world: World,
        *,
        rate_limits: Limits | None = None,
        faults: Faults | None = None,
        record: Path | None = None,
        latency: float = 0.0,
    ) -> None:
        self.world = world
        self.limits = rate_limits
        self.faults = faults or Faults(world.seed)
        self.gateway = Gateway(world)
        self.interactions = Interactions(world, self.gateway)
        self._recording = None if record is None else Recording(record)
        self._exchange = Exchange(
            world=world, limits=rate_limits, faults=self.faults, recording=self._recording, latency=latency
        )
        self._runner: web.AppRunner | None = None
        self._ports: list[int] = []

    async def __aenter__(self) -> Self:
        app = web.Application(middlewares=[self._middleware], client_max_size=LARGEST_REQUEST)
        app.add_routes(self._routes())
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        for _ in range(2):
            await web.TCPSite(self._runner, HOST, 0).start()
        self._ports = [int(address[1]) for address in self._runner.addresses]
        self.world.gateway_url = self.gateway_url
        self.world.links.origin = self.world.links.proxy_origin = self.cdn_origin
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.gateway.stop()
        if self._runner is not None:
            await self._runner.cleanup()
        if self._recording is not None:
            self._recording.close()

    @property
    def rest_url(self) -> str:
        """The base of the REST API."""
        return f"http://{HOST}:{self._ports[0]}{API}"

    @property
    def gateway_url(self) -> str:
        """The gateway's address."""
        return f"ws://{HOST}:{self._ports[0]}"

    @property
    def cdn_origin(self) -> str:
        """The origin of attachments' links."""
        return f"http://{HOST}:{self._ports[1]}"

    @property
    def token(self) -> str:
        """The bot's token."""
        return self.world.token

    @property
    def stats(self) -> Stats:
        """What was asked so far, and how it was answered."""
        return self._exchange.stats

    @property
    def latency(self) -> float:
        """Seconds every answer takes at least."""
        return self._exchange.latency

    @latency.setter
    def latency(self, seconds: float) -> None:
        self._exchange.latency = seconds

    def _routes(self) -> Iterable[web.AbstractRouteDef]:
        world = self.world
        below_api: list[Any] = [
            *Rest(world, self.gateway.starts.limit).routes(),
            *Channels(world).routes(),
            *Messages(world).routes(),
            *self.interactions.routes(),
        ]
        moved = [web.RouteDef(one.method, API + one.path, one.handler, one.kwargs) for one in below_api]
        return [web.get("/", self.gateway.handle), *Cdn(world).routes(), *moved]

    @web.middleware
    async def _middleware(self, request: web.Request, handler: Any) -> web.StreamResponse:
        return await self._exchange.handle(request, handler)
