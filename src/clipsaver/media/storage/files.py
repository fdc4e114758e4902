"""The few things that must be done right with files: private whatever the umask, and on the disk when we say so."""

import os
import stat
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

MOST_AT_ONCE: Final = 512
"""Chunks in one call; systems take 1024."""
PRIVATE_FILE: Final = 0o600
PRIVATE_FOLDER: Final = 0o700
_SAFELY: Final = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)
READ: Final = os.O_RDONLY | _SAFELY
WRITE: Final = os.O_RDWR | _SAFELY
"""Flags for opening: not through a symbolic link, and not for our children."""


def make_private(folder: Path) -> None:
    """Make a folder that only we get into; one that is there is made so."""
    folder.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
    if stat.S_IMODE(folder.stat().st_mode) != PRIVATE_FOLDER:
        folder.chmod(PRIVATE_FOLDER)


def open_private(path: Path, *, new: bool = False) -> int:
    """Open a file of ours for reading and writing; it is made if it isn't there, and must be if it is to be new."""
    descriptor = os.open(path, WRITE | os.O_CREAT | (os.O_EXCL if new else 0), PRIVATE_FILE)
    if hasattr(os, "fchmod"):
        os.fchmod(descriptor, PRIVATE_FILE)
    return descriptor


def write_all(descriptor: int, chunks: Sequence[bytes]) -> None:
    """Write all of them, however little the system takes at a time."""
    for first in range(0, len(chunks), MOST_AT_ONCE):
        together = chunks[first : first + MOST_AT_ONCE]
        written = os.writev(descriptor, together) if hasattr(os, "writev") else 0
        if written < sum(map(len, together)):
            left = memoryview(b"".join(together))[written:]
            while left:
                left = left[os.write(descriptor, left) :]


def uncache(descriptor: int, start: int = 0, size: int = 0) -> None:
    """Tell the system that its copy in memory isn't needed; a size of 0 reaches to the file's end.

    Linux frees what the disk has, and begins to write the rest to it. It is only a hint: a system that refuses it
    loses nothing.
    """
    if hasattr(os, "posix_fadvise"):
        with suppress(OSError):
            os.posix_fadvise(descriptor, start, size, os.POSIX_FADV_DONTNEED)


def sync_folder(folder: Path) -> None:
    """Have a folder's entries on the disk, where folders can be synchronised."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove(path: Path) -> None:
    """Remove a file; that it isn't there is fine."""
    with suppress(FileNotFoundError):
        path.unlink()


def is_at(descriptor: int, path: Path) -> bool:
    """Whether the open file is the one that lies there."""
    with suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(descriptor), path.lstat())
    return False


def try_lock(descriptor: int) -> bool:
    """Lock an open file until it is closed, where there are such locks; False when someone else has it."""
    try:
        import fcntl  # noqa: PLC0415 - not on Windows
    except ImportError:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def boot_id() -> str:
    """Another one each time the machine starts, since what a file held may be gone then; empty where nobody says."""
    with suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip().replace("-", "")[:12]
    return ""
