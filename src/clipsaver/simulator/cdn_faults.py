"""What can go wrong between the CDN and whoever downloads: other answers, other bytes, and ways of sending them."""

import asyncio
import gzip
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Final

from aiohttp import web
from attrs import evolve, frozen

from clipsaver.simulator import videos
from clipsaver.simulator.breaking import reset
from clipsaver.simulator.faults import Fault

GONE: Final = "This content is no longer available."
"""What the CDN says of a link that has expired, was tampered with, or whose file is gone."""
FAULT: Final = web.RequestKey("fault", Fault)
"""The fault that hits a request to the CDN."""
SPOILED_FROM: Final = 4096
"""Where a file that was changed under its link begins to differ."""
INVERTED: Final = bytes(255 - one for one in range(256))


@frozen(kw_only=True)
class Body:
    """A file as it is about to be served."""

    size: int
    content_type: str
    tag: str
    modified: datetime
    pieces: Callable[[int, int], Iterable[bytes]]
    """The bytes from here to there."""
    encoding: str | None = None
    ranged: bool = True
    """Whether a part of it can be had."""
    counted: bool = True
    """Whether its length is said."""


def instead(fault: Fault, size: int) -> web.Response | None:
    """What is answered in a file's place."""
    match fault.kind:
        case "gone":
            return web.Response(status=fault.status, text=GONE)
        case "redirect":
            return web.Response(status=302, headers={"Location": fault.location})
        case "unsatisfiable":
            return web.Response(status=416, headers={"Content-Range": f"bytes */{size}"})
    return None


def spoiled(fault: Fault, body: Body) -> Body:
    """A file with what a fault makes of it."""
    match fault.kind:
        case "half":
            body = evolve(body, size=body.size // 2)
        case "long":
            body = evolve(body, size=2 * body.size, pieces=_twice(body))
        case "wrong_type":
            picture = videos.base("png")
            body = evolve(body, size=len(picture), content_type="image/png", pieces=_of(picture))
        case "gzip":
            packed = gzip.compress(b"".join(body.pieces(0, body.size)))
            body = evolve(body, size=len(packed), encoding="gzip", pieces=_of(packed))
        case "no_ranges":
            body = evolve(body, ranged=False)
        case "uncounted":
            body = evolve(body, counted=False)
        case "changed":
            body = evolve(body, tag=f'"{body.tag.strip(chr(34))[::-1]}"', pieces=_changed(body))
    return body


async def send(
    request: web.Request, response: web.StreamResponse, pieces: Iterable[bytes], length: int, fault: Fault | None
) -> None:
    """Write a body, in the way that a fault has it."""
    kind = None if fault is None else fault.kind
    if fault is not None and kind == "drip":
        for piece in pieces:
            for one in piece:
                await response.write(bytes((one,)))
                await asyncio.sleep(fault.seconds)
        return
    left = length // 2 if kind in {"truncate", "break", "stall"} else length + 1
    for piece in pieces:
        if fault is not None and left <= len(piece):
            await response.write(piece[:left])
            if kind == "stall":
                await asyncio.sleep(fault.seconds)
            elif kind == "break":
                reset(request)
                return
            elif request.transport is not None:
                request.transport.close()
                return
            await response.write(piece[left:])
            left = length + 1
        else:
            await response.write(piece)
            left -= len(piece)


def _of(data: bytes) -> Callable[[int, int], Iterable[bytes]]:
    return lambda start, stop: (data[start:stop],)


def _twice(body: Body) -> Callable[[int, int], Iterable[bytes]]:
    """The file, and itself once more."""

    def pieces(start: int, stop: int) -> Iterator[bytes]:
        if start < body.size:
            yield from body.pieces(start, min(stop, body.size))
        if stop > body.size:
            yield from body.pieces(max(start - body.size, 0), stop - body.size)

    return pieces


def _changed(body: Body) -> Callable[[int, int], Iterable[bytes]]:
    """The file with all but its beginning inverted."""

    def pieces(start: int, stop: int) -> Iterator[bytes]:
        for piece in body.pieces(start, stop):
            same = max(SPOILED_FROM - start, 0)
            yield piece[:same] + piece[same:].translate(INVERTED)
            start += len(piece)

    return pieces
