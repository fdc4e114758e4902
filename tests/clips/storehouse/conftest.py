"""A bench for each test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from clipsaver.media.storage import open_storage
from clipsaver.postgres.pool import Pool
from tests.clips.storehouse.bench import Bench


@pytest.fixture
async def bench(pool: Pool, tmp_path: Path) -> AsyncIterator[Bench]:
    """Two servers and an empty storage on disk, which is known as the database's."""
    async with await open_storage("", data_dir=tmp_path) as storage:
        made = Bench(pool=pool, storage=storage, folder=tmp_path)
        await made.settle()
        await made.house.settle()
        yield made
