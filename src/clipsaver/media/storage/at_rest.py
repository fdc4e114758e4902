"""Whether a folder lies on an encrypted disk, as far as Linux lets one see that: a look, and no more than a hint."""

import os
import struct
from contextlib import suppress
from pathlib import Path
from typing import Final

from attrs import define, field, frozen

ENCRYPTING: Final = frozenset({"ecryptfs", "fuse.gocryptfs", "fuse.cryfs", "fuse.encfs", "fuse.securefs"})
"""File systems that do nothing else."""
IN_MEMORY: Final = frozenset({"tmpfs", "ramfs"})
ELSEWHERE: Final = ("nfs", "cifs", "smb", "9p", "virtiofs", "ceph", "glusterfs", "fuse.", "overlay")
"""What the kernel doesn't put on a disk itself."""
GET_FLAGS: Final = 0x80086601
ENCRYPTED_FLAG: Final = 0x800
"""Linux: FS_IOC_GETFLAGS and FS_ENCRYPT_FL, which fscrypt sets."""
DEEPEST: Final = 8
"""Layers of devices that are followed downwards."""


@frozen(kw_only=True)
class AtRest:
    """What could be seen of a folder."""

    encrypted: bool | None
    """None: that can't be seen from here."""
    how: str
    """A few words on what it lies on."""


@frozen(kw_only=True)
class Mount:
    """A line of ``mountinfo``."""

    at: Path
    device: str
    """Major and minor number."""
    kind: str
    source: str


@define(kw_only=True)
class Machine:
    """Where the kernel tells about mounts and devices."""

    mounts: Path = field(default=Path("/proc/self/mountinfo"))
    sys: Path = field(default=Path("/sys"))

    def at_rest(self, folder: Path) -> AtRest:
        """Look at what a folder lies on."""
        real = folder.resolve()
        mount = self._mount_of(real)
        if mount is None:
            return AtRest(encrypted=None, how="what it lies on can't be seen")
        if _is_marked(real):
            return AtRest(encrypted=True, how="fscrypt")
        return _by_kind(mount) or self._by_device(mount)

    def _by_device(self, mount: Mount) -> AtRest:
        device = self._device_of(mount)
        if device is None:
            return AtRest(encrypted=None, how=f"{mount.kind}, on a device that can't be seen")
        if self._is_crypt(device, DEEPEST):
            return AtRest(encrypted=True, how="dm-crypt")
        return AtRest(encrypted=False, how=f"{mount.kind} on {device.name}")

    def _mount_of(self, path: Path) -> Mount | None:
        """The file system a path is in: the last of the deepest, since one can lie over another."""
        found = None
        with suppress(OSError):
            for line in self.mounts.read_text(encoding="utf-8", errors="replace").splitlines():
                mount = _read(line)
                if mount is not None and path.is_relative_to(mount.at):
                    deeper = found is None or len(mount.at.parts) >= len(found.at.parts)
                    found = mount if deeper else found
        return found

    def _device_of(self, mount: Mount) -> Path | None:
        """The folder that tells about a file system's device; some file systems give themselves another number."""
        for folder in (
            self.sys / "dev" / "block" / mount.device,
            self.sys / "class" / "block" / Path(mount.source).resolve().name,
        ):
            with suppress(OSError):
                if folder.is_dir():
                    return folder.resolve()
        return None

    def _is_crypt(self, device: Path, deepest: int) -> bool:
        """Whether a device is encrypted, or all that it is put together from."""
        with suppress(OSError):
            if (device / "dm" / "uuid").read_text(encoding="ascii", errors="replace").startswith("CRYPT-"):
                return True
        with suppress(OSError):
            below = [one.resolve() for one in (device / "slaves").iterdir()]
            return bool(below) and deepest > 0 and all(self._is_crypt(one, deepest - 1) for one in below)
        return False


def _by_kind(mount: Mount) -> AtRest | None:
    """What the kind of file system tells; None where its device does."""
    if mount.kind in ENCRYPTING:
        return AtRest(encrypted=True, how=mount.kind.removeprefix("fuse."))
    if mount.kind in IN_MEMORY:
        return AtRest(encrypted=None, how=f"{mount.kind}: it is in memory, and gone when the machine ends")
    if mount.kind == "zfs":
        return AtRest(encrypted=None, how=f"ZFS: `zfs get encryption {mount.source}` tells")
    if mount.kind.startswith(ELSEWHERE):
        return AtRest(encrypted=None, how=mount.kind)
    return None


def _read(line: str) -> Mount | None:
    """Linux: proc_pid_mountinfo(5); a varying number of fields ends with a dash."""
    before, dash, after = line.partition(" - ")
    fields, rest = before.split(" "), after.split(" ")
    if not dash or len(fields) < 6 or len(rest) < 2:  # noqa: PLR2004 - six before, type and source behind
        return None
    return Mount(at=Path(_unescaped(fields[4])), device=fields[2], kind=rest[0], source=_unescaped(rest[1]))


def _unescaped(text: str) -> str:
    """Spaces, tabs, line ends and backslashes are written in octal."""
    for number in ("040", "011", "012", "134"):
        text = text.replace(f"\\{number}", chr(int(number, 8)))
    return text


def _is_marked(folder: Path) -> bool:
    """Whether the file system itself encrypts the folder."""
    try:
        import fcntl  # noqa: PLC0415 - not on Windows
    except ImportError:  # pragma: no cover - there is nothing to be seen there
        return False
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            flags = fcntl.ioctl(descriptor, GET_FLAGS, struct.pack("l", 0))
        finally:
            os.close(descriptor)
        return bool(struct.unpack("l", flags)[0] & ENCRYPTED_FLAG)
    return False
