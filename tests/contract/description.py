"""Discord's OpenAPI description, made ready to check exchanges against."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from attrs import Factory, define, field, frozen
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

HOME: Final = "urn:discord"
REFUSED: Final = 400
"""From this status on the request may well have been wrong: tests try what Discord refuses."""
FAULT: Final = 500
"""From this status on an answer is a fault, and no description tells what is in it."""


@frozen(kw_only=True)
class Exchange:
    """One request and its answer, as recorded."""

    method: str
    path: str
    query: Mapping[str, str]
    request: Any
    status: int
    response: Any


@frozen(kw_only=True)
class Operation:
    """What the description says of one method on one route."""

    method: str
    route: str
    query: Mapping[str, Mapping[str, Any]]
    """Schemas of the query's parameters."""
    required: frozenset[str]
    """Parameters that can't be left out."""
    body: Mapping[str, Any] | None
    """The request's schema; None if there is no body."""
    body_required: bool
    answers: Mapping[str, Mapping[str, Any] | None]
    """Schemas by status, or by its first digit and XX."""


@define
class Description:
    """Finds an exchange's operation and says what is wrong with it."""

    document: Mapping[str, Any]
    _routes: dict[str, list[tuple[re.Pattern[str], str]]] = field(factory=dict, init=False)
    _operations: dict[tuple[str, str], Operation] = field(factory=dict, init=False)
    _validators: dict[str, Draft202012Validator] = field(factory=dict, init=False)
    _known: dict[tuple[str, object], tuple[str, ...]] = Factory(dict)
    _registry: Registry[Any] = field(init=False)

    def __attrs_post_init__(self) -> None:
        resource: Resource[Any] = Resource.from_contents(dict(self.document), default_specification=DRAFT202012)
        self._registry = Registry().with_resource(HOME, resource)
        for route, item in self.document["paths"].items():
            for method, said in item.items():
                if method != "parameters":
                    self._add(method.upper(), route, item.get("parameters", []), said)
        for routes in self._routes.values():
            routes.sort(key=lambda one: one[1].count("{"))

    def operation(self, exchange: Exchange) -> Operation | None:
        """What the description says of a request; of two routes that fit, the one with fewer parameters."""
        for pattern, route in self._routes.get(exchange.method, ()):
            if pattern.fullmatch(exchange.path):
                return self._operations[exchange.method, route]
        return None

    def problems(self, exchange: Exchange, operation: Operation) -> Iterator[str]:
        """Everything in which an exchange differs from its description."""
        if exchange.status < REFUSED:
            yield from self._query_problems(exchange, operation)
            yield from self._request_problems(exchange, operation)
        if exchange.status >= FAULT:
            return
        for status in (str(exchange.status), f"{str(exchange.status)[0]}XX"):
            if status in operation.answers:
                schema = operation.answers[status]
                break
        else:
            yield f"answers {exchange.status}, which is not described"
            return
        if schema is None:
            if exchange.response is not None:
                yield f"has a body with status {exchange.status}, where none is described"
            return
        where = f"{operation.method} {operation.route} {status}"
        yield from (f"answer: {problem}" for problem in self._body_problems(where, schema, exchange.response))

    def _query_problems(self, exchange: Exchange, operation: Operation) -> Iterator[str]:
        for name, text in exchange.query.items():
            schema = operation.query.get(name)
            if schema is None:
                yield f"query: {name} is not described"
                continue
            where = f"{operation.method} {operation.route} ?{name}"
            if all(self._body_problems(where, schema, value) for value in _readings(text)):
                yield f"query: {name}={text!r} is not what is described"
        yield from (f"query: {name} is missing" for name in operation.required - exchange.query.keys())

    def _request_problems(self, exchange: Exchange, operation: Operation) -> Iterator[str]:
        if exchange.request is None:
            if operation.body_required:
                yield "request: there is no body"
        elif operation.body is None:
            yield "request: no body is described"
        else:
            where = f"{operation.method} {operation.route} request"
            yield from (
                f"request: {problem}" for problem in self._body_problems(where, operation.body, exchange.request)
            )

    def _body_problems(self, where: str, schema: Mapping[str, Any], body: Any) -> tuple[str, ...]:
        """What is wrong with a body; a list's entries are looked at one by one, and each shape only once."""
        items = schema.get("items")
        if isinstance(body, list) and items is not None:
            each = [problem for entry in body for problem in self._body_problems(f"{where}[]", items, entry)]
            return (*self._check(where, {**schema, "items": True}, body), *dict.fromkeys(each))
        return self._check(where, schema, body)

    def _check(self, where: str, schema: Mapping[str, Any], body: Any) -> tuple[str, ...]:
        key = (where, shape(body))
        if key not in self._known:
            if where not in self._validators:
                self._validators[where] = Draft202012Validator(at_home(schema), registry=self._registry)
            self._known[key] = tuple(sorted({_sentence(one) for one in self._validators[where].iter_errors(body)}))
        return self._known[key]

    def _add(self, method: str, route: str, shared: list[Any], said: Mapping[str, Any]) -> None:
        parameters = [one for one in (*shared, *said.get("parameters", [])) if one["in"] == "query"]
        body = said.get("requestBody", {})
        self._operations[method, route] = Operation(
            method=method,
            route=route,
            query={one["name"]: one["schema"] for one in parameters},
            required=frozenset(one["name"] for one in parameters if one.get("required")),
            body=_json_schema(body),
            body_required=bool(body.get("required")) and _json_schema(body) is not None,
            answers={status: _json_schema(self._resolved(answer)) for status, answer in said["responses"].items()},
        )
        pattern = re.compile(re.sub(r"\\{[^/]*?\\}", "[^/]+", re.escape(route)))
        self._routes.setdefault(method, []).append((pattern, route))

    def _resolved(self, answer: Mapping[str, Any]) -> Mapping[str, Any]:
        found: Any = answer
        for part in answer.get("$ref", "#").split("/")[1:]:
            found = found[part] if found is not answer else self.document[part]
        resolved: Mapping[str, Any] = found
        return resolved


def _json_schema(said: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The schema of a body, whichever way it may be encoded."""
    content = said.get("content", {})
    for kind in ("application/json", "application/x-www-form-urlencoded", "multipart/form-data"):
        if kind in content:
            schema: Mapping[str, Any] = content[kind]["schema"]
            return schema
    return None


def at_home(schema: Any) -> Any:
    """The same schema, its references leading into the description wherever it is used."""
    match schema:
        case Mapping():
            return {
                key: HOME + value
                if key == "$ref" and isinstance(value, str) and value.startswith("#")
                else at_home(value)
                for key, value in schema.items()
            }
        case list():
            return [at_home(entry) for entry in schema]
        case _:
            return schema


def _readings(text: str) -> Iterator[Any]:
    """What a query's text can stand for."""
    yield text
    yield [text]
    if re.fullmatch(r"-?\d{1,19}", text):
        yield int(text)
    if text.lower() in {"true", "false", "1", "0"}:
        yield text.lower() in {"true", "1"}


_SHAPES: Final = (
    ("digits", re.compile(r"\d+")),
    ("moment", re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+(Z|[+-]\d\d:\d\d)")),
    ("link", re.compile(r"https?://\S+")),
    ("hash", re.compile(r"(a_)?[0-9a-f]{20,}")),
)
SMALL: Final = 1_000


def shape(body: Any) -> object:
    """What two bodies have in common that no schema tells apart: checked one, checked both."""
    match body:
        case Mapping():
            return tuple((key, shape(body[key])) for key in sorted(body))
        case list():
            return (list, tuple(dict.fromkeys(map(shape, body))), min(len(body), 30))
        case int() if not isinstance(body, bool):
            return (int, body if abs(body) < SMALL else body.bit_length() > 31)
        case str():
            return _shape_of_text(body)
        case _:
            return (type(body), body)


def _shape_of_text(text: str) -> object:
    """Its kind and about its length; a word that may be one of a few is itself."""
    kind = next((name for name, pattern in _SHAPES if pattern.fullmatch(text)), None)
    if kind is None and re.fullmatch(r"[a-z_/-]{1,24}", text):
        return text
    return (kind, len(text) // 50)


def _sentence(error: ValidationError) -> str:
    """Where a body is wrong and how; of alternatives, what is wrong with the one that is meant."""
    meant = _meant(error)
    what = meant.message[:200]
    if meant.context:
        found = meant.instance
        named = f"type {found.get('type')!r}" if isinstance(found, Mapping) else repr(found)
        what = f"{named} fits none of the alternatives, or several"
    return f"{meant.json_path.removeprefix('$').removeprefix('.') or 'the body'}: {what}"


def _meant(error: ValidationError) -> ValidationError:
    """Follow the only alternative that is of the right kind, as long as there is one."""
    alternatives: dict[object, list[ValidationError]] = {}
    for one in error.context or ():
        alternatives.setdefault(one.schema_path[0], []).append(one)
    fitting = [errors for errors in alternatives.values() if not any(map(_of_another_kind, errors))]
    return _meant(fitting[0][0]) if len(fitting) == 1 else error


def _of_another_kind(error: ValidationError) -> bool:
    return list(error.path) == ["type"] or (not error.path and error.validator == "type")
