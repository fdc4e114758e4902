"""Keep what a page held: its authors, its messages, its clips, and that it was read."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

import structlog
from attrs import frozen

from clipsaver.channels.coverage import store as coverage
from clipsaver.channels.coverage.model import MAX_PIECES
from clipsaver.clips import store
from clipsaver.clips.model import Batch, Found, Odd, StaleRules
from clipsaver.discord.snapshots import UserSnapshot
from clipsaver.people.store import upsert_users
from clipsaver.postgres.pool import Connection, Pool
from clipsaver.postgres.ranges import IdRange

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

    async def keep(
        self,
        conn: Connection,
        batch: Batch,
        *,
        guild_id: int,
        channel_id: int,
        covers: Sequence[IdRange],
        rules_hash: str,
        seen_hash: str | None,
    ) -> Kept:
        """Write a batch inside the caller's transaction, last the ids it proves read.

        ``seen_hash`` is the channel's ``rules_hash`` when the caller settled the rules it read by. With ``covers``
        empty the channel's coverage and its rules are left alone. StaleRules: the channel moved to other rules since;
        settle them again, look through the batch again, and keep that.
        """
        found = sorted({one.message.id: one for one in batch.found}.values(), key=lambda one: one.message.id)
        clips = sorted((clip for one in found for clip in one.clips), key=lambda clip: clip.clip_id)
        if found:
            await upsert_users(conn, _authors(found))
            await store.upsert_messages(conn, channel_id=channel_id, guild_id=guild_id, found=found)
        clips_new = 0
        if clips:
            clips_new = await store.upsert_clips(conn, channel_id=channel_id, guild_id=guild_id, clips=clips)
        await self._keep_odd(conn, batch.odd, channel_id)
        messages_new = 0
        if covers:
            messages_new = await self._extend(
                conn,
                channel_id=channel_id,
                covers=covers,
                message_ids=batch.ids,
                rules_hash=rules_hash,
                seen_hash=seen_hash,
            )
        return Kept(clips_new=clips_new, messages_new=messages_new)

    async def purge_odd_payloads(self, *, older_than: timedelta = ODD_PAYLOADS_KEPT) -> int:
        """Delete payloads that were kept for a person to look at for long enough; how many."""
        async with self.pool.acquire() as conn:
            return await store.delete_odd_payloads(conn, older_than=older_than)

    async def _keep_odd(self, conn: Connection, odd: Sequence[Odd], channel_id: int) -> None:
        """Log what could not be read, and keep it where it can be told apart."""
        for one in odd:
            log.warning("clips.odd_payload", channel_id=channel_id, message_id=one.message_id, reason=one.reason)
        known = {one.message_id: one for one in odd if one.message_id is not None}
        if known:
            rows = [known[message_id] for message_id in sorted(known)]
            await store.upsert_odd_payloads(conn, channel_id=channel_id, odd=rows)

    async def _extend(
        self,
        conn: Connection,
        *,
        channel_id: int,
        covers: Sequence[IdRange],
        message_ids: Sequence[int],
        rules_hash: str,
        seen_hash: str | None,
    ) -> int:
        """Add to the channel's coverage; how many messages nothing had covered before."""
        extended = await coverage.extend_coverage(
            conn,
            channel_id=channel_id,
            covers=covers,
            message_ids=message_ids,
            rules_hash=rules_hash,
            seen_hash=seen_hash,
        )
        if extended is None:
            raise StaleRules(channel_id)
        if max(extended.pieces, extended.stale_pieces) > MAX_PIECES:
            log.info("clips.coverage_trimmed", channel_id=channel_id, pieces=extended.pieces)
            await coverage.trim_coverage(conn, channel_id=channel_id, pieces=MAX_PIECES)
        return extended.messages_new


def _authors(found: Sequence[Found]) -> list[UserSnapshot]:
    """Who wrote the messages, each once."""
    return list({one.message.author.id: one.message.author for one in found if one.message.author}.values())
