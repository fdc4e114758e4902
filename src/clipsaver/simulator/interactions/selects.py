"""What Discord accepts as a select menu (Discord: Component Reference)."""

from collections.abc import Mapping
from typing import Any

from clipsaver.simulator.interactions.forms import Form, Path
from clipsaver.simulator.interactions.option_forms import CHANNEL_TYPES

STRING_SELECT, CHANNEL_SELECT = 3, 8
DEFAULT_TYPES = {5: ("user",), 6: ("role",), 7: ("user", "role"), 8: ("channel",)}
MOST_VALUES = 25


def read_select(form: Form, path: Path, body: Mapping[str, Any], kind: int) -> dict[str, Any]:
    """The select's own fields, without the custom id, as Discord keeps them."""
    least = form.integer((*path, "min_values"), body.get("min_values"), least=0, most=MOST_VALUES)
    most = form.integer((*path, "max_values"), body.get("max_values"), least=1, most=MOST_VALUES)
    record: dict[str, Any] = {"min_values": 1 if least is None else least, "max_values": 1 if most is None else most}
    if record["min_values"] > record["max_values"]:
        message = "The minimum must not be greater than the maximum"
        form.add((*path, "min_values"), "SELECT_COMPONENT_MIN_VALUES_TOO_LARGE", message)
    placeholder = form.text((*path, "placeholder"), body.get("placeholder"), most=150)
    record |= {"placeholder": placeholder} if placeholder else {}
    record |= {"disabled": True} if form.boolean((*path, "disabled"), body.get("disabled")) else {}
    if kind == STRING_SELECT:
        return record | {"options": read_select_options(form, (*path, "options"), body.get("options"))}
    if kind == CHANNEL_SELECT and body.get("channel_types"):
        types = form.items((*path, "channel_types"), body["channel_types"], most=len(CHANNEL_TYPES))
        record["channel_types"] = [
            form.choice((*path, "channel_types", at), one, CHANNEL_TYPES) for at, one in enumerate(types)
        ]
    if body.get("default_values"):
        record["default_values"] = _defaults(form, (*path, "default_values"), body["default_values"], kind)
    return record


def read_select_options(
    form: Form, path: Path, value: Any, least: int = 1, most: int = MOST_VALUES
) -> list[dict[str, Any]]:
    """The options of a select menu, or of a group of a modal, checked."""
    records: list[dict[str, Any]] = []
    values: set[Any] = set()
    for index, one in enumerate(form.items(path, value, least=least, most=most)):
        where = (*path, index)
        option = form.mapping(where, one) or {}
        record: dict[str, Any] = {
            key: form.text((*where, key), option.get(key), least=1, most=100, required=True)
            for key in ("label", "value")
        }
        if record["value"] in values:
            message = "The specified option value is already used"
            form.add((*where, "value"), "SELECT_COMPONENT_OPTION_VALUE_DUPLICATED", message)
        values.add(record["value"])
        description = form.text((*where, "description"), option.get("description"), most=100)
        record |= {"description": description} if description else {}
        record |= {"emoji": option["emoji"]} if option.get("emoji") else {}
        record["default"] = form.boolean((*where, "default"), option.get("default"))
        records.append(record)
    return records


def _defaults(form: Form, path: Path, value: Any, kind: int) -> list[Any]:
    items = form.items(path, value, most=MOST_VALUES)
    for index, one in enumerate(items):
        item = form.mapping((*path, index), one) or {}
        if item.get("type") not in DEFAULT_TYPES[kind]:
            message = f"Value must be one of {DEFAULT_TYPES[kind]}."
            form.add((*path, index, "type"), "BASE_TYPE_CHOICES", message)
    return items
