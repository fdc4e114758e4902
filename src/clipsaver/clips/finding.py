"""Find the clips of a message, and of a page of raw messages. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from clipsaver.clips.model import Batch, Found, FoundClip, Odd
from clipsaver.clips.rules import Rules
from clipsaver.clips.videos import videos_in
from clipsaver.discord.snapshots import MessageSnapshot, OddPayload, can_hold_clip, redact, structure_message
from clipsaver.discord.structuring import Mismatch, whole


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
    return rules.wants("\n".join((message.content, *(forward.content for forward in message.forwarded))))


def read_page(
    payloads: Iterable[Mapping[str, Any]],
    rules: Rules,
    own_application_id: int,
    own_user_id: int | None = None,
) -> Batch:
    """Find the clips of a page; only messages that can hold one are structured, and an odd one stays alone.

    Our own application's messages are passed over. Its user has the same id but for the oldest applications.
    """
    own = frozenset(map(str, (own_application_id, own_user_id or own_application_id)))
    found: list[Found] = []
    odd: list[Odd] = []
    ids: list[int] = []
    skipped: Counter[str] = Counter()
    scanned = 0
    for payload in payloads:
        if _is_own(payload, own):
            continue
        scanned += 1
        message_id = _id_of(payload)
        if message_id is not None:
            ids.append(message_id)
        if message_id is not None and not can_hold_clip(payload):
            continue
        try:
            one = find_clips(structure_message(payload), rules)
        except OddPayload as problem:
            odd.append(Odd(message_id=message_id, reason=problem.reason, payload=redact(payload)))
            skipped["odd"] += 1
            continue
        skipped.update(one.skipped)
        if one.clips:
            found.append(one)
    return Batch(
        found=tuple(found),
        odd=tuple(odd),
        ids=tuple(ids),
        scanned=scanned,
        matched=len(found),
        skipped=dict(skipped),
    )


def _id_of(payload: Mapping[str, Any]) -> int | None:
    """The message's id; None if it is none."""
    try:
        return whole(payload.get("id"))
    except Mismatch:
        return None


def _is_own(payload: Mapping[str, Any], own: frozenset[str]) -> bool:
    """Whether our own application wrote this message."""
    if payload.get("application_id") is not None and str(payload["application_id"]) in own:
        return True
    author = payload.get("author")
    return type(author) is dict and str(author.get("id")) in own
