"""Select menus and forms as a person fills them in."""

from collections.abc import Mapping, Sequence
from typing import Any

from clipsaver.simulator.interactions import components as parts
from clipsaver.simulator.interactions import option_forms as kinds
from clipsaver.simulator.interactions.modals import CHECKBOX, CHECKBOX_GROUP, FILE_UPLOAD, LABEL, RADIO_GROUP
from clipsaver.simulator.person.choosing import Choosing
from clipsaver.simulator.person.refusals import PersonRefused

_MEANS = {
    parts.USER_SELECT: kinds.USER,
    parts.ROLE_SELECT: kinds.ROLE,
    parts.MENTIONABLE_SELECT: kinds.MENTIONABLE,
    parts.CHANNEL_SELECT: kinds.CHANNEL,
}


def select_values(choosing: Choosing, select: Mapping[str, Any], values: Sequence[Any]) -> list[str]:
    """The values a person chose, as many as the menu takes, each one of what it offers."""
    name = select.get("placeholder") or select.get("custom_id") or ""
    if select["type"] not in parts.SELECTS and select["type"] not in {CHECKBOX_GROUP, RADIO_GROUP}:
        raise PersonRefused(f"{name!r} is no menu.")
    least, most = select.get("min_values", 1), select.get("max_values", 1)
    if not least <= len(values) <= most:
        raise PersonRefused(f"{name!r} takes {least} to {most} of its options.")
    if "options" not in select:
        means, types = _MEANS[select["type"]], select.get("channel_types") or ()
        return [choosing.entity(means, one, name, types) for one in values]
    return [_option(select["options"], one, name) for one in values]


def _option(options: Sequence[Mapping[str, Any]], wanted: Any, name: str) -> str:
    found = next((one for one in options if wanted in {one["value"], one["label"]}), None)
    if found is None:
        raise PersonRefused(f"{name!r} does not offer {wanted!r}.")
    return str(found["value"])


def fill_form(choosing: Choosing, modal: Mapping[str, Any], values: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The components of a form as it is sent in."""
    inputs = [one for one in parts.walk(modal["components"]) if one.get("custom_id")]
    unknown = sorted(values.keys() - {one["custom_id"] for one in inputs})
    if unknown:
        raise PersonRefused(f"The form has no {unknown[0]!r}.")
    sent: list[dict[str, Any]] = []
    for number, top in enumerate(modal["components"], 1):
        told = {"type": top["type"], "id": number}
        if top["type"] == LABEL:
            told["component"] = _filled(choosing, top["component"], values, number * 100)
        elif top["type"] == parts.ACTION_ROW:
            told["components"] = [_filled(choosing, one, values, number * 100) for one in top["components"]]
        sent.append(told)
    return sent


def _filled(choosing: Choosing, component: Mapping[str, Any], values: Mapping[str, Any], number: int) -> dict[str, Any]:
    kind, name = component["type"], component["custom_id"]
    given = values.get(name)
    told: dict[str, Any] = {"type": kind, "id": number, "custom_id": name}
    if given is None and component["required"] and not component.get("value") and kind != CHECKBOX:
        raise PersonRefused(f"{name!r} is required.")
    if kind == parts.TEXT_INPUT:
        return told | {"value": _text(component, component.get("value") or "" if given is None else given)}
    if kind == CHECKBOX:
        return told | {"value": bool(component.get("default") if given is None else given)}
    if kind == FILE_UPLOAD:
        return told | {"values": [choosing.attach(name, one) for one in given or ()]}
    chosen = [] if given is None else select_values(choosing, component, given if isinstance(given, list) else [given])
    if kind == RADIO_GROUP:
        return told | {"value": chosen[0] if chosen else None}
    return told | {"values": chosen}


def _text(component: Mapping[str, Any], text: str) -> str:
    least, most = component.get("min_length") or 0, component.get("max_length") or 4000
    if text and not least <= len(text) <= most:
        raise PersonRefused(f"{component['custom_id']!r} takes {least} to {most} characters.")
    return text
