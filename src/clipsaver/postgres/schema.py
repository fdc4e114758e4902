"""Applying ``schema.sql``: once, by however many processes start together."""

import hashlib
from typing import Final

import asyncpg
import structlog

from clipsaver.config import packaged
from clipsaver.errors import StartFailed
from clipsaver.postgres.convert import copy_back, move_aside
from clipsaver.postgres.pool import Connection, Pool, in_transaction

log = structlog.get_logger("clipsaver.postgres")

VERSION: Final = 1
"""What schema.sql writes into schema_versions; counted up when it changes what is there already."""

LOCK: Final = "select pg_advisory_xact_lock(hashtextextended('clipsaver schema', 0))"
QUIET: Final = "set local client_min_messages = warning"
HAS_VERSIONS: Final = """
select exists (
    select from pg_attribute where attrelid = to_regclass('schema_versions') and attname = 'digest' and not attisdropped
)
"""
GET_APPLIED: Final = "select version, digest from schema_versions order by version desc limit 1"
SET_DIGEST: Final = "update schema_versions set digest = $2, applied_at = now() where version = $1"


async def apply_schema(where: Pool | Connection) -> None:
    """Bring the database to what schema.sql describes, in one transaction; nothing happens when it already is.

    A database of the bot's earlier versions is converted on the way. StartFailed says what is in the way; then nothing
    was changed.
    """
    text = packaged("schema.sql")
    digest = hashlib.sha256(text.encode()).hexdigest()

    async def work(conn: Connection) -> None:
        await _apply(conn, text, digest)

    try:
        if isinstance(where, asyncpg.Pool):
            async with where.acquire() as conn:
                applied = await _is_applied(conn, digest)
            if not applied:
                await in_transaction(where, work)
        elif not await _is_applied(where, digest):
            async with where.transaction():
                await work(where)
    except asyncpg.InsufficientPrivilegeError as error:
        raise StartFailed(f"The database's user may not make or change tables there: {error.args[0]}.") from error
    except (asyncpg.IntegrityConstraintViolationError, asyncpg.SyntaxOrAccessError, asyncpg.DataError) as error:
        raise StartFailed(
            f"The tables in the database can't be brought up to date: {error.args[0]}. Nothing was changed."
        ) from error
    except asyncpg.DependentObjectsStillExistError as error:
        raise StartFailed(
            f"The database's older tables can't be converted, since something else depends on them: {error.detail}. "
            "Nothing was changed."
        ) from error


async def _apply(conn: Connection, text: str, digest: str) -> None:
    await conn.execute(LOCK)
    if await _is_applied(conn, digest):
        return
    await conn.execute(QUIET)
    tables = await move_aside(conn)
    await conn.execute(text)
    if tables:
        await copy_back(conn, tables)
    await conn.execute(SET_DIGEST, VERSION, digest)
    log.info("postgres.schema_applied", version=VERSION, converted=len(tables))


async def _is_applied(conn: Connection, digest: str) -> bool:
    """Whether this very text was applied last, or that of a later release."""
    if not await conn.fetchval(HAS_VERSIONS):
        return False
    applied = await conn.fetchrow(GET_APPLIED)
    if applied is not None and applied["version"] > VERSION:
        log.warning("postgres.schema_is_newer", version=applied["version"], ours=VERSION)
        return True
    return applied is not None and applied["digest"] == digest
