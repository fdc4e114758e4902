"""What Discord accepts as a command's options (Discord: Application Commands)."""

import math
import unicodedata
from collections.abc import Mapping
from typing import Any

from clipsaver.simulator.interactions.forms import Form, Path
from clipsaver.simulator.interactions.localization import check_localizations

SUB_COMMAND, SUB_COMMAND_GROUP, STRING, INTEGER, BOOLEAN, USER, CHANNEL, ROLE, MENTIONABLE, NUMBER, ATTACHMENT = range(
    1, 12
)
NESTED = (SUB_COMMAND, SUB_COMMAND_GROUP)
PLAIN = tuple(range(STRING, ATTACHMENT + 1))
CHANNEL_TYPES = (0, 1, 2, 3, 4, 5, 10, 11, 12, 13, 14, 15, 16)
MOST_OPTIONS = 25
MOST_CHOICES = 25
LARGEST = 2**53 - 1
LONGEST_STRING = 6000
_DEVANAGARI_AND_THAI = ((0x0900, 0x097F), (0xA8E0, 0xA8FF), (0x0E01, 0x0E3A), (0x0E40, 0x0E5B))


def is_name(text: str) -> bool:
    """Whether Discord takes this as the name of a slash command or of an option."""
    return text == text.lower() and all(
        one in "-_'"
        or unicodedata.category(one)[0] in "LN"
        or any(first <= ord(one) <= last for first, last in _DEVANAGARI_AND_THAI)
        for one in text
    )


def check_name(form: Form, path: Path, value: Any, *, free: bool = False) -> None:
    """Check a name; a free one (of a context menu command) may have capitals and spaces."""
    text = form.text(path, value, least=1, most=32, required=True)
    if text is not None and not free and not is_name(text):
        form.add(path, "APPLICATION_COMMAND_INVALID_NAME", "Command name is invalid")


def check_description(form: Form, path: Path, value: Any) -> None:
    """Check the description of a slash command or an option."""
    form.text(path, value, least=1, most=100, required=True)


def read_texts(form: Form, path: Path, body: Mapping[str, Any]) -> dict[str, Any]:
    """The names and descriptions of a slash command or an option, checked."""
    record: dict[str, Any] = {}
    for key, check in (("name", check_name), ("description", check_description)):
        check(form, (*path, key), body.get(key))
        record[key] = body.get(key)
        record[f"{key}_localizations"] = body.get(f"{key}_localizations") or None
        check_localizations(form, (*path, f"{key}_localizations"), record[f"{key}_localizations"], check)
    return record


def read_options(
    form: Form, path: Path, value: Any, allowed: tuple[int, ...] = (*NESTED, *PLAIN)
) -> list[dict[str, Any]]:
    """The options as Discord keeps them; what is wrong with them is noted in the form."""
    options = form.items(path, value, most=MOST_OPTIONS)
    records = [_read_option(form, (*path, index), option, allowed) for index, option in enumerate(options)]
    _check_together(form, path, records)
    return records


def _check_together(form: Form, path: Path, records: list[dict[str, Any]]) -> None:
    names: set[Any] = set()
    optional_seen = False
    for index, record in enumerate(records):
        if record.get("name") in names:
            code = "APPLICATION_COMMAND_OPTIONS_NAME_ALREADY_EXISTS"
            form.add((*path, index, "name"), code, "Option name already exists")
        names.add(record.get("name"))
        if record.get("required") and optional_seen:
            message = "Required options must be placed before non-required options"
            form.add((*path, index), "APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID", message)
        optional_seen = optional_seen or not record.get("required", False)
    nested = {record.get("type") in NESTED for record in records}
    if len(nested) > 1:
        message = "Sub-command and sub-command group option types are mutually exclusive to all other types"
        form.add(path, "APPLICATION_COMMAND_OPTIONS_TYPE_INVALID", message)


def _read_option(form: Form, path: Path, value: Any, allowed: tuple[int, ...]) -> dict[str, Any]:
    option = form.mapping(path, value)
    if option is None:
        return {}
    kind = form.choice((*path, "type"), option.get("type"), allowed)
    record: dict[str, Any] = {"type": kind, **read_texts(form, path, option)}
    below = (*path, "options")
    if kind == SUB_COMMAND:
        record["options"] = read_options(form, below, option.get("options"), PLAIN)
    elif kind == SUB_COMMAND_GROUP:
        record["options"] = read_options(form, below, option.get("options"), (SUB_COMMAND,))
    elif kind is not None:
        record["required"] = form.boolean((*path, "required"), option.get("required"))
        record |= _read_limits(form, path, option, kind)
    return record


def _read_limits(form: Form, path: Path, option: Mapping[str, Any], kind: int) -> dict[str, Any]:
    record: dict[str, Any] = {}
    if kind == CHANNEL and option.get("channel_types"):
        types = form.items((*path, "channel_types"), option["channel_types"], most=len(CHANNEL_TYPES))
        for index, one in enumerate(types):
            form.choice((*path, "channel_types", index), one, CHANNEL_TYPES)
        record["channel_types"] = types
    if kind in (STRING, INTEGER, NUMBER):
        record |= _read_choices(form, path, option, kind)
    if kind == STRING:
        bounds = (("min_length", 0), ("max_length", 1))
        numbers: dict[str, float | None] = {
            key: form.integer((*path, key), option.get(key), least=least, most=LONGEST_STRING) for key, least in bounds
        }
        record |= _pair(form, path, numbers)
    if kind in (INTEGER, NUMBER):
        numbers = {key: _number(form, (*path, key), option.get(key), kind) for key in ("min_value", "max_value")}
        record |= _pair(form, path, numbers)
    return record


def _pair(form: Form, path: Path, numbers: Mapping[str, float | None]) -> dict[str, Any]:
    (_, least), (upper, most) = numbers.items()
    if least is not None and most is not None and least > most:
        message = "The minimum must not be greater than the maximum"
        form.add((*path, upper), "APPLICATION_COMMAND_OPTION_MIN_MAX_INVALID", message)
    return {key: number for key, number in numbers.items() if number is not None}


def _number(form: Form, path: Path, value: Any, kind: int) -> float | None:
    if kind == INTEGER or value is None:
        return form.integer(path, value, least=-LARGEST, most=LARGEST)
    if is_number(value):
        return float(value)
    form.add(path, "NUMBER_TYPE_COERCE", f'Value "{value}" is not float.')
    return None


def is_number(value: Any) -> bool:
    """Whether Discord takes this as a double: between -2^53 and 2^53."""
    return (
        isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and abs(value) <= 2**53
    )


def _read_choices(form: Form, path: Path, option: Mapping[str, Any], kind: int) -> dict[str, Any]:
    autocomplete = form.boolean((*path, "autocomplete"), option.get("autocomplete"))
    if autocomplete and option.get("choices"):
        message = "Autocomplete can't be enabled when choices are present"
        form.add((*path, "autocomplete"), "APPLICATION_COMMAND_OPTIONS_AUTOCOMPLETE_WITH_CHOICES", message)
    choices = read_choices(form, (*path, "choices"), option.get("choices"), kind)
    record: dict[str, Any] = {"choices": choices} if choices else {}
    return record | ({"autocomplete": True} if autocomplete else {})


def read_choices(form: Form, path: Path, value: Any, kind: int) -> list[dict[str, Any]]:
    """The choices of an option, or suggested by an autocomplete answer, checked."""
    records = []
    for index, one in enumerate(form.items(path, value, most=MOST_CHOICES)):
        where = (*path, index)
        choice = form.mapping(where, one)
        if choice is None:
            continue
        _check_choice_name(form, (*where, "name"), choice.get("name"))
        localizations = choice.get("name_localizations") or None
        check_localizations(form, (*where, "name_localizations"), localizations, _check_choice_name)
        _check_choice_value(form, (*where, "value"), choice.get("value"), kind)
        records.append({"name": choice.get("name"), "name_localizations": localizations, "value": choice.get("value")})
    return records


def _check_choice_name(form: Form, path: Path, value: Any) -> None:
    form.text(path, value, least=1, most=100, required=True)


def _check_choice_value(form: Form, path: Path, value: Any, kind: int) -> None:
    if kind == STRING:
        form.text(path, value, most=100, required=True)
    elif value is None:
        form.required(path)
    else:
        _number(form, path, value, kind)
