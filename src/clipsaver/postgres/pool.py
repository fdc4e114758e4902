"""The connection pool, transactions that are tried again, and rows as frozen classes."""

import asyncio
import contextlib
import random
import socket
import ssl
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar
from urllib.parse import unquote, urlsplit

import asyncpg
import orjson
import structlog
from asyncpg.pool import PoolConnectionProxy
from attrs import define

from clipsaver.errors import StartFailed
from clipsaver.postgres.rows import structure

__all__ = ["Connection", "Pool", "in_transaction", "open_pool", "structure"]

if TYPE_CHECKING:
    Pool: TypeAlias = asyncpg.Pool[asyncpg.Record]
    Connection: TypeAlias = asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]
else:  # asyncpg's classes take no parameters when they run
    Pool = asyncpg.Pool
    Connection = asyncpg.Connection | PoolConnectionProxy
T = TypeVar("T")

log = structlog.get_logger("clipsaver.postgres")

OLDEST: Final = 14
"""Multiranges came with PostgreSQL 14."""
CONNECT_TIMEOUT: Final = 10.0
"""Seconds for one connection, everything included."""
PATIENCE: Final = 10.0
"""Seconds a running program waits for a server that is starting again."""
ATTEMPTS: Final = 8
"""How often a transaction is tried before its error is the caller's."""

BEGIN: Final = "begin; set local idle_in_transaction_session_timeout = '5s'"
"""A process that stands still in the middle of a transaction doesn't keep others from its rows for longer than that."""

_GONE = (
    ConnectionError,
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.IdleInTransactionSessionTimeoutError,
)
_AWAY = (*_GONE, FileNotFoundError, asyncpg.CannotConnectNowError)
_LOST = (*_GONE, asyncpg.InterfaceError, asyncpg.InternalClientError)
"""What a statement fails with when the server goes away; the last two also when asyncpg is used wrongly."""
_CONTENDED = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError)


async def open_pool(
    url: str,
    *,
    size: int = 10,
    statement_cache_size: int = 100,
    application_name: str = "clipsaver",
) -> Pool:
    """Open a pool on the database; StartFailed says in one sentence why it can't be used.

    A connection that was lost is made again when it is next wanted, and while the server is away ``acquire`` waits for
    it up to ``PATIENCE``. With ``statement_cache_size=0`` nothing is kept on the server between transactions, as
    PgBouncer in transaction mode needs it.
    """
    where = _describe(url)
    connector = _Connector()
    pool: Pool = asyncpg.create_pool(
        url,
        min_size=0,
        max_size=size,
        statement_cache_size=statement_cache_size,
        timeout=CONNECT_TIMEOUT,
        connect=connector,
        reset=_leave_as_is,
        server_settings={"application_name": application_name, "timezone": "UTC"},
    )
    await pool
    try:
        async with pool.acquire() as conn:
            version = conn.get_server_version()
    except Exception as error:  # noqa: BLE001 - each becomes a sentence
        pool.terminate()
        raise _explained(error, where) from None
    if version.major < OLDEST:
        pool.terminate()
        raise StartFailed(f"{where} is PostgreSQL {version.major}; clipsaver needs {OLDEST} or newer.")
    connector.patience = PATIENCE
    return pool


async def in_transaction(pool: Pool, work: Callable[[Connection], Awaitable[T]]) -> T:
    """Run the work in one transaction; again, a bounded number of times, when another was in its way.

    Deadlocks and serialization failures are tried again, and so is a connection lost before the commit was sent: in all
    of these nothing was written. A connection lost during the commit is the caller's: it may have been written.
    """
    attempt = 0
    while True:
        attempt += 1
        sent = asyncio.Event()
        try:
            async with pool.acquire() as conn:
                return await _once(conn, work, sent)
        except (*_CONTENDED, *_LOST) as error:
            if attempt == ATTEMPTS or not (isinstance(error, _CONTENDED) or (_is_loss(error) and not sent.is_set())):
                raise
            log.info("postgres.transaction_retried", attempt=attempt, reason=type(error).__name__)
        await _pause(attempt)


async def _once(conn: Connection, work: Callable[[Connection], Awaitable[T]], sent: asyncio.Event) -> T:
    """One attempt at a transaction; ``sent`` is set when the commit is on its way."""
    try:
        await conn.execute(BEGIN)
        result = await work(conn)
    except BaseException:
        try:
            await conn.execute("rollback")
        except _LOST:  # what went wrong first is what the caller hears of
            with contextlib.suppress(asyncpg.InterfaceError):
                conn.terminate()
        raise
    sent.set()
    await conn.execute("commit")
    return result


def _is_loss(error: Exception) -> bool:
    """Whether the connection went away, rather than asyncpg being used wrongly."""
    if type(error) is asyncpg.InterfaceError:
        return "closed" in str(error) or "released back" in str(error)
    if isinstance(error, asyncpg.InternalClientError):
        # The server's farewell arrived between two statements.
        return "cannot switch to state" in str(error)
    return not isinstance(error, asyncpg.InterfaceError)


async def _pause(attempt: int) -> None:
    """Wait longer with each attempt, and never in step with others."""
    await asyncio.sleep(random.uniform(0.2, 1) * min(0.01 * 2**attempt, 1.0))  # noqa: S311 - no secret


@define
class _Connector:
    """Makes the pool's connections; waits for a server that is away, once the pool has been opened."""

    patience: float = 0.0

    async def __call__(self, *args: Any, **options: Any) -> "asyncpg.Connection[asyncpg.Record]":
        """Connect, trying again until the patience ends."""
        begun = time.monotonic()
        attempt = 0
        while True:
            try:
                return await _connect(*args, **options)
            except _AWAY as error:
                # A server that is only starting is worth waiting for, even at our own start.
                patience = PATIENCE if isinstance(error, asyncpg.CannotConnectNowError) else self.patience
                if time.monotonic() - begun >= patience:
                    raise
            attempt += 1
            await _pause(attempt)


async def _connect(*args: Any, **options: Any) -> "asyncpg.Connection[asyncpg.Record]":
    conn: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(*args, **options)
    try:
        await _set_codecs(conn)
    except BaseException:
        conn.terminate()
        raise
    return conn


async def _set_codecs(conn: "asyncpg.Connection[asyncpg.Record]") -> None:
    """Python objects in and out of json and jsonb."""
    await conn.set_type_codec(
        "jsonb",
        schema="pg_catalog",
        format="binary",
        encoder=lambda value: b"\x01" + orjson.dumps(value),
        decoder=lambda data: orjson.loads(memoryview(data)[1:]),
    )
    await conn.set_type_codec("json", schema="pg_catalog", format="binary", encoder=orjson.dumps, decoder=orjson.loads)


async def _leave_as_is(_conn: "asyncpg.Connection[asyncpg.Record]") -> None:
    """Skip asyncpg's RESET ALL: nothing here leaves state in a session, and it costs a round trip."""


_UNREADABLE: Final = (
    "database.url can't be read: it should look like postgresql://user:password@host:5432/name, "
    "with special characters in the password written as %40 and the like."
)


def _describe(url: str) -> str:
    """Name the database for people, without the password."""
    try:
        parts = urlsplit(url)
    except ValueError:
        raise StartFailed(_UNREADABLE) from None
    astray = "@" in parts.path + parts.fragment or ("@" in parts.query and "@" not in parts.netloc and parts.netloc)
    if parts.scheme not in {"postgres", "postgresql"} or astray or parts.netloc.count("@") > 1:
        raise StartFailed(_UNREADABLE)
    host = unquote(parts.netloc.rpartition("@")[2])
    name = unquote(parts.path.lstrip("/"))
    return "The database" + (f" {name!r}" if name else "") + (f" at {host}" if host else "")


def _explained(error: Exception, where: str) -> StartFailed:  # noqa: PLR0911 - one return for each cause
    """The sentence for a connection that failed; never with the password."""
    match error:
        case ssl.SSLError():
            return StartFailed(f"{where} can't be reached: TLS failed; look at sslmode and the certificate.")
        case ValueError():  # asyncpg's own, for what it can't read
            return StartFailed(_UNREADABLE)
        case socket.gaierror():
            return StartFailed(f"{where} can't be reached: its host name is unknown.")
        case ConnectionRefusedError() | FileNotFoundError():
            return StartFailed(f"{where} can't be reached: nothing answers there. Is PostgreSQL running?")
        case TimeoutError():
            return StartFailed(f"{where} can't be reached: no answer within {CONNECT_TIMEOUT:.0f} seconds.")
        case asyncpg.InvalidPasswordError() | asyncpg.InvalidAuthorizationSpecificationError():
            return StartFailed(f"{where} refused the user or the password in database.url.")
        case asyncpg.InvalidCatalogNameError():
            return StartFailed(f"{where} does not exist on that server.")
        case asyncpg.TooManyConnectionsError():
            return StartFailed(f"{where} has no connection left; lower database.pool_size or raise max_connections.")
        case asyncpg.PostgresError():
            return StartFailed(f"{where} can't be used: {error.args[0] if error.args else type(error).__name__}.")
        case _:
            log.debug("postgres.connect_failed", exc_info=error)
            return StartFailed(f"{where} can't be used: {type(error).__name__} while connecting.")
