"""Uploads in parts that nobody goes on with: they take room in a bucket of S3 for ever, and no listing shows them."""

import os
import re
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Final
from urllib.error import HTTPError
from urllib.parse import quote, urlsplit

import obstore
from attrs import frozen
from obstore.exceptions import BaseError

from clipsaver.media.storage import names
from clipsaver.media.storage.clients import Client
from clipsaver.media.storage.errors import StorageUnavailable
from clipsaver.media.storage.signing import with_more
from clipsaver.media.storage.urls import Place

ANSWER: Final = 60.0
"""Seconds that the other side may take."""
LARGEST: Final = 8 * 1024 * 1024
"""Bytes of a list; a page of it has a thousand uploads at most."""
PAGES: Final = 1_000
_UPLOAD: Final = re.compile(r"<Upload>(.*?)</Upload>", re.DOTALL)


@frozen(kw_only=True)
class Upload:
    """One that was begun."""

    key: str
    upload_id: str
    begun: datetime


@frozen(kw_only=True)
class Uploads:
    """Those of a bucket (Amazon: ListMultipartUploads, AbortMultipartUpload), asked for with the keys we sign with."""

    client: Client
    place: Place

    def abort(self, older_than: datetime) -> int:
        """Take back those that were begun before then: how many; 0 where they can't be asked for."""
        if self.place.scheme != "s3" or not self._signed("GET", "", {}):
            return 0
        aborted = 0
        for upload in self._listed():
            if upload.begun < older_than:
                self._ask("DELETE", upload.key, {"uploadId": upload.upload_id})
                aborted += 1
        return aborted

    def _listed(self) -> Iterator[Upload]:
        prefix = f"{self.place.prefix}/{names.BLOBS}/".lstrip("/")
        asked = {"uploads": "", "prefix": prefix}
        for _ in range(PAGES):
            text = self._ask("GET", "", asked)
            for inside in _UPLOAD.findall(text):
                key, begun = _field(inside, "Key"), _moment(_field(inside, "Initiated"))
                if key.startswith(prefix) and begun is not None:
                    yield Upload(key=key, upload_id=_field(inside, "UploadId"), begun=begun)
            if _field(text, "IsTruncated") != "true":
                return
            asked |= {
                "key-marker": _field(text, "NextKeyMarker"),
                "upload-id-marker": _field(text, "NextUploadIdMarker"),
            }

    def _ask(self, method: str, key: str, query: dict[str, str]) -> str:
        url = self._signed(method, key, query)
        request = urllib.request.Request(url, method=method)  # noqa: S310 - the storage's own address
        try:
            with urllib.request.urlopen(request, timeout=ANSWER) as answer:  # noqa: S310 - likewise
                return str(answer.read(LARGEST).decode("utf-8", errors="replace"))
        except OSError as error:
            if isinstance(error, HTTPError):
                error.close()
            raise StorageUnavailable(f"{self.place} can't be asked for its unfinished uploads: {error}") from None

    def _signed(self, method: str, key: str, query: dict[str, str]) -> str:
        """The address of the bucket, or of something in it, signed; empty where we have no keys to sign with."""
        key_id, secret = os.environ.get("AWS_ACCESS_KEY_ID", ""), os.environ.get("AWS_SECRET_ACCESS_KEY", "")
        try:
            url = obstore.sign(self.client, "GET", names.LABEL, timedelta(minutes=5))
        except (BaseError, ValueError):
            return ""
        parts = urlsplit(url)
        known = f"{self.place.prefix}/{names.LABEL}".lstrip("/")
        root = parts.path.removesuffix(quote(known))
        if not secret or root == parts.path:
            return ""
        there = parts._replace(path=root + quote(key) if key else root.rstrip("/") or "/").geturl()
        again = with_more(there, query, key_id=key_id, secret=secret, method=method)
        return "" if again == there else again


def _moment(text: str) -> datetime | None:
    """None where nobody says: then it is as good as young."""
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except ValueError:
        return None


def _field(text: str, name: str) -> str:
    found = re.search(f"<{name}>(.*?)</{name}>", text, re.DOTALL)
    return "" if found is None else unescape(found[1])
