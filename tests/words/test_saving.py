"""What people read about their clips' bytes."""

from typing import Any

import pytest

from clipsaver.clips.picturing.model import Unmade
from clipsaver.clips.saving.model import GIBIBYTE, MEBIBYTE, ClipState, Halt, HaltKind, Saved, Standing, Why
from clipsaver.words import saving, scans
from clipsaver.words.text import MESSAGE_LENGTH
from tests.words.builders import NOW, a_run, a_status

NOTHING = Saved(states={})


def a_standing(channel: Saved = NOTHING, guild: Saved | None = None, **changes: Any) -> Standing:
    """Return how a channel stands whose settings want bytes stored."""
    return Standing(channel=channel, guild=guild or channel, **({"wanted": True} | changes))


def test_nothing_yet() -> None:
    """Two lines, and no button."""
    assert saving.standing(a_standing()) == [
        "Here: **0** clips saved, 0 bytes",
        "This server: **0** clips saved, 0 bytes",
    ]
    assert saving.retry_button(a_standing(), 5) == ()


def test_all_figures() -> None:
    """Numbers grouped, sizes readable, the most frequent reasons first."""
    here = Saved(
        states={"stored": 1234, "pending": 1, "failed": 3, "skipped": 1000, "gone": 2},
        bytes=5 * MEBIBYTE + MEBIBYTE // 2,
        reasons={
            ("failed", "wrong_content"): 1,
            ("failed", "link_dead"): 2,
            ("skipped", "too_large"): 1000,
            ("gone", "gone"): 2,
            ("pending", "interrupted"): 1,
        },
    )
    server = Saved(states={"stored": 12345, "failed": 3}, bytes=40 * GIBIBYTE)
    assert saving.standing(a_standing(here, server, quota=50 * GIBIBYTE)) == [
        "Here: **1,234** clips saved, 5.5 MB · 1 waiting · 3 failed · 1,000 left out · 2 gone",
        "- 1,000 files are larger than `max_file_size_mb` allows",
        "- 2 were deleted on Discord before they could be saved",
        "- 2 links have nothing behind them",
        "- 1 download broke off",
        "- 1 file is no video that I know",
        "This server: **12,345** clips saved, 40 GB of 50 GB (80 %) · 3 failed",
    ]


def test_one_clip() -> None:
    """In the singular."""
    one = Saved(states={"stored": 1}, bytes=1)
    assert saving.standing(a_standing(one))[0] == "Here: **1** clip saved, 1 byte"


def test_reasons_are_few() -> None:
    """Others are counted; those of one kind are together; one that nobody knows is not hidden."""
    told = saving.standing(
        a_standing(Saved(states={"failed": 30}, reasons={("failed", why): 2 for why in Why} | {("pending", "lost"): 1}))
    )
    assert told[1] == "- 3 files that were saved have gone missing or bad"
    assert told[6] == f"- {len(Why) - 5} more reasons"
    assert "- 4 for another reason" in saving.standing(a_standing(Saved(states={}, reasons={("failed", "odd"): 4})))


@pytest.mark.parametrize("why", Why)
def test_every_reason_has_its_sentence(why: Why) -> None:
    """In the singular and in the plural."""
    one, many = saving.REASONS[why]
    assert one != many
    assert "{n}" in one
    assert "{n}" in many


def test_what_can_be_done() -> None:
    """Each state that is in the way is said, with who can change it."""
    full = Saved(states={"skipped": 1}, reasons={("skipped", "over_quota"): 1})
    halt = Halt(kind=HaltKind.FULL, free=3 * MEBIBYTE)
    told = "\n".join(saving.standing(a_standing(full, quota=0, wanted=False, halt=halt)))
    assert "0 bytes of 0 bytes (100 %)" in told
    assert "`/settings set save_bytes yes`" in told
    assert "raise `storage_quota_gb`" in told
    assert "the storage has 3 MB left for clips" in told
    trouble = saving.halted(Halt(kind=HaltKind.TROUBLE, free=0))
    assert "tried again by itself" in trouble


@pytest.mark.parametrize(
    ("states", "reasons", "shown"),
    [
        ({"failed": 1}, {}, True),
        ({"skipped": 2}, {(ClipState.SKIPPED, Why.OVER_QUOTA): 1}, True),
        ({"skipped": 1}, {(ClipState.SKIPPED, Why.OVER_QUOTA): 1}, False),
        ({"stored": 1, "pending": 5, "gone": 3}, {}, False),
    ],
)
def test_the_button(states: dict[str, int], reasons: dict[tuple[str, str], int], *, shown: bool) -> None:
    """It is there where another try can help; what lacks room is tried again by itself."""
    buttons = saving.retry_button(a_standing(Saved(states=states, reasons=reasons)), 5)
    assert [one["components"][0]["custom_id"] for one in buttons] == (["clips:retry:5"] if shown else [])


def test_pictures() -> None:
    """Made, waiting, failed, with the reasons; only where something is saved; bounded where very many have none."""
    here = Saved(states={"stored": 1200})
    unmade = Unmade(waiting=1, failed=3, reasons={"It is broken.": 2, "x" * 500: 1, "Third.": 1})
    told = saving.standing(a_standing(here), unmade)
    assert told[1:3] == ["Pictures: 1,196 made · 1 waiting · 3 failed", "- 2 clips: It is broken."]
    assert len(told) == 5
    assert saving.pictures(Unmade(), stored=5) == ["Pictures: 5 made"]
    assert saving.pictures(Unmade(waiting=1000, at_least=True), stored=5) == [
        "Pictures: at least 1,000 waiting · at least 0 failed"
    ]
    assert "Pictures" not in "".join(saving.standing(a_standing(), Unmade()))
    assert len(saving.pictures(Unmade(reasons={"x" * 500: 1}), stored=5)[1]) < 200
    assert saving.retry_button(a_standing(here), 5, unmade)
    assert not saving.retry_button(a_standing(here), 5, Unmade(waiting=5))


def test_pictures_tried_again() -> None:
    """Beside clips, and without any."""
    assert saving.retried(0, channel_id=5, pictures=1) == (
        "1 saved video in <#5> will be looked at again for its pictures."
    )
    both = saving.retried_reply(2, channel_id=None, pictures=1200).content
    assert both.startswith("2 clips in the channels you can see will be tried again. 1,200 saved videos in")


def test_retried() -> None:
    """How many, and where."""
    assert saving.retried(1, channel_id=5) == "1 clip in <#5> will be tried again."
    assert saving.retried(1200, channel_id=None) == "1,200 clips in the channels you can see will be tried again."
    assert saving.retried(0, channel_id=5) == "There is nothing to try again in <#5>."


def test_beside_a_scan() -> None:
    """A status has both, and both buttons, within Discord's limits."""
    standing = a_standing(Saved(states={"failed": 10**9}, reasons={("failed", why): 10**8 for why in Why}))
    reply = scans.status(a_status(a_run()), now=NOW, saving=standing)
    assert [one["components"][0]["label"] for one in reply.components] == ["Cancel", "Try again"]
    assert "Here: **0** clips saved" in reply.content
    after = saving.after_retry(reply, 5, channel_id=5)
    assert after.content.startswith("5 clips in <#5> will be tried again.\n**Scanning")
    assert len(after.content) < MESSAGE_LENGTH
    assert after.components == reply.components
