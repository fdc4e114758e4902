"""Everything in a message that is a video by its type or its name, wherever it is. Pure."""

from collections.abc import Iterator
from typing import Final, TypeAlias

from clipsaver.clips.links import attachment_link, expiry, filename_in
from clipsaver.clips.model import FoundClip
from clipsaver.clips.rules import Rules
from clipsaver.discord.snapshots import (
    AttachmentSnapshot,
    EmbedSnapshot,
    ForwardSnapshot,
    MediaSnapshot,
    MessageSnapshot,
)

Place: TypeAlias = MessageSnapshot | ForwardSnapshot

IS_CLIP: Final = 1 << 0
IS_SPOILER: Final = 1 << 3
"""Discord: Attachment Flags."""
SPOILER_PREFIX: Final = "SPOILER_"
"""How an uploader marks a file as a spoiler by its name."""


def videos_in(message: MessageSnapshot, rules: Rules) -> list[FoundClip]:
    """Every video in a message by type or name, each file once: its own first, then what it forwards."""
    videos: dict[object, FoundClip] = {}
    for attachment, forwarded in _attachments(message):
        if rules.allows(filename=attachment.filename, content_type=attachment.content_type):
            videos.setdefault(attachment.id, _of_attachment(message.id, attachment, forwarded=forwarded))
    for index, (medium, forwarded) in enumerate(_media(message)):
        shown: tuple[object, FoundClip] | None
        if isinstance(medium, MediaSnapshot):
            shown = _of_medium(message.id, index, medium, forwarded=forwarded)
        else:
            shown = _of_embed(message.id, index, medium, forwarded=forwarded)
        if shown is not None and rules.allows(filename=shown[1].filename, content_type=shown[1].content_type):
            videos.setdefault(*shown)
    return list(videos.values())


def _places(message: MessageSnapshot) -> Iterator[tuple[Place, bool]]:
    """Where media can be, and whether that is a forwarded message."""
    yield message, False
    for forward in message.forwarded:
        yield forward, True


def _attachments(message: MessageSnapshot) -> Iterator[tuple[AttachmentSnapshot, bool]]:
    """The attachments of a message and of what it forwards."""
    for place, forwarded in _places(message):
        for attachment in place.attachments:
            yield attachment, forwarded


def _media(message: MessageSnapshot) -> Iterator[tuple[MediaSnapshot | EmbedSnapshot, bool]]:
    """All other media in an order that holds whatever the rules are, since their ids are made from it."""
    for place, forwarded in _places(message):
        for medium in place.components:
            yield medium, forwarded
        for embed in place.embeds:
            yield embed, forwarded


def _of_attachment(message_id: int, attachment: AttachmentSnapshot, *, forwarded: bool) -> FoundClip:
    flags = attachment.flags
    return FoundClip(
        clip_id=f"{message_id}-{attachment.id}",
        message_id=message_id,
        attachment_id=attachment.id,
        filename=attachment.filename,
        title=attachment.title,
        description=attachment.description,
        content_type=attachment.content_type,
        size=attachment.size or None,
        url=attachment.url,
        url_expires_at=expiry(attachment.url),
        width=attachment.width,
        height=attachment.height,
        duration_seconds=attachment.duration_secs,
        is_clip=bool(flags & IS_CLIP),
        is_spoiler=bool(flags & IS_SPOILER) or attachment.filename.startswith(SPOILER_PREFIX),
        is_forward=forwarded,
        game=attachment.application_name,
        clip_created_at=attachment.clip_created_at,
        participants=tuple(user.id for user in attachment.clip_participants),
    )


def _of_medium(message_id: int, index: int, medium: MediaSnapshot, *, forwarded: bool) -> tuple[object, FoundClip]:
    """What a component shows, and which file that is."""
    link = attachment_link(medium.url)
    filename = medium.name or (link.filename if link else filename_in(medium.url))
    attachment_id = medium.attachment_id
    clip = FoundClip(
        clip_id=f"{message_id}-e{index}" if attachment_id is None else f"{message_id}-{attachment_id}",
        message_id=message_id,
        attachment_id=attachment_id,
        filename=filename,
        description=medium.description,
        content_type=medium.content_type,
        size=medium.size,
        url=medium.url,
        url_expires_at=expiry(medium.url),
        width=medium.width,
        height=medium.height,
        is_spoiler=medium.spoiler or filename.startswith(SPOILER_PREFIX),
        is_forward=forwarded,
    )
    if attachment_id is not None:
        return attachment_id, clip
    return (link.attachment_id if link else medium.url), clip


def _of_embed(message_id: int, index: int, embed: EmbedSnapshot, *, forwarded: bool) -> tuple[object, FoundClip] | None:
    """The attachment elsewhere on Discord whose link an embed shows; other sites' players are no files to save."""
    video = embed.video
    url = None if video is None else video.url
    link = attachment_link(url)
    if video is None or url is None or link is None:
        return None
    clip = FoundClip(
        clip_id=f"{message_id}-e{index}",
        message_id=message_id,
        attachment_id=None,
        filename=link.filename,
        content_type=video.content_type,
        url=url,
        url_expires_at=expiry(url),
        width=video.width,
        height=video.height,
        is_spoiler=link.filename.startswith(SPOILER_PREFIX),
        is_forward=forwarded,
    )
    return link.attachment_id, clip
