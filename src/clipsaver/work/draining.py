"""What is in hand when the program is about to end: it may come to its end by itself, but not take long."""

import asyncio
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

T = TypeVar("T")

LAST_CHANCE: Final = 2.0
"""Seconds that it may still take."""


async def unless_draining(work: Coroutine[Any, Any, T], draining: asyncio.Event) -> T | None:
    """Let something be done; None when the program is about to end, and it takes too long."""
    task = asyncio.ensure_future(work)
    told = asyncio.ensure_future(draining.wait())
    try:
        await asyncio.wait([task, told], return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            await asyncio.wait([task], timeout=LAST_CHANCE)
        return await task if task.done() else None
    finally:
        told.cancel()
        task.cancel()
        await asyncio.wait([task, told])
