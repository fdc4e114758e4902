"""The checks themselves, on a small made-up description: they find what is wrong."""

from typing import Any

import pytest

from tests.contract.description import Description, Exchange, shape
from tests.contract.deviations import AMENDMENTS, DEVIATIONS, Amendment, amended


def kind(number: int, of: dict[str, Any]) -> dict[str, Any]:
    """A schema of one kind of thing."""
    return {"type": "object", "properties": {"type": {"enum": [number]}, "of": of}, "required": ["type"]}


NUMBERED = {"type": "string", "pattern": "^[0-9]+$"}
DESCRIPTION = Description(
    {
        "paths": {
            "/things/{thing_id}": {
                "parameters": [{"name": "thing_id", "in": "path", "schema": NUMBERED}],
                "get": {
                    "parameters": [
                        {"name": "limit", "in": "query", "schema": {"type": "integer", "maximum": 100}},
                        {"name": "deep", "in": "query", "schema": {"type": "boolean"}},
                        {"name": "kind", "in": "query", "schema": {"type": "array", "items": {"enum": ["a"]}}},
                    ],
                    "responses": {
                        "200": {
                            "content": {
                                "application/json": {
                                    "schema": {
                                        "type": "array",
                                        "maxItems": 2,
                                        "items": {"$ref": "#/components/schemas/Thing"},
                                    }
                                }
                            }
                        },
                        "4XX": {"$ref": "#/components/responses/Refused"},
                    },
                },
                "delete": {
                    "parameters": [{"name": "why", "in": "query", "required": True, "schema": {"type": "string"}}],
                    "responses": {"204": {}},
                },
            },
            "/things/mine": {
                "put": {
                    "requestBody": {
                        "required": True,
                        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}},
                    },
                    "responses": {"200": {}},
                },
                "get": {"responses": {"200": {}}},
            },
        },
        "components": {
            "schemas": {
                "Thing": {
                    "type": "object",
                    "properties": {
                        "id": NUMBERED,
                        "part": {"oneOf": [{"type": "null"}, {"type": "integer"}]},
                        "kind": {"oneOf": [{"type": "null"}, kind(1, {}), kind(2, {"type": "integer"})]},
                    },
                    "required": ["id"],
                }
            },
            "responses": {
                "Refused": {
                    "content": {"application/json": {"schema": {"type": "object", "required": ["code"]}}},
                }
            },
        },
    }
)


def problems(
    method: str,
    path: str,
    response: Any = None,
    *,
    status: int = 200,
    query: dict[str, str] | None = None,
    request: Any = None,
) -> list[str] | None:
    """What is wrong with an exchange; None if its route is not described."""
    exchange = Exchange(method=method, path=path, query=query or {}, request=request, status=status, response=response)
    operation = DESCRIPTION.operation(exchange)
    return None if operation is None else list(DESCRIPTION.problems(exchange, operation))


@pytest.mark.parametrize(
    "good",
    [
        {"method": "GET", "path": "/things/1", "response": [{"id": "1"}, {"id": "2", "part": 5}]},
        {"method": "GET", "path": "/things/1", "response": [], "query": {"limit": "5", "deep": "true", "kind": "a"}},
        {"method": "GET", "path": "/things/1", "response": {"code": 1}, "status": 404, "query": {"limit": "900"}},
        {"method": "GET", "path": "/things/1", "response": "<html>", "status": 502},
        {"method": "GET", "path": "/things/mine"},
        {"method": "PUT", "path": "/things/mine", "request": {"id": "1"}},
        {"method": "DELETE", "path": "/things/1", "status": 204, "query": {"why": "so"}},
    ],
)
def test_what_is_described_passes(good: dict[str, Any]) -> None:
    """Whatever the description allows; faults are nobody's to describe."""
    assert problems(**good) == []


@pytest.mark.parametrize(
    ("bad", "expected"),
    [
        ({"method": "POST", "path": "/things/1"}, None),
        ({"method": "GET", "path": "/things/1/2"}, None),
        ({"method": "GET", "path": "/things/1", "response": [{}]}, ["answer: the body: 'id' is a required property"]),
        (
            {"method": "GET", "path": "/things/1", "response": [{"id": "1"}] * 3},
            ["answer: the body: [{'id': '1'}, {'id': '1'}, {'id': '1'}] is too long"],
        ),
        (
            {"method": "GET", "path": "/things/1", "response": [{"id": "1", "part": "x"}]},
            ["answer: part: 'x' fits none of the alternatives, or several"],
        ),
        (
            {"method": "PUT", "path": "/things/mine", "request": {"id": "1", "kind": {"type": 2, "of": "x"}}},
            ["request: kind.of: 'x' is not of type 'integer'"],
        ),
        (
            {"method": "PUT", "path": "/things/mine", "request": {"id": "1", "kind": {"type": 3}}},
            ["request: kind: type 3 fits none of the alternatives, or several"],
        ),
        (
            {"method": "GET", "path": "/things/1", "response": [], "query": {"limit": "101", "what": "1"}},
            ["query: limit='101' is not what is described", "query: what is not described"],
        ),
        (
            {"method": "GET", "path": "/things/1", "response": {}, "status": 403},
            ["answer: the body: 'code' is a required property"],
        ),
        ({"method": "GET", "path": "/things/1", "status": 302}, ["answers 302, which is not described"]),
        (
            {"method": "DELETE", "path": "/things/1", "status": 204, "response": {}},
            ["query: why is missing", "has a body with status 204, where none is described"],
        ),
        (
            {"method": "DELETE", "path": "/things/1", "status": 204, "query": {"why": "x"}, "request": {}},
            ["request: no body is described"],
        ),
        ({"method": "PUT", "path": "/things/mine"}, ["request: there is no body"]),
        (
            {"method": "PUT", "path": "/things/mine", "request": {"id": 5}},
            ["request: id: 5 is not of type 'string'"],
        ),
    ],
)
def test_what_is_not_described_is_found(bad: dict[str, Any], expected: list[str] | None) -> None:
    """Routes, queries, requests, answers."""
    assert problems(**bad) == expected


@pytest.mark.parametrize(
    ("one", "other"),
    [({"a": "17"}, {"a": "1234"}), ([{"a": 5000}], [{"a": 6000}]), ("Some text", "Other text")],
)
def test_values_no_schema_tells_apart_have_one_shape(one: Any, other: Any) -> None:
    """They are checked once."""
    assert shape(one) == shape(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a": 1}, {"b": 1}),
        ({"a": 1}, {"a": 2}),
        ({"a": 1}, {"a": True}),
        ({"a": None}, {}),
        ([], [1]),
        ("rich", "video"),
        ("17", "x"),
        ("x" * 40, "x" * 60),
        (5_000, 5_000_000_000),
    ],
)
def test_values_a_schema_may_tell_apart_have_not(one: Any, other: Any) -> None:
    """Keys, kinds, small numbers, words, lengths."""
    assert shape(one) != shape(other)


def test_every_deviation_has_its_reason() -> None:
    """The lists are short, and no entry excuses everything."""
    assert len(DEVIATIONS) + len(AMENDMENTS) <= 20
    for deviation in DEVIATIONS:
        assert deviation.reason.endswith(".")
        assert not deviation.excuses("GET", "/users/@me", "answer: id: 5 is not of type 'string'")
    for amendment in AMENDMENTS:
        assert amendment.reason.endswith(".")


def test_an_amendment_stands_in_for_what_is_there() -> None:
    """And fails where there is nothing: then it is not needed any more."""
    change = Amendment(place=("a", 1, "b"), instead=5, reason="r.")
    assert amended({"a": [0, {"b": 4, "c": 3}]}, (change,)) == {"a": [0, {"b": 5, "c": 3}]}
    with pytest.raises(KeyError):
        amended({"a": [0, {"c": 3}]}, (change,))
