"""The child's work: confine itself, look at the one file it was given, and answer piece by piece."""

import json
import os
from collections.abc import Callable, Mapping
from typing import Any, Final

from clipsaver.media.sandbox import confine
from clipsaver.media.sandbox.wire import (
    DONE,
    HELD,
    TROUBLE,
    Reason,
    Send,
    Trouble,
    piece,
)

SOURCE, ANSWER = 0, 1
"""Descriptors: the file is what the child reads, the answer what it writes."""

RESERVE: Final = 4 * 1024 * 1024

Look = Callable[..., None]


def main(order: Mapping[str, Any]) -> int:
    """Look at the file on standard input; everything that goes wrong is part of the answer."""
    return answer(order, _load, _send)


def answer(order: Mapping[str, Any], load: Callable[[], Look], send: Send) -> int:
    """Do as the order says: limits first, then the decoders, then the rest of the confinement, then the file."""
    # Set aside, so that a child without memory can still say so.
    reserve = [bytes(RESERVE)]
    try:
        held = confine.limit(**order["limits"])
        look = load()
        held += confine.seal(parent=order["parent"])
        send(HELD, json.dumps(held).encode())
        look(SOURCE, send, max_pixels=order["max_pixels"], want_pictures=order["want_pictures"])
        send(DONE, b"")
    except Trouble as trouble:
        send(TROUBLE, trouble.reason.value.encode())
    except MemoryError:
        reserve.clear()
        send(TROUBLE, Reason.TOO_COMPLEX.value.encode())
    except ImportError:
        send(TROUBLE, Reason.UNAVAILABLE.value.encode())
    return 0


def _load() -> Look:
    from clipsaver.media.sandbox.examining import examine  # noqa: PLC0415 - the limits count from its import on

    return examine


def _send(tag: bytes, body: bytes) -> None:
    left = memoryview(piece(tag, body))
    while left:
        left = left[os.write(ANSWER, left) :]
