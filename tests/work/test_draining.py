"""What is in hand when the program is about to end."""

import asyncio

import pytest

from clipsaver.work import draining
from clipsaver.work.draining import unless_draining


async def answer() -> int:
    """Something that takes no time."""
    await asyncio.sleep(0)
    return 42


async def test_is_done_as_ever() -> None:
    """Nobody is about to end."""
    assert await unless_draining(answer(), asyncio.Event()) == 42


async def test_comes_to_its_end_by_itself() -> None:
    """A little is granted."""
    told = asyncio.Event()
    told.set()
    assert await unless_draining(answer(), told) == 42


async def test_is_ended_when_it_takes_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """And is gone when that is said."""
    monkeypatch.setattr(draining, "LAST_CHANCE", 0.01)
    told, ended = asyncio.Event(), asyncio.Event()

    async def endless() -> int:
        told.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return 0

    assert await unless_draining(endless(), told) is None
    assert ended.is_set()


async def test_what_it_raises_is_raised() -> None:
    """Also when somebody is about to end."""

    async def fail() -> int:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await unless_draining(fail(), asyncio.Event())


async def test_goes_with_whoever_waits() -> None:
    """A cancelled wait leaves nothing behind."""
    begun, ended = asyncio.Event(), asyncio.Event()

    async def endless() -> int:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return 0

    waiting = asyncio.create_task(unless_draining(endless(), asyncio.Event()))
    await begun.wait()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert ended.is_set()
