"""The ordinary message that shows how a run goes: written with the bot's own token, so that it outlives everything."""

import asyncio
import contextlib
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import structlog
from attrs import define, field

from clipsaver.discord.components import Reply
from clipsaver.discord.messages import Messages
from clipsaver.discord.rest import BadRequest, Forbidden, NotFound
from clipsaver.scans.model import Run
from clipsaver.scans.service import Scans
from clipsaver.words import scans as words

log = structlog.get_logger("clipsaver.extensions.progress")

LOOK_EVERY: Final = 1.0
"""Seconds between looks at which messages are due; how often each is due, Scans says."""
AT_ONCE: Final = 5
"""Messages being written at the same time, at most; with one look a second also how many in a second."""
REFRESHED: Final = 1
"""How many of those only bring figures up to date: with many scans they would take what the scans need."""
MOST_KNOWN: Final = 1_000
"""Runs remembered between looks, among them some that are gone."""
AT_THE_END: Final = 3.0
"""Seconds that messages in hand may take when the program stops."""
AFTER_FAILURE: Final = 15.0
"""Seconds before a message that could not be written is tried again."""


@define(kw_only=True)
class Progress:
    """Keeps the messages of all runs fresh, one edit at a time for each."""

    scans: Scans
    messages: Messages
    look_every: float = LOOK_EVERY
    clock: Callable[[], float] = time.monotonic
    _writing: dict[UUID, asyncio.Task[None]] = field(factory=dict, init=False)
    _shown: dict[UUID, Reply] = field(factory=dict, init=False)
    """What each message said last, to leave it alone while nothing changes."""
    _not_before: dict[UUID, float] = field(factory=dict, init=False)
    _stopping: asyncio.Event = field(factory=asyncio.Event, init=False)

    async def run(self) -> None:
        """Look for messages that are due and write them, until stopped; what is being written may end soon."""
        while not self._stopping.is_set():
            try:
                await self.look()
            except Exception:
                log.warning("progress.look_failed", exc_info=True)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), self.look_every)
        await self.settle()

    async def stop(self) -> None:
        """End the loop."""
        self._stopping.set()

    async def look(self) -> None:
        """Begin to write every message that is due, as far as there is room."""
        # What was being written when the question was asked is not known well enough by its answer.
        busy = set(self._writing)
        if len(self._shown) > MOST_KNOWN or len(self._not_before) > MOST_KNOWN:
            self._shown.clear()
            self._not_before.clear()
        refreshed = 0
        # Those that have to wait come first: the others must not wait with them.
        for status in await self.scans.to_show(2 * AT_ONCE + len(self._not_before)):
            if len(self._writing) >= AT_ONCE:
                return
            run = status.run
            if run is None or run.id in busy or self._not_before.get(run.id, 0) > self.clock():
                continue
            if run.status.active and run.progress_message_id is not None:
                refreshed += 1
                if refreshed > REFRESHED:
                    continue
            self._writing[run.id] = asyncio.create_task(self._write(run, words.progress(status, now=datetime.now(UTC))))

    async def settle(self) -> None:
        """Wait a little for what is being written; what takes longer is left to the next start."""
        if writing := list(self._writing.values()):
            _, slow = await asyncio.wait(writing, timeout=AT_THE_END)
            for task in slow:
                task.cancel()
            await asyncio.gather(*slow, return_exceptions=True)

    async def _write(self, run: Run, reply: Reply) -> None:
        """Create or edit one run's message; what can't be written there is given up, everything else tried again."""
        try:
            await self._show(run, reply)
        except Exception:
            log.warning("progress.write_failed", run_id=str(run.id), exc_info=True)
            self._not_before[run.id] = self.clock() + AFTER_FAILURE
        finally:
            del self._writing[run.id]

    async def _show(self, run: Run, reply: Reply) -> None:
        try:
            message_id = await self._put(run, reply)
        except (Forbidden, NotFound, BadRequest) as error:
            log.info("progress.given_up", run_id=str(run.id), reason=type(error).__name__)
            message_id = None
        self._not_before.pop(run.id, None)
        if message_id is None or not run.status.active:
            self._shown.pop(run.id, None)
        else:
            self._shown[run.id] = reply
        if message_id is None:
            await self.scans.unshowable(run.id)
        else:
            await self.scans.shown(run.id, message_id=message_id, final=not run.status.active)

    async def _put(self, run: Run, reply: Reply) -> int | None:
        """Put a message where the run's is to be; None if it has no place."""
        channel_id, message_id = run.progress_channel_id, run.progress_message_id
        if channel_id is None:
            return None
        if message_id is None:
            return await self.messages.send(channel_id, reply.payload, nonce=run.id)
        if reply != self._shown.get(run.id):
            await self.messages.edit(channel_id, message_id, reply.payload)
        return message_id
