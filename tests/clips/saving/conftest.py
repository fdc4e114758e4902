"""A workshop for each test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from attrs import evolve

from clipsaver.discord.rest import Rest
from clipsaver.media.fetching.fetcher import Fetcher
from clipsaver.media.fetching.limits import Limits
from clipsaver.media.storage import open_storage
from clipsaver.postgres.pool import Pool
from tests.clips.saving.workshop import Workshop
from tests.fixtures.discord import StartSimulator

QUICK = evolve(Limits(), pause=0.0, resumes=0, first_rest=0.05)
"""Bounds for tests: nothing is tried again at once, and a host's rest is short."""
HASTY = evolve(QUICK, stall=0.2, window=0.1, least_rate=50_000)
"""For hosts that are too slow, and for no others."""


@pytest.fixture
async def shop(simulate: StartSimulator, pool: Pool, tmp_path: Path) -> AsyncIterator[Workshop]:
    """An empty channel, and all that it takes to save what is posted there."""
    simulator = await simulate(plan={"messages": 0, "channels": 2})
    async with (
        await open_storage("", data_dir=tmp_path / "data") as storage,
        Rest(token=simulator.token, url=simulator.rest_url, pause=0.001) as rest,
        Fetcher([simulator.cdn_origin], limits=QUICK) as fetcher,
    ):
        made = Workshop(
            simulator=simulator, pool=pool, storage=storage, folder=tmp_path / "data", rest=rest, fetcher=fetcher
        )
        await made.settle()
        yield made
