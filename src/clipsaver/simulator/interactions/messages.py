"""What Discord accepts as a message: of an interaction's answer, a follow-up, or an edit of either."""

from collections.abc import Mapping
from typing import Any, Final

from attrs import frozen

from clipsaver.simulator.interactions.bodies import Upload
from clipsaver.simulator.interactions.components import read_components
from clipsaver.simulator.interactions.embeds import read_embeds
from clipsaver.simulator.interactions.forms import Form, Path, Refused

SUPPRESS_EMBEDS: Final = 1 << 2
EPHEMERAL: Final = 1 << 6
LOADING: Final = 1 << 7
SUPPRESS_NOTIFICATIONS: Final = 1 << 12
IS_VOICE_MESSAGE: Final = 1 << 13
IS_COMPONENTS_V2: Final = 1 << 15
SETTABLE: Final = SUPPRESS_EMBEDS | EPHEMERAL | SUPPRESS_NOTIFICATIONS | IS_VOICE_MESSAGE | IS_COMPONENTS_V2
SETTABLE_BY_EDIT: Final = SUPPRESS_EMBEDS | IS_COMPONENTS_V2
LEGACY: Final = ("content", "embeds", "poll")
LONGEST_CONTENT: Final = 2000
MENTION_KINDS: Final = ("roles", "users", "everyone")
DEFAULT_SIZE_LIMIT: Final = 10 * 1024 * 1024


@frozen(kw_only=True)
class Draft:
    """A message body that Discord takes. In an edit, None is what the body left out."""

    content: str | None
    embeds: list[dict[str, Any]] | None
    components: list[dict[str, Any]] | None
    attachments: list[dict[str, Any]] | None
    """Partial attachments: of new files by their number, of kept ones by their id."""
    flags: int
    tts: bool = False
    poll: Mapping[str, Any] | None = None
    allowed_mentions: Mapping[str, Any] | None = None


@frozen(kw_only=True)
class Existing:
    """What an edit has to know of the message as it is."""

    content: str = ""
    embeds: int = 0
    components: int = 0
    attachments: Mapping[int, str] | None = None
    """File names by attachment id."""
    flags: int = 0


def read_message(
    value: Any, files: Mapping[int, Upload], *, path: Path = (), size_limit: int = DEFAULT_SIZE_LIMIT
) -> Draft:
    """The body of a new message, or Discord's refusal of it."""
    form = Form()
    body = form.mapping(path, {} if value is None else value) or {}
    draft = _read(form, path, body, files, flags=_flags(form, path, body) & SETTABLE, kept={})
    form.check()
    _check_sizes(files, size_limit)
    if not (draft.content or draft.embeds or draft.components or draft.poll or files):
        raise Refused(400, 50006, "Cannot send an empty message")
    return draft


def read_edit(
    value: Any,
    files: Mapping[int, Upload],
    was: Existing,
    *,
    path: Path = (),
    size_limit: int = DEFAULT_SIZE_LIMIT,
) -> Draft:
    """The body of an edit, or Discord's refusal of it."""
    form = Form()
    body = form.mapping(path, {} if value is None else value) or {}
    flags = was.flags & ~SUPPRESS_EMBEDS if "flags" in body else was.flags
    flags |= _flags(form, path, body) & SETTABLE_BY_EDIT
    draft = _read(form, path, body, files, flags=flags, kept=was.attachments or {})
    if flags & IS_COMPONENTS_V2:
        _check_replaced(form, path, body, was)
    form.check()
    _check_sizes(files, size_limit)
    if not (_remains(draft, was) or files):
        raise Refused(400, 50006, "Cannot send an empty message")
    return draft


def _remains(draft: Draft, was: Existing) -> bool:
    content = was.content if draft.content is None else draft.content
    embeds = was.embeds if draft.embeds is None else len(draft.embeds)
    components = was.components if draft.components is None else len(draft.components)
    attachments = len(was.attachments or ()) if draft.attachments is None else len(draft.attachments)
    return bool(content or embeds or components or attachments or draft.poll)


def _read(
    form: Form,
    path: Path,
    body: Mapping[str, Any],
    files: Mapping[int, Upload],
    *,
    flags: int,
    kept: Mapping[int, str],
) -> Draft:
    v2 = bool(flags & IS_COMPONENTS_V2)
    for key in LEGACY if v2 else ():
        if body.get(key):
            message = f"The '{key}' field cannot be used when using MessageFlags.IS_COMPONENTS_V2"
            form.add((*path, key), "MESSAGE_CANNOT_USE_LEGACY_FIELDS_WITH_COMPONENTS_V2", message)
    attachments = _attachments(form, path, body, files, kept)
    staying = kept if attachments is None else {one["id"]: kept.get(int(one["id"])) for one in attachments}
    names = frozenset(name for name in staying.values() if name) | {upload.filename for upload in files.values()}
    content = form.text((*path, "content"), body.get("content"), most=LONGEST_CONTENT) or ""
    embeds = read_embeds(form, (*path, "embeds"), body.get("embeds"))
    components = read_components(form, (*path, "components"), body.get("components"), v2=v2, files=names)
    return Draft(
        content=content if "content" in body else None,
        embeds=embeds if "embeds" in body else None,
        components=components if "components" in body else None,
        attachments=attachments,
        flags=flags,
        tts=form.boolean((*path, "tts"), body.get("tts")),
        poll=body.get("poll"),
        allowed_mentions=_mentions(form, (*path, "allowed_mentions"), body.get("allowed_mentions")),
    )


def _flags(form: Form, path: Path, body: Mapping[str, Any]) -> int:
    return form.integer((*path, "flags"), body.get("flags"), least=0, most=2**31 - 1) or 0


def _check_replaced(form: Form, path: Path, body: Mapping[str, Any], was: Existing) -> None:
    """A message that turns to components v2 must have its old content taken away first."""
    for key, there in (("content", was.content), ("embeds", was.embeds)):
        if there and key not in body:
            message = f"The '{key}' field must be null when setting MessageFlags.IS_COMPONENTS_V2"
            form.add((*path, key), "MESSAGE_CANNOT_USE_LEGACY_FIELDS_WITH_COMPONENTS_V2", message)


def _check_sizes(files: Mapping[int, Upload], limit: int) -> None:
    if sum(len(upload.content) for upload in files.values()) > limit:
        raise Refused(413, 40005, "Request entity too large")


def _attachments(
    form: Form, path: Path, body: Mapping[str, Any], files: Mapping[int, Upload], kept: Mapping[int, str]
) -> list[dict[str, Any]] | None:
    """The partial attachments; a file that is not mentioned is described by its own name."""
    where = (*path, "attachments")
    listed = form.items(where, body.get("attachments"), most=10)
    records: list[dict[str, Any]] = []
    for index, one in enumerate(listed):
        item = form.mapping((*where, index), one) or {}
        number = _snowflake(item.get("id"))
        if number is None or (number not in files and number not in kept):
            form.add((*where, index, "id"), "ATTACHMENT_NOT_FOUND", "The attachment was not found")
            continue
        form.text((*where, index, "description"), item.get("description"), most=1024)
        records.append({**item, "id": str(number)})
    mentioned = {int(record["id"]) for record in records}
    records += [{"id": str(number)} for number in files if number not in mentioned]
    return records if records or body.get("attachments") is not None else None


def _snowflake(value: Any) -> int | None:
    text = str(value)
    return int(text) if text.isdecimal() else None


def _mentions(form: Form, path: Path, value: Any) -> Mapping[str, Any] | None:
    """Allowed mentions: known kinds, and not a kind as a whole next to a list of the same."""
    if value is None:
        return None
    mentions = form.mapping(path, value) or {}
    parse = form.items((*path, "parse"), mentions.get("parse"), most=len(MENTION_KINDS))
    for index, kind in enumerate(parse):
        if kind not in MENTION_KINDS:
            form.add((*path, "parse", index), "BASE_TYPE_CHOICES", f"Value must be one of {MENTION_KINDS}.")
    for kind in ("roles", "users"):
        listed = form.items((*path, kind), mentions.get(kind), most=100)
        if listed and kind in parse:
            message = f'parse:["{kind}"] and {kind}: [ids...] are mutually exclusive.'
            form.add(path, "MESSAGE_ALLOWED_MENTIONS_PARSE_EXCLUSIVE", message)
    return mentions
