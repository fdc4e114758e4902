"""`clipsaver check` on where bytes lie: whether they can, how many more, and who else could read them."""

import os
import stat
from pathlib import Path
from typing import Final

from clipsaver.app.report import Report
from clipsaver.clips.saving.model import GIBIBYTE
from clipsaver.config import Config
from clipsaver.errors import ClipsaverError, StartFailed
from clipsaver.media.storage import Storage, open_storage
from clipsaver.media.storage.at_rest import Machine
from clipsaver.media.storage.urls import Place, parse
from clipsaver.words.text import size

NOT_OURS: Final = 0o077
LITTLE: Final = GIBIBYTE
"""Room for clips of which a person should know how little it is."""
CLOUDS: Final = {"s3": "Amazon", "gs": "Google", "az": "Azure"}
UNFINISHED: Final = {
    "s3": "AbortIncompleteMultipartUpload",
    "gs": "AbortIncompleteMultipartUpload",
}


async def look_at_storage(report: Report, config: Config, *, machine: Machine | None = None) -> None:
    """Open the storage as a start would, write into it, and look at room, privacy and encryption."""
    reserve = int(config.storage.reserve_gb * GIBIBYTE)
    try:
        place = parse(config.storage.url, data_dir=config.data_dir)
        async with await open_storage(config.storage.url, data_dir=config.data_dir, reserve=reserve) as storage:
            await storage.check()
            report.good(f"storage: {place} can be written to")
            await _look_at_room(report, storage, reserve)
    except (StartFailed, ClipsaverError) as error:
        report.bad(f"storage: {error}")
        return
    machine = machine or Machine()
    if isinstance(place, Path):
        _look_at_folder(report, place)
        _look_at_encryption(report, machine, place, what="clips")
    else:
        _look_at_bucket(report, place)
    if not config.database.url:
        _look_at_encryption(report, machine, config.data_dir, what="the database")


async def _look_at_room(report: Report, storage: Storage, reserve: int) -> None:
    """What is free beside what stays free; incoming files need room on this machine wherever they go."""
    free = await storage.free_bytes()
    said = f"{size(free)} free for clips in {storage.arrivals.folder}, beside the {size(reserve)} of storage.reserve_gb"
    if not free:
        report.bad(
            f"storage: no room for clips: nothing is saved until there is more, or storage.reserve_gb is less; {said}"
        )
    elif free < LITTLE:
        report.note(f"storage: little room: {said}")
    else:
        report.good(f"storage: {said}")


def _look_at_folder(report: Report, folder: Path) -> None:
    """Whether others on this machine get in; what lies below is made private at every start."""
    status = folder.stat()
    mode = stat.S_IMODE(status.st_mode)
    if hasattr(os, "getuid") and status.st_uid != os.getuid():
        report.note(f"storage: {folder} belongs to another user ({status.st_uid}), who can read the clips")
    if mode & NOT_OURS:
        report.note(
            f"storage: others may look into {folder} (mode {mode:04o}), though not at the clips: chmod 700 ends that"
        )
    else:
        report.good(f"storage: {folder} is closed to others (mode {mode:04o})")


def _look_at_encryption(report: Report, machine: Machine, folder: Path, *, what: str) -> None:
    """A hint only: disks that encrypt by themselves, and volumes that a provider encrypts, look like any other."""
    found = machine.at_rest(folder)
    if found.encrypted:
        report.good(f"encryption at rest: {what} in {folder}: encrypted ({found.how})")
    elif found.encrypted is None:
        report.note(f"encryption at rest: {what} in {folder}: could not be seen ({found.how}); see docs/storage.md")
    else:
        report.note(
            f"encryption at rest: {what} in {folder}: none to be seen ({found.how}); unless the disk or the provider "
            "encrypts by itself, use LUKS or the like: see docs/storage.md"
        )


def _look_at_bucket(report: Report, place: Place) -> None:
    """What a bucket does by itself can't be asked with the rights that storing needs: it is said what to look at."""
    endpoint = place.options.get("endpoint")
    if asked := place.options.get("encryption"):
        report.good(f"encryption at rest: every object is sent to {place} with {asked}")
    elif endpoint is not None:
        report.note(f"encryption at rest: whether {endpoint} encrypts what it stores can't be asked; look there")
    else:
        report.good(
            f"encryption at rest: {CLOUDS[place.scheme]} encrypts all objects, with keys of its own unless told"
        )
    if place.scheme in UNFINISHED:
        report.note(
            f"storage: whether {place} removes unfinished uploads of killed processes can't be asked; "
            f"give it a rule ({UNFINISHED[place.scheme]}): see docs/storage.md"
        )
