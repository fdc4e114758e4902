"""A client for a bucket: obstore does the talking."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Final, TypeAlias

from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError
from obstore.store import AzureStore, GCSStore, S3Store

from clipsaver.errors import ClipsaverError, StartFailed
from clipsaver.media.storage.errors import NotStored, StorageFull, StorageRefused, StorageUnavailable
from clipsaver.media.storage.urls import Place

Client: TypeAlias = AzureStore | GCSStore | S3Store
CLIENTS: Final[Mapping[str, Callable[..., Client]]] = {"s3": S3Store, "gs": GCSStore, "az": AzureStore}

TIMEOUTS: Final = {"connect_timeout": timedelta(seconds=5), "timeout": timedelta(seconds=60)}
"""A request moves at most `objects.PART` bytes, one way or the other."""
RETRIES: Final = {
    "max_retries": 4,
    "retry_timeout": timedelta(seconds=60),
    "backoff": {"init_backoff": timedelta(milliseconds=200), "max_backoff": timedelta(seconds=5), "base": 2},
}
"""obstore draws each pause at random below the growing bound."""

_NO_BUCKET: Final = ("NoSuchBucket", "ContainerNotFound", "bucket does not exist", "ContainerDisabled")
_NO_ROOM: Final = ("QuotaExceeded", "StorageFull", "InsufficientStorage", "507 ", "QuotaExceed")
_REFUSED: Final = ("403 Forbidden", "401 Unauthorized", "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch")
LONGEST: Final = 300
"""Characters of the library's own words."""


def connect(place: Place) -> Client:
    """The client; nothing is asked of the network yet. Keys come from the environment, as each provider names them."""
    endpoint = place.options.get("endpoint", "")
    try:
        return CLIENTS[place.scheme](
            place.bucket,
            prefix=place.prefix or None,
            client_options={**TIMEOUTS, "allow_http": endpoint.startswith("http://")},
            retry_config=RETRIES,
            **_settings(place),
        )
    except (BaseError, ValueError) as error:
        raise StartFailed(f"{place} can't be used: {_said(error)}") from None


def _settings(place: Place) -> dict[str, str]:
    """Our options as obstore calls them."""
    called = {
        "region": "region",
        "virtual_hosted": "virtual_hosted_style_request",
        "encryption": "server_side_encryption",
        "kms_key": "sse_kms_key_id",
        "account": "account_name",
        "endpoint": "base_url" if place.scheme == "gs" else "endpoint",
    }
    # Deleting several at once is what not every server that speaks S3 understands, and we never do.
    always = {"disable_bulk_delete": "true"} if place.scheme == "s3" else {}
    return always | {called[name]: value for name, value in place.options.items()}


def translated(error: Exception, place: Place, name: str) -> ClipsaverError:
    """The kind of trouble that one of obstore's errors is."""
    text = str(error)
    if any(sign in text for sign in _NO_BUCKET):
        return StorageRefused(f"There is no bucket {place.bucket} for {place}.")
    if isinstance(error, FileNotFoundError):
        return NotStored(name)
    if any(sign in text for sign in _NO_ROOM):
        return StorageFull(f"There is no room in {place}: {_said(error)}")
    refused = isinstance(error, PermissionDeniedError | UnauthenticatedError)
    if refused or any(sign in text for sign in _REFUSED):
        return StorageRefused(f"{place} refuses: {_said(error)}")
    return StorageUnavailable(f"{place} can't be used at the moment: {_said(error)}")


def _said(error: Exception) -> str:
    """The library's own words, without what it says for its makers."""
    text = " ".join(str(error).split("\n\nDebug source", 1)[0].split())
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
