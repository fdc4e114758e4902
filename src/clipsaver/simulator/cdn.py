"""The CDN: signed links that expire, ranges, and bytes made when they are asked for."""

import re
from collections.abc import Iterator
from email.utils import format_datetime
from hashlib import blake2b
from typing import Final

from aiohttp import web
from attrs import frozen

from clipsaver.simulator import files, videos
from clipsaver.simulator.entities import Attachment, Message, created_at
from clipsaver.simulator.world import World

GONE: Final = "This content is no longer available."
"""What the CDN says of a link that has expired, was tampered with, or whose file is gone."""
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
        headers = {
            "Accept-Ranges": "bytes",
            "Cache-Control": "public, max-age=31536000",
            "Content-Type": attachment.content_type or "application/octet-stream",
            "ETag": f'"{blake2b(str(attachment.file_id).encode(), digest_size=16).hexdigest()}"',
            "Last-Modified": format_datetime(created_at(attachment.id).replace(microsecond=0), usegmt=True),
        }
        wanted = _range(request.headers.get("Range"), attachment.size)
        if wanted is None:
            headers["Content-Range"] = f"bytes */{attachment.size}"
            return web.Response(status=416, headers=headers)
        start, stop = wanted
        partial = stop - start < attachment.size or "Range" in request.headers
        if partial:
            headers["Content-Range"] = f"bytes {start}-{stop - 1}/{attachment.size}"
        response = web.StreamResponse(status=206 if partial else 200, headers=headers)
        return await self._send(request, attachment, wanted, response)

    async def _send(
        self, request: web.Request, attachment: Attachment, wanted: tuple[int, int], response: web.StreamResponse
    ) -> web.StreamResponse:
        start, stop = wanted
        response.content_length = stop - start
        await response.prepare(request)
        if request.method != "HEAD":
            for piece in self._pieces(attachment, start, stop):
                await response.write(piece)
        await response.write_eof()
        return response

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


def _range(header: str | None, size: int) -> tuple[int, int] | None:
    """The half-open range a header asks for, all without a usable one; None if it lies outside."""
    match = RANGE.fullmatch(header or "")
    if match is None or match[1] == match[2] == "":
        return 0, size
    if match[1] == "":
        length = int(match[2])
        return (max(size - length, 0), size) if length else None
    start = int(match[1])
    stop = min(int(match[2]) + 1, size) if match[2] else size
    return (start, stop) if start < min(stop, size) else None
