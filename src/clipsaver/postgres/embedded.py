"""The database that needs no set-up: PostgreSQL on a folder of ours, shared by all our processes.

Whoever holds the folder's lock owns the server: starts it, starts it again when it dies, stops it. The others join
through its socket, and one of them takes over when the owner goes. Nothing listens on a network, and nothing asks for a
password: only we can get to the socket.
"""

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import asyncpg
import structlog
from attrs import define, field

from clipsaver.errors import StartFailed
from clipsaver.postgres import sockets_folder
from clipsaver.postgres.binaries import Binaries
from clipsaver.postgres.server import Server

log = structlog.get_logger("clipsaver.postgres")

JOIN_TIMEOUT: Final = 60.0
"""Seconds that another process may take to have its server ready."""
LOOK: Final = 0.2
"""Seconds between two looks at whether the owner is gone."""
LONGEST_PAUSE: Final = 5.0
"""Seconds between attempts to start a server that does not want to."""


@define(eq=False)
class Embedded:
    """An embedded server on ``data_dir``, as an async context manager; ``url`` is there until it is left."""

    data_dir: Path
    version: int = field(default=18, kw_only=True)
    settings: Mapping[str, str] = field(factory=dict, kw_only=True)
    """Server settings over ours, for tests."""
    owner: bool = field(default=False, init=False)
    """Whether the server is ours to keep alive."""
    _lock: int = field(default=-1, init=False)
    _server: Server | None = field(default=None, init=False)
    _ended: asyncio.Event = field(factory=asyncio.Event, init=False)
    _watching: asyncio.Task[None] | None = field(default=None, init=False)

    @property
    def url(self) -> str:
        """The database's address; the same for as long as this is open, whoever owns the server."""
        return self._running.url

    @property
    def pid(self) -> int:
        """The postmaster's pid, when it is ours; else 0."""
        return self._running.pid

    async def __aenter__(self) -> Self:
        if sys.platform != "linux":
            raise StartFailed("The embedded database runs on Linux only; here, set database.url.")
        binaries = Binaries.of_wheel(self.version)
        folder = self._folder()
        try:
            self._lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            await self._own_or_join(folder, binaries)
        except OSError as error:
            await self._close()
            raise StartFailed(f"The database in {folder} can't be used: {error.strerror}: {error.filename}.") from None
        except BaseException:
            await self._close()
            raise
        self._watching = asyncio.create_task(self._watch(), name="embedded postgres")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._close()

    @property
    def _running(self) -> Server:
        if self._server is None:
            raise RuntimeError("the embedded database is not open")
        return self._server

    def _folder(self) -> Path:
        folder = self.data_dir.absolute() / "postgres"
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StartFailed(f"The folder {folder} can't be made: {error.strerror}.") from None
        return folder

    async def _own_or_join(self, folder: Path, binaries: Binaries) -> None:
        """Own the server if nobody does; else wait until it answers."""
        deadline = time.monotonic() + JOIN_TIMEOUT
        while True:
            if self._try_lock():
                self._server = self._made(folder, sockets_folder.choose(folder), binaries)
                await asyncio.to_thread(self._server.start)
                log.info("postgres.started", version=binaries.version)
                return
            sockets = sockets_folder.noted(folder)
            if sockets is not None and sockets_folder.is_private(sockets, folder):
                self._server = self._made(folder, sockets, binaries)
                if await _answers(self.url):
                    log.info("postgres.joined")
                    return
            if time.monotonic() > deadline:
                raise StartFailed(f"Another clipsaver holds the database in {folder}, but it doesn't answer.")
            await asyncio.sleep(0.02)

    def _made(self, folder: Path, sockets: Path, binaries: Binaries) -> Server:
        loop = asyncio.get_running_loop()

        def ended() -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits
                loop.call_soon_threadsafe(self._ended.set)

        return Server(folder=folder, sockets=sockets, binaries=binaries, settings=self.settings, on_end=ended)

    def _try_lock(self) -> bool:
        import fcntl  # noqa: PLC0415 - not on Windows

        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        self.owner = True
        return True

    async def _watch(self) -> None:
        """Take over when the owner goes; keep the server alive once it is ours."""
        while not self._try_lock():  # noqa: ASYNC110 - the kernel tells nobody that a lock is free
            await asyncio.sleep(LOOK)
        if self._running.pid == 0:
            log.info("postgres.taking_over")
            await self._start_again()
        while True:
            await self._ended.wait()
            log.error("postgres.ended")
            await self._start_again()

    async def _start_again(self) -> None:
        """Start until it runs: ever more slowly, and said each time."""
        pause = LOOK
        while True:
            self._ended.clear()
            try:
                sockets_folder.make_private(self._running.sockets, self._running.folder)
                await asyncio.to_thread(self._running.start)
            except (StartFailed, OSError) as error:
                log.error("postgres.start_failed", reason=str(error), again_in=pause)  # noqa: TRY400 - a sentence
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE)
            else:
                log.info("postgres.started_again")
                return

    async def _close(self) -> None:
        try:
            if self._watching is not None:
                self._watching.cancel()
                await asyncio.wait([self._watching])
            if self.owner and self._server is not None:
                await asyncio.to_thread(self._server.stop)
                sockets_folder.remove(self._server.sockets, used=self.pid != 0)
        finally:
            self.owner = False
            if self._lock >= 0:
                os.close(self._lock)
                self._lock = -1


async def _answers(url: str) -> bool:
    """Whether a server takes connections there."""
    try:
        conn = await asyncpg.connect(url, timeout=5)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError):
        return False
    await conn.close()
    return True
