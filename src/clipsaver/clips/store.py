"""The statements on messages, their clips, and payloads nobody could read."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from clipsaver.clips.model import Found, FoundClip, Odd
from clipsaver.postgres.pool import Connection

UPSERT_MESSAGES: Final = """
    insert into messages as kept (message_id, channel_id, guild_id, author_id, content, posted_at, edited_at)
    select message_id, $1, $2, author_id, content, posted_at, edited_at
      from unnest($3::bigint[], $4::bigint[], $5::text[], $6::timestamptz[], $7::timestamptz[])
           as page (message_id, author_id, content, posted_at, edited_at)
    on conflict (message_id) do update
       set content = excluded.content,
           edited_at = excluded.edited_at
     where (kept.content, kept.edited_at) is distinct from (excluded.content, excluded.edited_at)
       and (kept.edited_at is null or excluded.edited_at >= kept.edited_at)
"""

# What became of a clip (state, reason, sha256) is no business of whoever reads its message again. A link is replaced
# only by one that lives longer: pages are kept in any order.
UPSERT_CLIPS: Final = """
    insert into clips as kept (
        clip_id, message_id, attachment_id, channel_id, guild_id, filename, title, description, content_type, size,
        url, url_expires_at, width, height, duration_seconds, is_clip, is_spoiler, is_forward, game, clip_created_at,
        participants
    )
    select clip_id, message_id, attachment_id, $1, $2, filename, title, description, content_type, size,
           url, url_expires_at, width, height, duration_seconds, is_clip, is_spoiler, is_forward, game, clip_created_at,
           participants::bigint[]
      from unnest(
               $3::text[], $4::bigint[], $5::bigint[], $6::text[], $7::text[], $8::text[], $9::text[], $10::bigint[],
               $11::text[], $12::timestamptz[], $13::integer[], $14::integer[], $15::float8[], $16::boolean[],
               $17::boolean[], $18::boolean[], $19::text[], $20::timestamptz[], $21::text[]
           ) as page (
               clip_id, message_id, attachment_id, filename, title, description, content_type, size,
               url, url_expires_at, width, height, duration_seconds, is_clip,
               is_spoiler, is_forward, game, clip_created_at, participants
           )
    on conflict (clip_id) do update
       set filename = excluded.filename,
           title = excluded.title,
           description = excluded.description,
           content_type = excluded.content_type,
           size = excluded.size,
           url = excluded.url,
           url_expires_at = excluded.url_expires_at,
           width = excluded.width,
           height = excluded.height,
           duration_seconds = excluded.duration_seconds,
           is_clip = excluded.is_clip,
           is_spoiler = excluded.is_spoiler,
           game = excluded.game,
           clip_created_at = excluded.clip_created_at,
           participants = excluded.participants
     where (kept.url_expires_at is null or excluded.url_expires_at >= kept.url_expires_at)
       and (kept.filename, kept.title, kept.description, kept.content_type, kept.size, kept.url, kept.url_expires_at,
            kept.width, kept.height, kept.duration_seconds, kept.is_clip, kept.is_spoiler, kept.game,
            kept.clip_created_at, kept.participants)
           is distinct from
           (excluded.filename, excluded.title, excluded.description, excluded.content_type, excluded.size, excluded.url,
            excluded.url_expires_at, excluded.width, excluded.height, excluded.duration_seconds, excluded.is_clip,
            excluded.is_spoiler, excluded.game, excluded.clip_created_at, excluded.participants)
 returning xmax = 0 as is_new
"""

UPSERT_ODD_PAYLOADS: Final = """
    insert into odd_payloads (message_id, channel_id, reason, payload)
    select message_id, $1, reason, payload
      from unnest($2::bigint[], $3::text[], $4::jsonb[]) as page (message_id, reason, payload)
    on conflict (message_id) do update
       set reason = excluded.reason, payload = excluded.payload, seen_at = now()
"""

DELETE_ODD_PAYLOADS: Final = """
    delete from odd_payloads where seen_at < now() - $1::interval
"""

CLIP_IDS: Final = """
    select clip_id from clips where channel_id = any($1::bigint[])
"""


async def get_clip_ids(conn: Connection, channels: Sequence[int]) -> list[str]:
    """List the clips of these channels."""
    return [row["clip_id"] for row in await conn.fetch(CLIP_IDS, list(channels))]


async def upsert_messages(conn: Connection, *, channel_id: int, guild_id: int, found: Sequence[Found]) -> None:
    """Write messages that hold clips, each once and sorted by id; their authors are there already."""
    await conn.execute(
        UPSERT_MESSAGES,
        channel_id,
        guild_id,
        [one.message.id for one in found],
        [None if one.message.author is None else one.message.author.id for one in found],
        [one.content for one in found],
        [one.message.timestamp for one in found],
        [one.message.edited_timestamp for one in found],
    )


async def upsert_clips(conn: Connection, *, channel_id: int, guild_id: int, clips: Sequence[FoundClip]) -> int:
    """Write clips, each once and sorted by id; how many of them are new."""
    rows = await conn.fetch(
        UPSERT_CLIPS,
        channel_id,
        guild_id,
        [clip.clip_id for clip in clips],
        [clip.message_id for clip in clips],
        [clip.attachment_id for clip in clips],
        [clip.filename for clip in clips],
        [clip.title for clip in clips],
        [clip.description for clip in clips],
        [clip.content_type for clip in clips],
        [clip.size for clip in clips],
        [clip.url for clip in clips],
        [clip.url_expires_at for clip in clips],
        [clip.width for clip in clips],
        [clip.height for clip in clips],
        [clip.duration_seconds for clip in clips],
        [clip.is_clip for clip in clips],
        [clip.is_spoiler for clip in clips],
        [clip.is_forward for clip in clips],
        [clip.game for clip in clips],
        [clip.clip_created_at for clip in clips],
        [_array(clip.participants) for clip in clips],
    )
    return sum(row["is_new"] for row in rows)


async def upsert_odd_payloads(conn: Connection, *, channel_id: int, odd: Sequence[Odd]) -> None:
    """Keep payloads that could not be structured, each message once and sorted by id, so that a person can look."""
    await conn.execute(
        UPSERT_ODD_PAYLOADS,
        channel_id,
        [one.message_id for one in odd],
        [one.reason for one in odd],
        [one.payload for one in odd],
    )


async def delete_odd_payloads(conn: Connection, *, older_than: timedelta) -> int:
    """Delete what has been kept long enough; how many payloads that were."""
    return int((await conn.execute(DELETE_ODD_PAYLOADS, older_than)).rpartition(" ")[2])


def _array(ids: Sequence[int]) -> str:
    """As PostgreSQL writes an array: arrays of arrays must all be of one length, texts need not."""
    return "{" + ",".join(map(str, ids)) + "}"
