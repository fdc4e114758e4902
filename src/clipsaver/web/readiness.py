"""Whether a process can do its work, part by part. Pure."""

from collections.abc import Mapping
from typing import Any

from attrs import field, frozen


@frozen(kw_only=True)
class Part:
    """One thing that has to be there."""

    ok: bool
    detail: Mapping[str, Any] = field(factory=dict)
    """What is known about it, as JSON takes it."""


@frozen(kw_only=True)
class Readiness:
    """All parts that a role answers for."""

    parts: Mapping[str, Part]

    @property
    def missing(self) -> tuple[str, ...]:
        """The parts that are not there yet."""
        return tuple(name for name, part in self.parts.items() if not part.ok)

    def as_json(self) -> dict[str, Any]:
        """What a probe reads."""
        return {
            "status": "not ready" if self.missing else "ready",
            "missing": list(self.missing),
            "parts": {name: {"ok": part.ok, **part.detail} for name, part in self.parts.items()},
        }
