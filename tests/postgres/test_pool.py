"""The pool: how it opens, why it doesn't, what it tries again."""

import asyncio
import socket
import ssl
from typing import Any

import asyncpg
import pytest
from asyncpg.types import ServerVersion

from clipsaver.errors import StartFailed
from clipsaver.postgres import pool as pools
from clipsaver.postgres.pool import Connection, Pool, in_transaction, open_pool
from clipsaver.postgres.server import Server
from tests.fixtures.database import database_of

SECRET = "hunter2"


async def failure(url: str) -> str:
    """The sentence that opening fails with."""
    with pytest.raises(StartFailed) as caught:
        await open_pool(url)
    assert SECRET not in repr(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None or caught.value.__suppress_context__
    return caught.value.message


async def test_settings_of_a_connection(database_url: str) -> None:
    """UTC, and a name that administrators see."""
    async with await open_pool(database_url, application_name="clipsaver worker") as pool:
        assert await pool.fetchval("show timezone") == "UTC"
        assert await pool.fetchval("show application_name") == "clipsaver worker"
        moment = await pool.fetchval("select now()")
        assert moment.utcoffset().total_seconds() == 0


@pytest.mark.parametrize("scheme", ["postgres", "postgresql"])
async def test_both_schemes(database_url: str, scheme: str) -> None:
    """Either name is understood."""
    async with await open_pool(database_url.replace("postgresql", scheme, 1)) as pool:
        assert await pool.fetchval("select 1") == 1


@pytest.mark.parametrize("kind", ["json", "jsonb"])
async def test_json(pool: Pool, kind: str) -> None:
    """Python objects go in and come out, null as None."""
    value = {"a": [1, None, True, "ü"], "b": {"c": 1.5}, "id": 2**63 - 1}
    assert value == await pool.fetchval(f"select $1::{kind}", value)
    assert await pool.fetchval(f"select $1::{kind} is null", None)
    assert await pool.fetchval(f"select $1::{kind}::text", "text") == '"text"'


async def test_no_statement_is_kept(database_url: str) -> None:
    """With a cache of 0, PgBouncer in transaction mode has nothing to lose."""
    async with await open_pool(database_url, size=1, statement_cache_size=0) as pool:
        for _ in range(3):
            assert await pool.fetchval("select $1::jsonb", [1]) == [1]
            assert await pool.fetchval("select $1::snowflake", 5) == 5
        assert await pool.fetchval("select count(*) from pg_prepared_statements where from_sql") == 0


async def test_nothing_is_sent_on_release(pool: Pool) -> None:
    """A connection goes back as it is: no round trip for state that nobody leaves."""
    async with pool.acquire() as conn:
        await conn.execute("set application_name = 'left as it is'")
    assert await pool.fetchval("show application_name") == "left as it is"


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://ann:{SECRET}@ss@127.0.0.1/db",
        f"postgresql://ann:{SECRET}/x@127.0.0.1/db",
        f"postgresql://ann:12/{SECRET}@127.0.0.1/db",
        f"postgresql://ann:{SECRET}#x@127.0.0.1/db",
        f"postgresql://ann:{SECRET}?x@127.0.0.1/db",
        f"postgresql://ann:1?{SECRET}@127.0.0.1/db",
        f"postgresql://ann:{SECRET}@127.0.0.1:port/db",
        f"postgresql://ann:{SECRET}@[::1/db",
        f"postgresql://ann:{SECRET}@127.0.0.1/db?sslmode=always",
        f"mysql://ann:{SECRET}@127.0.0.1/db",
        SECRET,
        "",
    ],
)
async def test_urls_that_make_no_sense(url: str) -> None:
    """What can't be read is not repeated."""
    assert (await failure(url)).startswith("database.url can't be read")


async def test_refused(unused_tcp_port: int) -> None:
    """Nothing listens there."""
    sentence = await failure(f"postgres://ann:{SECRET}@127.0.0.1:{unused_tcp_port}/clips")
    assert (
        sentence == f"The database 'clips' at 127.0.0.1:{unused_tcp_port} can't be reached: nothing answers there. "
        "Is PostgreSQL running?"
    )


async def test_no_socket(tmp_path: Any) -> None:
    """No server behind a socket's folder."""
    assert "nothing answers there" in await failure(f"postgresql://ann:{SECRET}@/clips?host={tmp_path}")


async def test_no_such_database(server: Server) -> None:
    """A name that the server doesn't have."""
    assert await failure(database_of(server.url, "nope")) == "The database 'nope' does not exist on that server."


async def test_wrong_password(server: Server) -> None:
    """A user that the server doesn't let in; the sentence doesn't say with what."""
    rules = server.data / "pg_hba.conf"
    kept = rules.read_text("utf-8")
    rules.write_text(f"local all secretive scram-sha-256\n{kept}", "utf-8")
    admin = await asyncpg.connect(server.url)
    try:
        await admin.execute("create role secretive login password 'right'; select pg_reload_conf()")
        url = server.url.replace("postgres@", f"secretive:{SECRET}@")
        assert await failure(url) == "The database 'postgres' refused the user or the password in database.url."
    finally:
        rules.write_text(kept, "utf-8")
        await admin.execute("drop role secretive; select pg_reload_conf()")
        await admin.close()


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (socket.gaierror(-2, "Name or service not known"), "can't be reached: its host name is unknown."),
        (ssl.SSLCertVerificationError(1, "[SSL] x"), "can't be reached: TLS failed; look at sslmode"),
        (TimeoutError(), "can't be reached: no answer within 10 seconds."),
        (asyncpg.TooManyConnectionsError("x"), "has no connection left; lower database.pool_size or raise"),
        (asyncpg.InvalidAuthorizationSpecificationError("x"), "refused the user or the password"),
        (asyncpg.ConnectionRejectionError("no entry"), "can't be used: no entry."),
        (asyncpg.PostgresError(), "can't be used: PostgresError."),
        (asyncpg.InternalClientError(SECRET), "can't be used: InternalClientError while connecting."),
        (OSError(101, SECRET), "can't be used: OSError while connecting."),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
async def test_other_failures(monkeypatch: pytest.MonkeyPatch, error: Exception, sentence: str) -> None:
    """Each cause has its sentence."""

    async def fail(*_args: Any, **_options: Any) -> None:
        raise error

    monkeypatch.setattr(asyncpg, "connect", fail)
    assert f"The database at db.example {sentence}" in await failure(f"postgresql://ann:{SECRET}@db.example")


async def test_too_old(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Multiranges came with 14."""
    version = ServerVersion(13, 20, 0, "final", 0)
    monkeypatch.setattr(asyncpg.Connection, "get_server_version", lambda _self: version)
    assert (await failure(database_url)).endswith("is PostgreSQL 13; clipsaver needs 14 or newer.")


async def test_a_server_that_is_just_starting(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is waited for even at our own start."""
    connect = asyncpg.connect
    refusals = [asyncpg.CannotConnectNowError("the database system is starting up")] * 3

    async def starting(*args: Any, **options: Any) -> Any:
        if refusals:
            raise refusals.pop()
        return await connect(*args, **options)

    monkeypatch.setattr(asyncpg, "connect", starting)
    async with await open_pool(database_url) as pool:
        assert await pool.fetchval("select 1") == 1
    assert not refusals


async def test_a_connection_that_can_not_be_set_up(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not left open."""
    opened: list[Any] = []

    async def fail(conn: Any) -> None:
        opened.append(conn)
        raise asyncpg.InsufficientPrivilegeError("not yours")

    monkeypatch.setattr(pools, "_set_codecs", fail)
    assert (await failure(database_url)).endswith("can't be used: not yours.")
    assert [conn.is_closed() for conn in opened] == [True]


async def test_waiting_ends(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that stays away is given up in the end."""
    async with await open_pool(database_url, size=1) as pool:
        await pool.expire_connections()

        async def fail(*_args: Any, **_options: Any) -> None:
            raise ConnectionRefusedError

        monkeypatch.setattr(asyncpg, "connect", fail)
        monkeypatch.setattr(pools, "PATIENCE", 0)
        connector: Any = pool._connect  # type: ignore[attr-defined]
        connector.patience = 0.1
        with pytest.raises(ConnectionRefusedError):
            await pool.fetchval("select 1")


class TestInTransaction:
    """What is tried again, and what isn't."""

    async def test_all_or_nothing(self, pool: Pool) -> None:
        """An error undoes the work and reaches the caller."""

        async def work(conn: Connection) -> None:
            await conn.execute("insert into users (discord_user_id) values (1)")
            raise LookupError

        with pytest.raises(LookupError):
            await in_transaction(pool, work)
        assert await pool.fetchval("select count(*) from users") == 0

    async def test_deadlock(self, pool: Pool) -> None:
        """Two that lock in opposite orders both come through."""
        await pool.execute("insert into users (discord_user_id) values (1), (2)")
        both = asyncio.Barrier(2)
        attempts = []

        async def work(conn: Connection, first: int, second: int) -> None:
            attempts.append(first)
            touch = "update users set username = 'x' where discord_user_id = $1"
            await conn.execute(touch, first)
            if len(attempts) <= 2:
                await both.wait()
            await conn.execute(touch, second)

        await asyncio.gather(
            in_transaction(pool, lambda conn: work(conn, 1, 2)), in_transaction(pool, lambda conn: work(conn, 2, 1))
        )
        assert len(attempts) == 3

    async def test_it_gives_up(self, pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
        """After a bounded number of attempts the error is the caller's."""
        attempts = []

        async def work(_conn: Connection) -> None:
            attempts.append(1)
            raise asyncpg.SerializationError

        async def at_once(_attempt: int) -> None:
            pass

        monkeypatch.setattr(pools, "_pause", at_once)
        with pytest.raises(asyncpg.SerializationError):
            await in_transaction(pool, work)
        assert len(attempts) == pools.ATTEMPTS

    async def test_a_connection_lost_before_the_commit(self, pool: Pool) -> None:
        """Nothing was written, so it is done again."""
        attempts = []

        async def work(conn: Connection) -> None:
            attempts.append(1)
            await conn.execute("insert into users (discord_user_id) values (1)")
            if len(attempts) == 1:
                await pool.execute("select pg_terminate_backend($1)", await conn.fetchval("select pg_backend_pid()"))
                await conn.execute("select 1")

        await in_transaction(pool, work)
        assert (len(attempts), await pool.fetchval("select count(*) from users")) == (2, 1)

    async def test_a_connection_closed_on_the_way(self, pool: Pool) -> None:
        """Likewise when asyncpg knows of it before the next statement."""
        attempts = []

        async def work(conn: Connection) -> None:
            attempts.append(1)
            if len(attempts) == 1:
                conn.terminate()
                await conn.execute("select 1")

        await in_transaction(pool, work)
        assert len(attempts) == 2

    async def test_a_connection_lost_during_the_commit(self, pool: Pool) -> None:
        """It may have been written: the caller decides."""

        async def work(conn: Connection) -> None:
            conn.terminate()

        with pytest.raises(asyncpg.InterfaceError, match=r"closed|released"):
            await in_transaction(pool, work)

    async def test_wrong_use_is_an_error(self, pool: Pool) -> None:
        """What asyncpg refuses is not tried again."""
        attempts = []

        async def work(conn: Connection) -> None:
            attempts.append(1)
            await conn.execute("select $1::bigint", "closed")

        with pytest.raises(asyncpg.DataError):
            await in_transaction(pool, work)
        assert len(attempts) == 1

    async def test_cancellation_is_what_it_is(self, pool: Pool) -> None:
        """A cancelled work whose connection is gone is cancelled, not done again."""
        started = asyncio.Event()

        async def work(conn: Connection) -> None:
            conn.terminate()
            started.set()
            await asyncio.Event().wait()

        task = asyncio.create_task(in_transaction(pool, work))
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    def test_what_counts_as_lost(self) -> None:
        """A farewell between two statements confuses asyncpg: that is a loss; its other complaints are not."""
        lost = asyncpg.InternalClientError("cannot switch to state 11; another operation (2) is in progress")
        assert pools._is_loss(lost)
        assert pools._is_loss(ConnectionResetError())
        assert not pools._is_loss(asyncpg.InternalClientError("something else"))
        assert not pools._is_loss(asyncpg.InterfaceError("cannot perform operation: another operation is in progress"))
