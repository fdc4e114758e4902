"""What every storage can do, wherever the bytes lie."""

import shutil
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

from attrs import define, frozen

from clipsaver.media.storage.arrivals import Arrivals
from clipsaver.media.storage.errors import os_errors
from clipsaver.media.storage.incoming import Incoming
from clipsaver.media.storage.threads import Threads


@frozen(kw_only=True)
class Stored:
    """Something that lies in a storage."""

    name: str
    size: int
    modified: datetime


@define(eq=False, kw_only=True)
class Storage(ABC):
    """Bytes under names that follow from their SHA-256; an async context manager.

    A name is one of `names`; another is a ValueError. Whatever else goes wrong is one of `errors`.
    """

    threads: Threads
    arrivals: Arrivals
    reserve: int = 0
    """Bytes of the disk that are not for us."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.threads.close()

    def incoming(self, key: str | None = None) -> AbstractAsyncContextManager[Incoming]:
        """A private file for bytes that come in, gone when the block ends; `keep` it before that.

        With a key it goes on where one with that key was suspended, or its process killed: look at its ``size``.
        """
        return self.arrivals.open(key)

    async def sweep(self, *, older_than: datetime) -> int:
        """Remove incoming files that nobody has open and that were last written before then; how many that were."""
        return await self.arrivals.sweep(older_than=older_than)

    async def free_bytes(self) -> int:
        """How many bytes may come in: what the disk has, without the reserve."""
        return await self.threads.ask(self._free)

    def _free(self) -> int:
        with os_errors(self.arrivals.folder):
            return max(0, shutil.disk_usage(self.arrivals.folder).free - self.reserve)

    @abstractmethod
    async def check(self) -> None:
        """Write, read and remove something small; raise what is wrong."""

    @abstractmethod
    async def keep(self, incoming: Incoming, *, content_type: str | None = None) -> bytes:
        """Have what came in stored for good under its SHA-256, which is returned; that it is there already is fine.

        Nothing is ever overwritten: `StoredDiffers` if something of another size lies there. The media type is for
        backends whose links go straight to the object.
        """

    @abstractmethod
    async def put_picture(self, name: str, data: bytes) -> None:
        """Store a small file at once and whole; one of that name is replaced."""

    @abstractmethod
    def read(self, name: str, start: int = 0, stop: int | None = None) -> AsyncIterator[bytes]:
        """The bytes from start to before stop, in pieces of bounded size; what lies behind the end is not there."""

    @abstractmethod
    async def look(self, name: str) -> Stored | None:
        """What is known of it; None when it is not stored."""

    async def size(self, name: str) -> int | None:
        """How long it is; None when it is not stored."""
        found = await self.look(name)
        return None if found is None else found.size

    @abstractmethod
    async def label(self) -> str | None:
        """What tells this storage from others, such as from the empty folder that an unmounted disk leaves; if set."""

    @abstractmethod
    async def set_label(self, text: str) -> None:
        """Give it another."""

    @abstractmethod
    async def delete(self, name: str) -> None:
        """Remove it; that it is not there is fine."""

    @abstractmethod
    def listing(self, prefix: str, *, older_than: datetime | None = None) -> AsyncIterator[Stored]:
        """What lies below ``blobs`` or ``thumbnails``, or one of their folders, in order of names."""

    async def abort_uploads(self, *, older_than: datetime) -> int:  # noqa: ARG002 - for those that can
        """Take back what was sent in parts by those who are gone, where it can be listed; how much that was."""
        return 0

    @abstractmethod
    def local_path(self, name: str) -> Path | None:
        """The file itself, for other programs to read, where there is one; it may be missing."""

    @abstractmethod
    def as_file(self, name: str, *, most: int) -> AbstractAsyncContextManager[Path]:
        """A file to read while the block lasts; a temporary copy of at most so many bytes where there is no other."""

    @abstractmethod
    async def signed_link(
        self, name: str, *, expires: timedelta, filename: str | None = None, content_type: str | None = None
    ) -> str | None:
        """An address that anybody can fetch it from for that long; None where there is no such thing."""
