"""Find the clips of a message, and of a page of raw messages. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from clipsaver.clips.model import Batch, Found, FoundClip, Odd, Sifted
from clipsaver.clips.rules import Rules
from clipsaver.clips.videos import videos_in
from clipsaver.discord.raw import RawMessage, with_media
from clipsaver.discord.snapshots import MessageSnapshot, OddPayload, redact


def find_clips(message: MessageSnapshot, rules: Rules) -> Found:
    """Tell which videos of a message are clips under these rules, and why the others are not."""
    videos = videos_in(message, rules)
    if not videos:
        return Found(message=message)
    reason = _unwanted(message, rules)
    if reason is not None:
        return Found(message=message, skipped=(reason,) * len(videos))
    clips: list[FoundClip] = []
    skipped: list[str] = []
    for video in videos:
        reason = rules.fits(size=video.size, seconds=video.duration_seconds)
        if reason is None:
            clips.append(video)
        else:
            skipped.append(reason)
    return Found(
        message=message,
        clips=tuple(clips),
        skipped=tuple(skipped),
        content=message.content if clips and rules.store_content else None,
    )


def _unwanted(message: MessageSnapshot, rules: Rules) -> str | None:
    """Why nothing in this message is wanted, whatever it holds."""
    from_bot = message.webhook_id is not None or (message.author is not None and message.author.bot)
    if from_bot and not rules.include_bots:
        return "from_bot"
    if not rules.reads_text:
        return None
    return rules.wants("\n".join((message.content, *(forward.content for forward in message.forwarded))))


def sift(messages: Iterable[RawMessage], own_application_id: int, own_user_id: int | None = None) -> Sifted:
    """Keep of a page what rules can make a difference to; our own application's messages are passed over.

    Its user has the same id but for the oldest applications.
    """
    own = {own_application_id, own_user_id or own_application_id}
    others = [
        message
        for message in messages
        if message.application_id != own_application_id and ((author := message.author) is None or author.id not in own)
    ]
    return Sifted(
        ids=tuple([message.id for message in others]),
        messages=tuple([message.detach() for message in with_media(others)]),
    )


def find_in(sifted: Sifted, rules: Rules) -> Batch:
    """Find the clips of a page; only messages that can hold one are structured, and an odd one stays alone."""
    found: list[Found] = []
    odd: list[Odd] = []
    skipped: Counter[str] = Counter()
    for message in sifted.messages:
        if not _may_hold_clip(message, rules):
            continue
        try:
            one = find_clips(message.snapshot(), rules)
        except OddPayload as problem:
            odd.append(Odd(message_id=message.id, reason=problem.reason, payload=_redacted(message)))
            skipped["odd"] += 1
            continue
        if one.skipped:
            skipped.update(one.skipped)
        if one.clips:
            found.append(one)
    return Batch(found=tuple(found), odd=tuple(odd), ids=sifted.ids, matched=len(found), skipped=dict(skipped))


def _redacted(message: RawMessage) -> Mapping[str, Any]:
    """A payload for a person to look into; only the id of one that is beyond all bounds."""
    try:
        return redact(message.payload)
    except OddPayload:
        return redact({"id": str(message.id)})


def _may_hold_clip(message: RawMessage, rules: Rules) -> bool:
    """Whether it is worth structuring: a file that is a video by what it calls itself, or media anywhere else."""
    for file in message.attachments or ():
        if file.filename is None or rules.allows(filename=file.filename, content_type=file.content_type):
            return True
    return message.has_more_than_files
