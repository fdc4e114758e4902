"""Ranges of ids behave as the sets of ids that they stand for."""

from itertools import pairwise

import asyncpg
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
    from_db,
    intersect,
    normalise,
    size,
    subtract,
    to_db,
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
def test_through_asyncpg_values(ranges: list[IdRange]) -> None:
    """What is written is read again."""
    assert normalise(ranges) == from_db(to_db(ranges))


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


def test_ends_of_other_kinds() -> None:
    """Whatever form a range has, it becomes half-open; open ends are the smallest and the largest id."""
    assert () == from_db(None)
    assert () == from_db([asyncpg.Range(empty=True)])
    assert (IdRange(3, 6),) == from_db([asyncpg.Range(2, 5, lower_inc=False, upper_inc=True)])
    assert (IdRange(0, HIGHEST),) == from_db([asyncpg.Range(None, None)])


async def test_through_the_database(pool: Pool) -> None:
    """PostgreSQL understands and returns the same."""
    ranges = (IdRange(0, 5), IdRange(7, HIGHEST))
    row = await pool.fetchrow("select $1::int8multirange as m, $1::int8multirange @> 6::bigint as six", to_db(ranges))
    assert row is not None
    assert ranges == from_db(row["m"])
    assert row["six"] is False
