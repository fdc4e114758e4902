"""Read a child's answer as if an enemy had written it: one who got the better of a decoder."""

import json
import re
import signal
import struct
from typing import Any, Final

from attrs import define, field

from clipsaver.media.probe.model import PREVIEW, STILLS, Examined, Facts, Failed, Picture
from clipsaver.media.sandbox.wire import DONE, FACTS, HELD, PICTURE, PICTURE_HEADER, TROUBLE, Reason, pieces

LONGEST_ANSWER: Final = 4 * 1024 * 1024
WORD: Final = re.compile(r"[a-z0-9_]{1,40}")
WIDEST: Final = 1_000_000
LONGEST: Final = 7 * 24 * 3600
FASTEST: Final = 1000
BARRIERS: Final = frozenset({"limits", "network", "user", "landlock", "seccomp"})


def _signals(*names: str) -> frozenset[int]:
    """Exit statuses of programs that such a signal ended; Windows lacks most."""
    return frozenset(-getattr(signal, name) for name in names if hasattr(signal, name))


OUT_OF_TIME: Final = _signals("SIGXCPU", "SIGALRM")
ENDED_FROM_OUTSIDE: Final = _signals("SIGKILL", "SIGTERM")


@define(kw_only=True)
class Answer:
    """What was understood of an answer."""

    held: frozenset[str] = frozenset()
    """What the child could give up before it looked at the file."""
    facts: Facts | None = None
    pictures: dict[str, Picture] = field(factory=dict)
    trouble: Reason | None = None
    done: bool = False

    def outcome(self, status: int | None, *, want_pictures: bool) -> Examined:
        """What there is; raises Failed where something is missing. No status: the time was up."""
        complete = self.done or (want_pictures and self.pictures.keys() >= set(STILLS))
        if self.trouble is not None or self.facts is None or not complete:
            raise Failed(self.trouble or _why(status), self.facts)
        names = (*STILLS, PREVIEW)
        return Examined(
            facts=self.facts, pictures=tuple(self.pictures[name] for name in names if name in self.pictures)
        )


def read_answer(data: bytes) -> Answer:
    """Understand an answer; whatever is not as agreed counts as the child having failed."""
    answer = Answer()
    try:
        for tag, body in pieces(data):
            _take(answer, tag, body)
    except (ValueError, TypeError, KeyError, RecursionError, struct.error):
        return Answer(held=answer.held, trouble=Reason.CRASHED)
    return answer


def _take(answer: Answer, tag: bytes, body: bytes) -> None:
    if tag == HELD:
        answer.held = BARRIERS.intersection(json.loads(body))
    elif tag == FACTS:
        answer.facts = _facts(json.loads(body))
    elif tag == PICTURE:
        name, width, height = PICTURE_HEADER.unpack_from(body)
        picture = Picture(
            name=name.rstrip(b"\0").decode("ascii"), width=width, height=height, data=body[PICTURE_HEADER.size :]
        )
        answer.pictures[picture.name] = picture
    elif tag == TROUBLE:
        answer.trouble = Reason(body.decode("ascii"))
    elif tag == DONE:
        answer.done = True
    else:
        raise ValueError(tag)


def _facts(said: Any) -> Facts:
    facts = Facts(**said)
    words = (said["video_codec"], said["audio_codec"], said["pixel_format"])
    sides = (said["width"], said["height"])
    believable = (
        WORD.fullmatch(said["container"])
        and all(word is None or WORD.fullmatch(word) for word in words)
        and all(side is None or (type(side) is int and 0 < side <= WIDEST) for side in sides)
        and (said["duration"] is None or 0 < said["duration"] <= LONGEST)
        and (said["frame_rate"] is None or 0 < said["frame_rate"] <= FASTEST)
        and type(said["has_audio"]) is bool
        and said["rotation"] in {0, 90, 180, 270}
    )
    if not believable:
        raise ValueError("no child of ours says this of a video")
    return facts


def _why(status: int | None) -> Reason:
    """What a child died of that could not say so itself."""
    if status is None or status in OUT_OF_TIME:
        return Reason.TOO_SLOW
    return Reason.UNAVAILABLE if status in ENDED_FROM_OUTSIDE else Reason.CRASHED
