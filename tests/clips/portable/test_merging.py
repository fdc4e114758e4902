"""Two lists beside each other."""

from collections.abc import AsyncIterator, Iterable

from attrs import frozen
from hypothesis import given
from hypothesis import strategies as st

from clipsaver.clips.portable.merging import BREATH, in_turn, together


@frozen
class At:
    """Something of a second."""

    second: int


def of(seconds: Iterable[int]) -> AsyncIterator[At]:
    """Things in order."""
    return in_turn([At(second) for second in sorted(seconds)])


SECONDS = st.lists(st.integers(0, 5)) | st.just([1] * (BREATH + 1))


@given(SECONDS, SECONDS)
async def test_each_once_and_in_order(some: list[int], others: list[int]) -> None:
    """Every second once, with all that each has of it."""
    groups = [group async for group in together(of(some), of(others))]
    seconds = [(left or right)[0].second for left, right in groups]
    assert sorted({*some, *others}) == seconds
    assert sorted(some) == [one.second for left, _ in groups for one in left]
    assert sorted(others) == [one.second for _, right in groups for one in right]
    assert all(len({one.second for one in (*left, *right)}) == 1 for left, right in groups)
