"""What goes wrong where bytes lie. None but `NotStored` is for good: room is made, disks and networks come back."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from clipsaver.errors import ClipsaverError

FULL = frozenset({errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)})
NOT_PERMITTED = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})


class StorageFull(ClipsaverError):
    """There is no room: the disk, a quota or a limit is reached."""


class StorageRefused(ClipsaverError):
    """The storage refuses: it is read-only, permissions or credentials are missing, or there is no such bucket."""


class StorageUnavailable(ClipsaverError):
    """The storage doesn't answer, or not as it should; it may when asked again."""


class StoredDiffers(ClipsaverError):
    """What lies under the name is not what it should be; delete it, then keep the right bytes."""


class NotStored(ClipsaverError):
    """There is nothing under that name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} is not in the storage.", permanent=True)


def of_os(error: OSError, where: object) -> ClipsaverError:
    """The kind of trouble that an operating system's error is."""
    said = error.strerror or type(error).__name__
    if error.errno in FULL:
        return StorageFull(f"There is no room in {where}: {said}.")
    if error.errno in NOT_PERMITTED:
        return StorageRefused(f"{where} can't be used: {said}.")
    return StorageUnavailable(f"{where} can't be used at the moment: {said}.")


@contextmanager
def os_errors(where: object) -> Iterator[None]:
    """Translate an operating system's errors."""
    try:
        yield
    except OSError as error:
        raise of_os(error, where) from error
