"""What can go wrong on the way, on demand: by route, a number of times or by chance from a seed."""

from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase
from random import Random
from typing import Any, Final, Literal

from attrs import define, field

Kind = Literal[
    "status",  # an error status of Discord's, 500 unless ``status`` says otherwise
    "truncate",  # the body ends early, the connection with it
    "not_json",  # an HTML page with the right status
    "page",  # an HTML page with ``status``, as from in front of the API
    "half",  # half of the JSON or of the file, as though it were all
    "reset",  # the connection is reset before an answer
    "delay",  # the answer comes ``seconds`` later
    "stall",  # headers come, the body only after ``seconds``
    "omit",  # fields that may be absent are
    "null",  # fields are null that seldom are
    "unknown",  # enum values nobody has heard of
    "unauthorized",  # 401
    "forbidden",  # 403
    "throttle",  # 429 with the headers that ``variant`` names
    "empty",  # an empty list, as after losing Read Message History
    # Of the CDN only, next to the above.
    "break",  # the connection is reset at half of the file
    "drip",  # one byte comes every ``seconds``
    "long",  # twice the file, as though it were all
    "wrong_type",  # a picture
    "gzip",  # compressed without having been asked for
    "no_ranges",  # the whole file, whatever part was asked for
    "uncounted",  # the file without its length
    "changed",  # another file under the same link
    "gone",  # the page of a dead link, with ``status``
    "redirect",  # to ``location``
    "unsatisfiable",  # 416
]
Variant = Literal[
    "bare",  # only the body says how long
    "no_bucket",  # a user's, of no bucket
    "unnamed",  # with a bucket's figures, but not its name
    "reset_zero",  # the bucket is said to be free at once
    "hour",
    "global_unsaid",  # global by the body alone
    "shared",
    "html",  # a page from in front of the API
    "nothing",  # no body, and no header
]
ERRORS: Final = frozenset({"status", "page", "unauthorized", "forbidden", "throttle", "empty"})
OPTIONAL: Final = frozenset(
    {
        "title",
        "description",
        "width",
        "height",
        "duration_secs",
        "flags",
        "ephemeral",
        "placeholder",
        "nonce",
        "pinned",
        "tts",
        "mention_everyone",
        "banner",
        "accent_color",
        "avatar_decoration_data",
        "collectibles",
        "primary_guild",
        "public_flags",
        "flags_new",
        "position",
        "application_id",
        "interaction_metadata",
        "referenced_message",
        "rate_limit_per_user",
        "topic",
    }
)
NULLABLE: Final = frozenset(
    {
        "flags",
        "title",
        "description",
        "width",
        "height",
        "duration_secs",
        "global_name",
        "edited_timestamp",
        "mentions",
        "mention_roles",
        "nonce",
        "public_flags",
        "banner",
        "avatar",
        "nsfw",
        "topic",
        "parent_id",
        "position",
    }
)
UNKNOWN: Final = 9_999


@define(kw_only=True)
class Fault:
    """One thing that goes wrong."""

    kind: Kind
    route: str = "*"
    """A pattern such as ``GET /channels/*/messages``, on the method and the path below ``/api/v10``."""
    count: int | None = None
    """How often it still happens; None is without end."""
    probability: float = 1.0
    status: int = 500
    seconds: float = 1.0
    variant: Variant = "bare"
    location: str = "http://10.0.0.1/"
    takes_effect: bool = False
    """Whether what was asked for happens all the same, though the answer is an error."""
    fields: frozenset[str] | None = None
    """For ``omit`` and ``null``: which fields, else a set of those a careful reader doesn't need."""
    share: float = 0.3
    """For ``omit``, ``null`` and ``unknown``: the share of objects it hits."""
    happened: int = 0


@define
class Faults:
    """The faults of a simulator; they can be added and removed while it runs."""

    seed: int = 0
    faults: list[Fault] = field(factory=list, kw_only=True)
    _chance: Random = field(init=False)

    @_chance.default
    def _make_chance(self) -> Random:
        return Random(self.seed)

    def add(self, kind: Kind, route: str = "*", **options: Any) -> Fault:
        """Let something go wrong from now on."""
        fault = Fault(kind=kind, route=route, **options)
        self.faults.append(fault)
        return fault

    def clear(self) -> None:
        """Let all be well again."""
        self.faults.clear()

    def draw(self, method: str, path: str) -> Fault | None:
        """The fault that hits this request, if one does."""
        for fault in self.faults:
            if fault.count == 0 or not fnmatchcase(f"{method} {path}", _pattern(fault.route)):
                continue
            if fault.probability < 1 and self._chance.random() >= fault.probability:
                continue
            fault.happened += 1
            fault.count = None if fault.count is None else fault.count - 1
            return fault
        return None

    def spoil(self, fault: Fault, body: Any) -> Any:
        """A body with its fields left out, nulled or of unknown kinds."""
        change: Callable[[dict[str, Any]], None] = {
            "omit": lambda one: _omit(one, fault.fields or OPTIONAL),
            "null": lambda one: _null(one, fault.fields or NULLABLE),
        }.get(fault.kind, _estrange)
        for one in _objects(body):
            if self._chance.random() < fault.share:
                change(one)
        return body


def throttled(variant: Variant) -> tuple[dict[str, str], dict[str, Any] | str | None]:
    """Headers and body of a 429, as incomplete as such answers have been seen; a text is the title of a page."""
    body: dict[str, Any] = {"message": "You are being rate limited.", "retry_after": 0.3, "global": False}
    shared = {"message": "The resource is being rate limited.", "code": 20_016}
    figures = {"X-RateLimit-Limit": "5", "X-RateLimit-Remaining": "0"}
    bucket = figures | {"X-RateLimit-Bucket": "0123456789abcdef"}
    user, soon = {"X-RateLimit-Scope": "user"}, {"Retry-After": "1"}
    near = {"X-RateLimit-Reset": "1.0", "X-RateLimit-Reset-After": "0.0"}
    hour = {"Retry-After": "3600", "X-RateLimit-Reset-After": "3600"}
    variants: dict[Variant, tuple[dict[str, str], dict[str, Any] | str | None]] = {
        "bare": ({}, body),
        "no_bucket": (soon | user, body),
        "unnamed": (soon | user | figures | {"X-RateLimit-Reset-After": "0.3"}, body),
        "reset_zero": (bucket | user | near | soon, body | {"retry_after": 0.05}),
        "hour": (bucket | user | hour, body | {"retry_after": 3600.0}),
        "global_unsaid": (soon, body | {"global": True}),
        "shared": (soon | {"X-RateLimit-Scope": "shared"}, body | shared),
        "html": (soon, "You are being rate limited"),
        "nothing": ({}, None),
    }
    return variants[variant]


def _pattern(route: str) -> str:
    return route if route == "*" or " " in route else f"* {route}"


def _objects(body: Any) -> Iterable[dict[str, Any]]:
    if isinstance(body, dict):
        yield body
        for value in tuple(body.values()):
            yield from _objects(value)
    elif isinstance(body, list):
        for value in body:
            yield from _objects(value)


def _omit(one: dict[str, Any], names: frozenset[str]) -> None:
    for name in names & one.keys():
        del one[name]


def _null(one: dict[str, Any], names: frozenset[str]) -> None:
    for name in names & one.keys():
        one[name] = None


def _estrange(one: dict[str, Any]) -> None:
    if isinstance(one.get("type"), int) and not {"attachments", "components"} & one.keys():
        if "guild_id" in one:
            one["type"] = UNKNOWN
    elif "attachments" in one:
        one["type"] = UNKNOWN
        one["components"] = [*(one.get("components") or ()), {"type": UNKNOWN, "id": UNKNOWN}]
    if isinstance(one.get("flags"), int):
        one["flags"] |= 1 << 40
