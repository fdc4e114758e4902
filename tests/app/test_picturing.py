"""What the configuration says of looking at videos, as it reaches the child that does it."""

import asyncio
import resource
from collections.abc import Mapping
from pathlib import Path

import pytest

from clipsaver.app.ground import ground
from clipsaver.app.picturing import picturing_work
from clipsaver.media.probe.children import Hearing
from clipsaver.media.storage import open_storage
from tests.app.conftest import Configure
from tests.app.programs import until

MEGABYTE = 1024 * 1024


@pytest.mark.parametrize(("said", "megabytes"), [({}, 512), ({"CLIPSAVER_MEDIA_MEMORY_MB": "300"}, 300)])
async def test_memory(
    configure: Configure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: Mapping[str, str], megabytes: int
) -> None:
    """A child can have as much as is configured, 512 MB if nothing is, and can't give itself more."""
    pids: asyncio.Queue[int] = asyncio.Queue()
    made = Hearing.connection_made

    def heard(self: Hearing, transport: asyncio.BaseTransport) -> None:
        made(self, transport)
        assert isinstance(transport, asyncio.SubprocessTransport)
        pids.put_nowait(transport.get_pid())

    monkeypatch.setattr(Hearing, "connection_made", heard)
    decoders = tmp_path / "packages" / "av"
    decoders.mkdir(parents=True)
    (decoders / "__init__.py").write_text("import time; time.sleep(600)")
    film = tmp_path / "film"
    film.write_bytes(b"anything")
    async with ground(configure(**said)) as below, await open_storage("", data_dir=tmp_path) as storage:
        studio = picturing_work(below, storage).studio
        studio._folders.insert(0, str(decoders.parent))
        looking = asyncio.create_task(studio.examine(film))
        pid = await pids.get()
        most = megabytes * MEGABYTE
        await until(lambda: resource.prlimit(pid, resource.RLIMIT_AS) == (most, most))
        looking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await looking
