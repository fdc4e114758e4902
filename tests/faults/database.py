"""What befalls a PostgreSQL: each fault lasts as long as its block, or as its call."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import TypeAlias

import asyncpg
from attrs import frozen

from clipsaver.postgres.server import Server
from tests.faults.processes import family, gone, send, standing_still

OTHERS = "pid <> pg_backend_pid() and datname = current_database() and application_name = 'clipsaver'"
TERMINATE = f"select pid, pg_terminate_backend(pid) from pg_stat_activity where {OTHERS}"  # noqa: S608 - our own text
CANCEL = f"select pid, pg_cancel_backend(pid) from pg_stat_activity where {OTHERS} and state = 'active'"  # noqa: S608 - likewise
WAITING = f"select exists (select from pg_stat_activity where {OTHERS} and wait_event_type = 'Lock')"  # noqa: S608 - likewise
ACTIVE_ROWS = "select channel_id, id from bot_channel_scan_runs where status = 'running' order by channel_id"
PATIENCE = 60.0
Plain: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


@frozen(kw_only=True)
class Faulty:
    """A server of ours, and one database on it that a program uses."""

    server: Server
    url: str

    @asynccontextmanager
    async def killed(self, *, seconds: float) -> AsyncIterator[None]:
        """Kill all of it without warning; it is started again when the block and the seconds are over."""
        doomed = family(self.server.pid)
        send(doomed, signal.SIGKILL)
        await gone(doomed)
        try:
            yield
            await asyncio.sleep(seconds)
        finally:
            await asyncio.to_thread(self.server.start)

    @asynccontextmanager
    async def restarted(self, *, seconds: float) -> AsyncIterator[None]:
        """Shut it down as an administrator does (``fast``); it starts again when the block and the seconds are over."""
        doomed = family(self.server.pid)
        send(doomed[:1], signal.SIGINT)
        await gone(doomed)
        try:
            yield
            await asyncio.sleep(seconds)
        finally:
            await asyncio.to_thread(self.server.start)

    @asynccontextmanager
    async def paused(self, *, seconds: float) -> AsyncIterator[None]:
        """Let all of its processes stand still."""
        with standing_still(family(self.server.pid)):
            yield
            await asyncio.sleep(seconds)

    async def crash(self) -> bool:
        """Kill one backend: the server takes all others with it, and recovers by itself; whether it did."""
        async with self._beside() as conn:
            victims = await conn.fetch(f"select pid from pg_stat_activity where {OTHERS}")  # noqa: S608 - our own text
            send([victims[0]["pid"]], signal.SIGKILL)
            try:
                await conn.fetch("select pg_sleep(60)")
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                return True
        return False

    async def terminate(self, *, times: int, every: float) -> int:
        """Terminate every backend of the program, again and again; how many."""
        async with self._beside() as conn:
            hit = 0
            for _ in range(times):
                hit += len(await conn.fetch(TERMINATE))
                await asyncio.sleep(every)
            return hit

    async def cancel(self, *, hits: int) -> bool:
        """Cancel whatever statement of the program runs until so many were hit; whether that many were."""
        async with self._beside() as conn:
            deadline = time.monotonic() + PATIENCE
            hit = 0
            while hit < hits and time.monotonic() < deadline:
                hit += len(await conn.fetch(CANCEL))
                await asyncio.sleep(0.001)
            return hit >= hits

    @asynccontextmanager
    async def read_only(self, *, seconds: float) -> AsyncIterator[None]:
        """Refuse every write, for all sessions at once."""
        await self._set("default_transaction_read_only = on")
        try:
            yield
            await asyncio.sleep(seconds)
        finally:
            await self._set("default_transaction_read_only = off")

    @asynccontextmanager
    async def crowded(self, *, seconds: float) -> AsyncIterator[int]:
        """Take every connection there is, those of the program too; how many others had them."""
        async with self._beside() as conn, AsyncExitStack() as stack:
            taken = 0
            deadline = time.monotonic() + PATIENCE
            while time.monotonic() < deadline:
                await conn.fetch(TERMINATE)
                try:
                    one = await asyncpg.connect(
                        self.url, timeout=PATIENCE, server_settings={"application_name": "crowd"}
                    )
                except asyncpg.TooManyConnectionsError:
                    if not await conn.fetch(TERMINATE):
                        break
                    continue
                stack.push_async_callback(one.close)
                taken += 1
            yield taken
            await asyncio.sleep(seconds)

    async def deadlock(self, *, times: int) -> int:
        """Take the rows that a program writes in the opposite order, so often; how often it had to give way."""
        async with self._beside() as conn, self._beside() as watching:
            # The one who has waited for so long is the victim: not this session, unless the program looked too early.
            await conn.execute("set deadlock_timeout = '5s'")
            crossed = [
                await self._cross(conn, watching, row) for _ in range(times) for row in await conn.fetch(ACTIVE_ROWS)
            ]
            return sum(crossed)

    async def _cross(self, conn: Plain, watching: Plain, row: asyncpg.Record) -> bool:
        """Hold a channel's row until the program waits for it, and then want the run's, which the program holds."""
        with suppress(asyncpg.DeadlockDetectedError):
            return await self._hold(conn, watching, row)
        return False

    async def _hold(self, conn: Plain, watching: Plain, row: asyncpg.Record) -> bool:
        async with conn.transaction():
            await conn.execute("select from bot_channels where channel_id = $1 for update", row["channel_id"])
            deadline = time.monotonic() + PATIENCE
            while not await watching.fetchval(WAITING):
                if time.monotonic() > deadline or not await watching.fetch(ACTIVE_ROWS):
                    return False
                await asyncio.sleep(0.002)
            await conn.execute("select from bot_channel_scan_runs where id = $1 for update", row["id"])
        return True

    async def _set(self, what: str) -> None:
        async with self._beside() as conn:
            await conn.execute("set default_transaction_read_only = off")
            await conn.execute(f"alter system set {what}")
            await conn.execute("select pg_reload_conf()")

    @asynccontextmanager
    async def _beside(self) -> AsyncIterator[Plain]:
        """A connection that none of the faults above is meant for."""
        conn = await asyncpg.connect(self.url, server_settings={"application_name": "beside"})
        try:
            yield conn
        finally:
            conn.terminate()
