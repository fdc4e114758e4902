"""Bytes on their way in: a private file that is hashed while it is written, and gone afterwards whatever happens."""

import hashlib
import os
from collections.abc import Callable
from concurrent.futures import Future, wait
from contextlib import suppress
from pathlib import Path
from typing import Final

from attrs import define, field

from clipsaver.errors import ClipsaverError
from clipsaver.media.storage import files
from clipsaver.media.storage.errors import os_errors
from clipsaver.media.storage.threads import Threads

GATHER: Final = 1024 * 1024
"""Bytes that are handed to a thread at a time; as many again can be on their way to the disk."""
MOST_CHUNKS: Final = 4096
"""Chunks that are gathered, however small."""
LITTLE: Final = 32 * 1024
"""Chunks that are smaller are put together first: each is hashed in a turn of its own, and a copy costs less."""
SYNC_AHEAD: Final = 2 * 1024 * 1024
"""Bytes after which the system is to begin writing to the disk, so that little is left to wait for in the end."""
BEHIND: Final = 32 * 1024 * 1024
"""Bytes behind that point: by then the disk has what was written there, and the system's memory can be free again."""
OPENING: Final = 512
"""First bytes that are held in memory: enough to know a container by, three packets of MPEG-TS included."""


@define(eq=False)
class Incoming:
    """A file that grows, and its SHA-256, while the block lasts that a storage's ``incoming`` began."""

    path: Path
    """Where it lies; `flush` before anyone else opens it."""
    _descriptor: int
    _threads: Threads
    _read_again: bool = False
    """Whether somebody reads it once it is whole: then the system's copy in memory is worth its room."""
    size: int = field(default=0, init=False)
    """Bytes taken so far; where a download goes on."""
    opening: bytes = field(default=b"", init=False)
    """The first few bytes."""
    _hash: "hashlib._Hash" = field(factory=hashlib.sha256, init=False)
    _gathered: list[bytes] = field(factory=list, init=False)
    _gathered_size: int = field(default=0, init=False)
    _writing: "Future[None] | None" = field(default=None, init=False)
    _syncing: int = field(default=0, init=False)
    _sealed: bool = field(default=False, init=False)
    _suspended: bool = field(default=False, init=False)

    async def write(self, chunk: bytes) -> None:
        """Take the next bytes.

        They are hashed and written in a thread while the next come in: trouble with them is raised later, here or by
        whatever follows.
        """
        self._must_be_open()
        self._gathered.append(chunk)
        self._gathered_size += len(chunk)
        self.size += len(chunk)
        if len(self.opening) < OPENING:
            self.opening += chunk[: OPENING - len(self.opening)]
        if self._gathered_size >= GATHER or len(self._gathered) >= MOST_CHUNKS:
            await self._settle()
            self._hand_over()

    async def flush(self) -> None:
        """Have all that was taken in the file, for whoever opens it."""
        await self._settle()
        self._hand_over()
        await self._settle()

    async def digest(self) -> bytes:
        """The SHA-256 of all that was taken."""
        await self.flush()
        return self._hash.digest()

    async def seal(self, then: Callable[[bytes], object] = lambda _: None) -> bytes:
        """Have all that was taken on the disk, and take no more; the SHA-256 of it.

        ``then`` is called with it, in the same thread: each change of threads costs more than it looks.
        """
        self._sealed = True
        await self._settle()
        self._hand_over()
        return await self._threads.run(self._finish, self._writing, then)

    async def restart(self) -> None:
        """Forget what was taken, and begin again."""
        self._must_be_open()
        if self._writing is not None:
            with suppress(ClipsaverError):
                await self._threads.finish(self._writing)
        self._writing, self._gathered, self._gathered_size = None, [], 0
        await self._threads.run(self._empty)
        self.size, self.opening, self._hash = 0, b"", hashlib.sha256()

    async def suspend(self) -> None:
        """Leave the file for later: who opens the same key goes on from here, unless it has been swept away."""
        await self.flush()
        self._suspended = True

    def _must_be_open(self) -> None:
        if self._sealed:
            raise ValueError("nothing more can be written to it")

    async def _settle(self) -> None:
        """Wait for what is being written; it goes on even when we don't."""
        if self._writing is None:
            return
        if self._writing.done():
            self._writing.result()
        else:
            await self._threads.watch(self._writing)

    def _hand_over(self) -> None:
        if self._gathered:
            chunks, self._gathered, self._gathered_size = self._gathered, [], 0
            self._writing = self._threads.start_busy(self._put_down, chunks)

    async def close(self) -> None:
        """Close the file, and remove it unless it was suspended."""
        self._sealed, self._gathered = True, []
        await self._threads.finish(self._threads.start(self._end, self._writing))

    # In a thread, one at a time:

    def _put_down(self, chunks: list[bytes]) -> None:
        if sum(map(len, chunks)) < LITTLE * len(chunks):
            chunks = [b"".join(chunks)]
        for chunk in chunks:
            self._hash.update(chunk)
        with os_errors(self.path.parent):
            files.write_all(self._descriptor, chunks)
            end = os.lseek(self._descriptor, 0, os.SEEK_CUR)
            begun, size = self._syncing, end - self._syncing
            if size >= SYNC_AHEAD:
                files.uncache(self._descriptor, begun, size)
                if begun >= BEHIND and not self._read_again:
                    files.uncache(self._descriptor, begun - BEHIND, size)
                self._syncing = end

    def _finish(self, writing: "Future[None] | None", then: Callable[[bytes], object]) -> bytes:
        if writing is not None:
            writing.result()  # it was begun before, so that a thread has it or is done with it; trouble stays trouble
        with os_errors(self.path.parent):
            os.fsync(self._descriptor)
            if not self._read_again:
                # Hours of downloads would push everything else out of the system's memory, and need ever new pages.
                files.uncache(self._descriptor)
        sha256 = self._hash.digest()
        then(sha256)
        return sha256

    def _empty(self) -> None:
        with os_errors(self.path.parent):
            os.ftruncate(self._descriptor, 0)
            self._syncing = os.lseek(self._descriptor, 0, os.SEEK_SET)

    def go_on(self) -> None:
        """Take in what is in the file already."""
        with os_errors(self.path.parent):
            while data := os.read(self._descriptor, GATHER):
                self._hash.update(data)
                self.size += len(data)
                self.opening += data[: OPENING - len(self.opening)]

    def _end(self, writing: "Future[None] | None") -> None:
        if writing is not None:
            wait([writing])  # it was begun before, so that a thread has it or is done with it
        with os_errors(self.path.parent):
            try:
                if not self._suspended and files.is_at(self._descriptor, self.path):
                    files.remove(self.path)
            finally:
                os.close(self._descriptor)
