"""What Discord's attachment links say. Pure."""

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit

from attrs import frozen

FOLDER: Final = "attachments/"
"""What is in every link to an attachment."""

# Channel, attachment, name; ephemeral attachments have a folder of their own. The host is not looked at: which hosts
# files may be fetched from is decided where they are fetched.
_PATH: Final = re.compile(r"/(?:ephemeral-)?attachments/(\d{1,20})/(\d{1,20})/([^/]+)")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_EXPIRES: Final = re.compile(r"[?&]ex=([0-9a-fA-F]{1,10})(?=[&#]|\Z)")


@frozen(kw_only=True)
class AttachmentLink:
    """A link to an attachment."""

    attachment_id: int
    filename: str


def attachment_link(url: str | None) -> AttachmentLink | None:
    """What an attachment's link points to; None for any other link."""
    if url is None or FOLDER not in url:
        return None
    parts = _split(url)
    if parts is None or parts.scheme not in {"http", "https"}:
        return None
    matched = _PATH.fullmatch(parts.path)
    if matched is None:
        return None
    return AttachmentLink(attachment_id=int(matched[2]), filename=_readable(matched[3]))


def filename_in(url: str) -> str:
    """The last part of a link's path; empty where there is none."""
    parts = _split(url)
    return "" if parts is None else _readable(parts.path.rpartition("/")[2])


def expiry(url: str) -> datetime | None:
    """When a signed link dies: its ``ex``, seconds in hex; None for a link that does not say."""
    said = _EXPIRES.search(url)
    return None if said is None else _moment(said[1])


@lru_cache(maxsize=1024)
def _moment(seconds: str) -> datetime | None:
    """Links that were signed together die together."""
    try:
        return _EPOCH + timedelta(seconds=int(seconds, 16))
    except OverflowError:
        return None


def _split(url: str | None) -> SplitResult | None:
    """A link in parts; None where it is none."""
    try:
        return urlsplit(url or "")
    except ValueError:
        return None


def _readable(name: str) -> str:
    """A file name as a person knows it, without what PostgreSQL can't hold."""
    return unquote(name).replace("\0", "\ufffd")
