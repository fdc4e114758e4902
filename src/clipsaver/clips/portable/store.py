"""The statements of an export and of an import: pages of what is there, and rows that are put where none is."""

from collections.abc import Mapping, Sequence
from typing import Final

from asyncpg import Record
from attrs import frozen

from clipsaver.clips.portable.model import Clip, Place, Row, Scope
from clipsaver.clips.saving.model import ClipState
from clipsaver.postgres.pool import Connection
from clipsaver.postgres.rows import structure

PLACES: Final = """
select ch.guild_id, g.name as guild_name, g.icon as guild_icon, ch.channel_id, ch.name as channel_name,
       ch.type as channel_type, coalesce(ch.is_nsfw, false) as is_nsfw, ch.parent_id, ch.position,
       case when ch.type like '%thread' then p.name end as parent_name
from bot_channels ch join bot_guilds g on g.guild_id = ch.guild_id
     left join bot_channels p on p.channel_id = ch.parent_id
where (ch.guild_id, ch.channel_id) > ($1, $2)
  and ($3::bigint is null or ch.guild_id = $3)
  and ($4::bigint is null or ch.channel_id = $4 or (ch.parent_id = $4 and ch.type like '%thread'))
  and exists (select from clips c where c.channel_id = ch.channel_id)
order by ch.guild_id, ch.channel_id limit $5
"""

IS_KNOWN: Final = """
select ($1::bigint is null or exists (select from bot_guilds where guild_id = $1))
   and ($2::bigint is null or exists (
       select from bot_channels where channel_id = $2 and ($1::bigint is null or guild_id = $1)
   ))
"""

# The id is bounded by itself too, for the index.
ROWS: Final = """
select c.clip_id, c.message_id, c.state::text as state, c.attachment_id, m.author_id, u.username as author_username,
       u.global_name as author_global_name, u.avatar as author_avatar, m.posted_at, m.edited_at, m.content, c.filename,
       c.title, c.description, c.content_type, c.size, c.url, c.url_expires_at, c.width, c.height, c.duration_seconds,
       c.is_clip, c.is_spoiler, c.is_forward, c.game, c.clip_created_at, c.participants, c.sha256, b.size as bytes,
       b.media_type,
       exists (select from clips o where o.sha256 = c.sha256 and o.clip_id <> c.clip_id) as is_shared
from clips c join messages m on m.message_id = c.message_id
     left join users u on u.discord_user_id = m.author_id
     left join blobs b on b.sha256 = c.sha256
where c.channel_id = $1 and c.message_id >= $2 and (c.message_id, c.clip_id) > ($2, $3)
order by c.message_id, c.clip_id limit $4
"""

PICTURED: Final = """
select sha256 from thumbnails where sha256 = any($1::bytea[]) and pictures ? $2
"""

KNOWN: Final = """
select clip_id, state::text as state, sha256 from clips where clip_id = any($1::text[])
"""

# What is there stays as it is: Discord has told more of it than a list from then.
PUT_GUILD: Final = """
insert into bot_guilds (guild_id, name, icon) values ($1, $2, $3) on conflict (guild_id) do nothing
"""

PUT_CHANNEL: Final = """
insert into bot_channels (channel_id, guild_id, name, type, is_nsfw, parent_id, position)
values ($1, $2, $3, $4, $5, $6, $7)
on conflict (channel_id) do nothing
"""

GUILD_OF_CHANNEL: Final = """
select guild_id from bot_channels where channel_id = $1
"""

PUT_USER: Final = """
insert into users (discord_user_id, username, global_name, avatar)
select $1::bigint, $2, $3, $4 where not exists (select from users where discord_user_id = $1::bigint)
on conflict (discord_user_id) do nothing
"""

PUT_MESSAGE: Final = """
insert into messages (message_id, channel_id, guild_id, author_id, content, posted_at, edited_at)
values ($1, $2, $3, $4, $5, $6, $7)
on conflict (message_id) do nothing
"""

CHANNEL_OF_MESSAGE: Final = """
select channel_id from messages where message_id = $1
"""

# A clip that is there gets bytes if it has none; one that was left out or erased stays so.
PUT_CLIP: Final = """
insert into clips as kept (
    clip_id, message_id, attachment_id, channel_id, guild_id, filename, title, description, content_type, size, url,
    url_expires_at, width, height, duration_seconds, is_clip, is_spoiler, is_forward, game, clip_created_at,
    participants, sha256, state
)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, 'stored')
on conflict (clip_id) do update
   set state = 'stored', sha256 = excluded.sha256, reason = null, reason_code = null, attempts = 0
 where kept.state in ('pending', 'failed', 'gone') and kept.channel_id = excluded.channel_id
returning true
"""


@frozen(kw_only=True)
class Known:
    """A clip of a list that is in the database."""

    state: ClipState
    sha256: bytes | None = None


async def is_known(conn: Connection, scope: Scope) -> bool:
    """Whether there is such a server, and such a channel in it."""
    return await conn.fetchval(IS_KNOWN, scope.guild_id, scope.channel_id) is True


async def places(conn: Connection, scope: Scope, *, after: Place | None, limit: int) -> Sequence[Place]:
    """List channels with clips, by server, from behind one on."""
    before = (-1, -1) if after is None else (after.guild_id, after.channel_id)
    return [structure(row, Place) for row in await conn.fetch(PLACES, *before, scope.guild_id, scope.channel_id, limit)]


async def rows(conn: Connection, channel_id: int, *, since_id: int, after: Row | None, limit: int) -> Sequence[Row]:
    """List a channel's clips, oldest message first, from behind one on."""
    before = (since_id, "") if after is None else (after.message_id, after.clip_id)
    return [_row(row) for row in await conn.fetch(ROWS, channel_id, *before, limit)]


def _row(row: Record) -> Row:
    has_bytes = row["state"] == ClipState.STORED and row["bytes"] is not None
    return Row(
        clip_id=row["clip_id"],
        message_id=row["message_id"],
        state=ClipState(row["state"]),
        clip=structure(row, Clip) if has_bytes else None,
        is_shared=row["is_shared"],
    )


async def pictured(conn: Connection, hashes: Sequence[bytes], *, width: int) -> list[bytes]:
    """List those of these bytes of which there is a picture so wide."""
    return [row["sha256"] for row in await conn.fetch(PICTURED, list(hashes), str(width))]


async def known(conn: Connection, clip_ids: Sequence[str]) -> Mapping[str, Known]:
    """Look up which of these clips are there."""
    found = await conn.fetch(KNOWN, list(clip_ids))
    return {row["clip_id"]: Known(state=ClipState(row["state"]), sha256=row["sha256"]) for row in found}


async def put_place(conn: Connection, place: Place) -> bool:
    """Have a server and a channel; False when the channel is known in another server."""
    await conn.execute(PUT_GUILD, place.guild_id, place.guild_name, place.guild_icon)
    await conn.execute(
        PUT_CHANNEL,
        place.channel_id,
        place.guild_id,
        place.channel_name,
        place.channel_type,
        place.is_nsfw,
        place.parent_id,
        place.position,
    )
    there: int | None = await conn.fetchval(GUILD_OF_CHANNEL, place.channel_id)
    return there == place.guild_id


async def put_message(conn: Connection, clip: Clip, place: Place) -> bool:
    """Have a clip's message and its author; False when the message is known in another channel."""
    if clip.author_id is not None:
        await conn.execute(PUT_USER, clip.author_id, clip.author_username, clip.author_global_name, clip.author_avatar)
    await conn.execute(
        PUT_MESSAGE,
        clip.message_id,
        place.channel_id,
        place.guild_id,
        clip.author_id,
        clip.content,
        clip.posted_at,
        clip.edited_at,
    )
    there: int | None = await conn.fetchval(CHANNEL_OF_MESSAGE, clip.message_id)
    return there == place.channel_id


async def put_clip(conn: Connection, clip: Clip, place: Place) -> bool:
    """Have a clip stored, its blob being there; False when it was decided about otherwise, or is stored already."""
    written = await conn.fetchval(
        PUT_CLIP,
        clip.clip_id,
        clip.message_id,
        clip.attachment_id,
        place.channel_id,
        place.guild_id,
        clip.filename,
        clip.title,
        clip.description,
        clip.content_type,
        clip.size,
        clip.url,
        clip.url_expires_at,
        clip.width,
        clip.height,
        clip.duration_seconds,
        clip.is_clip,
        clip.is_spoiler,
        clip.is_forward,
        clip.game,
        clip.clip_created_at,
        list(clip.participants),
        clip.sha256,
    )
    return written is True
