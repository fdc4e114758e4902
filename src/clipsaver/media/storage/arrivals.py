"""The folder where incoming bytes wait, and what was left in it by those who are gone."""

import os
import re
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Final

from attrs import define, field

from clipsaver.media.storage import files
from clipsaver.media.storage.errors import os_errors
from clipsaver.media.storage.incoming import Incoming
from clipsaver.media.storage.threads import Threads

ENDING: Final = ".part"
_KEY: Final = re.compile(r"[0-9A-Za-z_-]{1,100}")


@define(eq=False)
class Arrivals:
    """A private folder of unfinished files, each locked by whoever writes it."""

    folder: Path
    _threads: Threads
    _read_again: bool = False
    """Whether files are read once more before they go, as those are that are sent to a bucket."""
    _boot: str = field(factory=files.boot_id)

    @asynccontextmanager
    async def open(self, key: str | None = None) -> AsyncIterator[Incoming]:
        """A file for what comes in, gone when the block ends.

        With a key, it goes on where a killed or suspended one ended: not after the machine has started anew, since then
        nobody knows what of it reached the disk; and not while someone else writes that one.
        """
        if key is not None and not _KEY.fullmatch(key):
            raise ValueError(f"{key!r} can't be a key")
        incoming: list[Incoming] = []
        try:
            await self._threads.run(self._open, key, incoming)
            yield incoming[0]
        finally:
            for one in incoming:
                await one.close()

    async def sweep(self, *, older_than: datetime) -> int:
        """Remove what nobody writes any more and was last written before then; how many that were."""
        return await self._threads.run(self._sweep, older_than.timestamp())

    def free_path(self) -> Path:
        """A name that nobody has."""
        return self.folder / f"{secrets.token_hex(16)}{ENDING}"

    # In a thread:

    def _open(self, key: str | None, incoming: list[Incoming]) -> None:
        with os_errors(self.folder):
            if key is not None and self._boot:
                path = self.folder / f"{key}.{self._boot}{ENDING}"
                descriptor = files.open_private(path)
                incoming.append(Incoming(path, descriptor, self._threads, self._read_again))
                if files.try_lock(descriptor) and files.is_at(descriptor, path) and os.fstat(descriptor).st_nlink == 1:
                    incoming[0].go_on()
                    return
                incoming.clear()
                os.close(descriptor)
            path = self.free_path()
            descriptor = files.open_private(path, new=True)
            incoming.append(Incoming(path, descriptor, self._threads, self._read_again))
            files.try_lock(descriptor)

    def _sweep(self, before: float) -> int:
        removed = 0
        with os_errors(self.folder):
            for entry in os.scandir(self.folder):
                if entry.name.endswith(ENDING) and entry.is_file(follow_symlinks=False):
                    with suppress(FileNotFoundError):
                        removed += entry.stat(follow_symlinks=False).st_mtime < before and _remove(Path(entry.path))
        return removed


def _remove(path: Path) -> bool:
    descriptor = os.open(path, files.WRITE)
    try:
        if not files.try_lock(descriptor):
            return False
        files.remove(path)
        return True
    finally:
        os.close(descriptor)
