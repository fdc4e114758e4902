"""Where bytes lie for good: on a local disk, or in a bucket of S3, Google Cloud Storage or Azure."""

from clipsaver.media.storage.base import Storage, Stored
from clipsaver.media.storage.errors import (
    NotStored,
    StorageFull,
    StorageRefused,
    StorageUnavailable,
    StoredDiffers,
)
from clipsaver.media.storage.incoming import Incoming
from clipsaver.media.storage.names import blob_name, picture_name
from clipsaver.media.storage.opening import open_storage

__all__ = [
    "Incoming",
    "NotStored",
    "Storage",
    "StorageFull",
    "StorageRefused",
    "StorageUnavailable",
    "Stored",
    "StoredDiffers",
    "blob_name",
    "open_storage",
    "picture_name",
]
