"""What `storage.url` says."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl, unquote, urlsplit

from attrs import frozen

from clipsaver.errors import StartFailed

OPTIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "s3": ("endpoint", "region", "virtual_hosted", "encryption", "kms_key"),
    "gs": ("endpoint",),
    "az": ("endpoint", "account"),
}
"""What may follow the question mark, by scheme."""


@frozen(kw_only=True)
class Place:
    """A bucket, or a container as Azure calls it, and where in it."""

    scheme: str
    bucket: str
    prefix: str = ""
    """Without slashes at its ends."""
    options: Mapping[str, str]

    def __str__(self) -> str:
        below = f"/{self.prefix}" if self.prefix else ""
        return f"{self.scheme}://{self.bucket}{below}"


def parse(url: str, *, data_dir: Path) -> Path | Place:
    """The folder or the bucket that an address means; empty: a folder below the data directory."""
    if not url:
        return data_dir.absolute() / "storage"
    try:
        parts = urlsplit(url)
        options = dict(parse_qsl(parts.query, strict_parsing=True, keep_blank_values=True)) if parts.query else {}
    except ValueError:
        raise StartFailed(
            "storage.url can't be read: it must look like s3://bucket/folder?region=eu-central-1."
        ) from None
    if parts.scheme == "file":
        return _folder(unquote(parts.path), parts.netloc, options)
    if parts.scheme not in OPTIONS:
        raise StartFailed("storage.url must begin with file:///, s3://, gs:// or az://.")
    if parts.username is not None or parts.password is not None:
        raise StartFailed(
            "storage.url must not hold keys: they are taken from the environment, as the provider names them."
        )
    if not parts.netloc:
        raise StartFailed(f"storage.url names no bucket: it must look like {parts.scheme}://bucket/folder.")
    for name in options:
        if name not in OPTIONS[parts.scheme]:
            known = ", ".join(OPTIONS[parts.scheme])
            raise StartFailed(
                f"storage.url has an option {name!r} that {parts.scheme}:// doesn't know; it knows {known}."
            )
    return Place(scheme=parts.scheme, bucket=parts.netloc, prefix=_prefix(unquote(parts.path)), options=options)


def _folder(path: str, host: str, options: Mapping[str, str]) -> Path:
    if host or options or not path.startswith("/") or "\0" in path:
        raise StartFailed("storage.url must name an absolute folder, as in file:///srv/clips.")
    drive = path[1:] if path[2:3] == ":" else path  # file:///C:/clips
    return Path(drive)


def _prefix(path: str) -> str:
    prefix = path.strip("/")
    if any(part in {"", ".", ".."} for part in prefix.split("/")) and prefix:
        raise StartFailed("storage.url must name a plain folder in the bucket.")
    return prefix
