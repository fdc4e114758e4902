"""What Discord accepts as a modal (Discord: Interaction Response, "Modal"; Component Reference)."""

from collections.abc import Mapping
from typing import Any, Final

from clipsaver.simulator.interactions.components import ACTION_ROW, SELECTS, TEXT_DISPLAY, TEXT_INPUT, read_custom_id
from clipsaver.simulator.interactions.forms import Form, Path
from clipsaver.simulator.interactions.selects import read_select, read_select_options

LABEL: Final = 18
FILE_UPLOAD, RADIO_GROUP, CHECKBOX_GROUP, CHECKBOX = 19, 21, 22, 23
IN_LABEL: Final = (TEXT_INPUT, *SELECTS, FILE_UPLOAD, RADIO_GROUP, CHECKBOX_GROUP, CHECKBOX)
CHOICES: Final = {RADIO_GROUP: (2, 10), CHECKBOX_GROUP: (1, 10)}
"""How many options a group has."""
MOST_COMPONENTS: Final = 5
LONGEST_VALUE: Final = 4000


def read_modal(form: Form, path: Path, value: Any) -> dict[str, Any]:
    """The modal as Discord shows it; what is wrong with it is noted in the form."""
    body = form.mapping(path, {} if value is None else value) or {}
    record: dict[str, Any] = {
        "custom_id": form.text((*path, "custom_id"), body.get("custom_id"), least=1, most=100, required=True),
        "title": form.text((*path, "title"), body.get("title"), least=1, most=45, required=True),
    }
    where = (*path, "components")
    used: set[str] = set()
    items = form.items(where, body.get("components"), least=1, most=MOST_COMPONENTS)
    record["components"] = [_top(form, (*where, index), one, used) for index, one in enumerate(items)]
    return record


def _top(form: Form, path: Path, value: Any, used: set[str]) -> dict[str, Any]:
    body = form.mapping(path, value) or {}
    kind = form.choice((*path, "type"), body.get("type"), (ACTION_ROW, TEXT_DISPLAY, LABEL))
    if kind is None:
        return {}
    if kind == ACTION_ROW:
        where = (*path, "components")
        items = form.items(where, body.get("components"), least=1, most=1)
        inner = [_input(form, (*where, index), one, used, (TEXT_INPUT,)) for index, one in enumerate(items)]
        return {"type": kind, "components": inner}
    if kind == TEXT_DISPLAY:
        text = form.text((*path, "content"), body.get("content"), least=1, most=LONGEST_VALUE, required=True)
        return {"type": kind, "content": text}
    label = form.text((*path, "label"), body.get("label"), least=1, most=45, required=True)
    form.text((*path, "description"), body.get("description"), least=1, most=100)
    if body.get("component") is None:
        form.required((*path, "component"))
        return {}
    inner_one = _input(form, (*path, "component"), body["component"], used, IN_LABEL)
    return {"type": kind, "label": label, "description": body.get("description"), "component": inner_one}


def _input(form: Form, path: Path, value: Any, used: set[str], allowed: tuple[int, ...]) -> dict[str, Any]:
    body = form.mapping(path, value) or {}
    kind = form.choice((*path, "type"), body.get("type"), allowed)
    if kind is None:
        return {}
    required = body.get("required") is None or form.boolean((*path, "required"), body["required"])
    record: dict[str, Any] = {"type": kind, "custom_id": read_custom_id(form, path, body, used), "required": required}
    if kind == TEXT_INPUT:
        return record | _text_input(form, path, body)
    if kind in SELECTS:
        return record | read_select(form, path, body, kind)
    if kind in CHOICES:
        record["options"] = read_select_options(form, (*path, "options"), body.get("options"), *CHOICES[kind])
    return record | {key: body[key] for key in ("min_values", "max_values", "default") if key in body}


def _text_input(form: Form, path: Path, body: Mapping[str, Any]) -> dict[str, Any]:
    if path[-2] == "components":
        form.text((*path, "label"), body.get("label"), least=1, most=45, required=True)
    return {
        "style": form.choice((*path, "style"), body.get("style"), (1, 2)),
        "label": body.get("label"),
        "min_length": form.integer((*path, "min_length"), body.get("min_length"), least=0, most=LONGEST_VALUE),
        "max_length": form.integer((*path, "max_length"), body.get("max_length"), least=1, most=LONGEST_VALUE),
        "value": form.text((*path, "value"), body.get("value"), most=LONGEST_VALUE),
        "placeholder": form.text((*path, "placeholder"), body.get("placeholder"), most=100),
    }
