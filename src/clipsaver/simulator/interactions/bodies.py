"""Request bodies: JSON, or multipart with ``payload_json`` and files (Discord: "Uploading Files")."""

import re
from collections.abc import Mapping
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any, Final

import orjson
from attrs import field, frozen

from clipsaver.simulator.interactions.forms import Refused

_FILE: Final = re.compile(r"files\[(\d{1,2})\]")
MOST_FILES: Final = 10
JSON: Final = "application/json"
MULTIPART: Final = "multipart/form-data"


@frozen(kw_only=True)
class Upload:
    """One file of a multipart body."""

    filename: str
    content_type: str | None
    content: bytes = field(repr=False)


@frozen(kw_only=True)
class Body:
    """A request's body: what its JSON says, and the files by their number."""

    json: Any
    files: Mapping[int, Upload] = field(factory=dict)


def read_body(content_type: str, raw: bytes) -> Body:
    """The body of a request; refused as Discord does if it can't be read."""
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type == MULTIPART:
        return _read_multipart(content_type, raw)
    if media_type != JSON:
        message = f"Expected \"Content-Type\" header to be one of {{'{JSON}', '{MULTIPART}'}}."
        raise Refused(
            400, 50035, "Invalid Form Body", {"_errors": [{"code": "CONTENT_TYPE_INVALID", "message": message}]}
        )
    return Body(json=_read_json(raw))


def _read_json(raw: bytes) -> Any:
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise Refused(400, 50109, "The request body contains invalid JSON.") from error


def _read_multipart(content_type: str, raw: bytes) -> Body:
    head = f"Content-Type: {content_type}\r\n\r\n".encode("latin-1", "replace")
    message = BytesParser(policy=HTTP).parsebytes(head + raw)
    payload: Any = {}
    files: dict[int, Upload] = {}
    for part in message.iter_parts() if message.is_multipart() else ():
        name = str(part.get_param("name", "", header="content-disposition"))
        content = part.get_payload(decode=True)
        if not isinstance(content, bytes):
            continue
        number = _FILE.fullmatch(name)
        if name == "payload_json":
            payload = _read_json(content)
        elif number is not None and part.get_filename():
            files[int(number[1])] = Upload(
                filename=str(part.get_filename()),
                content_type=part.get_content_type() if part["content-type"] else None,
                content=content,
            )
        elif part.get_filename() is None and isinstance(payload, dict):
            payload[name] = content.decode("utf-8", "replace")
    if len(files) > MOST_FILES:
        raise Refused(400, 50035, "Invalid Form Body", _too_many_files())
    return Body(json=payload, files=files)


def _too_many_files() -> Mapping[str, Any]:
    message = f"Must be {MOST_FILES} or fewer in length."
    return {"files": {"_errors": [{"code": "BASE_TYPE_MAX_LENGTH", "message": message}]}}
