"""How a storage is opened: from `storage.url` to something that was tried."""

from pathlib import Path

import structlog

from clipsaver.errors import StartFailed
from clipsaver.media.storage import files, urls
from clipsaver.media.storage.arrivals import Arrivals
from clipsaver.media.storage.base import Storage
from clipsaver.media.storage.errors import StorageFull, StorageRefused, StorageUnavailable
from clipsaver.media.storage.local import LocalStorage
from clipsaver.media.storage.threads import Threads

log = structlog.get_logger("clipsaver.media")


async def open_storage(
    url: str, *, data_dir: Path, reserve: int = 0, threads: int = 8, writing: bool = True
) -> Storage:
    """Open what `storage.url` names, and try it; ``async with`` closes it.

    What can't work until somebody changes something is a `StartFailed`. A disk that is full and a bucket that doesn't
    answer are only logged: the rest of the bot can do without for a while. Whoever only reads may not be able to write.
    """
    place = urls.parse(url, data_dir=data_dir)
    if isinstance(place, Path):
        storage = _local(place, reserve, threads)
    else:
        storage = _objects(place, data_dir, reserve, threads)
    if not writing:
        return storage
    try:
        await storage.check()
    except (StorageFull, StorageUnavailable) as error:
        log.warning("storage.unavailable", reason=str(error))
    except StorageRefused as error:
        storage.threads.close()
        raise StartFailed(f"Nothing can be stored: {error}") from None
    except BaseException:
        storage.threads.close()
        raise
    return storage


def _local(root: Path, reserve: int, threads: int) -> Storage:
    try:
        return LocalStorage.at(root, reserve=reserve, threads=threads)
    except OSError as error:
        raise StartFailed(f"The storage's folder {root} can't be used: {error.strerror}.") from None


def _objects(place: urls.Place, data_dir: Path, reserve: int, threads: int) -> Storage:
    try:
        from clipsaver.media.storage import clients, objects  # noqa: PLC0415 - they need an extra
    except ImportError:
        raise StartFailed(f'{place} needs the extra "s3": pip install "clipsaver[s3]".') from None
    client = clients.connect(place)
    folder = data_dir.absolute() / "incoming"
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        files.make_private(folder)
    except OSError as error:
        raise StartFailed(f"The folder {folder} for incoming files can't be used: {error.strerror}.") from None
    own = Threads(threads)
    arrivals = Arrivals(folder, own, read_again=True)
    return objects.ObjectStorage(threads=own, arrivals=arrivals, reserve=reserve, place=place, client=client)
