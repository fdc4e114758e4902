"""What Discord accepts as an application command (Discord: Application Commands, "Application Command Object")."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from clipsaver.simulator.interactions.forms import Form, Path
from clipsaver.simulator.interactions.localization import check_localizations
from clipsaver.simulator.interactions.option_forms import check_name, read_options, read_texts

CHAT_INPUT, USER, MESSAGE = 1, 2, 3
TYPES = (CHAT_INPUT, USER, MESSAGE)
CONTEXTS = (0, 1, 2)
MOST_CHARACTERS = 8000
MOST_PERMISSIONS = (1 << 54) - 1


def read_command(
    form: Form, path: Path, value: Any, *, guild: bool, integration_types: tuple[int, ...] = (0,)
) -> dict[str, Any]:
    """The command as Discord keeps it; what is wrong with it is noted in the form.

    ``integration_types`` are those that the application supports.
    """
    body = form.mapping(path, value)
    if body is None:
        return {}
    before = form.count
    kind = CHAT_INPUT if body.get("type") is None else body["type"]
    form.choice((*path, "type"), kind, TYPES)
    record = {"type": kind, **(_menu if kind in TYPES[1:] else _slash)(form, path, body)}
    record["default_member_permissions"] = _permissions(form, path, body.get("default_member_permissions"))
    record["nsfw"] = form.boolean((*path, "nsfw"), body.get("nsfw"))
    if guild:
        record |= {"contexts": None, "integration_types": [0]}
    else:
        record |= _contexts(form, path, body, integration_types)
    if form.count == before and size(record) > MOST_CHARACTERS:
        form.add(path, "APPLICATION_COMMAND_TOO_LARGE", "Command exceeds maximum size (8000)")
    return record


def size(record: Mapping[str, Any]) -> int:
    """The characters that count towards the limit of 8000; of each text only the longest localisation does."""
    own = sum(
        max(len(text) for text in [record.get(key) or "", *(record.get(f"{key}_localizations") or {}).values()])
        for key in ("name", "description")
    )
    value = len(str(record["value"])) if "value" in record else 0
    return own + value + sum(size(one) for key in ("options", "choices") for one in record.get(key) or ())


def _slash(form: Form, path: Path, body: Mapping[str, Any]) -> dict[str, Any]:
    options = read_options(form, (*path, "options"), body.get("options"))
    return read_texts(form, path, body) | {"options": options}


def _menu(form: Form, path: Path, body: Mapping[str, Any]) -> dict[str, Any]:
    check = partial(check_name, free=True)
    check(form, (*path, "name"), body.get("name"))
    localizations = body.get("name_localizations") or None
    check_localizations(form, (*path, "name_localizations"), localizations, check)
    for key in ("description", "options"):
        if body.get(key):
            code = f"APPLICATION_COMMAND_CONTEXT_MENU_{key.upper()}_SPECIFIED"
            form.add((*path, key), code, f"Context menu commands cannot have {key}")
    return {
        "name": body.get("name"),
        "name_localizations": localizations,
        "description": "",
        "description_localizations": None,
    }


def _permissions(form: Form, path: Path, value: Any) -> str | None:
    if value is None:
        return None
    where = (*path, "default_member_permissions")
    number = int(value) if isinstance(value, str) and value.isdecimal() else value
    bits = form.integer(where, number, least=0, most=MOST_PERMISSIONS)
    return None if bits is None else str(bits)


def _contexts(form: Form, path: Path, body: Mapping[str, Any], integration_types: tuple[int, ...]) -> dict[str, Any]:
    contexts = _set(form, (*path, "contexts"), body.get("contexts"), CONTEXTS)
    form.boolean((*path, "dm_permission"), body.get("dm_permission"))
    if contexts is None and body.get("dm_permission") is False:
        contexts = [0]
    installs = _set(form, (*path, "integration_types"), body.get("integration_types"), integration_types)
    return {
        "contexts": contexts,
        "integration_types": list(integration_types) if installs is None else installs,
        "dm_permission": contexts is None or 1 in contexts,
    }


def _set(form: Form, path: Path, value: Any, allowed: tuple[int, ...]) -> list[int] | None:
    if value is None:
        return None
    items = form.items(path, value, least=1, most=len(CONTEXTS))
    for index, item in enumerate(items):
        form.choice((*path, index), item, allowed)
        if item in items[:index]:
            form.add((*path, index), "SET_TYPE_ALREADY_CONTAINS_VALUE", "The set already contains this value")
    return items
