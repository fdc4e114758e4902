"""Files that are written line by line, and are only put in place once they are whole."""

import hashlib
import os
from pathlib import Path
from typing import Final

from attrs import define, field

from clipsaver.media.storage import files
from clipsaver.media.storage.errors import os_errors

PIECE: Final = 1024 * 1024
"""Bytes that are read, or gathered before they are written."""


@define(eq=False)
class Draft:
    """A file in the making."""

    _root: Path
    _descriptor: int
    size: int = field(default=0, init=False)
    wanted: bool = field(default=True, init=False)
    """Whether it is put in place in the end."""
    _hash: "hashlib._Hash" = field(factory=hashlib.sha256, init=False)
    _gathered: list[bytes] = field(factory=list, init=False)
    _gathered_size: int = field(default=0, init=False)

    def add(self, line: bytes) -> None:
        """Write a line."""
        self._gathered.append(line)
        self._hash.update(line)
        self.size += len(line)
        self._gathered_size += len(line)
        if self._gathered_size >= PIECE:
            self._hand_over()

    def end(self) -> None:
        """Have all of it on the disk."""
        self._hand_over()
        with os_errors(self._root):
            os.fsync(self._descriptor)

    @property
    def digest(self) -> bytes:
        """The SHA-256 of what is in it."""
        return self._hash.digest()

    def _hand_over(self) -> None:
        with os_errors(self._root):
            files.write_all(self._descriptor, self._gathered)
        self._gathered, self._gathered_size = [], 0
