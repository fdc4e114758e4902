"""Waiting for what a program does beside the test: looked at again and again, and never for ever."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

PATIENCE = 180.0
"""Seconds that anything may take on a busy machine."""


async def eventually(
    look: Callable[[], Awaitable[T]],
    *,
    timeout: float = PATIENCE,  # noqa: ASYNC109 - the test's patience
    every: float = 0.02,
) -> T:
    """Return what ``look`` finds once that is true; what it found last is in the error."""
    deadline = asyncio.get_running_loop().time() + timeout
    while not (found := await look()):
        if asyncio.get_running_loop().time() > deadline:
            raise AssertionError(f"Not within {timeout:g} seconds; the last look found {found!r}.")
        await asyncio.sleep(every)
    return found
