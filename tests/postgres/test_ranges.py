"""Ranges of ids behave as the sets of ids that they stand for."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipsaver.postgres.pool import Pool
from clipsaver.postgres.ranges import (
    HIGHEST,
    IdRange,
    Ranges,
    add,
    between,
    contains,
    from_text,
    intersect,
    normalise,
    size,
    subtract,
    to_text,
)

ends = st.tuples(st.integers(0, 40), st.integers(0, 40)).filter(lambda pair: pair[0] < pair[1])
some_ranges = st.lists(ends.map(lambda pair: IdRange(*pair)), max_size=8)


def ids(ranges: Ranges | list[IdRange]) -> set[int]:
    """The ids one by one."""
    return {value for one in ranges for value in range(one.start, one.stop)}


def is_normal(ranges: Ranges) -> bool:
    """Sorted, and apart from each other."""
    return all(left.stop < right.start for left, right in pairwise(ranges))


@given(some_ranges)
def test_normalise(ranges: list[IdRange]) -> None:
    """The same ids, in the one normal form."""
    normal = normalise(ranges)
    assert ids(ranges) == ids(normal)
    assert is_normal(normal)
    assert normal == normalise(normal)
    assert normal == normalise(reversed(normal))


@given(some_ranges, some_ranges)
def test_the_three_operations(left: list[IdRange], right: list[IdRange]) -> None:
    """Union, intersection and difference, as sets have them."""
    for ours, theirs in (
        (add(left, right), ids(left) | ids(right)),
        (intersect(left, right), ids(left) & ids(right)),
        (subtract(left, right), ids(left) - ids(right)),
    ):
        assert theirs == ids(ours)
        assert is_normal(ours)


@given(some_ranges, st.integers(-1, 41))
def test_size_and_contains(ranges: list[IdRange], value: int) -> None:
    """Each id counts once."""
    assert len(ids(ranges)) == size(ranges)
    assert (value in ids(ranges)) == contains(ranges, value)


@given(some_ranges)
def test_through_text(ranges: list[IdRange]) -> None:
    """What is written is read again."""
    assert normalise(ranges) == from_text(to_text(normalise(ranges)))


def test_one_range() -> None:
    """Half-open, and never empty."""
    one = IdRange(3, 5)
    assert len(one) == 2
    assert [value for value in range(7) if value in one] == [3, 4]
    assert IdRange(3, 4) < one < IdRange(4, 5)
    with pytest.raises(ValueError, match=r"\[5, 5\) holds nothing"):
        IdRange(5, 5)


def test_between() -> None:
    """Ends that cross hold nothing."""
    assert (IdRange(1, 2),) == between(1, 2)
    assert () == between(2, 2) == between(3, 2)


def test_open_ends() -> None:
    """They are the smallest and the largest id."""
    assert () == from_text(None) == from_text("{}")
    assert (IdRange(0, HIGHEST),) == from_text("{(,)}")
    assert (IdRange(0, 3), IdRange(5, HIGHEST)) == from_text("{(,3),[5,)}")
    assert (IdRange(-5, -3), IdRange(-1, 2)) == from_text("{[-5,-3),[-1,2)}")


async def test_through_the_database(pool: Pool) -> None:
    """PostgreSQL understands it, puts it in order, and writes the same."""
    ranges = (IdRange(0, 5), IdRange(7, HIGHEST))
    query = "select $1::text::int8multirange::text as m, $1::text::int8multirange @> 6::bigint as six"
    row = await pool.fetchrow(query, to_text((*reversed(ranges), IdRange(3, 5))))
    assert row is not None
    assert ranges == from_text(row["m"])
    assert row["six"] is False
    assert (
        await pool.fetchval("select int8multirange(int8range(3, 5, '(]'), int8range(9, null))::text") == "{[4,6),[9,)}"
    )
