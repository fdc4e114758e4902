"""Media inside a message that are not attachments: in components of every nesting, and in embeds."""

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

from attrs import frozen

from clipsaver.discord.structuring import Mismatch, Pixels, fields, items, pixels, text, whole

T = TypeVar("T")

THUMBNAIL: Final = 11
MEDIA_GALLERY: Final = 12
FILE: Final = 13
"""Component types, as Discord numbers them; a section (9) has an accessory, anything may have components."""

DEEPEST: Final = 10
"""Discord nests three levels; whatever nests deeper than this is not its."""
MOST: Final = 1000


@frozen(kw_only=True)
class MediaSnapshot:
    """One medium placed in a component: Discord's unfurled media item and what its component says about it."""

    kind: int
    """The component's type: thumbnail 11, media gallery 12, file 13."""
    url: str
    proxy_url: str | None = None
    width: int | None = None
    height: int | None = None
    content_type: str | None = None
    attachment_id: int | None = None
    """The attachment behind it; None for media from elsewhere."""
    id: int | None = None
    """Discord's id of the unfurled medium; not an attachment's."""
    name: str | None = None
    """The file's name; only files have one."""
    size: int | None = None
    description: str | None = None
    spoiler: bool = False


@frozen(kw_only=True)
class VideoSnapshot:
    """The video of an embed."""

    url: str | None = None
    proxy_url: str | None = None
    content_type: str | None = None
    width: Pixels | None = None
    height: Pixels | None = None


@frozen(kw_only=True)
class NamedSnapshot:
    """Something of which only the name matters: an application, a provider of embeds."""

    name: str | None = None


@frozen(kw_only=True)
class EmbedSnapshot:
    """What an embed says about its media; its texts are left out."""

    type: str = "rich"
    url: str | None = None
    video: VideoSnapshot | None = None
    provider: NamedSnapshot | None = None


def media_in(components: object, _: object = None) -> tuple[MediaSnapshot, ...]:
    """Every medium in a message's components, in the order in which they are shown."""
    found: list[MediaSnapshot] = []
    _walk(components, found, 0)
    return tuple(found)


def _walk(components: object, found: list[MediaSnapshot], depth: int) -> None:
    if depth > DEEPEST:
        raise Mismatch("nested too deep")
    for index, component in enumerate(items(components)):
        _below(f"[{index}]", _look_at, component, found, depth)


def _look_at(component: object, found: list[MediaSnapshot], depth: int) -> None:
    payload = fields(component)
    match payload.get("type"):
        case 11:
            _collect(payload, "media", THUMBNAIL, found)
        case 12:
            _below(".items", _gallery, payload.get("items"), found)
        case 13:
            _collect(payload, "file", FILE, found)
        case 9 if payload.get("accessory") is not None:
            _below(".accessory", _look_at, payload["accessory"], found, depth + 1)
    if payload.get("components"):
        _below(".components", _walk, payload["components"], found, depth + 1)


def _gallery(listed: object, found: list[MediaSnapshot]) -> None:
    for index, item in enumerate(items(listed)):
        _below(f"[{index}]", _shown, item, found)


def _shown(item: object, found: list[MediaSnapshot]) -> None:
    _collect(fields(item), "media", MEDIA_GALLERY, found)


def _collect(payload: Mapping[str, Any], key: str, kind: int, found: list[MediaSnapshot]) -> None:
    """Take the medium under this key, if there is one: an entry without shows nothing."""
    if payload.get(key) is None:
        return
    if len(found) >= MOST:
        raise Mismatch("more media than a message can hold")
    found.append(_below(f".{key}", _medium, payload[key], payload, kind))


def _medium(value: object, around: Mapping[str, Any], kind: int) -> MediaSnapshot:
    medium = fields(value)
    return MediaSnapshot(
        kind=kind,
        url=_optional(medium, "url", text) or "",
        proxy_url=_optional(medium, "proxy_url", text),
        width=_optional(medium, "width", pixels),
        height=_optional(medium, "height", pixels),
        content_type=_optional(medium, "content_type", text),
        attachment_id=_optional(medium, "attachment_id", whole),
        id=_optional(medium, "id", whole),
        name=_optional(around, "name", text),
        size=_optional(around, "size", whole),
        description=_optional(around, "description", text),
        spoiler=around.get("spoiler") is True,
    )


def _optional(payload: Mapping[str, Any], key: str, read: Callable[[object], T | None]) -> T | None:
    value = payload.get(key)
    return None if value is None else _below(f".{key}", read, value)


def _below(place: str, read: Callable[..., T], *args: Any) -> T:
    """Read something, and say where it was if it can't be: one level at a time."""
    try:
        return read(*args)
    except Mismatch as problem:
        raise problem.below(place) from None
