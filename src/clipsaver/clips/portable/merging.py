"""A list of before beside what the database has now, second by second: neither has to fit in memory."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Iterable
from typing import Final, Protocol, TypeVar

BREATH: Final = 200
"""Items after which others have a turn: a signal wants to be heard."""


class Timed(Protocol):
    """What has a second."""

    @property
    def second(self) -> int:
        """In which its message was made."""


T = TypeVar("T", bound=Timed)
Item = TypeVar("Item")
A = TypeVar("A", bound=Timed)
B = TypeVar("B", bound=Timed)


async def in_turn(items: Iterable[Item]) -> AsyncIterator[Item]:
    """One after the other, for whoever waits for them."""
    for number, item in enumerate(items, start=1):
        if number % BREATH == 0:
            await asyncio.sleep(0)
        yield item


async def by_second(items: AsyncIterable[T]) -> AsyncIterator[tuple[int, list[T]]]:
    """All of one second together; they come in order."""
    group: list[T] = []
    async for item in items:
        if group and group[0].second != item.second:
            yield group[0].second, group
            group = []
        group.append(item)
    if group:
        yield group[0].second, group


async def together(some: AsyncIterable[A], others: AsyncIterable[B]) -> AsyncIterator[tuple[list[A], list[B]]]:
    """Both, in order: what each has of one second."""
    left, right = by_second(some), by_second(others)
    one, other = await anext(left, None), await anext(right, None)
    while one is not None or other is not None:
        second = min(group[0] for group in (one, other) if group is not None)
        first: list[A] = []
        last: list[B] = []
        if one is not None and one[0] == second:
            first, one = one[1], await anext(left, None)
        if other is not None and other[0] == second:
            last, other = other[1], await anext(right, None)
        yield first, last
