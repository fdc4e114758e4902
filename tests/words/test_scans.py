"""What a scan looks like to a person."""

from datetime import timedelta

import pytest

from clipsaver.scans.model import CoverageSummary, Direction, RunStatus, Started
from clipsaver.words import scans
from tests.words.builders import COVERAGE, NOW, RUN_ID, a_channel, a_run, a_status, ended


def test_started() -> None:
    """The answer says where to watch, and what was asked for."""
    outcome = Started(run=a_run(message_limit=5000), channel=a_channel(), already=False)
    reply = scans.started(outcome, shows_progress=True, since=NOW - timedelta(days=30), until=None)
    assert reply.content == (
        "The scan of <#5> has begun.\n"
        "It reads messages from <t:1782993600:f> on.\n"
        "It reads at most 5,000 messages.\n"
        "A message in this channel shows how far it is."
    )


def test_started_where_nothing_can_be_written() -> None:
    """Where the bot may not write, the command that tells is named."""
    outcome = Started(run=a_run(), channel=a_channel(), already=False)
    reply = scans.started(outcome, shows_progress=False, since=None, until=None)
    assert "`/scan status`" in reply.content
    assert len(reply.content.splitlines()) == 2


def test_bounds() -> None:
    """Each end of a span is said in the reader's own time."""
    assert scans.bounds(None, None) == "It reads every message."
    assert scans.bounds(None, NOW) == "It reads messages from before <t:1785585600:f>."
    both = scans.bounds(NOW - timedelta(days=1), NOW)
    assert both == "It reads messages from <t:1785499200:f> until <t:1785585600:f>."


def test_already() -> None:
    """A second request shows the first scan, and how to end it."""
    reply = scans.already(a_status(a_run()), now=NOW)
    assert reply.content.startswith("<#5> is being scanned already.\n")
    assert "12,300 messages read" in reply.content
    assert f"scan:cancel:{RUN_ID}" == reply.components[0]["components"][0]["custom_id"]


def test_status_without_a_scan() -> None:
    """A channel that was never scanned is called that."""
    reply = scans.status(a_status(coverage=CoverageSummary(percent=0, gaps=1)), now=NOW)
    assert reply.content == "<#5> has not been scanned yet.\n0 % read, 1 gap"
    assert reply.components == ()


def test_status_under_way() -> None:
    """An active scan shows how far, how fast and how long."""
    reply = scans.status(a_status(a_run()), now=NOW)
    assert reply.content == (
        "**Scanning <#5>, newest messages first**\n"
        "▰▰▰▰▰▰▰▰▰▰▱▱▱▱▱▱▱▱▱▱ 50 %\n"
        "12,300 messages read · 87 clips found\n"
        "102 messages a second · about 2 minutes left\n"
        "Asked for <t:1785585420:R> by <@9>\n"
        "97 % read, 2 gaps"
    )
    assert len(reply.components) == 1


def test_status_after_the_end() -> None:
    """An ended scan shows how it went and how much is read now."""
    reply = scans.status(a_status(ended(RunStatus.SUCCEEDED), progress=1.0), now=NOW)
    assert "**Scan of <#5>: done**" in reply.content
    assert "Ended <t:1785585680:R>" in reply.content
    assert reply.components == ()


def test_progress_waiting_for_discord() -> None:
    """While Discord asks to wait, it says until when instead of how fast."""
    run = a_run(waiting_until=NOW + timedelta(seconds=30), direction=Direction.FORWARD)
    reply = scans.progress(a_status(run), now=NOW)
    assert "**Scanning <#5>, oldest messages first**" in reply.content
    assert "Waiting for Discord until <t:1785585631:T>" in reply.content
    assert "a second" not in reply.content


def test_a_wait_that_is_over_is_not_shown() -> None:
    """An old wait is not shown."""
    reply = scans.progress(a_status(a_run(waiting_until=NOW - timedelta(seconds=1))), now=NOW)
    assert "Waiting" not in reply.content


RESTS = "Reading rests until <t:1785586201:T> because Discord refused too many requests."
REFUSED = "Nothing is read: Discord does not accept the bot's token any more."


@pytest.mark.parametrize("status", [RunStatus.QUEUED, RunStatus.RUNNING])
def test_reading_that_rests(status: RunStatus) -> None:
    """It is said wherever an active run is shown, in place of its pace and of its own waiting."""
    run = a_run(status=status, waiting_until=NOW + timedelta(minutes=9))
    resting = a_status(run, rests_until=NOW + timedelta(minutes=10))
    for reply in (
        scans.status(resting, now=NOW),
        scans.progress(resting, now=NOW),
        scans.already(resting, now=NOW),
        scans.listed([resting], now=NOW),
    ):
        assert reply.content.count(RESTS) == 1
        assert "messages a second" not in reply.content
        assert "Waiting for Discord" not in reply.content
    assert RESTS not in scans.status(resting, now=NOW + timedelta(minutes=11)).content


def test_reading_that_rests_concerns_every_channel() -> None:
    """Also where nothing is active: a scan that is started now would not begin."""
    for run in (None, ended(RunStatus.SUCCEEDED)):
        assert RESTS in scans.status(a_status(run, rests_until=NOW + timedelta(minutes=10)), now=NOW).content
        assert "rests" not in scans.status(a_status(run), now=NOW).content


def test_a_token_that_is_refused() -> None:
    """That doesn't pass by itself, so there is no time."""
    run = a_status(a_run(), token_refused=True, rests_until=NOW + timedelta(minutes=10))
    for reply in (scans.status(run, now=NOW), scans.listed([run], now=NOW)):
        assert REFUSED in reply.content
        assert "rests" not in reply.content


def test_progress_in_the_queue() -> None:
    """A run that waits for a worker says so, and can be canceled."""
    run = a_run(status=RunStatus.QUEUED, messages_scanned=0, clips_found=0, started_at=None)
    reply = scans.progress(a_status(run, progress=None, rate=None, time_left=None), now=NOW)
    assert reply.content == "**Scan of <#5>: waiting for its turn**\n0 messages read · 0 clips found"
    assert len(reply.components) == 1


def test_progress_without_figures() -> None:
    """Before anything can be estimated, nothing is made up."""
    reply = scans.progress(a_status(a_run(), progress=None, rate=None, time_left=None), now=NOW)
    assert reply.content == "**Scanning <#5>, newest messages first**\n12,300 messages read · 87 clips found"


def test_progress_of_nothing() -> None:
    """A channel without a run only has its coverage to show."""
    assert scans.progress(a_status(), now=NOW).content == "97 % read, 2 gaps"


def test_closing_summary() -> None:
    """The last words say what was read, found, left out and why, and how long it took; no button is left."""
    run = ended(RunStatus.SUCCEEDED, skipped={"too_large": 3, "odd": 1, "from_bot": 1200, "none": 0})
    reply = scans.progress(a_status(run), now=NOW)
    assert reply.content == (
        "**Scan of <#5>: done**\n"
        "12,300 messages read · 87 clips found\n"
        "Left out: 1,200 videos from bots · 3 files that are too large · 1 message I couldn't understand\n"
        "Took 3 minutes 20 seconds\n"
        "97 % read, 2 gaps"
    )
    assert reply.components == ()


def test_a_failed_run_says_why() -> None:
    """A run that failed shows its sentence first."""
    run = ended(RunStatus.FAILED, error_message="I can't read <#5>: I need View Channel there.", clips_found=0)
    reply = scans.summary(run, COVERAGE)
    assert reply.content == (
        "**Scan of <#5>: failed**\n"
        "I can't read <#5>: I need View Channel there.\n"
        "12,300 messages read · 0 clips found\n"
        "Took 3 minutes 20 seconds\n"
        "97 % read, 2 gaps"
    )


def test_a_run_canceled_in_the_queue() -> None:
    """A run that never started took no time."""
    run = ended(RunStatus.CANCELED, started_at=None, messages_scanned=0, clips_found=0)
    reply = scans.summary(run, COVERAGE)
    assert reply.content == "**Scan of <#5>: canceled**\n0 messages read · 0 clips found\n97 % read, 2 gaps"


def test_a_scan_that_ended_while_it_was_asked_for() -> None:
    """Whoever asks again at the last moment sees what there is."""
    assert scans.already(a_status(), now=NOW).content == "<#5> is being scanned already."
    assert "Took" in scans.already(a_status(ended(RunStatus.SUCCEEDED)), now=NOW).content


def test_runs_of_nobody() -> None:
    """A run that no person asked for has no name at it."""
    reply = scans.status(a_status(a_run(requested_by=None), rate=None), now=NOW)
    assert "Asked for <t:1785585420:R>\n" in reply.content
    assert "\nabout 2 minutes left\n" in reply.content


def test_canceled() -> None:
    """Canceling says what stays."""
    assert scans.canceled(a_run()).content == "I canceled the scan of <#5>. What was read stays read."


def test_reasons_nobody_knows_yet() -> None:
    """A reason of a later release is shown by its key; many are bounded and counted."""
    assert scans.left_out({}) == ""
    assert scans.left_out({"moon": 4}) == "Left out: 4 for another reason (`moon`)"
    many = scans.left_out({f"r{n}": n for n in range(1, 21)})
    assert many.endswith("8 more reasons")


def test_list() -> None:
    """The list has a line for each channel; active scans show how far they are."""
    statuses = [
        a_status(a_run()),
        a_status(a_run(status=RunStatus.QUEUED), progress=None, rate=None, time_left=None),
        a_status(ended(RunStatus.FAILED)),
        a_status(ended(RunStatus.SUCCEEDED), coverage=CoverageSummary(percent=100, gaps=0)),
        a_status(),
    ]
    lines = scans.listed(statuses, now=NOW).content.splitlines()
    assert lines[0] == "**Scans**"
    assert lines[1].startswith("<#5> · scanning 50 % · 12,300 messages read · 87 clips found · 102 messages a second")
    assert lines[2].startswith("<#5> · waiting · ")
    assert lines[3] == "<#5> · failed <t:1785585680:R> · 97 % read, 2 gaps"
    assert lines[4] == "<#5> · 100 % read, no gaps"
    assert lines[5] == "<#5> · 97 % read, 2 gaps"


def test_empty_list() -> None:
    """Nothing scanned yet is said with what to do."""
    assert "`/scan start`" in scans.listed([], now=NOW).content


@pytest.mark.parametrize("count", [1, 25, 500])
def test_long_lists_fit(count: int) -> None:
    """However many channels there are, a message holds one page of them."""
    statuses = [a_status(a_run(), channel=a_channel(10**18 + n)) for n in range(count)]
    for page in range(3):
        assert len(scans.listed(statuses, now=NOW, page=page).content) <= 2000
