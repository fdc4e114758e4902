"""A gallery for each test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from clipsaver.media.storage import open_storage
from clipsaver.postgres.pool import Pool
from tests.clips.picturing.gallery import Gallery
from tests.media.storage.conftest import keys, s3, stores

__all__ = ["gallery", "keys", "s3", "stores"]


@pytest.fixture
async def gallery(pool: Pool, tmp_path: Path) -> AsyncIterator[Gallery]:
    """A server with a channel, and a storage on disk for what is posted there."""
    async with await open_storage("", data_dir=tmp_path / "data") as storage:
        made = Gallery(pool=pool, storage=storage, folder=tmp_path)
        await made.settle()
        yield made
