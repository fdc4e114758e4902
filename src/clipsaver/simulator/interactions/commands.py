"""The application's commands: what is registered, globally and in each guild, and who may use it."""

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any, Final

from attrs import define, field

from clipsaver.simulator.interactions.command_forms import CHAT_INPUT, MESSAGE, USER, read_command
from clipsaver.simulator.interactions.forms import Form, Refused
from clipsaver.simulator.interactions.localization import localized
from clipsaver.simulator.world import World

MOST: Final = {CHAT_INPUT: 100, USER: 15, MESSAGE: 15}
MOST_IN_BULK: Final = 130
MOST_CREATES: Final = 200
DAY: Final = 86_400.0
TEXTS: Final = ("name", "description")
EDITABLE: Final = frozenset(
    {"name", "description", "options", "default_member_permissions", "dm_permission", "contexts", "integration_types"}
    | {"nsfw", "name_localizations", "description_localizations"}
)
Record = dict[str, Any]
Scope = int | None
"""A guild's id, or None for global commands."""


@define
class Commands:
    """The registered commands of the world's application."""

    world: World
    integration_types: tuple[int, ...] = (0,)
    """The installation contexts that the application supports."""
    _scopes: dict[Scope, dict[int, Record]] = field(factory=dict, init=False)
    _creates: dict[Scope, deque[float]] = field(factory=dict, init=False)

    def all(self, scope: Scope) -> list[Record]:
        """The commands of a scope, in the order of their registration."""
        return list(self._scopes.get(scope, {}).values())

    def get(self, scope: Scope, command_id: int) -> Record:
        """One command; refused if there is none."""
        record = self._scopes.get(scope, {}).get(command_id)
        if record is None:
            raise Refused(404, 10063, "Unknown application command")
        return record

    def usable(self, guild_id: int | None) -> list[Record]:
        """What can be used somewhere: a guild's own and the global ones; in direct messages (None) global ones only."""
        return [*(self.all(guild_id) if guild_id is not None else ()), *self.all(None)]

    def create(self, scope: Scope, body: Any) -> tuple[Record, bool]:
        """Register a command, over an older one of its name; and whether it is new."""
        record = self._read(scope, body)
        old = self._named(scope, record["type"], record["name"])
        if old is None:
            self._make_room(scope, record["type"])
        return self._keep(scope, record, old), old is None

    def edit(self, scope: Scope, command_id: int, body: Any) -> Record:
        """Change some fields of a command."""
        old = self.get(scope, command_id)
        changes = body if isinstance(body, dict) else self._read(scope, body)
        merged = {key: value for key, value in old.items() if key in EDITABLE} | {"type": old["type"]}
        if "contexts" in changes or "dm_permission" in changes:
            merged |= {"contexts": None, "dm_permission": None}
        record = self._read(scope, merged | {key: value for key, value in changes.items() if key in EDITABLE})
        other = self._named(scope, record["type"], record["name"])
        if other is not None and other["id"] != old["id"]:
            raise Refused(400, 40041, "An application command with that name already exists")
        return self._keep(scope, record, old)

    def delete(self, scope: Scope, command_id: int) -> None:
        """Remove a command."""
        self.get(scope, command_id)
        del self._scopes[scope][command_id]

    def overwrite(self, scope: Scope, body: Any) -> list[Record]:
        """Replace all commands of a scope; those of the same name keep their ids."""
        form = Form()
        bodies = form.items((), [] if body is None else body, most=MOST_IN_BULK)
        records = [self._parse(form, (index,), scope, one) for index, one in enumerate(bodies)]
        seen: set[tuple[Any, Any]] = set()
        for index, record in enumerate(records):
            key = (record.get("type"), record.get("name"))
            if key in seen:
                message = "Application command names must be unique"
                form.add((index, "name"), "APPLICATION_COMMANDS_DUPLICATE_NAME", message)
            seen.add(key)
        form.check()
        for kind, most in MOST.items():
            if sum(record["type"] == kind for record in records) > most:
                raise _too_many(most)
        known = [self._known(scope, one, record) for one, record in zip(bodies, records, strict=True)]
        self._count_creates(scope, sum(old is None for old in known))
        self._scopes[scope] = {}
        return [self._keep(scope, record, old) for record, old in zip(records, known, strict=True)]

    def _read(self, scope: Scope, body: Any) -> Record:
        form = Form()
        record = self._parse(form, (), scope, body)
        form.check()
        return record

    def _parse(self, form: Form, path: tuple[str | int, ...], scope: Scope, body: Any) -> Record:
        types = self.integration_types
        return read_command(form, path, body, guild=scope is not None, integration_types=types)

    def _named(self, scope: Scope, kind: int, name: str) -> Record | None:
        found = (one for one in self.all(scope) if (one["type"], one["name"]) == (kind, name))
        return next(found, None)

    def _known(self, scope: Scope, body: Mapping[str, Any], record: Record) -> Record | None:
        by_id = self._scopes.get(scope, {}).get(int(body["id"])) if str(body.get("id", "")).isdecimal() else None
        if by_id is not None and by_id["type"] == record["type"]:
            return by_id
        return self._named(scope, record["type"], record["name"])

    def _make_room(self, scope: Scope, kind: int) -> None:
        if sum(one["type"] == kind for one in self.all(scope)) >= MOST[kind]:
            raise _too_many(MOST[kind])
        self._count_creates(scope, 1)

    def _count_creates(self, scope: Scope, count: int) -> None:
        now = self.world.clock()
        times = self._creates.setdefault(scope, deque(maxlen=MOST_CREATES))
        while times and now - times[0] >= DAY:
            times.popleft()
        if len(times) + count > MOST_CREATES:
            message = f"Max number of daily application command creates has been reached ({MOST_CREATES})"
            raise Refused(400, 30034, message)
        times.extend([now] * count)

    def _keep(self, scope: Scope, record: Record, old: Record | None) -> Record:
        number = self.world.new_id() if old is None else int(old["id"])
        kept = {"id": str(number), "application_id": str(self.world.application.id), **record}
        if scope is not None:
            kept["guild_id"] = str(scope)
        same = old is not None and {**kept, "version": old["version"]} == old
        kept["version"] = old["version"] if old is not None and same else str(self.world.new_id())
        self._scopes.setdefault(scope, {})[number] = kept
        return kept


def _too_many(most: int) -> Refused:
    return Refused(400, 30032, f"Maximum number of application commands reached ({most})")


def shown(record: Mapping[str, Any], *, localizations: bool = True, locale: str = "en-US") -> Record:
    """A command as Discord answers it; a list leaves the dictionaries out for what the requester's locale reads."""
    payload = {key: value for key, value in record.items() if not (key == "options" and not value)}
    if not localizations:
        for key in TEXTS:
            text = localized(payload.pop(f"{key}_localizations", None), locale)
            payload |= {f"{key}_localized": text} if text else {}
    for key in ("options", "choices"):
        if payload.get(key):
            payload[key] = [shown(one, localizations=localizations, locale=locale) for one in payload[key]]
    return payload


def find_option(options: Iterable[Mapping[str, Any]], name: str) -> Mapping[str, Any] | None:
    """The option of a name."""
    return next((one for one in options if one["name"] == name), None)
