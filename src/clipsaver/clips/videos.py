"""Everything in a message that is a video by its type or its name, wherever it is. Pure."""

from collections.abc import Iterator
from typing import Final, TypeAlias

from clipsaver.clips.links import AttachmentLink, attachment_link, expiry, filename_in
from clipsaver.clips.model import FoundClip
from clipsaver.clips.rules import Rules
from clipsaver.discord.snapshots import (
    AttachmentSnapshot,
    ForwardSnapshot,
    MediaSnapshot,
    MessageSnapshot,
    VideoSnapshot,
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
    for place, forwarded in _places(message):
        for attachment in place.attachments:
            if rules.allows(filename=attachment.filename, content_type=attachment.content_type):
                videos.setdefault(attachment.id, _of_attachment(message.id, attachment, forwarded=forwarded))
    if not (message.forwarded or message.media or message.embeds):
        return list(videos.values())
    for clip in _attached_media(message):
        if rules.allows(filename=clip.filename, content_type=clip.content_type):
            videos.setdefault(clip.attachment_id, clip)
    for file, clip in _other_media(message):
        if rules.allows(filename=clip.filename, content_type=clip.content_type):
            videos.setdefault(file, clip)
    return list(videos.values())


def _places(message: MessageSnapshot) -> list[tuple[Place, bool]]:
    """Where media can be, and whether that is a forwarded message."""
    return [(message, False), *[(forward, True) for forward in message.forwarded]]


def _attached_media(message: MessageSnapshot) -> Iterator[FoundClip]:
    """What components show of the attachments behind them."""
    for place, forwarded in _places(message):
        for medium in place.media:
            if medium.attachment_id is not None:
                clip_id = f"{message.id}-{medium.attachment_id}"
                yield _of_medium(message.id, clip_id, medium, forwarded=forwarded)


def _other_media(message: MessageSnapshot) -> Iterator[tuple[object, FoundClip]]:
    """All other media, and which file each is; numbered in an order that holds whatever the rules are."""
    index = -1
    for place, forwarded in _places(message):
        for medium in place.media:
            if medium.attachment_id is None:
                index += 1
                link = attachment_link(medium.url)
                clip = _of_medium(message.id, f"{message.id}-e{index}", medium, forwarded=forwarded)
                yield (link.attachment_id if link else medium.url), clip
        for embed in place.embeds:
            index += 1
            link = None if embed.video is None else attachment_link(embed.video.url)
            if embed.video is not None and link is not None:
                clip_id = f"{message.id}-e{index}"
                yield link.attachment_id, _of_embed(message.id, clip_id, embed.video, link, forwarded=forwarded)


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
        game=None if attachment.application is None else attachment.application.name,
        clip_created_at=attachment.clip_created_at,
        participants=tuple([user.id for user in attachment.clip_participants]),
    )


def _of_medium(message_id: int, clip_id: str, medium: MediaSnapshot, *, forwarded: bool) -> FoundClip:
    filename = medium.name
    if not filename:
        link = attachment_link(medium.url)
        filename = link.filename if link else filename_in(medium.url)
    return FoundClip(
        clip_id=clip_id,
        message_id=message_id,
        attachment_id=medium.attachment_id,
        filename=filename,
        description=medium.description,
        content_type=medium.content_type,
        size=medium.size or None,
        url=medium.url,
        url_expires_at=expiry(medium.url),
        width=medium.width,
        height=medium.height,
        is_spoiler=medium.spoiler or filename.startswith(SPOILER_PREFIX),
        is_forward=forwarded,
    )


def _of_embed(
    message_id: int, clip_id: str, video: VideoSnapshot, link: AttachmentLink, *, forwarded: bool
) -> FoundClip:
    """An attachment elsewhere on Discord; other sites' players are no files to save, and never get here."""
    return FoundClip(
        clip_id=clip_id,
        message_id=message_id,
        attachment_id=None,
        filename=link.filename,
        content_type=video.content_type,
        url=video.url or "",
        url_expires_at=expiry(video.url or ""),
        width=video.width,
        height=video.height,
        is_spoiler=link.filename.startswith(SPOILER_PREFIX),
        is_forward=forwarded,
    )
