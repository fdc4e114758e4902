"""Keep what a page held: its authors, its messages, its clips, and that it was read."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

import structlog
from attrs import frozen

from clipsaver.channels.coverage import store as coverage
from clipsaver.channels.coverage.model import MAX_PIECES, Reading
from clipsaver.clips import store
from clipsaver.clips.model import Portion, StaleRules
from clipsaver.people.store import upsert_users
from clipsaver.postgres.pool import Connection, Pool

log = structlog.get_logger("clipsaver.clips")

ODD_PAYLOADS_KEPT: Final = timedelta(days=7)


@frozen(kw_only=True)
class Kept:
    """What keeping a batch changed."""

    clips_new: int = 0
    messages_new: int = 0
    """Messages in nothing that was covered before."""


@frozen(kw_only=True)
class Clips:
    """The clips of all servers."""

    pool: Pool

    async def keep(self, conn: Connection, portions: Sequence[Portion]) -> Kept:
        """Write what was found inside the caller's transaction, last the ids that were read; each channel once.

        StaleRules: these channels moved to other rules since. Settle their rules again, look through their batches
        again, and keep those.
        """
        clips_new = await self._keep_found(conn, portions)
        await self._keep_odd(conn, portions)
        covering = [portion for portion in portions if portion.covers]
        messages_new = await self._extend(conn, covering) if covering else 0
        return Kept(clips_new=clips_new, messages_new=messages_new)

    async def purge_odd_payloads(self, *, older_than: timedelta = ODD_PAYLOADS_KEPT) -> int:
        """Delete payloads that were kept for a person to look at for long enough; how many."""
        async with self.pool.acquire() as conn:
            return await store.delete_odd_payloads(conn, older_than=older_than)

    async def _keep_found(self, conn: Connection, portions: Sequence[Portion]) -> int:
        """Write authors, messages and clips, each once and by their ids; how many clips are new."""
        found = {one.message.id: (one, portion) for portion in portions for one in portion.batch.found}
        if not found:
            return 0
        messages = [found[message_id] for message_id in sorted(found)]
        clips = {clip.clip_id: (clip, portion) for one, portion in messages for clip in one.clips}
        authors = {one.message.author.id: one.message.author for one, _ in messages if one.message.author}
        await upsert_users(conn, [*authors.values()])
        await store.upsert_messages(conn, messages)
        return await store.upsert_clips(conn, [clips[clip_id] for clip_id in sorted(clips)])

    async def _keep_odd(self, conn: Connection, portions: Sequence[Portion]) -> None:
        """Log what could not be read, and keep it where it can be told apart."""
        odd = {one.message_id: (one, portion) for portion in portions for one in portion.batch.odd}
        for one, portion in odd.values():
            log.warning(
                "clips.odd_payload", channel_id=portion.channel_id, message_id=one.message_id, reason=one.reason
            )
        if odd:
            await store.upsert_odd_payloads(conn, [odd[message_id] for message_id in sorted(odd)])

    async def _extend(self, conn: Connection, portions: Sequence[Portion]) -> int:
        """Add to the channels' coverage; how many messages nothing had covered before."""
        extended = await coverage.extend_coverage(
            conn,
            [
                Reading(
                    channel_id=portion.channel_id,
                    covers=portion.covers,
                    message_ids=portion.batch.ids,
                    rules_hash=portion.rules_hash,
                    seen_hash=portion.seen_hash,
                )
                for portion in portions
            ],
        )
        stale = {portion.channel_id for portion in portions} - {one.channel_id for one in extended}
        if stale:
            raise StaleRules(*stale)
        for one in extended:
            if max(one.pieces, one.stale_pieces) > MAX_PIECES:
                log.info("clips.coverage_trimmed", channel_id=one.channel_id, pieces=one.pieces)
                await coverage.trim_coverage(conn, channel_id=one.channel_id, pieces=MAX_PIECES)
        return sum(one.messages_new for one in extended)
