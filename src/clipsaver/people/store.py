"""The statements on ``users``."""

from collections.abc import Iterable, Sequence
from typing import Final

from clipsaver.discord.snapshots import UserSnapshot
from clipsaver.people.model import User
from clipsaver.postgres.pool import Connection, structure

GET_USER: Final = """
    select id, discord_user_id, username, global_name, avatar, last_login_at
      from users
     where discord_user_id = $1
"""

# Who has not changed is left out before the insert: no row is written, and no number of the sequence used up.
UPSERT_USERS: Final = """
    insert into users (discord_user_id, username, global_name, avatar)
    select fresh.id, fresh.username, fresh.global_name, fresh.avatar
      from json_to_recordset($1::json) as fresh (id bigint, username text, global_name text, avatar text)
      left join users as known on known.discord_user_id = fresh.id
     where known.id is null
        or (known.username, known.global_name, known.avatar)
           is distinct from (coalesce(fresh.username, known.username), fresh.global_name, fresh.avatar)
     order by fresh.id
        on conflict (discord_user_id) do update
       set username = coalesce(excluded.username, users.username),
           global_name = excluded.global_name,
           avatar = excluded.avatar
"""

ENSURE_USERS: Final = """
    insert into users (discord_user_id)
    select fresh.id
      from unnest($1::bigint[]) as fresh (id)
     where not exists (select from users as known where known.discord_user_id = fresh.id)
     order by fresh.id
        on conflict (discord_user_id) do nothing
"""


async def get_user(conn: Connection, user_id: int) -> User | None:
    """Return what is known of a person; None if nothing is."""
    row = await conn.fetchrow(GET_USER, user_id)
    return None if row is None else structure(row, User)


async def upsert_users(conn: Connection, users: Sequence[UserSnapshot]) -> None:
    """Write who is new or has changed, sorted by id; of two snapshots of one person the later counts."""
    latest = sorted({user.id: user for user in users}.values(), key=lambda user: user.id)
    if latest:
        rows = [
            {
                "id": user.id,
                "username": user.username or None,
                "global_name": user.global_name,
                "avatar": user.avatar,
            }
            for user in latest
        ]
        await conn.execute(UPSERT_USERS, rows)


async def ensure_users(conn: Connection, user_ids: Iterable[int]) -> None:
    """Make rows for people of whom only the id was told, so that others can refer to them."""
    wanted = sorted(set(user_ids))
    if wanted:
        await conn.execute(ENSURE_USERS, wanted)
