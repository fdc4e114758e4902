"""A house for each test, and another one for what is taken back."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from clipsaver.media.storage import open_storage
from clipsaver.postgres.pool import Pool, open_pool
from clipsaver.postgres.server import Server
from tests.clips.portable.house import House
from tests.fixtures.database import TEMPLATE, _fresh
from tests.media.storage.conftest import keys, s3, stores

__all__ = ["house", "keys", "other", "s3", "stores"]


@pytest.fixture
async def house(pool: Pool, tmp_path: Path) -> AsyncIterator[House]:
    """A server with one channel, and nothing in it."""
    async with await open_storage("", data_dir=tmp_path / "data") as storage:
        made = House(pool=pool, storage=storage, folder=tmp_path / "export")
        await made.settle()
        yield made


@pytest.fixture
async def other(server: Server, tmp_path: Path) -> AsyncIterator[House]:
    """A fresh database and an empty storage, beside the same folder."""
    async for url in _fresh(server, f"template {TEMPLATE} strategy file_copy"):
        async with (
            await open_pool(url, size=5) as pool,
            await open_storage("", data_dir=tmp_path / "other") as storage,
        ):
            yield House(pool=pool, storage=storage, folder=tmp_path / "export")
