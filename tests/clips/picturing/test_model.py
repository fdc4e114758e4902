"""When a video is tried again, and when it has failed."""

from datetime import timedelta

import pytest

from clipsaver.clips.picturing.model import MOST_ATTEMPTS, PictureState, Why, again, later, of_probe
from clipsaver.clips.picturing.pause import Pause
from clipsaver.media.probe.model import Failed
from clipsaver.media.sandbox.wire import Reason
from tests.clips.picturing.build import FACTS, job

HELD_TO = (5, 15, 60, 240, 720, 1440)
"""Minutes, as they are promised."""


def test_the_waits_are_those_that_are_promised() -> None:
    """Five minutes after the first attempt, a day after the sixth, and after the seventh a person is asked."""
    endings = [again(job(attempts=number), "damaged", "Broken.", FACTS) for number in range(1, MOST_ATTEMPTS + 1)]
    assert [one.delay for one in endings] == [*(timedelta(minutes=minutes) for minutes in HELD_TO), None]
    assert [one.state for one in endings] == [PictureState.PENDING] * len(HELD_TO) + [PictureState.FAILED]
    assert endings[-1].reason == "Broken. It was tried 7 times."
    assert {one.counts for one in endings} == {True}
    assert {one.facts for one in endings} == {FACTS}


@pytest.mark.parametrize("reason", Reason)
def test_what_is_tried_again(reason: Reason) -> None:
    """Only what a whole head of a file says is believed at once: the rest could be a disk's fault, or a machine's."""
    ending = of_probe(Failed(reason, FACTS), job())
    at_once = reason in {Reason.UNSUPPORTED, Reason.TOO_LARGE}
    assert ending.state is (PictureState.FAILED if at_once else PictureState.PENDING)
    assert (ending.why, ending.facts) == (reason.value, FACTS)
    assert ending.reason.startswith(Failed(reason).message)


def test_what_a_video_can_not_help() -> None:
    """It costs no attempt."""
    ending = later(Why.STORAGE, "Away.")
    assert (ending.state, ending.counts, ending.delay) == (PictureState.PENDING, False, timedelta(minutes=5))


def test_a_pause_grows_and_ends() -> None:
    """Twice as long each time, a minute at most, and short again after something went well."""
    now = 0.0
    pause = Pause(clock=lambda: now)

    def said() -> str | None:
        return pause.reason

    assert not pause.is_on()
    lengths = []
    for _ in range(8):
        pause.begin("Away.")
        begun = now
        while pause.is_on():
            now += 0.5
        lengths.append(now - begun)
    assert lengths == [1, 2, 4, 8, 16, 32, 60, 60]
    assert said() == "Away."
    pause.well()
    assert said() is None
    pause.begin("Away again.")
    now += 1
    assert not pause.is_on()
