"""The statements on ``bot_channels`` and ``channel_overwrites``, but for coverage's."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from clipsaver.channels.model import Channel, SettingsLayers, type_name
from clipsaver.discord.snapshots import ChannelSnapshot, OverwriteSnapshot
from clipsaver.discord.snowflakes import created_at
from clipsaver.postgres.pool import Connection, structure
from clipsaver.postgres.rows import columns

COLUMNS: Final = columns(Channel)

READ_CHANNELS: Final = f"""
    select {COLUMNS} from bot_channels
     where is_reading = true and type not like '%thread' order by channel_id limit $1
"""  # noqa: S608 - our own words

COUNT_CHANNELS: Final = """
    select count(*) from bot_channels
"""

GET_CHANNEL: Final = f"""
    select {COLUMNS} from bot_channels where channel_id = $1
"""  # noqa: S608 - our own words

GET_CHANNELS: Final = f"""
    select {COLUMNS} from bot_channels where guild_id = $1 order by position, channel_id
"""  # noqa: S608 - our own words

# Only what Discord tells is written, and only where it differs; a channel that is known keeps everything that is ours.
# A new thread is read if its parent is.
UPSERT_CHANNELS: Final = """
    insert into bot_channels
           (channel_id, guild_id, name, type, is_nsfw, parent_id, position, last_activity_at, is_reading)
    select fresh.id, fresh.guild_id, fresh.name, fresh.type, fresh.is_nsfw, fresh.parent_id, fresh.position,
           fresh.last_activity_at,
           known.channel_id is null and fresh.type like '%thread'
               and coalesce((select parent.is_reading from bot_channels as parent
                              where parent.channel_id = fresh.parent_id), false)
      from unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::boolean[], $6::bigint[], $7::integer[],
                  $8::timestamptz[])
        as fresh (id, guild_id, name, type, is_nsfw, parent_id, position, last_activity_at)
      join bot_guilds as guild on guild.guild_id = fresh.guild_id
      left join bot_channels as known on known.channel_id = fresh.id
     where (known.name, known.type, known.is_nsfw, known.parent_id, known.position)
           is distinct from (fresh.name, fresh.type, fresh.is_nsfw, fresh.parent_id, fresh.position)
        or fresh.last_activity_at > coalesce(known.last_activity_at, '-infinity')
     order by fresh.id
        on conflict (channel_id) do update
       set name = excluded.name,
           type = excluded.type,
           is_nsfw = excluded.is_nsfw,
           parent_id = excluded.parent_id,
           position = excluded.position,
           last_activity_at = greatest(bot_channels.last_activity_at, excluded.last_activity_at)
"""

UPSERT_OVERWRITES: Final = """
    insert into channel_overwrites (channel_id, target_id, target_type, allow, deny)
    select fresh.channel_id, fresh.target_id, fresh.target_type, fresh.allow, fresh.deny
      from unnest($1::bigint[], $2::bigint[], $3::text[], $4::bigint[], $5::bigint[])
        as fresh (channel_id, target_id, target_type, allow, deny)
      join bot_channels as channel on channel.channel_id = fresh.channel_id
      left join channel_overwrites as known
        on known.channel_id = fresh.channel_id and known.target_id = fresh.target_id
     where (known.target_type, known.allow, known.deny)
           is distinct from (fresh.target_type, fresh.allow, fresh.deny)
     order by fresh.channel_id, fresh.target_id
        on conflict (channel_id, target_id) do update
       set target_type = excluded.target_type, allow = excluded.allow, deny = excluded.deny
"""

DELETE_OTHER_OVERWRITES: Final = """
    delete from channel_overwrites as known
     where channel_id = any($1::bigint[])
       and not exists (
               select from unnest($2::bigint[], $3::bigint[]) as present (channel_id, target_id)
                where present.channel_id = known.channel_id and present.target_id = known.target_id
           )
"""

GET_OVERWRITES: Final = """
    select target_id as id, case target_type when 'role' then 0 else 1 end as type, allow, deny
      from channel_overwrites
     where channel_id = $1
     order by target_id
"""

DELETE_CHANNELS: Final = """
    delete from bot_channels
     where guild_id = $1
       and (channel_id = any($2::bigint[]) or (type like '%thread' and parent_id = any($2::bigint[])))
 returning channel_id
"""

# A thread is missing only when its parent is: what is archived is in no list.
DELETE_OTHER_CHANNELS: Final = """
    delete from bot_channels as known
     where guild_id = any($1::bigint[])
       and not exists (
               select from unnest($2::bigint[]) as present (id)
                where present.id = case when type like '%thread' then coalesce(parent_id, channel_id)
                                        else channel_id end
           )
       and (type not like '%thread' or parent_id is not null or type is null)
 returning channel_id
"""

SET_READING: Final = """
    update bot_channels
       set is_reading = $3
     where guild_id = $1
       and (channel_id = $2 or (parent_id = $2 and type like '%thread'))
       and is_reading <> $3
 returning channel_id
"""

SET_READING_OF: Final = """
    with changed as (
        update bot_channels as channel
           set is_reading = $2
         where guild_id = $1
           and is_reading <> $2
           and ($3::bigint[] is null
                or case when type like '%thread' then parent_id else channel_id end = any($3::bigint[]))
           and (not $2
                or case when type like '%thread'
                        then (select parent.type from bot_channels as parent
                               where parent.channel_id = channel.parent_id)
                        else type end = any($4::text[]))
     returning type
    )
    select count(*) from changed where type is null or type not like '%thread'
"""

TOUCH_ACTIVITY: Final = """
    update bot_channels as channel
       set last_activity_at = fresh.at
      from unnest($1::bigint[], $2::timestamptz[]) as fresh (id, at)
     where channel.channel_id = fresh.id
       and (channel.last_activity_at is null or channel.last_activity_at < fresh.at)
"""

# A thread's own overrides lie over those of the channel it is in.
GET_SETTINGS: Final = """
    select channel.guild_id,
           coalesce(guild.settings, '{}') as guild,
           case when channel.type like '%thread' then coalesce(parent.settings, '{}') || channel.settings
                else channel.settings end as channel,
           channel.settings as own
      from bot_channels as channel
      left join guild_settings as guild on guild.guild_id = channel.guild_id
      left join bot_channels as parent on parent.channel_id = channel.parent_id
     where channel.channel_id = $1
"""

UPDATE_SETTINGS: Final = """
    update bot_channels set settings = settings || $3::jsonb
     where guild_id = $1 and channel_id = $2
"""

DROP_SETTINGS: Final = """
    update bot_channels set settings = settings - $3::text[]
     where guild_id = $1 and channel_id = $2 and settings ?| $3::text[]
"""


async def get_channels_that_are_read(conn: Connection, *, limit: int) -> Sequence[Channel]:
    """List channels that are switched on, in all guilds, threads left out."""
    return [structure(row, Channel) for row in await conn.fetch(READ_CHANNELS, limit)]


async def count_channels(conn: Connection) -> int:
    """Count the channels, for the metrics."""
    return int(await conn.fetchval(COUNT_CHANNELS))


async def get_channel(conn: Connection, channel_id: int) -> Channel | None:
    """Return one channel; None if it is not known."""
    row = await conn.fetchrow(GET_CHANNEL, channel_id)
    return None if row is None else structure(row, Channel)


async def get_channels_by_guild(conn: Connection, guild_id: int) -> Sequence[Channel]:
    """List a guild's channels by position, categories and threads among them."""
    return [structure(row, Channel) for row in await conn.fetch(GET_CHANNELS, guild_id)]


async def upsert_channels_for_guild(conn: Connection, guild_id: int, channels: Iterable[ChannelSnapshot]) -> None:
    """Write one guild's channels that are new or have changed."""
    await upsert_channels_for_guilds(conn, ((guild_id, channel) for channel in channels))


async def upsert_channels_for_guilds(conn: Connection, channels: Iterable[tuple[int, ChannelSnapshot]]) -> None:
    """Write channels, each with its guild, that are new or have changed; those of unknown guilds are left out."""
    latest = {channel.id: (guild_id, channel) for guild_id, channel in channels}
    ordered = [latest[channel_id] for channel_id in sorted(latest)]
    if ordered:
        await conn.execute(
            UPSERT_CHANNELS,
            [channel.id for _, channel in ordered],
            [guild_id for guild_id, _ in ordered],
            [channel.name or None for _, channel in ordered],
            [type_name(channel.type) for _, channel in ordered],
            [channel.nsfw for _, channel in ordered],
            [channel.parent_id for _, channel in ordered],
            [channel.position for _, channel in ordered],
            [channel.last_message_id and created_at(channel.last_message_id) for _, channel in ordered],
        )


async def upsert_overwrites(conn: Connection, overwrites: Iterable[tuple[int, OverwriteSnapshot]]) -> None:
    """Write overwrites, each with its channel, that are new or have changed."""
    latest = {(channel_id, overwrite.id): overwrite for channel_id, overwrite in overwrites}
    ordered = sorted(latest)
    if ordered:
        await conn.execute(
            UPSERT_OVERWRITES,
            [channel_id for channel_id, _ in ordered],
            [target_id for _, target_id in ordered],
            ["role" if latest[key].type == 0 else "member" for key in ordered],
            [latest[key].allow for key in ordered],
            [latest[key].deny for key in ordered],
        )


async def delete_other_overwrites(
    conn: Connection,
    channel_ids: Collection[int],
    present: Collection[tuple[int, int]],
) -> None:
    """Delete these channels' overwrites but those present, given as channel and target."""
    await conn.execute(
        DELETE_OTHER_OVERWRITES,
        list(channel_ids),
        [channel_id for channel_id, _ in present],
        [target_id for _, target_id in present],
    )


async def get_overwrites(conn: Connection, channel_id: int) -> tuple[OverwriteSnapshot, ...]:
    """List a channel's overwrites."""
    return tuple(structure(row, OverwriteSnapshot) for row in await conn.fetch(GET_OVERWRITES, channel_id))


async def delete_channels(conn: Connection, guild_id: int, channel_ids: Iterable[int]) -> frozenset[int]:
    """Delete channels of a guild with their threads and all that was found in them; return what was there."""
    return frozenset(row["channel_id"] for row in await conn.fetch(DELETE_CHANNELS, guild_id, list(channel_ids)))


async def delete_other_channels(
    conn: Connection,
    guilds: Collection[int],
    present: Collection[int],
) -> frozenset[int]:
    """Delete these guilds' channels but those present; threads go only with their channel. Return what is gone."""
    rows = await conn.fetch(DELETE_OTHER_CHANNELS, list(guilds), list(present))
    return frozenset(row["channel_id"] for row in rows)


async def set_channel_reading(conn: Connection, guild_id: int, channel_id: int, *, on: bool) -> frozenset[int]:
    """Switch reading of a channel and its threads; return those for which that was a change."""
    return frozenset(row["channel_id"] for row in await conn.fetch(SET_READING, guild_id, channel_id, on))


async def set_reading_of(
    conn: Connection,
    guild_id: int,
    *,
    on: bool,
    readable: Collection[str],
    only: Collection[int] | None,
) -> int:
    """Switch reading of a guild's channels and their threads, of all or only those named; count changes but threads.

    Only channels of a readable type are switched on; any are switched off.
    """
    changed: int = await conn.fetchval(
        SET_READING_OF, guild_id, on, None if only is None else list(only), sorted(readable)
    )
    return changed


async def touch_activity(conn: Connection, latest: Mapping[int, datetime]) -> None:
    """Write when channels last had a message, never an earlier time than is known."""
    ordered = sorted(latest)
    await conn.execute(TOUCH_ACTIVITY, ordered, [latest[channel_id] for channel_id in ordered])


async def get_channel_settings(conn: Connection, channel_id: int) -> SettingsLayers | None:
    """Return what is stored for a channel and for its guild; None if the channel is not known."""
    row = await conn.fetchrow(GET_SETTINGS, channel_id)
    return None if row is None else structure(row, SettingsLayers)


async def update_channel_settings(
    conn: Connection,
    guild_id: int,
    channel_id: int,
    changes: Mapping[str, Any],
) -> None:
    """Merge changes into a channel's overrides, in the database."""
    await conn.execute(UPDATE_SETTINGS, guild_id, channel_id, dict(changes))


async def drop_channel_settings(conn: Connection, guild_id: int, channel_id: int, keys: Iterable[str]) -> None:
    """Delete keys from a channel's overrides, in the database."""
    await conn.execute(DROP_SETTINGS, guild_id, channel_id, list(keys))
