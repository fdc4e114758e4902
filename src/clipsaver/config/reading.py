"""How raw values become typed ones: `files` converts nothing of what TOML and YAML hold, `texts` reads variables."""

from functools import partial
from math import isfinite
from operator import eq
from pathlib import Path
from typing import Any

from cattrs import Converter

TRUE = frozenset({"true", "yes", "on", "1"})
FALSE = frozenset({"false", "no", "off", "0"})


def _make(hooks: dict[Any, Any]) -> Converter:
    converter = Converter(forbid_extra_keys=True, detailed_validation=False)
    for kind, hook in hooks.items():
        if isinstance(kind, type):
            converter.register_structure_hook(kind, hook)
        else:
            converter.register_structure_hook_func(partial(eq, kind), hook)
    return converter


def _file_bool(raw: Any, _: Any) -> bool:
    if not isinstance(raw, bool):
        raise TypeError("must be true or false")
    return raw


def _file_int(raw: Any, _: Any) -> int:
    if not isinstance(raw, int) or isinstance(raw, bool):
        raise TypeError("must be a whole number")
    return raw


def _file_number(raw: Any, _: Any) -> int | float:
    if not isinstance(raw, int | float) or isinstance(raw, bool) or not isfinite(raw):
        raise TypeError("must be a number")
    return raw


def _file_float(raw: Any, _: Any) -> float:
    return float(_file_number(raw, None))


def _file_scalar(raw: Any, _: Any) -> str | int | float:
    return raw if isinstance(raw, str) else _file_number(raw, None)


def _file_str(raw: Any, _: Any) -> str:
    if not isinstance(raw, str):
        raise TypeError("must be a text, in quotation marks")
    return raw


def _file_list(raw: Any, _: Any) -> list[str]:
    if not isinstance(raw, list | tuple) or not all(isinstance(item, str) for item in raw):
        raise TypeError("must be a list of texts")
    return list(raw)


def _file_path(raw: Any, _: Any) -> Path:
    if isinstance(raw, Path):
        return raw
    return _path(_file_str(raw, None))


def _path(text: str) -> Path:
    if not text.strip() or "\0" in text:
        raise ValueError("must be a folder")
    return Path(text.strip())


def _text_bool(text: str, _: Any) -> bool:
    said = text.strip().lower()
    if said not in TRUE | FALSE:
        raise ValueError("must be true or false")
    return said in TRUE


def _text_int(text: str, _: Any) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError("must be a whole number") from None


def _text_float(text: str, _: Any) -> float:
    try:
        return _file_float(float(text), None)
    except (ValueError, TypeError):
        raise ValueError("must be a number") from None


def _text_number(text: str, _: Any) -> int | float:
    number = _text_float(text, None)
    return int(number) if number.is_integer() else number


def _text_list(text: str, _: Any) -> list[str]:
    return [item.strip() for item in text.split(",") if item.strip()]


files = _make(
    {
        bool: _file_bool,
        int: _file_int,
        float: _file_float,
        float | int: _file_number,
        str: _file_str,
        str | float | int: _file_scalar,
        list[str]: _file_list,
        tuple[str, ...]: lambda raw, _: tuple(_file_list(raw, None)),
        Path: _file_path,
    }
)
texts = _make(
    {
        bool: _text_bool,
        int: _text_int,
        int | None: _text_int,
        float: _text_float,
        float | int: _text_number,
        str: lambda text, _: text.strip(),
        str | float | int: lambda text, _: text.strip(),
        list[str]: _text_list,
        tuple[str, ...]: lambda text, _: tuple(_text_list(text, None)),
        Path: lambda text, _: _path(text),
    }
)
