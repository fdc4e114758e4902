"""The folder of an export: files that are put there whole or not at all, and read without being led astray."""

import hashlib
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import Enum, auto
from io import BufferedReader
from pathlib import Path
from typing import Final, Self

from attrs import define, field

from clipsaver.clips.portable.drafts import PIECE, Draft
from clipsaver.errors import ClipsaverError, StartFailed
from clipsaver.media.storage import files
from clipsaver.media.storage.arrivals import Arrivals
from clipsaver.media.storage.errors import StorageRefused, StorageUnavailable, os_errors
from clipsaver.media.storage.incoming import Incoming
from clipsaver.media.storage.threads import Threads

MANIFEST: Final = "manifest.json"
LISTS: Final = "manifest"
"""``manifest/<server's id>/<channel's id>.jsonl``."""
LIST_ENDING: Final = ".jsonl"
SUMS: Final = "SHA256SUMS"
INCOMING: Final = ".incoming"
SPARE: Final = 16 * 1024 * 1024
"""Bytes of the disk that no clip is put on: lists and pages need some."""
NO_MATTER: Final = frozenset({"lost+found", "System Volume Information", "Thumbs.db"})
"""What an empty disk has in it."""
_NONBLOCK: Final = getattr(os, "O_NONBLOCK", 0)
"""A pipe must not hold us up."""


class NoFile(ClipsaverError):
    """There is no such file in the folder."""


class Look(Enum):
    """What lies where a file should."""

    MISSING = auto()
    SAME = auto()
    OTHER = auto()


@define(eq=False)
class Folder:
    """One folder; what takes long runs in a thread of its own."""

    root: Path
    threads: Threads = field(factory=lambda: Threads(2))
    _lock: int = field(default=-1, init=False)
    _ready: set[str] = field(factory=set, init=False)
    """Folders that are known to be there, and no links."""
    _unsynced: set[Path] = field(factory=set, init=False)
    arrivals: Arrivals = field(init=False)

    @arrivals.default
    def _arrivals(self) -> Arrivals:
        return Arrivals(self.root / INCOMING, self.threads)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.threads.close()
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    # ── an export's ──

    async def prepare(self) -> None:
        """Make the folder, or take it up where an export left it; StartFailed says why not."""
        try:
            self._claim()
        except OSError as error:
            raise StartFailed(f"{self.root} can't be written to: {error.strerror}.") from None
        await self.arrivals.sweep(older_than=datetime.now(UTC))

    def _claim(self) -> None:
        if not self.root.exists():
            self.root.mkdir(parents=True, mode=files.PRIVATE_FOLDER)
        elif not self.root.is_dir():
            raise StartFailed(f"{self.root} is no folder.")
        there = {one.name for one in os.scandir(self.root) if one.name not in NO_MATTER}
        if there and INCOMING not in there and MANIFEST not in there:
            raise StartFailed(f"{self.root} has other files in it: an export needs an empty folder, or one of its own.")
        files.make_private(self.root / INCOMING)
        self._lock = files.open_private(self.root / INCOMING / "lock")
        if not files.try_lock(self._lock):
            raise StartFailed(f"Another export is writing to {self.root}.")

    def free(self) -> int:
        """How many bytes a clip may have."""
        with os_errors(self.root):
            return shutil.disk_usage(self.root).free - SPARE

    async def look(self, name: str, *, sha256: bytes, size: int) -> Look:
        """Look whether a file is there with these bytes; each of them is read."""
        return await self.threads.run(self._look, name, sha256, size)

    async def put(self, incoming: Incoming, name: str, *, modified: datetime) -> None:
        """Have what came in, and was sealed, under a name, in place of whatever is there."""
        await self.threads.run(self._place, incoming.path, name, modified)

    async def link(self, source: str, name: str) -> bool:
        """Give a file a second name, in place of whatever has that; False where there are no such things."""
        return await self.threads.run(self._link, source, name)

    async def write(self, name: str, data: bytes) -> bool:
        """Have a small file with this in it; False if it was so."""
        return await self.threads.run(self._write, name, data)

    def sync(self) -> None:
        """Have the entries of all folders that were written to on the disk."""
        with os_errors(self.root):
            for folder in self._unsynced:
                files.sync_folder(folder)
        self._unsynced.clear()

    @contextmanager
    def draft(self, name: str) -> Iterator["Draft"]:
        """A file that is written line by line, and put in place when the block ends well."""
        path = self.arrivals.free_path()
        with os_errors(self.root):
            descriptor = files.open_private(path, new=True)
        try:
            draft = Draft(self.root, descriptor)
            yield draft
            draft.end()
            if draft.wanted and self._look(name, draft.digest, draft.size) is not Look.SAME:
                self._place(path, name, None)
                self.sync()
        finally:
            os.close(descriptor)
            files.remove(path)

    def set_aside(self, name: str) -> None:
        """Keep a damaged list beside the one that takes its place."""
        with os_errors(self.root):
            (self.root / name).replace(self.root / f"{name}.damaged")

    # ── everybody's ──

    def lists(self) -> Iterator[str]:
        """The names of all lists, by server and channel."""
        for guild in self._numbers(LISTS, ""):
            for channel in self._numbers(f"{LISTS}/{guild}", LIST_ENDING):
                yield f"{LISTS}/{guild}/{channel}{LIST_ENDING}"

    def has(self, name: str) -> bool:
        """Whether there is a file of that name."""
        return stat.S_ISREG(self._status(name))

    @contextmanager
    def open(self, name: str) -> Iterator[BufferedReader]:
        """A file to read: no link, nothing outside, nothing but a file; NoFile when there is none."""
        try:
            descriptor = self._descriptor(name)
        except FileNotFoundError:
            raise NoFile(f"{name} is not there.") from None
        except OSError as error:
            raise StorageUnavailable(f"{name} can't be read: {error.strerror}.") from None
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise StorageRefused(f"{name} is no file.")
        with os.fdopen(descriptor, "rb") as file:
            yield file

    def digest(self, name: str) -> bytes:
        """The SHA-256 of a file."""
        with self.open(name) as file, os_errors(name):
            return hashlib.file_digest(file, "sha256").digest()

    async def read(self, file: BufferedReader, name: str) -> bytes:
        """The next bytes of it."""
        return await self.threads.run(self._read, file, name)

    # In a thread:

    def _read(self, file: BufferedReader, name: str) -> bytes:
        with os_errors(name):
            return file.read(PIECE)

    def _look(self, name: str, sha256: bytes, size: int) -> Look:
        try:
            with self.open(name) as file, os_errors(name):
                if os.fstat(file.fileno()).st_size != size:
                    return Look.OTHER
                return Look.SAME if hashlib.file_digest(file, "sha256").digest() == sha256 else Look.OTHER
        except NoFile:
            return Look.MISSING
        except (StorageRefused, StorageUnavailable):
            return Look.OTHER

    def _place(self, source: Path, name: str, modified: datetime | None) -> None:
        target = self._target(name)
        with os_errors(self.root / name):
            if modified is not None:
                os.utime(source, (modified.timestamp(), modified.timestamp()))
            source.replace(target)
        self._unsynced.add(target.parent)

    def _link(self, source: str, name: str) -> bool:
        if not self.has(source):
            return False
        target, beside = self._target(name), self.arrivals.free_path()
        try:
            os.link(self.root / source, beside)
            beside.replace(target)
        except OSError:
            return False
        finally:
            files.remove(beside)
        self._unsynced.add(target.parent)
        return True

    def _write(self, name: str, data: bytes) -> bool:
        if self._look(name, hashlib.sha256(data).digest(), len(data)) is Look.SAME:
            return False
        path = self.arrivals.free_path()
        with os_errors(self.root / name):
            descriptor = files.open_private(path, new=True)
            try:
                files.write_all(descriptor, [data])
                os.fsync(descriptor)
            except OSError:
                files.remove(path)
                raise
            finally:
                os.close(descriptor)
        self._place(path, name, None)
        return True

    def _target(self, name: str) -> Path:
        """Where a file goes; the folders above it are there, and are folders."""
        path = self.root
        for part in name.split("/")[:-1]:
            path /= part
            if str(path) not in self._ready:
                with os_errors(path):
                    if path.is_symlink():
                        raise StorageRefused(f"{path} is a link to somewhere else: nothing is written there.")
                    path.mkdir(mode=files.PRIVATE_FOLDER, exist_ok=True)
                self._unsynced.add(path.parent)
                self._ready.add(str(path))
        return path / name.rpartition("/")[2]

    def _numbers(self, name: str, last: str) -> list[str]:
        """Entries of a folder that are numbers, but for their ending, the smallest first."""
        path = self.root / name
        if any(part.is_symlink() for part in (path, path.parent)) or not path.is_dir():
            return []
        with os_errors(path), os.scandir(path) as entries:
            found = [
                one.name.removesuffix(last)
                for one in entries
                if one.name.endswith(last)
                and not one.is_symlink()
                and one.is_file() == bool(last)
                and _is_number(one.name.removesuffix(last))
            ]
        return sorted(found, key=int)

    def _status(self, name: str) -> int:
        try:
            return (self.root / name).lstat().st_mode
        except OSError:
            return 0

    def _descriptor(self, name: str) -> int:
        """Open a file from folder to folder, so that none of them can be a link."""
        *folders, last = name.split("/")
        if os.open not in os.supports_dir_fd:
            return self._checked_descriptor(folders, last)
        here = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY)
        try:
            for part in folders:
                inside = os.open(part, files.READ | os.O_DIRECTORY, dir_fd=here)
                os.close(here)
                here = inside
            return os.open(last, files.READ | _NONBLOCK, dir_fd=here)
        finally:
            os.close(here)

    def _checked_descriptor(self, folders: list[str], last: str) -> int:
        """Do so where a folder can't be held open: Windows."""
        path = self.root
        for part in (*folders, last):
            path /= part
            if path.is_symlink():
                raise StorageRefused(f"{path} is a link to somewhere else.")
        return os.open(path, files.READ)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= len(str(2**63))


Complain = Callable[[str, str], None]
"""Told a kind, for counting, and a sentence."""
