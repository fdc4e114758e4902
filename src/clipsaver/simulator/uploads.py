"""From what a bot sends to what is kept: files become attachments, ``attachment://`` becomes media."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from clipsaver.simulator.entities import Attachment, Media
from clipsaver.simulator.interactions.bodies import Upload
from clipsaver.simulator.world import World

VIDEOS: Final = re.compile(r"\.(mp4|mov|webm|mkv|avi|m4v)$", re.IGNORECASE)
UNSAFE: Final = re.compile(r"[^A-Za-z0-9._-]+")
LOCAL: Final = "attachment://"


def keep_files(
    world: World, channel_id: int, files: Mapping[int, Upload], records: Sequence[Mapping[str, Any]]
) -> tuple[Attachment, ...]:
    """The uploaded files as attachments, in the order of the partial attachments that describe them."""
    kept = []
    for record in records:
        upload = files.get(int(record["id"]))
        if upload is None:
            continue
        given = str(record.get("filename") or upload.filename)
        kept.append(
            world.make_attachment(
                channel_id,
                plain_name(given),
                title=None if plain_name(given) == given else given.rpartition(".")[0] or given,
                data=upload.content,
                content_type=upload.content_type,
                description=record.get("description"),
                is_clip=bool(VIDEOS.search(upload.filename)),
            )
        )
    return tuple(kept)


def plain_name(name: str) -> str:
    """A file's name as it can stand in a link: letters, digits, dots, dashes and underscores."""
    return UNSAFE.sub("_", name.encode("ascii", "ignore").decode()).strip("._") or "unknown"


def with_media(
    components: Sequence[Mapping[str, Any]], attachments: Sequence[Attachment], world: World
) -> tuple[tuple[dict[str, Any], ...], tuple[Media, ...], tuple[Attachment, ...]]:
    """Components with their media in place, the media in reading order, and the attachments no component shows."""
    by_name = {one.filename: one for one in attachments}
    media: list[Media] = []

    def place(part: Any) -> Any:
        if isinstance(part, list):
            return [place(one) for one in part]
        if not isinstance(part, Mapping):
            return part
        record = {name: place(value) for name, value in part.items() if name not in {"media", "file"}}
        for name in part.keys() & {"media", "file"}:
            url = str(part[name]["url"])
            shown = by_name.get(plain_name(url.removeprefix(LOCAL))) if url.startswith(LOCAL) else None
            one = Media(id=world.new_id(), attachment=shown, url=None if shown else url)
            media.append(one)
            record[name] = one
            if name == "file" and shown is not None:
                record |= {"name": shown.filename, "size": shown.size}
        return record

    placed = tuple(place(list(components)))
    shown = {one.attachment.id for one in media if one.attachment is not None}
    return placed, tuple(media), tuple(one for one in attachments if one.id not in shown)


def kept_embeds(embeds: Sequence[Mapping[str, Any]]) -> tuple[dict[str, Any], ...]:
    """Sent embeds as Discord keeps them: rich, without what only Discord may set, pictures with a proxied link."""
    return tuple(_embed(one) for one in embeds)


def _embed(sent: Mapping[str, Any]) -> dict[str, Any]:
    embed = {name: value for name, value in sent.items() if name not in {"provider", "video"}} | {"type": "rich"}
    for name in ("image", "thumbnail"):
        url = (sent.get(name) or {}).get("url")
        if url:
            embed[name] = {"url": url, "proxy_url": f"https://images-ext-1.discordapp.net/external/{url}"}
    if sent.get("fields"):
        embed["fields"] = [{**one, "inline": bool(one.get("inline"))} for one in sent["fields"]]
    return embed
