"""Every recorded exchange is one that Discord describes."""

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from tests.contract.description import Description, Exchange
from tests.contract.deviations import AMENDMENTS, DEVIATIONS, amended

MOST = 60
"""Problems shown at most."""


@pytest.fixture(scope="module")
def description() -> Description:
    """Discord's own description."""
    path = Path(os.environ.get("CLIPSAVER_TEST_OPENAPI", ""))
    if not path.is_file():
        pytest.skip("Discord's OpenAPI description is not here; CLIPSAVER_TEST_OPENAPI says where it is")
    return Description(amended(orjson.loads(path.read_bytes()), AMENDMENTS))


def recorded() -> Iterator[Exchange]:
    """Everything the tests recorded."""
    folder = os.environ.get("CLIPSAVER_EXCHANGES")
    if not folder:
        pytest.skip("nothing was recorded: CLIPSAVER_EXCHANGES names no folder")
    for file in sorted(Path(folder).glob("*")):
        with file.open("rb") as lines:
            for line in lines:
                yield _exchange(orjson.loads(line))


def _exchange(said: dict[str, object]) -> Exchange:
    query = said.get("query") or {}
    pairs = query.items() if isinstance(query, dict) else query
    return Exchange(
        method=str(said["method"]).upper(),
        path=str(said["path"]),
        query={str(name): str(value) for name, value in pairs},  # type: ignore[attr-defined]
        request=said.get("request"),
        status=int(str(said["status"])),
        response=said.get("response"),
    )


def test_every_exchange_is_described(description: Description) -> None:
    """Both directions: the route, its query, what was sent, and what came back."""
    problems: Counter[str] = Counter()
    routes: Counter[str] = Counter()
    count = 0
    for exchange in recorded():
        count += 1
        operation = description.operation(exchange)
        if operation is None:
            where, found = f"{exchange.method} {exchange.path}", ["the route is not described"]
        else:
            where, found = f"{operation.method} {operation.route}", list(description.problems(exchange, operation))
            routes[where] += 1
        for problem in found:
            if not any(one.excuses(exchange.method, exchange.path, problem) for one in DEVIATIONS):
                problems[f"{where} ({exchange.status}) {problem}"] += 1
    print(f"{count} exchanges on {len(routes)} routes")  # noqa: T201 - a figure worth seeing
    assert count, "the tests recorded nothing"
    shown = "\n".join(f"{times}x {problem}" for problem, times in problems.most_common(MOST))
    assert not problems, f"{len(problems)} kinds of problems:\n{shown}"
