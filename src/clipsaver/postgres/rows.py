"""From a row to a frozen class, by column name."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Final, TypeVar
from uuid import UUID

import asyncpg
import cattrs
from cattrs.gen import make_dict_structure_fn

from clipsaver.postgres.ranges import IdRange, from_db

T = TypeVar("T")

_PLAIN: Final = (int, str, bool, float, bytes, datetime, timedelta, UUID, Mapping[str, Any], Mapping[str, int])
"""What asyncpg already returns as it should be."""


def structure(row: asyncpg.Record, cls: type[T]) -> T:
    """Make a frozen attrs instance from a row; columns it doesn't know are left out."""
    made: T = _structurer(cls)(row, cls)
    return made


@lru_cache(maxsize=256)
def _structurer(cls: type[Any]) -> Callable[[Any, Any], Any]:
    """The function for one class, generated once."""
    return make_dict_structure_fn(cls, _converter(), _cattrs_detailed_validation=False)


@lru_cache(maxsize=1)
def _converter() -> cattrs.Converter:
    """A converter that trusts the database's types and turns only enums and ranges."""
    converter = cattrs.Converter(detailed_validation=False)
    for plain in _PLAIN:
        converter.register_structure_hook_func(lambda cls, plain=plain: cls == plain, lambda value, _: value)
    converter.register_structure_hook_func(lambda cls: cls == tuple[IdRange, ...], lambda value, _: from_db(value))
    return converter
