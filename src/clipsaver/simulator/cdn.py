"""The CDN: signed links that expire, ranges, and bytes made when they are asked for."""

import re
from collections.abc import Iterator
from email.utils import format_datetime
from hashlib import blake2b
from typing import Final

from aiohttp import web
from attrs import frozen

from clipsaver.simulator import files, videos
from clipsaver.simulator.cdn_faults import FAULT, GONE, Body, instead, send, spoiled
from clipsaver.simulator.entities import Attachment, Message, created_at
from clipsaver.simulator.world import World

RANGE: Final = re.compile(r"bytes=(\d*)-(\d*)")


@frozen
class Cdn:
    """Serves a world's attachments."""

    world: World

    def routes(self) -> list[web.RouteDef]:
        """The CDN's routes; aiohttp answers HEAD with GET's handler."""
        return [web.get("/attachments/{channel_id}/{attachment_id}/{filename}", self.serve)]

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """One file, whole or a range of it."""
        attachment = self._signed(request)
        if attachment is None:
            return web.Response(status=404, text=GONE)
        fault, body = request.get(FAULT), self._body(attachment)
        if fault is not None:
            other = instead(fault, body.size)
            if other is not None:
                return other
            body = spoiled(fault, body)
        headers = _headers(body)
        wanted = _range(_asked(request, body), body.size)
        start, stop = wanted or (0, body.size)
        if wanted is not None and start >= stop:
            headers["Content-Range"] = f"bytes */{body.size}"
            return web.Response(status=416, headers=headers)
        if wanted is not None:
            headers["Content-Range"] = f"bytes {start}-{stop - 1}/{body.size}"
        response = web.StreamResponse(status=200 if wanted is None else 206, headers=headers)
        if body.counted:
            response.content_length = stop - start
        await response.prepare(request)
        if request.method != "HEAD":
            await send(request, response, body.pieces(start, stop), stop - start, fault)
        await response.write_eof()
        return response

    def _body(self, attachment: Attachment) -> Body:
        return Body(
            size=attachment.size,
            content_type=attachment.content_type or "application/octet-stream",
            tag=f'"{blake2b(str(attachment.file_id).encode(), digest_size=16).hexdigest()}"',
            modified=created_at(attachment.id).replace(microsecond=0),
            pieces=lambda start, stop: self._pieces(attachment, start, stop),
        )

    def _pieces(self, attachment: Attachment, start: int, stop: int) -> Iterator[bytes]:
        data = self.world.uploads.get(attachment.id, (attachment, None))[1]
        if data is not None:
            return iter((data[start:stop],))
        return videos.span(attachment, start, stop)

    def _signed(self, request: web.Request) -> Attachment | None:
        """The attachment a link names, if the link is whole and still valid."""
        path = request.rel_url.path
        try:
            expires, issued = int(request.query["ex"], 16), int(request.query["is"], 16)
            channel_id, own_id = int(request.match_info["channel_id"]), int(request.match_info["attachment_id"])
        except (KeyError, ValueError):
            return None
        links = self.world.links
        if links.sign(path, expires, issued) != request.query.get("hm") or expires <= self.world.clock():
            return None
        found = self._find(channel_id, own_id)
        return found if found is not None and found.filename == request.match_info["filename"] else None

    def _find(self, channel_id: int, own_id: int) -> Attachment | None:
        """A file by its ids: sent in this run, or part of a generated past and not deleted since."""
        if own_id in self.world.uploads:
            return self.world.uploads[own_id][0]
        history = self.world.histories.get(channel_id)
        if history is None or not own_id & files.UPLOAD_BIT:
            return None
        messages = (history.get(one) for one in files.message_ids(own_id))
        return next((file for one in messages if one for file in _files(one) if file.id == own_id), None)


def _files(message: Message) -> list[Attachment]:
    return [*message.attachments, *(media.attachment for media in message.media if media.attachment)]


def _headers(body: Body) -> dict[str, str]:
    """What is said of a file, whichever part of it is sent."""
    headers = {
        "Accept-Ranges": "bytes" if body.ranged else "none",
        "Cache-Control": "public, max-age=31536000",
        "Content-Type": body.content_type,
        "ETag": body.tag,
        "Last-Modified": format_datetime(body.modified, usegmt=True),
    }
    return headers if body.encoding is None else headers | {"Content-Encoding": body.encoding}


def _asked(request: web.Request, body: Body) -> str | None:
    """The range that is asked for, unless it is asked for of another file (RFC 9110, 13.1.5)."""
    same = request.headers.get("If-Range", body.tag) in {body.tag, format_datetime(body.modified, usegmt=True)}
    return request.headers.get("Range") if body.ranged and same else None


def _range(header: str | None, size: int) -> tuple[int, int] | None:
    """The half-open range a header asks for, empty if it lies outside; None without a usable one."""
    match = RANGE.fullmatch(header or "")
    if match is None or match[1] == match[2] == "":
        return None
    if match[1] == "":
        return max(size - int(match[2]), 0), size
    start = int(match[1])
    if match[2] and int(match[2]) < start:
        return None
    return start, min(int(match[2]) + 1, size) if match[2] else size
