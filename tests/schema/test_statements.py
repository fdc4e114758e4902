"""Every statement of every store is one that the real schema understands."""

import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest

import clipsaver
from clipsaver.postgres.pool import Pool

VERBS = ("select", "insert", "update", "delete", "with")
HOME = Path(clipsaver.__file__).parent


def statements() -> Iterator[tuple[str, str]]:
    """Every constant of a module, or package, named store that is SQL, with where it is."""
    for path in sorted({*HOME.rglob("store.py"), *HOME.rglob("store/*.py")}):
        module = ".".join(("clipsaver", *path.relative_to(HOME).with_suffix("").parts)).removesuffix(".__init__")
        for name, value in vars(importlib.import_module(module)).items():
            if name.isupper() and isinstance(value, str) and value.split(maxsplit=1)[0].lower() in VERBS:
                yield f"{module}.{name}", value


FOUND = dict(statements())


def test_there_are_some() -> None:
    """An empty search would prove nothing."""
    assert len(FOUND) > 50


@pytest.mark.parametrize("name", FOUND)
async def test_prepares(pool: Pool, name: str) -> None:
    """Tables, columns, types and functions are there, and each parameter has a type."""
    async with pool.acquire() as conn:
        await conn.prepare(FOUND[name])
