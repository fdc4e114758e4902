"""Take from this process what looking at a video doesn't need, before the first byte of it is read.

Two moments: limits before the decoders are loaded, and then, since loading reads files, everything else.
Each part is taken where the system can; what was taken is reported, in words the tests know.
"""

import contextlib
import ctypes
import os
import signal
import sys
from typing import Any, Final

from clipsaver.media.sandbox import filters

PR_SET_PDEATHSIG: Final = 1
PR_SET_NO_NEW_PRIVS: Final = 38
CLONE_NEWUSER: Final = 0x10000000
CLONE_NEWNET: Final = 0x40000000
NOBODY: Final = 65534
FILES: Final = 32


def limit(*, memory: int, cpu_seconds: int, wall_seconds: int) -> list[str]:
    """Bound memory, time and files; no file can be written, and the process ends itself should its parent be gone."""
    if os.name != "posix":  # Windows: the parent's clock and the bounded answer are all there is
        return []
    import resource  # noqa: PLC0415 - Windows has none

    bounds = {
        resource.RLIMIT_AS: (memory, memory),
        resource.RLIMIT_CPU: (cpu_seconds, cpu_seconds + 1),
        resource.RLIMIT_FSIZE: (0, 0),
        resource.RLIMIT_NOFILE: (FILES, FILES),
        resource.RLIMIT_CORE: (0, 0),
    }
    for what, wanted in bounds.items():
        ceiling = resource.getrlimit(what)[1]
        soft, hard = wanted if ceiling == resource.RLIM_INFINITY else (min(each, ceiling) for each in wanted)
        # macOS knows RLIMIT_AS and refuses it.
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(what, (soft, hard))
    signal.setitimer(signal.ITIMER_REAL, wall_seconds)
    return ["limits"]


def seal(*, parent: int) -> list[str]:
    """Give up the network, every file, other processes and our own rights; returns what could be given up."""
    if sys.platform != "linux":
        return []
    libc = ctypes.CDLL(None, use_errno=True)
    held = []
    if _without_network(libc):
        held.append("network")
    if os.geteuid() == 0 and _become_nobody():
        held.append("user")
    # A change of identity clears the signal, so it is asked for afterwards.
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        raise SystemExit(1)
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if filters.landlock(libc):
        held.append("landlock")
    if filters.seccomp(libc, os.uname().machine):
        held.append("seccomp")
    return held


def _without_network(libc: Any) -> bool:
    """Enter a network namespace with nothing in it; without rights, through a user namespace of our own."""
    return bool(libc.unshare(CLONE_NEWNET) == 0 or libc.unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0)


def _become_nobody() -> bool:
    """Put down root's rights, where the user namespace we are in knows that other user."""
    try:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
    except OSError:
        return False
    return True
