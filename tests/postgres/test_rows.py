"""Rows become frozen classes by column name."""

from collections.abc import Mapping
from datetime import datetime
from enum import Enum
from uuid import UUID

import pytest
from attrs import field, frozen

from clipsaver.postgres.pool import Pool, structure
from clipsaver.postgres.ranges import IdRange
from clipsaver.postgres.rows import columns


class Status(Enum):
    """Two of the five."""

    QUEUED = "queued"
    RUNNING = "running"


@frozen(kw_only=True)
class Point:
    """Something made of parts."""

    x: int
    y: int


@frozen(kw_only=True)
class Run:
    """Fields of every kind."""

    id: UUID
    status: Status
    previous: "Status | None"
    todo: tuple[IdRange, ...] | None
    coverage: tuple[IdRange, ...]
    skipped: Mapping[str, int]
    participants: tuple[int, ...]
    at: datetime | None
    either: int | str
    point: Point
    left_out: int = 5
    made: list[int] = field(factory=list)


QUERY = f"""
with kept as (
    select '00000000-0000-4000-8000-000000000001'::uuid as id, 'queued'::scan_status as status,
        null::scan_status as previous, null::int8multirange as todo, '{{[5,6),[1,3)}}'::int8multirange as coverage,
        '{{"nsfw": 2}}'::jsonb as skipped, '{{1,2}}'::bigint[] as participants, null::timestamptz as at, 'x' as either,
        '{{"x": 1, "y": 2}}'::jsonb as point, 5 as left_out, '{{}}'::bigint[] as made
)
select {columns(Run)}, 17 as unknown from kept
"""  # noqa: S608 - our own words


async def test_every_kind_of_field(pool: Pool) -> None:
    """Enums, ranges, arrays and objects are turned; the rest is as asyncpg returns it; unknown columns are left out."""
    row = await pool.fetchrow(QUERY)
    assert row is not None
    for _ in range(2):
        assert Run(
            id=UUID("00000000-0000-4000-8000-000000000001"),
            status=Status.QUEUED,
            previous=None,
            todo=None,
            coverage=(IdRange(1, 3), IdRange(5, 6)),
            skipped={"nsfw": 2},
            participants=(1, 2),
            at=None,
            either="x",
            point=Point(x=1, y=2),
        ) == structure(row, Run)


async def test_a_missing_column(pool: Pool) -> None:
    """A field without a default has to be in the row."""
    row = await pool.fetchrow("select 1 as x")
    assert row is not None
    with pytest.raises(TypeError, match="'y'"):
        structure(row, Point)


def test_columns() -> None:
    """Enums and ranges come as text, under their own names."""
    listed = columns(Run, of="r").split(", ")
    assert listed[:4] == [
        "r.id",
        "r.status::text as status",
        "r.previous::text as previous",
        "r.todo::text as todo",
    ]
