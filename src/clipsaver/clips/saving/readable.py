"""Whether messages may be read again, found out before Discord refuses it: refusals count towards a ban."""

import time
from collections.abc import Callable
from typing import Final

from attrs import define, field

from clipsaver.clips.saving.model import Job
from clipsaver.discord.access import Access
from clipsaver.discord.rest import Refused
from clipsaver.errors import NotAllowed, NotThere

BELIEVED: Final = 600.0
"""Seconds for which a channel stays closed after it was found so."""
MOST: Final = 2_000


@define(kw_only=True, eq=False)
class Readable:
    """Remembers which channels the bot could not read."""

    access: Access
    clock: Callable[[], float] = time.monotonic
    _closed: dict[int, tuple[float, str]] = field(factory=dict, init=False)

    async def check(self, job: Job) -> None:
        """Pass if the channel's messages may be read; NotAllowed says why not."""
        until, reason = self._closed.get(job.channel_id, (0.0, ""))
        if until > self.clock():
            raise NotAllowed(reason)
        try:
            access = await self.access.of_bot(job.channel_id)
        except (Refused, NotThere):
            self._close(job.channel_id, "The bot can't see the channel any more.")
        else:
            if access.missing_to_read:
                lacking = " and ".join(access.missing_to_read)
                self._close(job.channel_id, f"The bot needs {lacking} in #{access.channel.name}.")

    def _close(self, channel_id: int, reason: str) -> None:
        if len(self._closed) >= MOST:
            self._closed.clear()
        self._closed[channel_id] = (self.clock() + BELIEVED, reason)
        raise NotAllowed(reason)
