"""The statements on ``bot_guilds``, ``guild_settings``, ``roles`` and ``audit``."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final

from clipsaver.discord.snapshots import GuildSnapshot, RoleSnapshot
from clipsaver.guilds.model import Guild, GuildRole
from clipsaver.postgres.pool import Connection, structure

GET_GUILD: Final = """
    select guild_id, name, icon, owner_user_id, joined_at, last_seen_at
      from bot_guilds
     where guild_id = $1
"""

COUNT_GUILDS: Final = """
    select count(*) from bot_guilds
"""

GUILD_IDS: Final = """
    select guild_id from bot_guilds order by guild_id
"""

# The order of locks begins with guilds; a later statement of the transaction then finds nobody in its way.
LOCK_GUILDS: Final = """
    select guild_id from bot_guilds where guild_id = any($1::bigint[]) order by guild_id for no key update
"""

UPSERT_GUILDS: Final = """
    insert into bot_guilds (guild_id, name, icon, owner_user_id)
    select id, name, icon, owner
      from unnest($1::bigint[], $2::text[], $3::text[], $4::bigint[]) as fresh (id, name, icon, owner)
     order by id
        on conflict (guild_id) do update
       set name = excluded.name,
           icon = excluded.icon,
           owner_user_id = coalesce(excluded.owner_user_id, bot_guilds.owner_user_id),
           last_seen_at = clock_timestamp()
 returning guild_id, xmax = 0 as joined
"""

DELETE_GUILDS: Final = """
    delete from bot_guilds where guild_id = any($1::bigint[]) returning guild_id
"""

TOUCH_GUILD: Final = """
    update bot_guilds set last_seen_at = clock_timestamp() where guild_id = $1
"""

UPSERT_ROLES: Final = """
    insert into roles (role_id, guild_id, name, permissions, position)
    select fresh.id, fresh.guild_id, fresh.name, fresh.permissions, fresh.position
      from unnest($1::bigint[], $2::bigint[], $3::text[], $4::bigint[], $5::integer[])
        as fresh (id, guild_id, name, permissions, position)
      join bot_guilds as guild on guild.guild_id = fresh.guild_id
      left join roles as known on known.role_id = fresh.id
     where (known.name, known.permissions, known.position)
           is distinct from (fresh.name, fresh.permissions, fresh.position)
     order by fresh.id
        on conflict (role_id) do update
       set name = excluded.name, permissions = excluded.permissions, position = excluded.position
"""

DELETE_OTHER_ROLES: Final = """
    delete from roles
     where guild_id = any($1::bigint[])
       and not exists (select from unnest($2::bigint[]) as present (id) where present.id = role_id)
"""

DELETE_ROLE: Final = """
    delete from roles where guild_id = $1 and role_id = $2
"""

GET_ROLES: Final = """
    select role_id, guild_id, name, permissions, position
      from roles
     where guild_id = $1
     order by position desc, role_id
"""

GET_SETTINGS: Final = """
    select settings from guild_settings where guild_id = $1
"""

ENSURE_SETTINGS: Final = """
    insert into guild_settings (guild_id, settings)
    select id, $2::jsonb
      from unnest($1::bigint[]) as fresh (id)
     where not exists (select from guild_settings as known where known.guild_id = fresh.id)
     order by id
        on conflict (guild_id) do nothing
 returning guild_id
"""

UPDATE_SETTINGS: Final = """
    update guild_settings set settings = settings || $2::jsonb where guild_id = $1 returning settings
"""

SET_SETTINGS: Final = """
    insert into guild_settings (guild_id, settings) values ($1, $2::jsonb)
        on conflict (guild_id) do update set settings = excluded.settings
"""

DROP_SETTINGS: Final = """
    update guild_settings set settings = settings - $2::text[]
     where guild_id = $1 and settings ?| $2::text[]
"""

ADD_AUDIT: Final = """
    insert into audit (guild_id, actor_user_id, action, details)
    select guild_id, $2, $3, $4::jsonb from bot_guilds where guild_id = $1
"""


async def count_guilds(conn: Connection) -> int:
    """Count the guilds, for the metrics."""
    return int(await conn.fetchval(COUNT_GUILDS))


async def get_guild(conn: Connection, guild_id: int) -> Guild | None:
    """Return one guild; None if the bot is not in it."""
    row = await conn.fetchrow(GET_GUILD, guild_id)
    return None if row is None else structure(row, Guild)


async def guild_ids(conn: Connection) -> Sequence[int]:
    """List every guild there is."""
    return [row["guild_id"] for row in await conn.fetch(GUILD_IDS)]


async def lock_guilds(conn: Connection, wanted: Iterable[int]) -> None:
    """Hold the rows of guilds that are there until the transaction ends."""
    await conn.execute(LOCK_GUILDS, sorted(wanted))


async def upsert_guild(conn: Connection, guild: GuildSnapshot) -> bool:
    """Write one guild and when it was seen; its owner must be in ``users``. Tell whether it is new."""
    return bool(await upsert_guilds(conn, [guild]))


async def upsert_guilds(conn: Connection, guilds: Sequence[GuildSnapshot]) -> frozenset[int]:
    """Write guilds, each once, and when they were seen; owners must be in ``users``. Return those that are new."""
    rows = await conn.fetch(
        UPSERT_GUILDS,
        [guild.id for guild in guilds],
        [guild.name for guild in guilds],
        [guild.icon_url for guild in guilds],
        [guild.owner_id for guild in guilds],
    )
    return frozenset(row["guild_id"] for row in rows if row["joined"])


async def delete_guilds(conn: Connection, gone: Iterable[int]) -> frozenset[int]:
    """Delete guilds with everything in them but their settings; return those that were there."""
    return frozenset(row["guild_id"] for row in await conn.fetch(DELETE_GUILDS, sorted(gone)))


async def touch_guild(conn: Connection, guild_id: int) -> None:
    """Remember that a guild was seen just now."""
    await conn.execute(TOUCH_GUILD, guild_id)


async def upsert_roles(conn: Connection, roles: Iterable[tuple[int, RoleSnapshot]]) -> None:
    """Write the roles, each with its guild, that are new or have changed; those of unknown guilds are left out."""
    latest = {role.id: (guild_id, role) for guild_id, role in roles}
    ordered = [latest[role_id] for role_id in sorted(latest)]
    if ordered:
        await conn.execute(
            UPSERT_ROLES,
            [role.id for _, role in ordered],
            [guild_id for guild_id, _ in ordered],
            [role.name for _, role in ordered],
            [role.permissions for _, role in ordered],
            [role.position for _, role in ordered],
        )


async def delete_other_roles(conn: Connection, guilds: Collection[int], present: Collection[int]) -> None:
    """Delete the roles of these guilds that are not among those present."""
    await conn.execute(DELETE_OTHER_ROLES, list(guilds), list(present))


async def delete_role(conn: Connection, guild_id: int, role_id: int) -> None:
    """Delete one role."""
    await conn.execute(DELETE_ROLE, guild_id, role_id)


async def get_roles(conn: Connection, guild_id: int) -> Sequence[GuildRole]:
    """List a guild's roles, the highest first."""
    return [structure(row, GuildRole) for row in await conn.fetch(GET_ROLES, guild_id)]


async def get_guild_settings(conn: Connection, guild_id: int) -> Mapping[str, Any] | None:
    """Return what is stored for a guild; None if nothing ever was."""
    stored: Mapping[str, Any] | None = await conn.fetchval(GET_SETTINGS, guild_id)
    return stored


async def ensure_guild_settings(
    conn: Connection,
    guilds: Iterable[int],
    settings: Mapping[str, Any],
) -> frozenset[int]:
    """Give settings to guilds that have none, and touch no others; return those that got them."""
    return frozenset(row["guild_id"] for row in await conn.fetch(ENSURE_SETTINGS, sorted(guilds), dict(settings)))


async def update_guild_settings(
    conn: Connection, guild_id: int, changes: Mapping[str, Any]
) -> Mapping[str, Any] | None:
    """Merge changes into a guild's settings, in the database; return them, or None if the guild has none."""
    merged: Mapping[str, Any] | None = await conn.fetchval(UPDATE_SETTINGS, guild_id, dict(changes))
    return merged


async def set_guild_settings(conn: Connection, guild_id: int, settings: Mapping[str, Any]) -> None:
    """Replace a guild's settings."""
    await conn.execute(SET_SETTINGS, guild_id, dict(settings))


async def drop_guild_settings(conn: Connection, guild_id: int, keys: Iterable[str]) -> None:
    """Delete keys from a guild's settings, in the database."""
    await conn.execute(DROP_SETTINGS, guild_id, list(keys))


async def add_audit(
    conn: Connection,
    guild_id: int,
    *,
    by: int | None,
    action: str,
    details: Mapping[str, Any],
) -> None:
    """Remember who changed what; a guild that is not there has no audit."""
    await conn.execute(ADD_AUDIT, guild_id, by, action, dict(details))
