"""Bytes in a bucket: Amazon S3 and what speaks its protocol, Google Cloud Storage, Azure Blob Storage.

obstore's blocking calls run in our threads: its asynchronous ones can abort the interpreter when it ends.
"""

import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import obstore
from attrs import define
from obstore.exceptions import AlreadyExistsError, BaseError, GenericError, NotSupportedError

from clipsaver.errors import ClipsaverError
from clipsaver.media.storage import clients, names
from clipsaver.media.storage.base import Storage, Stored
from clipsaver.media.storage.errors import NotStored, StorageFull, StoredDiffers, os_errors
from clipsaver.media.storage.incoming import Incoming
from clipsaver.media.storage.signing import signed_link
from clipsaver.media.storage.uploads import Uploads
from clipsaver.media.storage.urls import Place

PART: Final = 8 * 1024 * 1024
"""Bytes that go up in one request; a larger file goes in several parts, of which it can have 10,000."""
PARTS_AT_ONCE: Final = 3
PIECE: Final = 4 * 1024 * 1024
"""Bytes that come down in one request."""
FIRST_PIECE: Final = 512 * 1024
"""The first request is for few, so that something comes soon."""
PAGE: Final = 1000
"""Names that are listed at a time."""


class Stopped(Exception):
    """Whoever wanted the upload is gone."""


@define(eq=False, kw_only=True)
class ObjectStorage(Storage):
    """Objects in a bucket; incoming files lie on this machine's disk."""

    place: Place
    client: clients.Client

    async def check(self) -> None:
        """List, write and remove something, which needs all permissions that the rest needs."""
        await self.threads.run(self._check)

    async def keep(self, incoming: Incoming, *, content_type: str | None = None) -> bytes:
        """Send it, in several parts if it is large; they are taken back if we are cancelled."""
        sha256 = await incoming.seal()
        name = names.blob_name(sha256)
        stop = threading.Event()
        await self.threads.run(self._upload, incoming.path, name, incoming.size, content_type, stop, on_cancel=stop.set)
        return sha256

    async def put_picture(self, name: str, data: bytes) -> None:
        """Send it in one request."""
        await self.threads.run(self._put, names.checked_thumbnail(name), data, "overwrite", "image/webp")

    async def read(self, name: str, start: int = 0, stop: int | None = None) -> AsyncIterator[bytes]:
        """Ask for piece after piece, so that nobody holds a connection who reads slowly."""
        names.checked(name)
        wanted, size = FIRST_PIECE, None
        while (stop is None or start < stop) and (size is None or start < size):
            end = start + wanted if stop is None else min(start + wanted, stop)
            piece, size = await self.threads.ask(self._get, name, start, end)
            start, wanted = start + len(piece), PIECE
            if piece:
                yield piece

    async def look(self, name: str) -> Stored | None:
        """Ask for it."""
        return await self.threads.ask(self._look, names.checked(name))

    async def label(self) -> str | None:
        """Get the object that says so."""
        return await self.threads.ask(self._label)

    async def set_label(self, text: str) -> None:
        """Put it there."""
        await self.threads.run(self._put, names.LABEL, text.encode(), "overwrite", "text/plain")

    async def delete(self, name: str) -> None:
        """Remove the object."""
        await self.threads.run(self._delete, names.checked(name))

    async def listing(self, prefix: str, *, older_than: datetime | None = None) -> AsyncIterator[Stored]:
        """Ask for page after page."""
        pages = iter(obstore.list(self.client, names.checked_folder(prefix), chunk_size=PAGE))
        while (page := await self.threads.ask(self._next, pages)) is not None:
            for entry in page:
                if names.is_name(entry["path"]) and (older_than is None or entry["last_modified"] < older_than):
                    yield self._stored(entry)

    async def abort_uploads(self, *, older_than: datetime) -> int:
        """Take back what was sent in parts, where the bucket says what that is."""
        return await self.threads.run(Uploads(client=self.client, place=self.place).abort, older_than)

    def local_path(self, name: str) -> Path | None:
        """None: nothing lies on this machine."""
        names.checked(name)
        return None

    @asynccontextmanager
    async def as_file(self, name: str, *, most: int) -> AsyncIterator[Path]:
        """A copy among the incoming files."""
        async with self.incoming() as copy:
            async for piece in self.read(name):
                if copy.size + len(piece) > most:
                    raise StorageFull(f"{name} is larger than a copy may be: {most} bytes.")
                await copy.write(piece)
            await copy.flush()
            yield copy.path

    async def signed_link(
        self, name: str, *, expires: timedelta, filename: str | None = None, content_type: str | None = None
    ) -> str | None:
        """Sign one with the client's own credentials."""
        names.checked(name)
        return await self.threads.ask(
            lambda: signed_link(
                self.client, self.place, name, expires=expires, filename=filename, content_type=content_type
            )
        )

    # In a thread:

    def _check(self) -> None:
        name = "incoming/check"
        with self._errors(name):
            next(iter(obstore.list(self.client, names.BLOBS, chunk_size=1)), None)
            obstore.put(self.client, name, b"clipsaver", use_multipart=False)
            obstore.delete(self.client, name)

    def _upload(self, path: Path, name: str, size: int, content_type: str | None, stop: threading.Event) -> None:
        """Send it if it isn't there; a small one on the condition that it still isn't."""
        there = self._size(name)
        if there is None:
            if size <= PART:
                with os_errors(path.parent):
                    data = path.read_bytes()
                self._create(name, data, content_type)
            else:
                self._put(name, _parts(path, stop), None, content_type)
            there = self._size(name)
        if there != size:
            raise StoredDiffers(f"{name} is in the storage with another length than {size} bytes.")

    def _create(self, name: str, data: bytes, content_type: str | None) -> None:
        try:
            self._put(name, data, "create", content_type)
        except ClipsaverError as error:
            if isinstance(error.__cause__, NotSupportedError) or "501 Not Implemented" in str(error.__cause__):
                self._put(name, data, "overwrite", content_type)
            elif not isinstance(error.__cause__, AlreadyExistsError):
                raise

    def _put(self, name: str, data: Any, mode: Any, content_type: str | None) -> None:
        """Put bytes in one request, an iterator's in several: obstore takes them back if the iterator fails."""
        with self._errors(name):
            obstore.put(
                self.client,
                name,
                data,
                attributes={"Content-Type": content_type} if content_type else None,
                mode=mode,
                use_multipart=mode is None,
                chunk_size=PART,
                max_concurrency=PARTS_AT_ONCE,
            )

    def _get(self, name: str, start: int, end: int) -> tuple[bytes, int]:
        """A piece, and how long the whole is; nothing where it starts behind the end."""
        with self._errors(name):
            try:
                got = obstore.get(self.client, name, options={"range": (start, end)})
                return bytes(got.bytes()), got.meta["size"]
            except GenericError as error:
                if "416 " not in str(error):
                    raise
                return b"", obstore.head(self.client, name)["size"]

    def _size(self, name: str) -> int | None:
        found = self._look(name)
        return None if found is None else found.size

    def _look(self, name: str) -> Stored | None:
        try:
            with self._errors(name):
                return self._stored(obstore.head(self.client, name))
        except NotStored:
            return self._look_by_get(name)

    def _look_by_get(self, name: str) -> Stored | None:
        """Ask again in a way that is answered with words: no bucket is something else than nothing in it."""
        with suppress(NotStored):
            size = self._get(name, 0, 1)[1]
            return Stored(name=name, size=size, modified=datetime.now(UTC))  # nobody said when: as good as new
        return None

    @staticmethod
    def _stored(meta: Any) -> Stored:
        return Stored(name=meta["path"], size=meta["size"], modified=meta["last_modified"])

    def _label(self) -> str | None:
        with suppress(NotStored):
            return self._get(names.LABEL, 0, names.LONGEST_LABEL)[0].decode(errors="replace").strip()
        return None

    def _delete(self, name: str) -> None:
        try:
            with self._errors(name):
                obstore.delete(self.client, name)
        except NotStored:
            return

    def _next(self, pages: Any) -> Any:
        with self._errors(names.BLOBS):
            return next(pages, None)

    @contextmanager
    def _errors(self, name: str) -> Iterator[None]:
        try:
            yield
        except (BaseError, FileNotFoundError, ValueError) as error:
            raise clients.translated(error, self.place, name) from error


def _parts(path: Path, stop: threading.Event) -> Iterator[bytes]:
    with os_errors(path.parent), path.open("rb") as file:
        while part := file.read(PART):
            if stop.is_set():
                raise Stopped
            yield part
