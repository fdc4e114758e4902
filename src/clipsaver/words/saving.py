"""What people read about their clips' bytes: how many are saved, what is in the way, and what they can do."""

from collections.abc import Mapping, Sequence
from typing import Final

from clipsaver.clips.picturing.model import Unmade
from clipsaver.clips.saving.model import ClipState, Halt, HaltKind, Saved, Standing, Why
from clipsaver.discord.components import Component, Reply, button, row
from clipsaver.words.language import count, say
from clipsaver.words.text import channel, cut, fit, number, percent, size

REASONS_SHOWN: Final = 5
PICTURE_REASONS_SHOWN: Final = 2
LONGEST_REASON: Final = 150
REASONS: Final[Mapping[str, tuple[str, str]]] = {
    Why.OVER_QUOTA: (
        "{n} clip doesn't fit into the room of this server (`storage_quota_gb`)",
        "{n} clips don't fit into the room of this server (`storage_quota_gb`)",
    ),
    Why.TOO_LARGE: (
        "{n} file is larger than `max_file_size_mb` allows",
        "{n} files are larger than `max_file_size_mb` allows",
    ),
    Why.WRONG_CONTENT: ("{n} file is no video that I know", "{n} files are no videos that I know"),
    Why.REFUSED: ("{n} file was refused to me", "{n} files were refused to me"),
    Why.GONE: (
        "{n} was deleted on Discord before it could be saved",
        "{n} were deleted on Discord before they could be saved",
    ),
    Why.LINK_DEAD: ("{n} link has nothing behind it", "{n} links have nothing behind them"),
    Why.UNREADABLE: (
        "{n} link has expired, and I can't read its message for another",
        "{n} links have expired, and I can't read their messages for others",
    ),
    Why.INTERRUPTED: ("{n} download broke off", "{n} downloads broke off"),
    Why.NO_ROOM: ("{n} clip found the storage full", "{n} clips found the storage full"),
    Why.STORAGE: ("{n} clip found the storage in trouble", "{n} clips found the storage in trouble"),
    Why.CRASHED: ("{n} clip failed for a fault of mine", "{n} clips failed for a fault of mine"),
    Why.LOST: (
        "{n} file that was saved has gone missing or bad",
        "{n} files that were saved have gone missing or bad",
    ),
}
CHOICES: Final[Mapping[str, Why]] = {
    "didn't fit into the server's room": Why.OVER_QUOTA,
    "too large": Why.TOO_LARGE,
    "no video": Why.WRONG_CONTENT,
    "refused to me": Why.REFUSED,
    "nothing behind the link": Why.LINK_DEAD,
    "message couldn't be read": Why.UNREADABLE,
    "broke off": Why.INTERRUPTED,
    "a fault of mine": Why.CRASHED,
    "gone bad in the storage": Why.LOST,
    "deleted on Discord, as far as I know": Why.GONE,
}
"""What people may name when they want another try."""
COUNTED: Final[Mapping[ClipState, tuple[str, str]]] = {
    ClipState.PENDING: ("{n} waiting", "{n} waiting"),
    ClipState.FAILED: ("{n} failed", "{n} failed"),
    ClipState.SKIPPED: ("{n} left out", "{n} left out"),
    ClipState.GONE: ("{n} gone", "{n} gone"),
}


def standing(told: Standing, unmade: Unmade | None = None) -> Sequence[str]:
    """Say how many clips of a channel and of its server are saved, why others are not, and what can be done."""
    lines = [say("Here: {figures}", figures=_figures(told.channel)), *_reasons(told.channel)]
    if unmade is not None and told.channel.of(ClipState.STORED):
        lines += pictures(unmade, stored=told.channel.of(ClipState.STORED))
    lines.append(say("This server: {figures}", figures=_figures(told.guild, quota=told.quota)))
    if not told.wanted:
        lines.append(say("Clips here are found, but not saved. `/settings set save_bytes yes` changes that."))
    if told.guild.reasons.get((ClipState.SKIPPED, Why.OVER_QUOTA)):
        lines.append(
            say(
                "This server's room is used up: raise `storage_quota_gb` with `/settings set`. "
                "What was left out for it is then saved by itself."
            )
        )
    if told.halt is not None:
        lines.append(halted(told.halt))
    return lines


def pictures(unmade: Unmade, *, stored: int) -> Sequence[str]:
    """Say how many of the saved clips have their pictures, and why others have none."""
    parts = [] if unmade.at_least else [say("{n} made", n=number(max(stored - unmade.waiting - unmade.failed, 0)))]
    for n, forms, bounded in (
        (unmade.waiting, ("{n} waiting", "{n} waiting"), ("at least {n} waiting", "at least {n} waiting")),
        (unmade.failed, ("{n} failed", "{n} failed"), ("at least {n} failed", "at least {n} failed")),
    ):
        if n or unmade.at_least:
            parts.append(count(n, *(bounded if unmade.at_least else forms)))
    lines = [say("Pictures: {figures}", figures=" · ".join(parts))]
    known = sorted(unmade.reasons.items(), key=lambda item: (-item[1], item[0]))
    for reason, n in known[:PICTURE_REASONS_SHOWN]:
        lines.append("- " + count(n, "{n} clip: {reason}", "{n} clips: {reason}", reason=cut(reason, LONGEST_REASON)))
    return lines


def halted(halt: Halt) -> str:
    """Say that nothing is saved anywhere, and who can change that."""
    if halt.kind is HaltKind.FULL:
        return say(
            "Nothing is saved at the moment: the storage has {free} left for clips. Whoever runs this bot has to make "
            "room there; then it goes on by itself.",
            free=size(halt.free),
        )
    return say(
        "Nothing is saved at the moment: the storage doesn't work as it should. It is tried again by itself; "
        "whoever runs this bot finds the reason in the log."
    )


def retry_button(told: Standing, channel_id: int, unmade: Unmade | None = None) -> tuple[Component, ...]:
    """Return the button that has a channel's clips tried again, where another try can help any."""
    helpless = told.channel.reasons.get((ClipState.SKIPPED, Why.OVER_QUOTA), 0)
    pictures_failed = 0 if unmade is None else unmade.failed
    if told.channel.of(ClipState.FAILED, ClipState.SKIPPED) + pictures_failed <= helpless:
        return ()
    return (row(button(say("Try again"), f"clips:retry:{channel_id}")),)


def retried(clips: int, *, channel_id: int | None, pictures: int = 0) -> str:
    """Say how many clips, and pictures of others, are tried again; everywhere if no channel is named."""
    where = (
        say("in the channels you can see") if channel_id is None else say("in {channel}", channel=channel(channel_id))
    )
    if pictures:
        looked_at = count(
            pictures,
            "{n} saved video {where} will be looked at again for its pictures.",
            "{n} saved videos {where} will be looked at again for their pictures.",
            where=where,
        )
        return looked_at if not clips else f"{retried(clips, channel_id=channel_id)} {looked_at}"
    if not clips:
        return say("There is nothing to try again {where}.", where=where)
    return count(clips, "{n} clip {where} will be tried again.", "{n} clips {where} will be tried again.", where=where)


def retried_reply(clips: int, *, channel_id: int | None, pictures: int = 0) -> Reply:
    """Answer whoever wanted clips to be tried again."""
    return Reply(content=retried(clips, channel_id=channel_id, pictures=pictures))


def after_retry(status: Reply, clips: int, *, channel_id: int, pictures: int = 0) -> Reply:
    """Say how many are tried again, above how the channel stands now."""
    lines = [retried(clips, channel_id=channel_id, pictures=pictures), *status.content.splitlines()]
    return Reply(content=fit(lines), components=status.components)


def _figures(saved: Saved, *, quota: int | None = None) -> str:
    stored = saved.of(ClipState.STORED)
    if quota is None:
        taken = size(saved.bytes)
    else:
        share = percent(saved.bytes / quota if quota else 1.0)
        taken = say("{taken} of {quota} ({share})", taken=size(saved.bytes), quota=size(quota), share=share)
    parts = [count(stored, "**{n}** clip saved, {taken}", "**{n}** clips saved, {taken}", taken=taken)]
    parts += [count(n, *forms) for state, forms in COUNTED.items() if (n := saved.of(state))]
    return " · ".join(parts)


def _reasons(saved: Saved) -> Sequence[str]:
    """The most frequent first; those of one kind together, whether they are tried again or not."""
    together: dict[str, int] = {}
    for (_, why), n in saved.reasons.items():
        together[why] = together.get(why, 0) + n
    known = sorted(together.items(), key=lambda item: (-item[1], item[0]))
    told = [_reason(why, n) for why, n in known[:REASONS_SHOWN]]
    if rest := len(known) - len(told):
        told.append(count(rest, "{n} more reason", "{n} more reasons"))
    return [f"- {reason}" for reason in told]


def _reason(why: str, n: int) -> str:
    if why in REASONS:
        return count(n, *REASONS[why])
    return say("{n} for another reason", n=number(n))
