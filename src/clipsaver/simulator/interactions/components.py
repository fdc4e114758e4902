"""What Discord accepts as a message's components (Discord: Component Reference), old style and new."""

from collections.abc import Mapping, Sequence
from typing import Any

from attrs import define, field

from clipsaver.simulator.interactions.forms import Form, Path
from clipsaver.simulator.interactions.selects import read_select

ACTION_ROW, BUTTON, STRING_SELECT, TEXT_INPUT, USER_SELECT, ROLE_SELECT, MENTIONABLE_SELECT, CHANNEL_SELECT = range(
    1, 9
)
SECTION, TEXT_DISPLAY, THUMBNAIL, MEDIA_GALLERY, FILE, SEPARATOR = range(9, 15)
CONTAINER = 17
SELECTS = (STRING_SELECT, USER_SELECT, ROLE_SELECT, MENTIONABLE_SELECT, CHANNEL_SELECT)
IN_ROW = (BUTTON, *SELECTS)
IN_CONTAINER = (ACTION_ROW, SECTION, TEXT_DISPLAY, MEDIA_GALLERY, FILE, SEPARATOR)
TOP_LEVEL = (*IN_CONTAINER, CONTAINER)
LINK, PREMIUM = 5, 6
STYLES = (1, 2, 3, 4, LINK, PREMIUM)
MOST_ROWS = 5
MOST_IN_ROW = 5
MOST_COMPONENTS = 40
MOST_TEXT = 4000
LARGEST_ID = 2**31 - 1


@define
class _Reader:
    """One message's components while they are read: what must be unique or fit in all of them together."""

    form: Form
    files: frozenset[str]
    total: int = 0
    text: int = 0
    custom_ids: set[str] = field(factory=set)
    ids: set[int] = field(factory=set)

    def children(
        self, path: Path, value: Any, allowed: tuple[int, ...], *, least: int = 1, most: int
    ) -> list[dict[str, Any]]:
        """The components of a list, each of an allowed type."""
        items = self.form.items(path, value, least=least, most=most)
        return [self.one((*path, index), item, allowed) for index, item in enumerate(items)]

    def one(self, path: Path, value: Any, allowed: tuple[int, ...]) -> dict[str, Any]:
        """One component as Discord keeps it."""
        body = self.form.mapping(path, value)
        if body is None:
            return {}
        self.total += 1
        kind = body.get("type")
        if kind not in allowed:
            numbers = ", ".join(map(str, allowed))
            self.form.add((*path, "type"), "UNION_TYPE_CHOICES", f'Value of field "type" must be one of ({numbers}).')
            return {}
        record: dict[str, Any] = {"type": kind, "id": self._id(path, body.get("id"))}
        return record | self._particulars(path, body, kind)

    def _id(self, path: Path, value: Any) -> int:
        number = self.form.integer((*path, "id"), value, least=0, most=LARGEST_ID) or 0
        if number and number in self.ids:
            self.form.add((*path, "id"), "COMPONENT_ID_DUPLICATED", "Component id cannot be duplicated")
        self.ids.add(number)
        return number

    def _particulars(self, path: Path, body: Mapping[str, Any], kind: int) -> dict[str, Any]:
        if kind in SELECTS:
            return {"custom_id": read_custom_id(self.form, path, body, self.custom_ids)} | read_select(
                self.form, path, body, kind
            )
        readers = {
            ACTION_ROW: self._row,
            BUTTON: self._button,
            SECTION: self._section,
            TEXT_DISPLAY: self._text,
            THUMBNAIL: self._media_item,
            MEDIA_GALLERY: self._gallery,
            FILE: self._file,
            SEPARATOR: self._separator,
            CONTAINER: self._container,
        }
        return readers[kind](path, body)

    def _row(self, path: Path, body: Mapping[str, Any]) -> dict[str, Any]:
        where = (*path, "components")
        children = self.children(where, body.get("components"), IN_ROW, most=MOST_IN_ROW)
        if len(children) > 1 and any(child.get("type") in SELECTS for child in children):
            message = "The specified component exceeds the maximum width"
            self.form.add((*where, len(children) - 1), "COMPONENT_LAYOUT_WIDTH_EXCEEDED", message)
        return {"components": children}

    def _button(self, path: Path, body: Mapping[str, Any]) -> dict[str, Any]:
        form = self.form
        record: dict[str, Any] = {"style": form.choice((*path, "style"), body.get("style"), STYLES)}
        label = form.text((*path, "label"), body.get("label"), most=80)
        record |= {"label": label} if label else {}
        record |= {"emoji": body["emoji"]} if body.get("emoji") else {}
        record |= {"disabled": True} if form.boolean((*path, "disabled"), body.get("disabled")) else {}
        style = record["style"]
        if style != PREMIUM and not label and "emoji" not in record:
            form.add((*path, "label"), "BUTTON_COMPONENT_LABEL_REQUIRED", "A label or an emoji is required")
        for key, needed in (
            ("custom_id", style not in (LINK, PREMIUM)),
            ("url", style == LINK),
            ("sku_id", style == PREMIUM),
        ):
            given = body.get(key)
            if needed and not given:
                words = key.replace("_", " ")
                form.add((*path, key), f"BUTTON_COMPONENT_{key.upper()}_REQUIRED", f"A {words} is required")
            elif given and not needed:
                form.add((*path, key), f"BUTTON_COMPONENT_{key.upper()}_FORBIDDEN", "Not allowed with this style")
            elif given and key == "custom_id":
                record[key] = read_custom_id(form, path, body, self.custom_ids)
            elif given:
                record[key] = form.text((*path, key), given, most=512)
        if "url" in record:
            self._check_url((*path, "url"), record["url"], ("http", "https", "discord"))
        return record

    def _check_url(self, path: Path, url: Any, schemes: Sequence[str]) -> None:
        scheme = str(url).partition("://")[0]
        if url is not None and (scheme not in schemes or "://" not in str(url)):
            message = f'Scheme "{scheme}" is not supported. Scheme must be one of {tuple(schemes)}.'
            self.form.add(path, "URL_TYPE_INVALID_SCHEME", message)

    def _section(self, path: Path, body: Mapping[str, Any]) -> dict[str, Any]:
        children = self.children((*path, "components"), body.get("components"), (TEXT_DISPLAY,), most=3)
        if body.get("accessory") is None:
            self.form.required((*path, "accessory"))
            return {"components": children}
        accessory = self.one((*path, "accessory"), body["accessory"], (BUTTON, THUMBNAIL))
        return {"components": children, "accessory": accessory}

    def _text(self, path: Path, body: Mapping[str, Any]) -> dict[str, Any]:
        content = self.form.text((*path, "content"), body.get("content"), least=1, most=MOST_TEXT, required=True)
        self.text += len(content or "")
        return {"content": content}

    def _media_item(self, path: Path, body: Mapping[str, Any]) -> dict[str, Any]:
        description = self.form.text((*path, "description"), body.get("description"), most=1024)
        return {
            "media": self._media((*path, "media"), body.get("media"), ("http", "https", "attachment")),
            "description": description,
            "spoiler": self.form.boolean((*path, "spoiler"), body.get("spoiler")),
        }

    def _media(self, path: Path, value: Any, schemes: Sequence[str]) -> dict[str, Any]:
        media = self.form.mapping(path, value) or {}
        url = self.form.text((*path, "url"), media.get("url"), least=1, most=2048, required=True)
        self._check_url((*path, "url"), url, schemes)
        if url is not None and url.startswith("attachment://") and url.removeprefix("attachment://") not in self.files:
            message = "The referenced attachment was not found in the message"
            self.form.add((*path, "url"), "UNFURLED_MEDIA_ITEM_REFERENCED_ATTACHMENT_NOT_FOUND", message)
        return {"url": url}

    def _gallery(self, path: Path, body: Mapping[str, Any]) -> dict[str, Any]:
        where = (*path, "items")
        items = self.form.items(where, body.get("items"), least=1, most=10)
        mappings = [self.form.mapping((*where, index), item) or {} for index, item in enumerate(items)]
        return {"items": [self._media_item((*where, index), item) for index, item in enumerate(mappings)]}

    def _file(self, path: Path, body: Mapping[str, Any]) -> dict[str, Any]:
        file = self._media((*path, "file"), body.get("file"), ("attachment",))
        return {"file": file, "spoiler": self.form.boolean((*path, "spoiler"), body.get("spoiler"))}

    def _separator(self, path: Path, body: Mapping[str, Any]) -> dict[str, Any]:
        divider = body.get("divider") is None or self.form.boolean((*path, "divider"), body.get("divider"))
        spacing = 1 if body.get("spacing") is None else self.form.choice((*path, "spacing"), body["spacing"], (1, 2))
        return {"divider": divider, "spacing": spacing}

    def _container(self, path: Path, body: Mapping[str, Any]) -> dict[str, Any]:
        color = self.form.integer((*path, "accent_color"), body.get("accent_color"), least=0, most=0xFFFFFF)
        spoiler = self.form.boolean((*path, "spoiler"), body.get("spoiler"))
        where = (*path, "components")
        children = self.children(where, body.get("components"), IN_CONTAINER, most=MOST_COMPONENTS)
        return {"accent_color": color, "spoiler": spoiler, "components": children}


def read_components(
    form: Form, path: Path, value: Any, *, v2: bool, files: frozenset[str] = frozenset()
) -> list[dict[str, Any]]:
    """A message's components as Discord keeps them, ids filled in; ``files`` are the names of its attachments."""
    reader = _Reader(form, files)
    allowed = TOP_LEVEL if v2 else (ACTION_ROW,)
    most = MOST_COMPONENTS if v2 else MOST_ROWS
    components = reader.children(path, value, allowed, least=0, most=most)
    if v2 and reader.total > MOST_COMPONENTS:
        message = "The maximum number of total components (40) has been exceeded"
        form.add(path, "COMPONENT_MAX_TOTAL_COMPONENTS_EXCEEDED", message)
    if reader.text > MOST_TEXT:
        message = "The total displayable text size exceeds the maximum of 4000"
        form.add(path, "COMPONENT_DISPLAYABLE_TEXT_SIZE_EXCEEDED", message)
    _number(components, reader.ids)
    return components


def read_custom_id(form: Form, path: Path, body: Mapping[str, Any], used: set[str]) -> str | None:
    """The custom id of an interactive component, required and used once."""
    text = form.text((*path, "custom_id"), body.get("custom_id"), least=1, most=100, required=True)
    if text is not None and text in used:
        message = "Component custom id cannot be duplicated"
        form.add((*path, "custom_id"), "COMPONENT_CUSTOM_ID_DUPLICATED", message)
    used |= set() if text is None else {text}
    return text


def walk(components: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Every component of a message, in reading order, containers before what they hold."""
    found: list[Mapping[str, Any]] = []
    for component in components:
        found.append(component)
        found += walk(component.get("components") or ())
        inner = [component[key] for key in ("accessory", "component") if component.get(key)]
        found += walk(inner)
    return found


def _number(components: list[dict[str, Any]], taken: set[int]) -> None:
    """Give each component without an id the next free number, as Discord does."""
    number = 0
    for component in walk(components):
        if isinstance(component, dict) and not component.get("id"):
            number += 1
            while number in taken:
                number += 1
            component["id"] = number
