"""A house for each test."""

import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from clipsaver.postgres.pool import Pool
from clipsaver.simulator.world import World
from tests.fixtures.discord import StartSimulator
from tests.flows.house import House
from tests.flows.victim import Victim

Build = Callable[..., Awaitable[House]]
"""``await build(seed, **plan)``: a house on a Discord drawn from a seed; ``saving``: with its clips' bytes."""
MakeVictim = Callable[..., Awaitable[Victim]]
"""``await make_victim(seed, latency=…, lease=…, **plan)``: a victim on a Discord drawn from a seed."""
LEASE = 1.5
"""Seconds until a dead worker's scans are another's; the default is in a test of its own."""


@pytest.fixture
def free_port() -> Iterator[Callable[[], int]]:
    """Ports that nobody listens on, and that the system gives to nobody else until the test is over."""
    with ExitStack() as stack:

        def hold() -> int:
            held = stack.enter_context(socket.socket())
            held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do: they may listen on it
            held.bind(("127.0.0.1", 0))
            return int(held.getsockname()[1])

        yield hold


@pytest.fixture
def build(
    simulate: StartSimulator, pool: Pool, database_url: str, tmp_path: Path, free_port: Callable[[], int]
) -> Build:
    """Build houses; nobody is in yet."""

    async def make(
        seed: int = 1, *, latency: float = 0.0, record: bool = True, saving: bool = False, **plan: Any
    ) -> House:
        told = {} if record else {"record": None}  # long scans say the same a thousand times
        simulator = await simulate(World.from_seed(seed, **plan), latency=latency, **told)
        simulator.gateway.starts.window = 0  # else each restart has to wait five seconds for its session
        settings = {
            "BOT_TOKEN": simulator.token,
            "CLIPSAVER_DISCORD_REST_URL": simulator.rest_url,
            "CLIPSAVER_DISCORD_MEDIA_ORIGINS": simulator.cdn_origin,
            "CLIPSAVER_DISCORD_REQUESTS_PER_SECOND": "0",
            "CLIPSAVER_DATA_DIR": str(tmp_path / "data"),
            "CLIPSAVER_DATABASE_URL": database_url,
            "CLIPSAVER_WEB_PORT": str(free_port()),
            "CLIPSAVER_GUILD_DEFAULTS_SAVE_BYTES": str(saving).lower(),
            "CLIPSAVER_STORAGE_RESERVE_GB": "0",
        }
        return House(simulator=simulator, pool=pool, settings=settings, folder=tmp_path)

    return make


@pytest.fixture
async def make_victim(build: Build) -> AsyncIterator[MakeVictim]:
    """Build victims; in the end no server is left of them."""
    made: list[Victim] = []

    async def victim(seed: int, *, latency: float, lease: float | None = LEASE, **plan: Any) -> Victim:
        house = await build(seed, latency=latency, record=False, **plan)
        settings = house.settings | {"CLIPSAVER_DATABASE_URL": "", "CLIPSAVER_WEB_PORT": "0"}
        if lease is not None:
            settings["CLIPSAVER_SCANS_LEASE_SECONDS"] = str(lease)
        made.append(Victim(house=evolve(house, settings=settings)))
        return made[-1]

    yield victim
    for one in made:
        await one.nobody_left()
