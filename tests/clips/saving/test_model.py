"""When a clip is tried again, and what people read."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipsaver.clips.saving import model
from clipsaver.clips.saving.model import ClipState, Job, Why, again, backoff, later, over_quota, shown_size, too_large
from clipsaver.clips.saving.outcomes import ending_of
from clipsaver.discord.refusals import Forbidden, Halted, Unauthorized, Unavailable
from clipsaver.discord.structuring import OddPayload
from clipsaver.errors import ClipsaverError, NotAllowed
from clipsaver.guilds.settings import Settings
from clipsaver.media.fetching.errors import Busy, Interrupted, LinkDead, Refused, TooLarge, WrongContent
from clipsaver.media.storage.errors import StorageFull, StorageRefused, StorageUnavailable, StoredDiffers

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def job(attempts: int = 1, **fields: object) -> Job:
    """A clip in hand."""
    known = {"clip_id": "1-2", "message_id": 1, "channel_id": 5, "guild_id": 7, "filename": "a.mp4", "url": "https://x"}
    return Job(attempts=attempts, **(known | fields))  # type: ignore[arg-type]  # as it comes


@given(attempts=st.integers(0, 10_000), chance=st.floats(0, 1))
def test_waits_grow_and_end(attempts: int, chance: float) -> None:
    """Never at once, never for more than two hours, and longer with each attempt for the same chance."""
    wait = backoff(attempts, chance)
    assert model.FIRST_DELAY / 2 <= wait <= model.LONGEST_DELAY
    assert wait <= backoff(attempts + 1, chance)


def test_attempts_end() -> None:
    """After so many without progress a person has to ask for another."""
    assert again(job(9), Why.INTERRUPTED, "It broke off.", chance=0).state is ClipState.PENDING
    ending = again(job(10), Why.INTERRUPTED, "It broke off.", chance=0)
    assert (ending.state, ending.delay) == (ClipState.FAILED, None)
    assert ending.reason == "It broke off. It was tried 10 times."
    assert later(Why.STORAGE, "x", seconds=5).counts is False


def test_links_that_are_not_worth_it() -> None:
    """A link that is dead within a minute is not begun with; one that doesn't say is."""
    assert job(url_expires_at=NOW + timedelta(seconds=59)).link_expires(NOW)
    assert not job(url_expires_at=NOW + timedelta(seconds=61)).link_expires(NOW)
    assert not job().link_expires(NOW)


def test_limits_of_settings() -> None:
    """Megabytes and gigabytes as people mean them, and none where there are none."""
    some = Settings(storage_quota_gb=0.5, max_file_size_mb=1.5)
    assert (model.quota_of(some), model.largest_of(some)) == (512 * 2**20, 3 * 2**19)
    none = Settings(storage_quota_gb=None, max_file_size_mb=None)
    assert (model.quota_of(none), model.largest_of(none)) == (None, None)
    assert model.room_needed(5, None) == 5
    assert model.room_needed(None, 100) == 100
    assert model.room_needed(None, None) == model.UNKNOWN_SIZE


def test_sentences() -> None:
    """What was left out says why, and which setting changes that."""
    assert shown_size(3 * 2**30) == "3 GB"
    assert shown_size(1536 * 1024) == "1.5 MB"
    assert [shown_size(size) for size in (0, 1, 1023, 1536)] == ["0 bytes", "1 byte", "1023 bytes", "1.5 KB"]
    assert "1 GB" in over_quota(2**30).reason
    assert "`storage_quota_gb`" in over_quota(2**30).reason
    assert too_large(2**21, 2**20).reason == "The file has 2 MB, more than the 1 MB allowed here (`max_file_size_mb`)."
    assert too_large(None, 2**20).reason.startswith("The file is larger than the 1 MB")


@pytest.mark.parametrize(
    ("error", "state", "why", "counts"),
    [
        (TooLarge(10, 5), ClipState.SKIPPED, Why.TOO_LARGE, False),
        (WrongContent("No video.", permanent=True), ClipState.FAILED, Why.WRONG_CONTENT, True),
        (WrongContent("A page."), ClipState.PENDING, Why.WRONG_CONTENT, True),
        (Refused("Elsewhere.", permanent=True), ClipState.FAILED, Why.REFUSED, True),
        (Refused("A name server."), ClipState.PENDING, Why.REFUSED, True),
        (LinkDead("https://x"), ClipState.PENDING, Why.LINK_DEAD, True),
        (Interrupted("It broke off.", cause="broken"), ClipState.PENDING, Why.INTERRUPTED, True),
        (Busy("https://x", 30), ClipState.PENDING, Why.INTERRUPTED, False),
        (StorageFull("Full."), ClipState.PENDING, Why.NO_ROOM, False),
        (StorageRefused("Read-only."), ClipState.PENDING, Why.STORAGE, False),
        (StorageUnavailable("Away."), ClipState.PENDING, Why.STORAGE, False),
        (StoredDiffers("Another."), ClipState.PENDING, Why.INTERRUPTED, True),
        (Unauthorized(), ClipState.PENDING, Why.LINK_DEAD, False),
        (Halted(NOW), ClipState.PENDING, Why.LINK_DEAD, False),
        (Unavailable("Discord is away."), ClipState.PENDING, Why.LINK_DEAD, False),
        (Forbidden(403, 50001), ClipState.PENDING, Why.UNREADABLE, True),
        (OddPayload("a message", "no id"), ClipState.PENDING, Why.UNREADABLE, True),
        (NotAllowed("Not there."), ClipState.PENDING, Why.UNREADABLE, True),
        (ClipsaverError("Something."), ClipState.PENDING, Why.INTERRUPTED, True),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_what_errors_mean(error: ClipsaverError, state: ClipState, why: Why, counts: bool) -> None:  # noqa: FBT001 - a column
    """Each has its state, its code, and a sentence; what the clip can't help is no attempt."""
    ending = ending_of(error, job(), chance=0.5)
    assert (ending.state, ending.why, ending.counts) == (state, why, counts)
    assert ending.reason
    assert (ending.delay is not None) == (state is ClipState.PENDING)


def test_larger_than_what_the_quota_left() -> None:
    """A file of unknown size that turns out larger than what is left is over the quota, not too large."""
    assert ending_of(TooLarge(None, 5), job(quota=2**30), chance=0).why is Why.OVER_QUOTA
