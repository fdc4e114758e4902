"""The statements on messages, their clips, and payloads nobody could read."""

from collections.abc import Sequence
from datetime import timedelta
from operator import attrgetter
from typing import Final

from attrs import fields

from clipsaver.clips.model import Found, FoundClip, Odd, Portion
from clipsaver.postgres.pool import Connection

COLUMNS: Final = tuple(column.name for column in fields(FoundClip))
"""What a clip's row has of its own."""
OF_CLIP: Final = attrgetter(*COLUMNS)

# Rows go in as one JSON document: making and sending two hundred arrays takes several times as long.
UPSERT_MESSAGES: Final = """
    insert into messages as kept (message_id, channel_id, guild_id, author_id, content, posted_at, edited_at)
    select message_id, channel_id, guild_id, author_id, content, posted_at, edited_at
      from json_to_recordset($1::json) as page (
               message_id bigint, channel_id bigint, guild_id bigint, author_id bigint, content text,
               posted_at timestamptz, edited_at timestamptz
           )
    on conflict (message_id) do update
       set content = excluded.content,
           edited_at = excluded.edited_at
     where (kept.content, kept.edited_at) is distinct from (excluded.content, excluded.edited_at)
       and (kept.edited_at is null or excluded.edited_at >= kept.edited_at)
"""

# What became of a clip (state, reason, sha256) is no business of whoever reads its message again. A link is replaced
# only by one that lives longer: pages are kept in any order. Links live for a day: one that dies sooner is due before.
# What Discord does not say of a video may have been found out by looking at it.
UPSERT_CLIPS: Final = """
    with written as (
    insert into clips as kept (
        clip_id, message_id, attachment_id, channel_id, guild_id, filename, title, description, content_type, size,
        url, url_expires_at, width, height, duration_seconds, is_clip, is_spoiler, is_forward, game, clip_created_at,
        participants, due_at
    )
    select clip_id, message_id, attachment_id, channel_id, guild_id, filename, title, description, content_type, size,
           url, url_expires_at, width, height, duration_seconds, is_clip, is_spoiler, is_forward, game, clip_created_at,
           participants, least(now(), url_expires_at - interval '1 day')
      from json_to_recordset($1::json) as page (
               clip_id text, message_id bigint, attachment_id bigint, channel_id bigint, guild_id bigint, filename text,
               title text, description text, content_type text, size bigint, url text, url_expires_at timestamptz,
               width integer, height integer, duration_seconds float8, is_clip boolean, is_spoiler boolean,
               is_forward boolean, game text, clip_created_at timestamptz, participants bigint[]
           )
    on conflict (clip_id) do update
       set filename = excluded.filename,
           title = excluded.title,
           description = excluded.description,
           content_type = excluded.content_type,
           size = excluded.size,
           url = excluded.url,
           url_expires_at = excluded.url_expires_at,
           width = coalesce(excluded.width, kept.width),
           height = coalesce(excluded.height, kept.height),
           duration_seconds = coalesce(excluded.duration_seconds, kept.duration_seconds),
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
            excluded.url_expires_at, coalesce(excluded.width, kept.width), coalesce(excluded.height, kept.height),
            coalesce(excluded.duration_seconds, kept.duration_seconds), excluded.is_clip, excluded.is_spoiler,
            excluded.game, excluded.clip_created_at, excluded.participants)
 returning xmax = 0 as is_new
    )
    select count(*) filter (where is_new) from written
"""

UPSERT_ODD_PAYLOADS: Final = """
    insert into odd_payloads (message_id, channel_id, reason, payload)
    select message_id, channel_id, reason, payload
      from json_to_recordset($1::json) as page (message_id bigint, channel_id bigint, reason text, payload jsonb)
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


async def upsert_messages(conn: Connection, found: Sequence[tuple[Found, Portion]]) -> None:
    """Write messages that hold clips, each once and sorted by id; their authors are there already."""
    rows = [
        {
            "message_id": one.message.id,
            "channel_id": portion.channel_id,
            "guild_id": portion.guild_id,
            "author_id": None if one.message.author is None else one.message.author.id,
            "content": one.content,
            "posted_at": one.message.posted_at,
            "edited_at": one.message.edited_timestamp,
        }
        for one, portion in found
    ]
    await conn.execute(UPSERT_MESSAGES, rows)


async def upsert_clips(conn: Connection, placed: Sequence[tuple[FoundClip, Portion]]) -> int:
    """Write clips, each once and sorted by id; how many of them are new."""
    rows = [
        dict(zip(COLUMNS, OF_CLIP(clip), strict=True), channel_id=portion.channel_id, guild_id=portion.guild_id)
        for clip, portion in placed
    ]
    new: int = await conn.fetchval(UPSERT_CLIPS, rows)
    return new


async def upsert_odd_payloads(conn: Connection, odd: Sequence[tuple[Odd, Portion]]) -> None:
    """Keep payloads that could not be structured, each message once and sorted by id, so that a person can look."""
    rows = [
        {
            "message_id": one.message_id,
            "channel_id": portion.channel_id,
            "reason": one.reason,
            "payload": one.payload,
        }
        for one, portion in odd
    ]
    await conn.execute(UPSERT_ODD_PAYLOADS, rows)


async def delete_odd_payloads(conn: Connection, *, older_than: timedelta) -> int:
    """Delete what has been kept long enough; how many payloads that were."""
    return int((await conn.execute(DELETE_ODD_PAYLOADS, older_than)).rpartition(" ")[2])
