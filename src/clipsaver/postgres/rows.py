"""From a row to a frozen class, by column name."""

from collections.abc import Callable
from enum import Enum
from functools import partial
from types import NoneType, UnionType
from typing import Any, Final, TypeVar, Union, cast, get_args, get_origin

import asyncpg
import attrs
import cattrs

from clipsaver.postgres.ranges import IdRange, from_text

T = TypeVar("T")
Turn = Callable[[Any], Any]

_CONVERTER: Final = cattrs.Converter(detailed_validation=False)
_PLANS: "Final[dict[type, _Plan]]" = {}
"""One for each class there is."""


def columns(cls: type, *, of: str = "") -> str:
    """List a class's columns for a statement, of one of its tables if there are several.

    Enums and ranges come as text: each connection would have to look such a type up in the catalog before the first
    statement that returns one, and that takes longer than most statements.
    """
    qualified = f"{of}." if of else ""
    kinds = {one.name: _whole(one.type) for one in attrs.fields(attrs.resolve_types(cls))}
    return ", ".join(
        f"{qualified}{name}::text as {name}" if _is_written(kind) else f"{qualified}{name}"
        for name, kind in kinds.items()
    )


def structure(row: asyncpg.Record, cls: type[T]) -> T:
    """Make a frozen attrs instance from a row; columns it doesn't know are left out.

    What asyncpg returns is already of the right type, but for enums and ranges of ids, which it returns as text, and
    arrays kept as tuples.
    """
    plan = _PLANS.get(cls)
    if plan is None:
        plan = _PLANS[cls] = _Plan.of(cls)
    known = plan.names
    values = {name: value for name, value in cast("Any", row).items() if name in known}
    for name, turn in plan.turns:
        value = values.get(name)
        if value is not None:
            values[name] = turn(value)
    return cls(**values)


@attrs.frozen
class _Plan:
    """What a class wants of a row."""

    names: frozenset[str]
    turns: tuple[tuple[str, Turn], ...]

    @classmethod
    def of(cls, wanted: type) -> "_Plan":
        """Look through the fields of an attrs class."""
        fields = attrs.fields(attrs.resolve_types(wanted))
        turns = ((one.name, _turn(one.type)) for one in fields)
        return cls(
            names=frozenset(one.name for one in fields),
            turns=tuple((name, turn) for name, turn in turns if turn is not None),
        )


def _turn(kind: Any) -> Turn | None:
    """How a value becomes what the field says; None for as it is."""
    kind = _whole(kind)
    if _is_written(kind):
        return from_text if get_origin(kind) is tuple else kind
    if get_origin(kind) in {tuple, list, set, frozenset} or (isinstance(kind, type) and attrs.has(kind)):
        return partial(_CONVERTER.structure, cl=kind)
    return None


def _whole(kind: Any) -> Any:
    """What a field holds where it holds anything."""
    if get_origin(kind) not in {Union, UnionType}:
        return kind
    others = [one for one in get_args(kind) if one is not NoneType]
    return others[0] if len(others) == 1 else None


def _is_written(kind: Any) -> bool:
    return kind == tuple[IdRange, ...] or (isinstance(kind, type) and issubclass(kind, Enum))
