"""What Discord accepts as embeds (Discord: Message, "Embed Limits")."""

from collections.abc import Mapping
from typing import Any

from clipsaver.simulator.interactions.forms import Form, Path

MOST_EMBEDS = 10
MOST_FIELDS = 25
MOST_CHARACTERS = 6000
VISIBLE = ("title", "description", "fields", "author", "footer", "image", "thumbnail")


def read_embeds(form: Form, path: Path, value: Any) -> list[dict[str, Any]]:
    """The embeds as Discord keeps them; what is wrong with them is noted in the form."""
    total = 0
    records = []
    for index, one in enumerate(form.items(path, value, most=MOST_EMBEDS)):
        where = (*path, index)
        embed = form.mapping(where, one)
        if embed is None:
            continue
        if not any(embed.get(key) for key in VISIBLE):
            form.required((*where, "description"))
        total += _check_texts(form, where, embed)
        records.append(_kept(embed))
    if total > MOST_CHARACTERS:
        form.add(path, "MAX_EMBED_SIZE_EXCEEDED", f"Embed size exceeds maximum size of {MOST_CHARACTERS}")
    return records


def _check_texts(form: Form, path: Path, embed: Mapping[str, Any]) -> int:
    """Check every text of an embed; the characters that count towards the common limit."""
    texts = [
        form.text((*path, "title"), embed.get("title"), most=256, strip=True),
        form.text((*path, "description"), embed.get("description"), most=4096, strip=True),
    ]
    for key, inner, most in (("footer", "text", 2048), ("author", "name", 256)):
        part = form.mapping((*path, key), embed[key]) if embed.get(key) is not None else None
        if part is not None:
            texts.append(form.text((*path, key, inner), part.get(inner), most=most, strip=True))
    for index, one in enumerate(form.items((*path, "fields"), embed.get("fields"), most=MOST_FIELDS)):
        where = (*path, "fields", index)
        field = form.mapping(where, one) or {}
        for key, most in (("name", 256), ("value", 1024)):
            texts.append(form.text((*where, key), field.get(key), least=1, most=most, required=True, strip=True))
    form.integer((*path, "color"), embed.get("color"), least=0, most=0xFFFFFF)
    return sum(len(text.strip()) for text in texts if text)


def _kept(embed: Mapping[str, Any]) -> dict[str, Any]:
    """An embed as it is answered: always rich, its fields saying whether they are inline."""
    record = {key: item for key, item in embed.items() if item is not None} | {"type": "rich"}
    if record.get("fields"):
        known = [one for one in record["fields"] if isinstance(one, dict)]
        record["fields"] = [{**one, "inline": one.get("inline") is True} for one in known]
    return record
