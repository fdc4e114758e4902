"""The kernel's own fences, through its plain system calls: Landlock for files, a seccomp filter for everything else.

Numbers and layouts are those of linux/landlock.h, linux/seccomp.h, linux/filter.h and each machine's asm/unistd.h.
"""

import ctypes
import struct
from typing import Any, Final

LANDLOCK_CREATE_RULESET: Final = 444
LANDLOCK_RESTRICT_SELF: Final = 446
LANDLOCK_VERSION_FLAG: Final = 1
FILE_RIGHTS: Final = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 4: (1 << 15) - 1, 5: (1 << 16) - 1}
"""By version of Landlock: every right on files that it knows."""
TCP_RIGHTS: Final = 0b11
"""Bind and connect, from version 4 on."""
SCOPES: Final = 0b11
"""Abstract sockets and signals, from version 6 on."""

PR_SET_SECCOMP: Final = 22
SECCOMP_MODE_FILTER: Final = 2
ALLOW: Final = 0x7FFF0000
KILL: Final = 0x80000000
ERRNO: Final = 0x00050000
EPERM: Final = 1
ENOSYS: Final = 38
LOAD: Final = 0x20
JUMP_EQUAL: Final = 0x15
JUMP_AT_LEAST: Final = 0x35
JUMP_SET: Final = 0x45
RETURN: Final = 0x06
NUMBER_AT, MACHINE_AT, FIRST_ARGUMENT_AT = 0, 4, 16
CLONE_THREAD: Final = 0x10000
X32: Final = 0x40000000
CLONE3: Final = 435

# io_uring, openat2, what acts through a pidfd, and the newer mount calls have one number everywhere.
EVERYWHERE: Final = (424, 425, 428, 429, 430, 431, 432, 434, 437, 438, 442)
MACHINES: Final[dict[str, tuple[int, int, tuple[int, ...]]]] = {
    # machine: its AUDIT_ARCH, clone, and what is refused: opening, making, renaming and removing files; sockets and
    # queues; other programs and processes; mounts, keys, tracing and the rest of what reaches out of a process.
    "x86_64": (
        0xC000003E,
        56,
        (
            *(
                2,
                257,
                76,
                85,
                82,
                83,
                84,
                86,
                87,
                88,
                90,
                92,
                133,
                258,
                259,
                260,
                263,
                264,
                265,
                266,
                268,
                304,
                316,
                319,
            ),
            *(41, 42, 43, 49, 50, 53, 288, 29, 64, 68, 240),
            *(57, 58, 59, 322, 62, 129, 101, 310, 311, 312),
            *(155, 161, 165, 166, 248, 249, 250, 272, 298, 308, 321, 323),
        ),
    ),
    "aarch64": (
        0xC00000B7,
        220,
        (
            *(56, 45, 33, 34, 35, 36, 37, 38, 53, 54, 265, 276, 279),
            *(198, 199, 200, 201, 202, 203, 242, 194, 190, 186, 180),
            *(221, 281, 129, 138, 117, 270, 271, 272),
            *(39, 40, 41, 51, 97, 217, 218, 219, 241, 268, 280, 282),
        ),
    ),
}


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_void_p))


def landlock(libc: Any) -> bool:
    """End opening files, reaching TCP ports and signalling other processes; False where Landlock is missing."""
    version = libc.syscall(LANDLOCK_CREATE_RULESET, None, ctypes.c_size_t(0), LANDLOCK_VERSION_FLAG)
    if version < 1:
        return False
    known = struct.pack(
        "=QQQ",
        FILE_RIGHTS[min(version, max(FILE_RIGHTS))],
        TCP_RIGHTS if version >= 4 else 0,  # noqa: PLR2004 - as said at its name
        SCOPES if version >= 6 else 0,  # noqa: PLR2004 - as said at its name
    )
    ruleset = libc.syscall(LANDLOCK_CREATE_RULESET, known, ctypes.c_size_t(len(known)), 0)
    return bool(ruleset >= 0 and libc.syscall(LANDLOCK_RESTRICT_SELF, ruleset, 0) == 0)


def seccomp(libc: Any, machine: str) -> bool:
    """Refuse the calls that reach out of this process; False where the machine is not known or the kernel says no."""
    if machine not in MACHINES:
        return False
    code = program(machine)
    buffer = ctypes.create_string_buffer(code, len(code))
    held = _Program(len(code) // 8, ctypes.cast(buffer, ctypes.c_void_p))
    return bool(libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(held), 0, 0) == 0)


def program(machine: str) -> bytes:
    """The filter: another machine's calls kill, refused ones fail with EPERM, and only threads may be started."""
    audit, clone, refused = MACHINES[machine]
    refuse = _code(RETURN, ERRNO | EPERM)
    code = [_code(LOAD, MACHINE_AT), _code(JUMP_EQUAL, audit, 1, 0), _code(RETURN, KILL), _code(LOAD, NUMBER_AT)]
    code += [_code(JUMP_AT_LEAST, X32, 0, 1), refuse]
    for number in (*refused, *EVERYWHERE):
        code += [_code(JUMP_EQUAL, number, 0, 1), refuse]
    # glibc falls back to clone, whose flags are no pointer and can be looked at.
    code += [_code(JUMP_EQUAL, CLONE3, 0, 1), _code(RETURN, ERRNO | ENOSYS)]
    code += [
        _code(JUMP_EQUAL, clone, 0, 3),
        _code(LOAD, FIRST_ARGUMENT_AT),
        _code(JUMP_SET, CLONE_THREAD, 1, 0),
        refuse,
    ]
    return b"".join([*code, _code(RETURN, ALLOW)])


def _code(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)
