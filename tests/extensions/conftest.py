"""A stage for each test of a door."""

from collections.abc import AsyncIterator

import pytest

from clipsaver.postgres.pool import Pool
from tests.extensions.play import Play, playing
from tests.extensions.stage import Stage, staged
from tests.fixtures.discord import StartSimulator


@pytest.fixture
async def stage(simulate: StartSimulator, pool: Pool) -> AsyncIterator[Stage]:
    """A small server with people of every standing."""
    simulator = await simulate(plan={"messages": 20})
    async with staged(simulator, pool) as made:
        yield made


@pytest.fixture
async def play(stage: Stage) -> AsyncIterator[Play]:
    """A bot on the stage, with every command registered."""
    async with playing(stage) as made:
        yield made
