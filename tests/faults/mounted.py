"""Runs clipsaver with a small disk of its own: ``python -m tests.faults.mounted FOLDER SIZE run``.

The disk is a tmpfs on that folder which only this process sees; whoever started it fills it, and takes writing away
from it, through the process's own view of files.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

UNSHARE: Final = ("unshare", "--user", "--map-root-user", "--mount")
MOUNT: Final = 'mount -t tmpfs -o "size=$1,mode=700" tmpfs "$0" && shift && exec "$@"'


def may_mount() -> bool:
    """Whether we can have a file system of our own: as root always, else where the kernel lets everybody."""
    if shutil.which("unshare") is None:
        return False
    return subprocess.run([*UNSHARE, "true"], capture_output=True, check=False).returncode == 0  # noqa: S603 - the system's own


def remount(pid: int, folder: Path, how: str) -> None:
    """Mount a process's disk anew, as ``ro`` or ``rw``."""
    entering = ("nsenter", "--user", "--mount", "--preserve-credentials", "--target", str(pid))
    subprocess.run([*entering, "mount", "-o", f"remount,{how}", str(folder)], check=True)  # noqa: S603 - likewise


def seen_by(pid: int, folder: Path) -> Path:
    """A folder as that process sees it."""
    return Path(f"/proc/{pid}/root{folder}")


def main(folder: str, size: str, *arguments: str) -> None:
    """Become clipsaver."""
    program = (sys.executable, "-m", "clipsaver", *arguments)
    os.execvp(UNSHARE[0], (*UNSHARE, "sh", "-c", MOUNT, folder, size, *program))  # noqa: S606 - our own words


if __name__ == "__main__":
    main(*sys.argv[1:])
