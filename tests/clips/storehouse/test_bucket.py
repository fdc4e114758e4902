"""The same in a bucket."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from clipsaver.clips.storehouse.model import WrongStorage
from clipsaver.media.storage import blob_name, open_storage
from clipsaver.postgres.pool import Pool
from tests.clips.storehouse.bench import Bench, sha256
from tests.media.storage.conftest import Stores, keys, stores

__all__ = ["keys", "stores"]  # fixtures

SOON = -timedelta(minutes=1)
"""No grace period: objects can't be made older."""


@pytest.fixture
async def bench(pool: Pool, stores: Stores, keys: None, tmp_path: Path) -> AsyncIterator[Bench]:
    """Two servers and an empty bucket."""
    async with await open_storage(stores.url("s3"), data_dir=tmp_path) as storage:
        made = Bench(pool=pool, storage=storage, folder=tmp_path)
        await made.settle()
        await made.house.settle()
        yield made


async def test_kept_in_order(bench: Bench) -> None:
    """What is missing is fetched again, what nobody needs goes, what anybody needs stays."""
    for number in range(8):
        await bench.store(bytes([number]))
    await bench.storage.delete(blob_name(sha256(bytes([0]))))
    assert (await bench.verify())["lost"] == 1
    await bench.storage.delete(blob_name(sha256(bytes([1]))))
    await bench.keep(b"of nobody")
    await bench.picture(b"of nobody")
    await bench.pool.execute("delete from clips where sha256 = $1", sha256(bytes([2])))
    said = await bench.collect(grace=SOON)
    assert {name: number for name, number in said.items() if number} == {
        "unknown": 1,
        "unused": 1,
        "lost": 1,
        "pictures": 1,
    }
    assert await bench.rows() == {sha256(bytes([number])) for number in range(3, 8)}
    await bench.check()


async def test_another_bucket(bench: Bench, stores: Stores, tmp_path: Path) -> None:
    """Is no loss of everything."""
    for number in range(5):
        await bench.store(bytes([number]))
    async with await open_storage(stores.url("s3"), data_dir=tmp_path) as other:
        elsewhere = Bench(pool=bench.pool, storage=other, folder=tmp_path)
        for run in (elsewhere.verify, elsewhere.collect):
            with pytest.raises(WrongStorage):
                await run()
    assert await bench.pool.fetchval("select count(*) from clips where state = 'stored'") == 5
