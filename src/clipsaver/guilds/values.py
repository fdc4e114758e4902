"""One setting's value: read from what was typed or stored, shown, suggested. Pure."""

import re
from collections.abc import Iterable
from typing import assert_never

import re2  # type: ignore[import-untyped]

from clipsaver.errors import BadInput

from .catalogue import SETTINGS, Kind, Setting, Value

MAX_ITEMS = 100
"""Entries in a list."""
MAX_CHOICES = 25
"""Discord: autocomplete results."""
MAX_CHOICE_LENGTH = 100
"""Discord: characters of one autocomplete result."""
_YES = frozenset({"yes", "y", "on", "true", "1", "enable", "enabled"})
_NO = frozenset({"no", "n", "off", "false", "0", "disable", "disabled"})
_NONE = frozenset({"none", "null", "nothing", "unlimited"})
_REGEX_MEMORY = 1 << 20


def setting_of(key: str) -> Setting:
    """Return the setting of this name; BadInput says where the names are."""
    try:
        return SETTINGS[key]
    except KeyError:
        raise BadInput(f"There is no setting called {_short(key)}. /settings view shows them all.") from None


def parse(key: str, text: str) -> Value:
    """Turn what a person typed into a value to store; BadInput says what is allowed."""
    setting = setting_of(key.strip().lower())
    return _typed(setting, text)


def read(key: str, value: object) -> Value:
    """Take a stored value in JSON's types, in its normal form; BadInput says what is allowed."""
    setting = setting_of(key)
    if setting.clearable and (value is None or value == "" or (type(value) in {int, float} and value == 0)):
        return None
    if value is None:
        raise _refused(setting)
    match setting.kind:
        case Kind.BOOL:
            return _bool(setting, value)
        case Kind.INT | Kind.NUMBER:
            return _number(setting, value)
        case Kind.STRING | Kind.CHOICE | Kind.REGEX:
            return _text(setting, value)
        case Kind.LIST:
            return _list(setting, value)
        case _:
            assert_never(setting.kind)


def read_or_parse(key: str, value: object) -> Value:
    """Take a value from a configuration file, or from the environment, where everything is text."""
    return _typed(setting_of(key), value) if isinstance(value, str) else read(key, value)


def display(key: str, value: object) -> str:
    """Show a value so that typing it again gives the same value."""
    if value is None or (SETTINGS[key].kind is Kind.LIST and not value):
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(str(item) for item in value)
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def allowed(setting: Setting) -> str:
    """Say what a setting takes, as the end of a sentence."""
    none = ", or none" if setting.clearable else ""
    match setting.kind:
        case Kind.BOOL:
            return "yes or no"
        case Kind.INT | Kind.NUMBER:
            sort = "a whole number" if setting.kind is Kind.INT else "a number"
            unit = f" ({setting.unit})" if setting.unit else ""
            return f"{sort} from {setting.minimum:g} to {setting.maximum:,.0f}{unit}{none}"
        case Kind.STRING:
            return f"a text of 1 to {setting.max_length} characters"
        case Kind.CHOICE:
            return " or ".join(filter(None, (", ".join(setting.choices[:-1]), setting.choices[-1])))
        case Kind.LIST:
            return f"up to {MAX_ITEMS} entries like {setting.example}, separated by commas, or none"
        case Kind.REGEX:
            return f"a regular expression (RE2) of up to {setting.max_length} characters{none}"
        case _:
            assert_never(setting.kind)


def suggest_keys(typed: str) -> tuple[str, ...]:
    """Name the settings that fit what was typed so far, those that begin with it first."""
    return _fitting(SETTINGS, typed)


def suggestions(key: str, typed: str, current: object = None) -> tuple[str, ...]:
    """Offer values for a setting as texts to type, at most 25; an unknown key has none."""
    setting = SETTINGS.get(key.strip().lower())
    if setting is None:
        return ()
    match setting.kind:
        case Kind.BOOL:
            offered: tuple[str, ...] = ("yes", "no")
        case Kind.CHOICE:
            offered = setting.choices
        case Kind.LIST:
            return _list_suggestions(setting, typed, current)
        case Kind.INT | Kind.NUMBER | Kind.STRING | Kind.REGEX:
            known = [value for value in (current, setting.default) if value is not None]
            offered = (*(display(setting.key, value) for value in known), *setting.suggested)
            if setting.clearable:
                offered = (*offered, "none")
        case _:
            assert_never(setting.kind)
    return _fitting(offered, typed)


def _typed(setting: Setting, text: str) -> Value:
    """Read a text as a person or an environment variable gives it."""
    stripped = text.strip()
    lower = stripped.lower()
    if lower in _NONE and (setting.clearable or setting.kind is Kind.LIST):
        return [] if setting.kind is Kind.LIST else None
    match setting.kind:
        case Kind.BOOL:
            value: object = True if lower in _YES else False if lower in _NO else text
        case Kind.INT | Kind.NUMBER:
            value = _typed_number(setting, lower)
        case Kind.CHOICE:
            value = lower
        case Kind.LIST:
            value = [part for part in re.split(r"[,\s]+", stripped) if part]
            if not value:
                raise _refused(setting)
        case Kind.STRING | Kind.REGEX:
            value = stripped
        case _:
            assert_never(setting.kind)
    return read(setting.key, value)


def _typed_number(setting: Setting, text: str) -> object:
    """Read digits with an optional unit behind them (``25 MB``); what is no number stays text and is refused."""
    unit = setting.unit.lower()
    digits = text.removesuffix(unit).strip() if unit else text
    if not re.fullmatch(r"[+-]?[0-9]{1,15}(\.[0-9]{1,9})?", digits):
        return text
    return float(digits) if "." in digits else int(digits)


def _bool(setting: Setting, value: object) -> bool:
    if isinstance(value, bool):
        return value
    raise _refused(setting)


def _number(setting: Setting, value: object) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _refused(setting)
    # Neither infinity nor NaN is between two numbers.
    if not setting.minimum <= value <= setting.maximum:
        raise _refused(setting)
    if float(value).is_integer():
        return int(value)
    if setting.kind is Kind.INT:
        raise _refused(setting)
    return value


def _text(setting: Setting, value: object) -> str:
    if not isinstance(value, str) or "\x00" in value:
        raise _refused(setting)
    if setting.kind is Kind.CHOICE:
        if value not in setting.choices:
            raise _refused(setting)
    elif not 1 <= len(value) <= setting.max_length:
        raise _refused(setting)
    if setting.kind is Kind.REGEX:
        _compile(setting, value)
    return value


def _compile(setting: Setting, pattern: str) -> None:
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _REGEX_MEMORY
    try:
        re2.compile(pattern, options=options)
    except (re2.error, UnicodeError) as error:
        why = error.args[0] if error.args else error
        why = why.decode("utf-8", "replace") if isinstance(why, bytes) else str(why)
        raise BadInput(f"{setting.key}: this regular expression can't be used: {_short(why, 200)}.") from None


def _list(setting: Setting, value: object) -> list[str]:
    if not isinstance(value, list | tuple) or len(value) > MAX_ITEMS:
        raise _refused(setting)
    items: dict[str, None] = {}
    for entry in value:
        item = entry.strip().lower().removeprefix(".") if isinstance(entry, str) else ""
        if len(item) > setting.max_length or not re.fullmatch(setting.item, item):
            raise BadInput(f"{setting.key}: {_short(str(entry))} can't be an entry; it takes {allowed(setting)}.")
        items[item] = None
    return list(items)


def _refused(setting: Setting) -> BadInput:
    return BadInput(f"{setting.key} takes {allowed(setting)}.")


def _short(text: str, limit: int = 50) -> str:
    """Cut what someone typed so that a sentence stays one; it is quoted, and it can't break out of the quotes."""
    clean = "".join(c if c.isprintable() and c != "`" else " " for c in text)
    return f"`{clean[: limit - 1]}…`" if len(clean) > limit else f"`{clean}`"


def _list_suggestions(setting: Setting, typed: str, current: object) -> tuple[str, ...]:
    """Complete the entry being typed, behind the ones before it."""
    before, comma, last = typed.rpartition(",")
    if comma:
        there = {part.strip().lower() for part in before.split(",")}
        rest = (choice for choice in setting.choices if choice not in there)
        return _cut(f"{before.strip()}, {choice}" for choice in _fitting(rest, last))
    known = () if current is None else (display(setting.key, current),)
    return _fitting((*known, display(setting.key, setting.default), *setting.choices, "none"), typed)


def _fitting(offered: Iterable[str], typed: str) -> tuple[str, ...]:
    """Those that begin with what was typed, then those that contain it."""
    wanted = typed.strip().lower()
    fitting = [text for text in dict.fromkeys(offered) if wanted in text.lower()]
    return _cut(sorted(fitting, key=lambda text: not text.lower().startswith(wanted)))


def _cut(offered: Iterable[str]) -> tuple[str, ...]:
    return tuple(text for text in offered if len(text) <= MAX_CHOICE_LENGTH)[:MAX_CHOICES]
