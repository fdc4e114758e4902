"""What came of downloads that broke off, for the next attempt of this process."""

import secrets
from collections import OrderedDict
from typing import Final

from attrs import define, field

MOST: Final = 32
"""Unfinished files at most: they take room. What is forgotten begins again."""


@define(eq=False)
class Partials:
    """Remembers which version of a file the bytes of an unfinished one belong to.

    Only within a process: another machine's unfinished file can be of another version.
    """

    _own: str = field(factory=lambda: secrets.token_hex(6), init=False)
    _validators: "OrderedDict[str, str]" = field(factory=OrderedDict, init=False)

    def of(self, clip_id: str) -> tuple[str, str | None]:
        """The key of a clip's incoming file, and what the bytes in it belong to."""
        return f"{clip_id}-{self._own}", self._validators.get(clip_id)

    def keep(self, clip_id: str, validator: str | None) -> str | None:
        """Remember what the bytes that were left belong to; None: there are none. The key of a file that has to go."""
        self._validators.pop(clip_id, None)
        if validator is not None:
            self._validators[clip_id] = validator
            if len(self._validators) > MOST:
                return self.of(self._validators.popitem(last=False)[0])[0]
        return None
