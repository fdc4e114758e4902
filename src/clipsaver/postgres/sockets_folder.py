"""The private folder where the embedded server's socket lies, and how other processes find it.

It is in the system's temporary folder, since a socket's path may have at most 107 bytes. The database's own folder has
a note of where; the note also says which folder it was made for, so that a copy of the database makes its own.
"""

import contextlib
import os
import stat
import tempfile
from pathlib import Path
from typing import Final

from clipsaver.errors import StartFailed
from clipsaver.postgres.server import SOCKET

LONGEST: Final = 107
"""Bytes of a socket's path that Linux takes."""
PLACES: Final = ("/tmp", "/var/tmp", "/dev/shm")  # noqa: S108 - a private folder inside is what is made
"""Where to try when the temporary folder's path is too long."""


def noted(folder: Path) -> Path | None:
    """Where the socket's folder is, or last was, for the database in this folder."""
    try:
        made_for, path = (folder / "socket").read_text("utf-8").split("\n", 1)
    except (FileNotFoundError, ValueError):
        return None
    return Path(path) if made_for == _which(folder) else None


def choose(folder: Path) -> Path:
    """Make the private folder: where it was before if that can be, so that whoever joined finds it again."""
    before = noted(folder)
    if before is not None:
        with contextlib.suppress(OSError):
            make_private(before, folder)
            return before
    for place in dict.fromkeys((tempfile.gettempdir(), *PLACES)):
        with contextlib.suppress(OSError):
            if len(os.fsencode(place)) + len(f"/clipsaver-12345678/{SOCKET}") <= LONGEST:
                made = Path(tempfile.mkdtemp(prefix="clipsaver-", dir=place))
                _note(folder, made)
                return made
    raise StartFailed("There is no temporary folder with a path short enough for the database's socket: set TMPDIR.")


def make_private(sockets: Path, folder: Path) -> None:
    """Have the folder there, and to ourselves."""
    with contextlib.suppress(FileExistsError):
        sockets.mkdir(mode=0o700)
    if not is_private(sockets, folder):
        raise PermissionError(1, "Someone else can get to it", str(sockets))


def is_private(sockets: Path, folder: Path) -> bool:
    """Whether nobody but us, or whom the server runs as, can be behind it."""
    try:
        found = sockets.lstat()
    except OSError:
        return False
    trusted = {os.geteuid()}
    with contextlib.suppress(OSError):
        trusted.add((folder / "data").stat().st_uid)
    return stat.S_ISDIR(found.st_mode) and found.st_uid in trusted and stat.S_IMODE(found.st_mode) & 0o077 == 0


def remove(sockets: Path, *, used: bool) -> None:
    """Take it away: with what our server may have left in it, if there was one, and with nothing else."""
    with contextlib.suppress(OSError):
        for name in (SOCKET, f"{SOCKET}.lock") if used else ():
            (sockets / name).unlink(missing_ok=True)
        sockets.rmdir()


def _note(folder: Path, sockets: Path) -> None:
    beside = folder / "socket.new"
    beside.write_text(f"{_which(folder)}\n{sockets}", "utf-8")
    beside.replace(folder / "socket")


def _which(folder: Path) -> str:
    """What tells a folder from its copy."""
    found = folder.stat()
    return f"{found.st_dev}:{found.st_ino}"
