"""Bytes on a disk of this machine."""

import errno
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, Self

from attrs import define, field

from clipsaver.media.storage import files, names
from clipsaver.media.storage.arrivals import Arrivals
from clipsaver.media.storage.base import Storage, Stored
from clipsaver.media.storage.errors import NotStored, StorageRefused, StorageUnavailable, StoredDiffers, os_errors
from clipsaver.media.storage.incoming import Incoming
from clipsaver.media.storage.threads import Threads

PIECE: Final = 1024 * 1024
"""Bytes that are read at a time."""
NO_LINKS: Final = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})
"""What a file system says that knows no second name for a file."""


@define(eq=False, kw_only=True)
class LocalStorage(Storage):
    """Files below one folder; incoming ones lie on the same disk."""

    root: Path
    _durable: set[str] = field(factory=set, init=False)
    """Folders that are known to be on the disk."""

    @classmethod
    def at(cls, root: Path, *, reserve: int = 0, threads: int = 8) -> Self:
        """Make the folder, and all that belongs into it."""
        root.mkdir(parents=True, exist_ok=True, mode=files.PRIVATE_FOLDER)
        incoming = root / "incoming"
        for folder in (incoming, root / names.BLOBS, root / names.THUMBNAILS):
            files.make_private(folder)
        files.sync_folder(root)
        own = Threads(threads)
        return cls(root=root, threads=own, arrivals=Arrivals(incoming, own), reserve=reserve)

    async def check(self) -> None:
        """Write something, and look whether the folders let us."""
        async with self.incoming() as incoming:
            await incoming.write(b"clipsaver")
            await incoming.seal()
        for folder in (self.root / names.BLOBS, self.root / names.THUMBNAILS):
            if not await self.threads.ask(os.access, folder, os.W_OK | os.X_OK):
                raise StorageRefused(f"{folder} can't be written to.")

    async def keep(self, incoming: Incoming, *, content_type: str | None = None) -> bytes:  # noqa: ARG002 - for other storages
        """Have it on the disk, then give it its name too, which fails if there is such a file."""
        return await incoming.seal(lambda sha256: self._place(incoming.path, names.blob_name(sha256), incoming.size))

    async def put_picture(self, name: str, data: bytes) -> None:
        """Write it beside, have it on the disk, then put it in place."""
        await self.threads.run(self._replace, names.checked_thumbnail(name), data)

    async def read(self, name: str, start: int = 0, stop: int | None = None) -> AsyncIterator[bytes]:
        """Read it piece by piece."""
        opened: list[int] = []
        try:
            await self.threads.run(self._open, names.checked(name), opened)
            while stop is None or start < stop:
                wanted = PIECE if stop is None else min(PIECE, stop - start)
                piece = await self.threads.run(self._read, name, opened[0], wanted, start)
                if not piece:
                    break
                start += len(piece)
                yield piece
        finally:
            for descriptor in opened:
                os.close(descriptor)

    async def look(self, name: str) -> Stored | None:
        """Look it up."""
        return await self.threads.ask(self._look, names.checked(name))

    async def label(self) -> str | None:
        """Read the file that says so."""
        return await self.threads.ask(self._label)

    async def set_label(self, text: str) -> None:
        """Write it beside, then put it in place."""
        await self.threads.run(self._put, names.LABEL, text.encode())

    async def delete(self, name: str) -> None:
        """Remove it, for good also if the power fails."""
        await self.threads.run(self._delete, names.checked(name))

    async def listing(self, prefix: str, *, older_than: datetime | None = None) -> AsyncIterator[Stored]:
        """List one folder after the other."""
        before = None if older_than is None else older_than.timestamp()
        if "/" in names.checked_folder(prefix):
            folders = [prefix]
        else:
            folders = await self.threads.ask(self._folders, prefix)
        for folder in folders:
            for stored in await self.threads.ask(self._entries, folder, before):
                yield stored

    def local_path(self, name: str) -> Path | None:
        """The file itself."""
        return self.root / names.checked(name)

    @asynccontextmanager
    async def as_file(self, name: str, *, most: int) -> AsyncIterator[Path]:  # noqa: ARG002 - for other storages
        """The file itself; nothing is copied."""
        if await self.size(name) is None:
            raise NotStored(name)
        yield self.root / name

    async def signed_link(
        self,
        name: str,
        *,
        expires: timedelta,  # noqa: ARG002 - for other storages
        filename: str | None = None,  # noqa: ARG002 - for other storages
        content_type: str | None = None,  # noqa: ARG002 - for other storages
    ) -> str | None:
        """None: files have no addresses."""
        names.checked(name)
        return None

    # In a thread:

    def _place(self, source: Path, name: str, size: int) -> None:
        target = self.root / name
        with self._errors():
            self._have(target.parent)
            try:
                os.link(source, target)
            except FileExistsError:
                self._is_there(target, name, size)
            except OSError as error:
                if error.errno not in NO_LINKS:
                    raise
                if target.exists():
                    self._is_there(target, name, size)
                else:
                    source.rename(target)
            files.sync_folder(target.parent)

    def _is_there(self, target: Path, name: str, size: int) -> None:
        """The same bytes lie there: as good as new, also for those who look for what is old."""
        if target.stat().st_size != size:
            raise StoredDiffers(f"{name} is in the storage with another length than {size} bytes.")
        os.utime(target)

    def _replace(self, name: str, data: bytes) -> None:
        with self._errors():
            self._have((self.root / name).parent)
        self._put(name, data)

    def _put(self, name: str, data: bytes) -> None:
        target = self.root / name
        source = self.arrivals.free_path()
        with self._errors():
            descriptor = files.open_private(source, new=True)
            try:
                files.try_lock(descriptor)
                files.write_all(descriptor, [data])
                os.fsync(descriptor)
                source.replace(target)
            finally:
                files.remove(source)
                os.close(descriptor)
            files.sync_folder(target.parent)

    def _have(self, folder: Path) -> None:
        """Have one of the 256 folders there, and on the disk; the one above was there from the start."""
        if str(folder) not in self._durable or not folder.is_dir():
            files.make_private(folder)
            files.sync_folder(folder.parent)
            self._durable.add(str(folder))

    def _open(self, name: str, opened: list[int]) -> None:
        with self._errors(name):
            opened.append(os.open(self.root / name, files.READ))

    def _read(self, name: str, descriptor: int, wanted: int, start: int) -> bytes:
        with self._errors(name):
            os.lseek(descriptor, start, os.SEEK_SET)
            return os.read(descriptor, wanted)

    def _look(self, name: str) -> Stored | None:
        with suppress(NotStored), self._errors(name):
            status = (self.root / name).stat()
            modified = datetime.fromtimestamp(status.st_mtime, UTC)
            return Stored(name=name, size=status.st_size, modified=modified)
        return None

    def _label(self) -> str | None:
        with suppress(NotStored), self._errors(names.LABEL), (self.root / names.LABEL).open("rb") as file:
            return file.read(names.LONGEST_LABEL).decode(errors="replace").strip()
        return None

    def _delete(self, name: str) -> None:
        path = self.root / name
        with suppress(NotStored), self._errors(name):
            path.unlink()
            files.sync_folder(path.parent)

    def _folders(self, prefix: str) -> list[str]:
        with self._errors(), os.scandir(self.root / prefix) as entries:
            return sorted(f"{prefix}/{one.name}" for one in entries if names.is_folder(f"{prefix}/{one.name}"))

    def _entries(self, folder: str, before: float | None) -> list[Stored]:
        found = []
        with suppress(NotStored), self._errors(folder), os.scandir(self.root / folder) as entries:
            for one in entries:
                with suppress(FileNotFoundError):
                    status = one.stat(follow_symlinks=False)
                    if names.is_name(f"{folder}/{one.name}") and (before is None or status.st_mtime < before):
                        modified = datetime.fromtimestamp(status.st_mtime, UTC)
                        found.append(Stored(name=f"{folder}/{one.name}", size=status.st_size, modified=modified))
        return sorted(found, key=lambda stored: stored.name)

    @contextmanager
    def _errors(self, name: str | None = None) -> Iterator[None]:
        """Translate errors; a file is only missing if the folder above all of them isn't: else a disk is."""
        try:
            with os_errors(self.root):
                yield
        except StorageUnavailable as error:
            missing = isinstance(error.__cause__, FileNotFoundError)
            if missing and name is not None and (self.root / names.BLOBS).is_dir():
                raise NotStored(name) from None
            raise
