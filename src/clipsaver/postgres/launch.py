"""A small program of its own: become who PostgreSQL may run as, die with the owner, then turn into PostgreSQL.

Started with ``python -I -S launch.py <json>``, since hardly anything may run between fork and exec of a program with
threads. It imports nothing of the rest.
"""

import ctypes
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

CLONE_NEWUSER: Final = 0x10000000
PR_SET_PDEATHSIG: Final = 1

REFUSED: Final = 71
"""Exit status: this machine does not let us become that user."""
UNREACHABLE: Final = 72
"""Exit status: that user can't get to a file it needs; the path is on stderr."""
ORPHANED: Final = 73
"""Exit status: the owner was gone before we had begun."""


def main(arguments: Sequence[str]) -> int:
    """Do as the JSON says; returns, with an exit status, only when it could not be done."""
    order = json.loads(arguments[0])
    libc = ctypes.CDLL(None, use_errno=True)
    os.umask(0o077)
    try:
        become(order, libc)
    except OSError as error:
        sys.stderr.write(f"{error.strerror}\n")
        return REFUSED
    # A change of identity clears the signal, so it is asked for afterwards.
    libc.prctl(PR_SET_PDEATHSIG, order["signal"], 0, 0, 0)
    if os.getppid() != order["parent"]:
        return ORPHANED
    for path in order["reach"]:
        if not os.access(path, os.X_OK):
            sys.stderr.write(f"{path}\n")
            return UNREACHABLE
    return os.execv(order["command"][0], order["command"])  # noqa: S606 - a fixed program, no shell


def become(order: Mapping[str, Any], libc: ctypes.CDLL) -> None:
    """Take on the identity: our own, our own under another number, or another user's."""
    if order["mapped"] is not None:
        _map(libc, *order["mapped"])
    elif order["user"] is not None:
        uid, gid = order["user"]
        os.setgroups([])
        os.setresgid(gid, gid, gid)
        os.setresuid(uid, uid, uid)


def _map(libc: ctypes.CDLL, uid: int, gid: int) -> None:
    """Enter a user namespace where we have that number; files outside still belong to who we are."""
    outer_uid, outer_gid = os.geteuid(), os.getegid()
    if libc.unshare(CLONE_NEWUSER) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    own = Path("/proc/self")
    (own / "setgroups").write_text("deny")
    (own / "gid_map").write_text(f"{gid} {outer_gid} 1")
    (own / "uid_map").write_text(f"{uid} {outer_uid} 1")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
