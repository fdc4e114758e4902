"""What this folder's tests share."""

from collections.abc import AsyncIterator

import pytest

from clipsaver.simulator.entities import Channel, Guild
from clipsaver.simulator.server import Simulator
from clipsaver.simulator.world import World
from tests.simulator.client import Client


@pytest.fixture
async def client(simulator: Simulator) -> AsyncIterator[Client]:
    """The bot, asking the simulator of one small guild."""
    async with Client(simulator) as client:
        yield client


@pytest.fixture
def world(simulator: Simulator) -> World:
    """The world that is served."""
    return simulator.world


@pytest.fixture
def guild(world: World) -> Guild:
    """Its only guild."""
    return next(iter(world.guilds.values()))


@pytest.fixture
def clips(world: World) -> Channel:
    """Its text channel with 250 messages."""
    return named(world, "clips")


def named(world: World, name: str) -> Channel:
    """A channel by its name."""
    return next(channel for channel in world.channels.values() if channel.name == name)
