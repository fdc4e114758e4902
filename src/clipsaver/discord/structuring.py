"""How a raw payload becomes a snapshot: null means absent, ids may be text or number, unknown keys are ignored.

Structuring is done twice at most: fast and without explanations, and only if that failed once more to find out where.
"""

import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from types import NoneType, UnionType
from typing import Annotated, Any, Final, TypeVar, Union, get_args, get_origin

import attrs
from cattrs import AttributeValidationNote, BaseValidationError, Converter, IterableValidationNote
from cattrs.gen import make_dict_structure_fn
from msgspec import Meta

from clipsaver.discord.snowflakes import LARGEST
from clipsaver.errors import ClipsaverError

T = TypeVar("T")
Overrides = Callable[[Converter], Mapping[str, Any]]

DISCORDS: Final = {"media": "components", "forwarded": "message_snapshots"}
"""What Discord calls the fields that have another name here."""
DIGITS: Final = len(str(LARGEST))
LARGEST_PIXELS: Final = 2**31 - 1
Pixels = Annotated[int, Meta(ge=0, le=LARGEST_PIXELS)]


class OddPayload(ClipsaverError):
    """A payload that can't be read; the sentence names the place and the kind of problem, never what was in it."""

    def __init__(self, what: str, reason: str) -> None:
        super().__init__(f"Discord sent {what} that can't be read: {reason}.", permanent=True)
        self.reason = reason


class Mismatch(ValueError):
    """One value is not what it should be; both texts are made of field names, positions and our own words."""

    def __init__(self, kind: str, path: str = "") -> None:
        super().__init__(kind)
        self.kind = kind
        self.path = path

    def below(self, place: str) -> "Mismatch":
        """The same problem, seen from one level further up."""
        return Mismatch(self.kind, place + self.path)


def whole(value: object, _: object = None) -> int:
    """A whole number as JSON or as text; Discord writes ids and permissions as text."""
    if type(value) is str and value.isascii() and value.isdigit():
        number = int(value) if len(value) <= DIGITS else LARGEST + 1
    elif type(value) is int:
        number = value
    elif type(value) is float and value.is_integer():
        number = int(value)
    else:
        raise Mismatch("not a whole number")
    if not 0 <= number <= LARGEST:
        raise Mismatch("a number out of range")
    return number


def pixels(value: object, _: object = None) -> int | None:
    """A width or height; None where it makes no sense as one."""
    number = whole(value)
    return number if number <= LARGEST_PIXELS else None


def text(value: object, _: object = None) -> str:
    """Text that PostgreSQL takes: no NUL, no half of a surrogate pair."""
    if type(value) is not str:
        raise Mismatch("not a text")
    if "\0" in value:
        value = value.replace("\0", "\ufffd")
    if value.isascii():
        return value
    return value.encode(errors="replace").decode()


def _truth(value: object, _: object) -> bool:
    if value is True or value is False:
        return value
    raise Mismatch("neither true nor false")


def _number(value: object, _: object) -> float:
    if type(value) not in {int, float} or not math.isfinite(value):  # type: ignore[arg-type]
        raise Mismatch("not a number")
    return float(value)  # type: ignore[arg-type]


def moment(value: object, _: object = None) -> datetime:
    """An ISO 8601 moment; without an offset it is taken for UTC."""
    if type(value) is not str:
        raise Mismatch("not a moment")
    try:
        parsed = datetime.fromisoformat(value)
    except ValueError:
        raise Mismatch("not a moment") from None
    return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)


def items(value: object) -> list[Any]:
    """A JSON array; null and absent are an empty one."""
    if value is None:
        return []
    if type(value) is not list:
        raise Mismatch("not a list")
    return value


def fields(value: object) -> dict[str, Any]:
    """A JSON object."""
    if type(value) is not dict:
        raise Mismatch("not an object")
    return value


def has_id(value: object) -> bool:
    """Whether this is a JSON object with an id."""
    try:
        whole(value.get("id") if isinstance(value, dict) else None)
    except Mismatch:
        return False
    return True


def make_converter(overrides: Mapping[type, Overrides], *, explain: bool) -> Converter:
    """A converter for snapshots; one that explains is several times slower and knows where it failed."""
    converter = Converter(detailed_validation=explain)
    for kind, hook in ((int, whole), (str, text), (bool, _truth), (float, _number), (datetime, moment)):
        converter.register_structure_hook(kind, hook)

    def of_class(cls: type) -> Callable[[Any, Any], Any]:
        special = overrides.get(cls)
        generated: Callable[[Any, Any], Any] = make_dict_structure_fn(
            cls,
            converter,
            _cattrs_detailed_validation=explain,
            _cattrs_forbid_extra_keys=False,
            **(special(converter) if special else {}),
        )

        def structure(payload: Any, as_type: Any) -> Any:
            if type(payload) is not dict:
                raise Mismatch("not an object")
            return generated({key: value for key, value in payload.items() if value is not None}, as_type)

        return structure

    def of_optional(kind: Any) -> Callable[[Any, Any], Any]:
        """Nulls are left out before: what is there has to be read."""
        (inner,) = [one for one in get_args(kind) if one is not NoneType]
        return converter.get_structure_hook(inner)

    def of_several(kind: Any) -> Callable[[Any, Any], Any]:
        inner = get_args(kind)[0]
        read = converter.get_structure_hook(inner)
        return lambda value, _: tuple([read(one, inner) for one in value])

    converter.register_structure_hook_factory(attrs.has, of_class)
    converter.register_structure_hook_factory(_is_optional, of_optional)
    if not explain:
        converter.register_structure_hook_factory(_is_several, of_several)
    return converter


def _is_optional(kind: Any) -> bool:
    return get_origin(kind) in {Union, UnionType} and NoneType in get_args(kind)


def _is_several(kind: Any) -> bool:
    return get_origin(kind) is tuple and get_args(kind)[1:] == (Ellipsis,)


def reason_of(error: BaseException) -> str:
    """Where structuring failed and how, such as ``attachments[1].size: not a whole number``."""
    path = ""
    while isinstance(error, BaseValidationError):
        error = error.exceptions[0]
        for note in getattr(error, "__notes__", ()):
            if isinstance(note, AttributeValidationNote):
                path += f".{DISCORDS.get(note.name, note.name)}"
            elif isinstance(note, IterableValidationNote):  # pragma: no branch - there are no other notes
                path += f"[{note.index}]"
    match error:
        case Mismatch():
            path += error.path
            kind = error.kind
        case KeyError():
            kind = "missing"
        case _:  # a tuple is made from anything that can be gone through
            kind = "not a list"
    return f"{path.removeprefix('.')}: {kind}".removeprefix(": ")


class Structurer:
    """Turns payloads into snapshots, fast as long as they are what they should be."""

    def __init__(self, overrides: Mapping[type, Overrides]) -> None:
        self._fast = make_converter(overrides, explain=False)
        self._slow = make_converter(overrides, explain=True)

    def read(self, payload: object, cls: type[T], what: str) -> T:
        """Structure one payload or raise OddPayload."""
        try:
            return self._fast.structure(payload, cls)
        except Exception:  # noqa: BLE001 - whatever a payload does to us makes it odd, not us broken
            raise OddPayload(what, self._reason(payload, cls)) from None

    def _reason(self, payload: object, cls: type) -> str:
        try:
            self._slow.structure(payload, cls)
        except Exception as error:  # noqa: BLE001 - the same failure once more, with its place
            return reason_of(error)
        return "not readable"  # pragma: no cover - both converters share their hooks
