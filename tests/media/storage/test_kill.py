"""A process that is killed while bytes come in."""

import asyncio
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from subprocess import PIPE

from clipsaver.media.storage import Storage, blob_name
from tests.media.storage.bytes_in import left_over, sha256, whole

VICTIM = """
import asyncio, pathlib, sys
from clipsaver.media.storage import open_storage

async def main():
    async with await open_storage("", data_dir=pathlib.Path(sys.argv[1])) as storage:
        async with storage.incoming("clip") as incoming:
            await incoming.write(b"first half, ")
            await incoming.flush()
            if sys.argv[2] == "kept":
                await storage.keep(incoming)
            print("there", flush=True)
            sys.stdin.read()

asyncio.run(main())
"""


async def killed(folder: Path, moment: str) -> None:
    """Run the victim up to there, and kill it."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", VICTIM, str(folder), moment, stdin=PIPE, stdout=PIPE
    )
    assert process.stdout is not None
    assert b"there\n" == await process.stdout.readline()
    process.kill()
    await process.wait()


async def test_the_next_goes_on(local: Storage, tmp_path: Path) -> None:
    """From what the killed one had written."""
    await killed(tmp_path, "half")
    async with local.incoming("clip") as incoming:
        assert len(b"first half, ") == incoming.size
        await incoming.write(b"second half")
        assert sha256(b"first half, second half") == await local.keep(incoming)
    assert [] == left_over(tmp_path)


async def test_or_it_is_swept_away(local: Storage, tmp_path: Path) -> None:
    """When nobody wants it; bytes that were kept stay whole, with their file's second name gone."""
    await killed(tmp_path, "half")
    await killed(tmp_path / "other", "half")
    assert 1 == await local.sweep(older_than=datetime.now(UTC) + timedelta(seconds=5))
    await killed(tmp_path, "kept")
    assert 1 == await local.sweep(older_than=datetime.now(UTC) + timedelta(seconds=5))
    name = blob_name(sha256(b"first half, "))
    assert b"first half, " == await whole(local.read(name))
    assert [] == left_over(tmp_path / "storage")
