"""What the demo found, beside what is there. Pure."""

from collections.abc import Mapping
from typing import Any

from attrs import asdict, frozen

from clipsaver.words.text import size


@frozen(kw_only=True)
class Summary:
    """The figures of one demo."""

    channels: int
    messages: int
    """Messages there are in the channels."""
    messages_read: int
    clips_there: int
    clips_found: int
    missing: int
    """Clips that are there and were not found."""
    unexpected: int
    """Clips that were found and are not there."""
    saved: int = 0
    """Clips whose bytes are in the storage by then; saving goes on beside the scans, and after them."""
    saved_bytes: int = 0
    gaps: int
    """Pieces of the channels' histories that nobody has read."""
    unfinished: int
    """Scans that did not succeed."""
    requests: int
    throttled: int
    """Answers with status 429."""
    seconds: float
    """From the first command to the last scan's end."""
    rate_limits: bool
    stopped_with: int | None = None
    """The program's exit status after SIGTERM; None while it runs."""

    @property
    def exact(self) -> bool:
        """Whether what was found is exactly what is there, and everything ended as it should."""
        return not (self.missing or self.unexpected or self.gaps or self.unfinished or self.stopped_with)

    @property
    def rate(self) -> float:
        """Messages a second."""
        return self.messages_read / max(self.seconds, 0.001)

    def as_json(self) -> Mapping[str, Any]:
        """Everything, for programs."""
        return {
            **asdict(self),
            "seconds": round(self.seconds, 3),
            "messages_per_second": round(self.rate, 1),
            "exact": self.exact,
        }

    def as_text(self) -> str:
        """Everything, for people."""
        lines = [
            f"messages read    {self.messages_read:,} of {self.messages:,} in {self.channels:,} channels",
            f"clips found      {self.clips_found:,} of {self.clips_there:,} there",
            f"saved by then    {self.saved:,}, {size(self.saved_bytes)}",
            f"gaps             {self.gaps:,}",
            f"429s             {self.throttled:,} in {self.requests:,} requests"
            + ("" if self.rate_limits else " (rate limits off)"),
            f"time             {self.seconds:.1f} s, {self.rate:,.0f} messages a second",
        ]
        if self.missing or self.unexpected:
            lines.append(f"differences      {self.missing:,} clips missing, {self.unexpected:,} that are not there")
        if self.unfinished:
            lines.append(f"unfinished       {self.unfinished:,} scans did not succeed")
        if self.stopped_with:
            lines.append(f"the end          the program ended with status {self.stopped_with}")
        lines.append("Exactly what is there." if self.exact else "That is not what is there.")
        return "\n".join(lines)
