"""What a scan looks like to a person: started, under way, over."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, assert_never

from clipsaver.clips.picturing.model import Unmade
from clipsaver.clips.saving.model import Standing
from clipsaver.discord.components import Reply
from clipsaver.scans.model import CoverageSummary, Direction, Run, RunStatus, ScanStatus, Started
from clipsaver.words import saving as words_of_saving
from clipsaver.words.components import cancel_scan, paged
from clipsaver.words.language import count, say
from clipsaver.words.text import bar, channel, code, cut, duration, estimate, fit, moment, number, percent, person

ERROR_LENGTH = 500
REASONS_SHOWN = 12
SECONDS_AHEAD = 1
REASONS: Final[Mapping[str, tuple[str, str]]] = {
    "too_large": ("{n} file that is too large", "{n} files that are too large"),
    "too_short": ("{n} video that is too short", "{n} videos that are too short"),
    "not_matched": ("{n} video whose text doesn't match", "{n} videos whose text doesn't match"),
    "excluded": ("{n} video whose text is excluded", "{n} videos whose text is excluded"),
    "from_bot": ("{n} video from a bot", "{n} videos from bots"),
    "odd": ("{n} message I couldn't understand", "{n} messages I couldn't understand"),
}


def started(outcome: Started, *, shows_progress: bool, since: datetime | None, until: datetime | None) -> Reply:
    """Say that a scan has begun and where to watch it."""
    where = channel(outcome.channel.channel_id)
    lines = [say("The scan of {channel} has begun.", channel=where)]
    if since is not None or until is not None:
        lines.append(bounds(since, until))
    if outcome.run.message_limit is not None:
        lines.append(
            count(outcome.run.message_limit, "It reads at most {n} message.", "It reads at most {n} messages.")
        )
    lines.append(
        say("A message in this channel shows how far it is.")
        if shows_progress
        else say("I may not write in this channel; `/scan status` tells how far it is.")
    )
    return Reply(content="\n".join(lines))


def already(status: ScanStatus, *, now: datetime) -> Reply:
    """Say that the channel is being scanned as it is, and show that scan."""
    head = say("{channel} is being scanned already.", channel=channel(status.channel.channel_id))
    return Reply(content="\n".join([head, *_lines(status, now=now)]), components=_cancel(status.run))


def age_restricted(channel_id: int) -> str:
    """Say that an age-restricted channel is left alone, and what changes that."""
    return say(
        "{channel} is age-restricted, and I leave such channels alone. `/settings set scan_nsfw yes` changes that.",
        channel=channel(channel_id),
    )


def bounds(since: datetime | None, until: datetime | None) -> str:
    """Say which messages a scan is about, in the reader's own time."""
    if since is None and until is not None:
        return say("It reads messages from before {until}.", until=moment(until, "f"))
    if since is not None and until is None:
        return say("It reads messages from {since} on.", since=moment(since, "f"))
    if since is None or until is None:
        return say("It reads every message.")
    return say("It reads messages from {since} until {until}.", since=moment(since, "f"), until=moment(until, "f"))


def status(status: ScanStatus, *, now: datetime, saving: Standing | None = None, unmade: Unmade | None = None) -> Reply:
    """Say how a channel's scan stands, how much of the channel has been read, and how much of it is saved."""
    where = channel(status.channel.channel_id)
    if status.run is None:
        lines = [say("{channel} has not been scanned yet.", channel=where), covered(status.coverage)]
    else:
        lines = [f"**{_title(status.run)}**", *_lines(status, now=now), _times(status.run), covered(status.coverage)]
    if status.run is None or not status.run.status.active:
        lines += _rests(status, now=now)
    buttons = _cancel(status.run)
    if saving is not None:
        lines += words_of_saving.standing(saving, unmade)
        buttons += words_of_saving.retry_button(saving, status.channel.channel_id, unmade)
    return Reply(content=fit([*filter(None, lines)]), components=buttons)


def listed(statuses: Sequence[ScanStatus], *, now: datetime, page: int = 0) -> Reply:
    """List the server's scans and how much of each channel has been read."""
    if not statuses:
        return Reply(content=say("Nothing has been scanned here yet. `/scan start` begins."))
    lines = [_line(status, now=now) for status in statuses]
    return paged(f"**{say('Scans')}**", lines, what="scans", page=page)


def canceled(run: Run) -> Reply:
    """Say that a run was ended."""
    return Reply(
        content=say(
            "I canceled the scan of {channel}. What was read stays read.",
            channel=channel(run.channel_id),
        )
    )


def progress(status: ScanStatus, *, now: datetime) -> Reply:
    """Return the ordinary message of a run: how far it is while it is active, how it went when it is over."""
    run = status.run
    if run is None:
        return Reply(content=covered(status.coverage))
    if not run.status.active:
        return summary(run, status.coverage)
    return Reply(content="\n".join([f"**{_title(run)}**", *_lines(status, now=now)]), components=_cancel(run))


def summary(run: Run, coverage: CoverageSummary) -> Reply:
    """Return the closing words of a run: what it read, found and left out, how long it took, what is read now."""
    return Reply(content="\n".join([f"**{_title(run)}**", *_outcome(run), covered(coverage)]))


def covered(coverage: CoverageSummary) -> str:
    """Say how much of a channel has been read, in the words of "97 % read, 2 gaps"."""
    share = percent(coverage.percent / 100)
    if not coverage.gaps:
        return say("{percent} read, no gaps", percent=share)
    return count(coverage.gaps, "{percent} read, {n} gap", "{percent} read, {n} gaps", percent=share)


def left_out(skipped: Mapping[str, int]) -> str:
    """Say what was left out and why, the most frequent reason first; nothing when nothing was."""
    reasons = sorted(((n, key) for key, n in skipped.items() if n > 0), reverse=True)
    if not reasons:
        return ""
    told = [_reason(key, n) for n, key in reasons[:REASONS_SHOWN]]
    if rest := len(reasons) - len(told):
        told.append(count(rest, "{n} more reason", "{n} more reasons"))
    return say("Left out: {reasons}", reasons=" · ".join(told))


def _reason(key: str, n: int) -> str:
    if key in REASONS:
        return count(n, *REASONS[key])
    return say("{n} for another reason ({key})", n=number(n), key=code(key, 40))


def _title(run: Run) -> str:
    where = channel(run.channel_id)
    match run.status:
        case RunStatus.QUEUED:
            return say("Scan of {channel}: waiting for its turn", channel=where)
        case RunStatus.RUNNING if run.direction is Direction.BACKWARD:
            return say("Scanning {channel}, newest messages first", channel=where)
        case RunStatus.RUNNING:
            return say("Scanning {channel}, oldest messages first", channel=where)
        case RunStatus.SUCCEEDED:
            return say("Scan of {channel}: done", channel=where)
        case RunStatus.CANCELED:
            return say("Scan of {channel}: canceled", channel=where)
        case RunStatus.FAILED:
            return say("Scan of {channel}: failed", channel=where)
        case _:
            assert_never(run.status)


def _lines(status: ScanStatus, *, now: datetime) -> list[str]:
    run = status.run
    if run is None:
        return []
    if not run.status.active:
        return _outcome(run)
    return [
        *([f"{bar(status.progress)} {percent(status.progress)}"] if status.progress is not None else []),
        f"{_read(run)} · {_found(run)}",
        *_pace(status, run, now=now),
    ]


def _rests(status: ScanStatus, *, now: datetime) -> list[str]:
    """Say that nothing is read anywhere, and why."""
    if status.token_refused:
        return [say("Nothing is read: Discord does not accept the bot's token any more.")]
    if status.rests_until is not None and status.rests_until > now:
        return [
            say(
                "Reading rests until {until} because Discord refused too many requests.",
                until=moment(status.rests_until + timedelta(seconds=SECONDS_AHEAD), "T"),
            )
        ]
    return []


def _pace(status: ScanStatus, run: Run, *, now: datetime) -> list[str]:
    if rests := _rests(status, now=now):
        return rests
    if run.waiting_until is not None and run.waiting_until > now:
        until = run.waiting_until + timedelta(seconds=SECONDS_AHEAD)
        return [say("Waiting for Discord until {until}", until=moment(until, "T"))]
    if run.status is not RunStatus.RUNNING:
        return []
    pace = []
    if status.rate is not None:
        rate = max(round(status.rate), 0)
        pace.append(count(rate, "{n} message a second", "{n} messages a second"))
    if status.time_left is not None:
        pace.append(say("{span} left", span=estimate(status.time_left)))
    return [" · ".join(pace)] if pace else []


def _outcome(run: Run) -> list[str]:
    lines = [f"{_read(run)} · {_found(run)}"]
    if run.error_message and run.status is RunStatus.FAILED:
        lines.insert(0, cut(run.error_message, ERROR_LENGTH))
    if skipped := left_out(run.skipped):
        lines.append(skipped)
    if run.started_at is not None and run.finished_at is not None:
        lines.append(say("Took {span}", span=duration(run.finished_at - run.started_at)))
    return lines


def _read(run: Run) -> str:
    return count(run.messages_scanned, "{n} message read", "{n} messages read")


def _found(run: Run) -> str:
    return count(run.clips_found, "{n} clip found", "{n} clips found")


def _times(run: Run) -> str:
    by = "" if run.requested_by is None else say(" by {person}", person=person(run.requested_by))
    if run.finished_at is not None:
        return say("Ended {when}", when=moment(run.finished_at))
    return say("Asked for {when}{by}", when=moment(run.created_at), by=by)


def _line(status: ScanStatus, *, now: datetime) -> str:
    parts = [channel(status.channel.channel_id)]
    run = status.run
    if run is not None and run.status.active:
        share = "" if status.progress is None else f" {percent(status.progress)}"
        state = say("waiting") if run.status is RunStatus.QUEUED else say("scanning")
        parts += [state + share, _read(run), _found(run), *_pace(status, run, now=now)]
    elif run is not None and run.status is RunStatus.FAILED:
        parts.append(say("failed {when}", when=moment(run.finished_at or run.created_at)))
    parts.append(covered(status.coverage))
    return " · ".join(parts)


def _cancel(run: Run | None) -> tuple[Mapping[str, object], ...]:
    return (cancel_scan(run.id),) if run is not None and run.status.active else ()
