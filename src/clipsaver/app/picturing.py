"""What looking at stored videos stands on: the storage that saving has opened, and children that decode."""

from datetime import timedelta

from clipsaver.app.ground import Ground
from clipsaver.clips.picturing.station import PicturingWork
from clipsaver.errors import StartFailed
from clipsaver.media.probe.model import Failed
from clipsaver.media.probe.studio import Studio
from clipsaver.media.storage.base import Storage


def picturing_work(below: Ground, storage: Storage) -> PicturingWork:
    """Prepare to look at what lies in the storage; StartFailed when a package for that is missing."""
    media = below.config.media
    try:
        studio = Studio(memory_mb=media.memory_mb, children=media.children)
    except Failed as error:
        raise StartFailed(error.message) from None
    return PicturingWork(
        pool=below.pool, storage=storage, studio=studio, lease_time=timedelta(seconds=media.lease_seconds)
    )
