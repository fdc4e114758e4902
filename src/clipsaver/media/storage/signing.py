"""Addresses that anybody can fetch an object from for a while."""

import hashlib
import hmac
import os
from datetime import timedelta
from typing import Final
from urllib.parse import parse_qsl, quote, urlsplit

import obstore
from obstore.exceptions import BaseError

from clipsaver.media.storage.clients import Client
from clipsaver.media.storage.urls import Place

ALGORITHM: Final = "AWS4-HMAC-SHA256"
LONGEST: Final = timedelta(days=7)
"""What S3 and Google allow."""


def signed_link(
    client: Client, place: Place, name: str, *, expires: timedelta, filename: str | None, content_type: str | None
) -> str | None:
    """The address, with the file's name and media type where we can sign those too; None without a key to sign with."""
    if not timedelta(0) < expires <= LONGEST:
        raise ValueError("a link lasts longer than no time, and at most seven days")
    try:
        url = obstore.sign(client, "GET", name, expires)
    except (BaseError, ValueError):
        return None
    wanted = {
        "response-content-disposition": f"inline; filename*=UTF-8''{quote(filename, safe='')}" if filename else "",
        "response-content-type": content_type or "",
    }
    wanted = {key: value for key, value in wanted.items() if value}
    secret = os.environ.get("AWS_SECRET_ACCESS_KEY", "")
    if place.scheme != "s3" or not wanted or not secret:
        return url
    return with_more(url, wanted, key_id=os.environ.get("AWS_ACCESS_KEY_ID", ""), secret=secret)


def with_more(url: str, wanted: dict[str, str], *, key_id: str, secret: str, method: str = "GET") -> str:
    """Sign an address anew with more in its query (Amazon: Signature Version 4, with query parameters).

    As it is if another key than this one signed it: on borrowed credentials there is nothing more to sign with.
    """
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    if query.get("X-Amz-Algorithm") != ALGORITHM or query.get("X-Amz-SignedHeaders") != "host":
        return url
    signer, _, scope = query["X-Amz-Credential"].partition("/")
    if signer != key_id:
        return url
    del query["X-Amz-Signature"]
    asked = "&".join(
        f"{quote(key, safe='')}={quote(value, safe='')}" for key, value in sorted((query | wanted).items())
    )
    request = "\n".join((method, parts.path, asked, f"host:{parts.netloc}", "", "host", "UNSIGNED-PAYLOAD"))
    signed = "\n".join((ALGORITHM, query["X-Amz-Date"], scope, hashlib.sha256(request.encode()).hexdigest()))
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, signed.encode(), "sha256").hex()
    return f"{parts.scheme}://{parts.netloc}{parts.path}?{asked}&X-Amz-Signature={signature}"
