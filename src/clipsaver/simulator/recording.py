"""Writes every exchange down, one JSON object a line, for whoever checks them against Discord's description."""

import os
import uuid
from pathlib import Path
from typing import Any, BinaryIO, Final

import orjson
from attrs import define, field

MOST_BYTES: Final = 64 * 1024 * 1024
"""A file that has grown to this size is followed by another."""
MOST_FILES: Final = 8
"""A simulator writes no more files than these; what comes later is not recorded."""


@define
class Recording:
    """A folder of recorded exchanges."""

    folder: Path
    most_bytes: int = field(default=MOST_BYTES, kw_only=True)
    _file: BinaryIO | None = field(default=None, init=False)
    _files: int = field(default=0, init=False)
    _written: int = field(default=0, init=False)

    def write(self, exchange: dict[str, Any]) -> None:
        """Write one exchange down."""
        line = orjson.dumps(exchange, option=orjson.OPT_APPEND_NEWLINE)
        if self._file is None or self._written + len(line) > self.most_bytes:
            self.close()
            if self._files >= MOST_FILES:
                return
            self._open()
        if self._file is not None:
            self._written += self._file.write(line)

    def close(self) -> None:
        """End the file in hand."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _open(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._file = (self.folder / f"{os.getpid()}-{uuid.uuid4().hex}.jsonl").open("wb")
        self._files += 1
        self._written = 0
