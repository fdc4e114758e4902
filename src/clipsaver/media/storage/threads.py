"""A few threads of a storage's own: what blocks runs there, and nobody else's work waits for a slow disk."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any, TypeVar

from attrs import define, field

T = TypeVar("T")


@define(eq=False)
class Threads:
    """At most ``count`` threads, and a few more for what needs a processor; what is more waits its turn."""

    count: int = 4
    busy: int = 3
    """More would only fight for the interpreter."""
    _waiting: ThreadPoolExecutor = field(init=False)
    _busy: ThreadPoolExecutor = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._waiting = ThreadPoolExecutor(self.count, thread_name_prefix="storage")
        self._busy = ThreadPoolExecutor(self.busy, thread_name_prefix="storage-busy")

    def start(self, work: Callable[..., T], *args: Any) -> "Future[T]":
        """Begin something that mostly waits for the disk."""
        return self._waiting.submit(work, *args)

    def start_busy(self, work: Callable[..., T], *args: Any) -> "Future[T]":
        """Begin something that mostly keeps a processor busy; it must wait for nothing else here."""
        return self._busy.submit(work, *args)

    async def run(self, work: Callable[..., T], *args: Any, on_cancel: Callable[[], object] | None = None) -> T:
        """Do something. If we are cancelled before it begins, it never does; after that it is told, and waited for."""
        return await self._over(self.start(work, *args), drop=True, on_cancel=on_cancel)

    async def finish(self, job: "Future[T]") -> T:
        """The outcome of what was begun; it is over when this ends, even when we are cancelled meanwhile."""
        return await self._over(job, drop=False, on_cancel=None)

    async def ask(self, work: Callable[..., T], *args: Any) -> T:
        """Do something that changes nothing: when we are cancelled, nobody waits for it."""
        return await self.watch(self.start(work, *args))

    async def watch(self, job: "Future[T]") -> T:
        """The outcome of what was begun; when we are cancelled, it goes on."""
        future = asyncio.wrap_future(job)
        future.add_done_callback(_seen)
        return await asyncio.shield(future)

    async def _over(self, job: "Future[T]", *, drop: bool, on_cancel: Callable[[], object] | None) -> T:
        future = asyncio.wrap_future(job)
        future.add_done_callback(_seen)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            if on_cancel is not None:
                on_cancel()
            if not (drop and job.cancel()):
                while not future.done():
                    with suppress(asyncio.CancelledError):  # the first one is passed on
                        await asyncio.wait([future])
            raise

    def close(self) -> None:
        """Begin nothing more."""
        for executor in (self._busy, self._waiting):
            executor.shutdown(wait=False, cancel_futures=True)


def _seen(future: "asyncio.Future[Any]") -> None:
    """An outcome that nobody wants any more is no oversight."""
    if not future.cancelled():
        future.exception()
