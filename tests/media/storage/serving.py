"""Object stores on loopback, as a program: moto's S3, and the little of Azure's that our client asks for.

Says on its first line which ports they have, and ends when its standard input does.
"""

import logging
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import ClassVar
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

from moto.moto_server.threaded_moto_server import ThreadedMotoServer

MODIFIED = "Sat, 01 Aug 2026 12:00:00 GMT"


class Azure(BaseHTTPRequestHandler):
    """Put Blob, Put Block, Put Block List, Get Blob, Get Blob Properties, Delete Blob, List Blobs, Create Container."""

    protocol_version = "HTTP/1.1"
    containers: ClassVar[dict[str, dict[str, bytes]]] = {}
    blocks: ClassVar[dict[tuple[str, str], bytes]] = {}

    def do_PUT(self) -> None:
        """Store a blob, a block of one, or the list that makes them one; make a container."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        container, name, query = self._asked()
        if query.get("restype") == "container":
            self.containers[container] = {}
            return self._answer(201)
        blobs = self.containers.get(container)
        if blobs is None:
            return self._fail(404, "ContainerNotFound")
        if query.get("comp") == "block":
            self.blocks[name, query["blockid"]] = body
            return self._answer(201)
        if self.headers.get("If-None-Match") == "*" and name in blobs:
            return self._fail(409, "BlobAlreadyExists")
        if query.get("comp") == "blocklist":
            listed = [part.split("<")[0] for part in body.decode().split("<Uncommitted>")[1:]]
            body = b"".join(self.blocks.pop((name, block)) for block in listed)
        blobs[name] = body
        return self._answer(201)

    def do_GET(self) -> None:
        """A blob, a part of it, or a list of them."""
        container, name, query = self._asked()
        blobs = self.containers.get(container)
        if blobs is None:
            return self._fail(404, "ContainerNotFound")
        if query.get("comp") == "list":
            found = "".join(map(self._entry, sorted(blobs.items()), [query.get("prefix", "")] * len(blobs)))
            return self._answer(
                200, f"<EnumerationResults><Blobs>{found}</Blobs><NextMarker/></EnumerationResults>".encode()
            )
        if name not in blobs:
            return self._fail(404, "BlobNotFound")
        data = blobs[name]
        wanted = self.headers.get("x-ms-range") or self.headers.get("Range")
        if not wanted:
            return self._answer(200, data)
        first, _, last = wanted.removeprefix("bytes=").partition("-")
        if int(first) >= len(data):
            return self._fail(416, "InvalidRange")
        piece = data[int(first) : int(last) + 1]
        return self._answer(206, piece, {"Content-Range": f"bytes {first}-{int(first) + len(piece) - 1}/{len(data)}"})

    do_HEAD = do_GET  # noqa: N815 - as http.server calls it

    def do_DELETE(self) -> None:
        """Remove a blob."""
        container, name, _ = self._asked()
        gone = self.containers.get(container, {}).pop(name, None)
        return self._fail(404, "BlobNotFound") if gone is None else self._answer(202)

    def do_POST(self) -> None:
        """Blob Batch: delete each blob that is named in one of the body's requests."""
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        answers: list[str] = []
        for part in body.split("DELETE ")[1:]:
            container, _, name = unquote(urlsplit(part.split()[0]).path).lstrip("/").partition("/")
            gone = self.containers.get(container, {}).pop(name, None)
            status, code = (
                ("404 Not Found", "x-ms-error-code: BlobNotFound\r\n") if gone is None else ("202 Accepted", "")
            )
            answers.append(
                f"--batch\r\nContent-Type: application/http\r\nContent-ID: {len(answers)}\r\n\r\n"
                f"HTTP/1.1 {status}\r\n{code}x-ms-request-id: 1\r\n\r\n"
            )
        said = {"Content-Type": "multipart/mixed; boundary=batch"}
        self._answer(202, "".join([*answers, "--batch--\r\n"]).encode(), said)

    def _asked(self) -> tuple[str, str, dict[str, str]]:
        parts = urlsplit(self.path)
        container, _, name = unquote(parts.path).lstrip("/").partition("/")
        return container, name, {key: values[0] for key, values in parse_qs(parts.query).items()}

    @staticmethod
    def _entry(blob: tuple[str, bytes], prefix: str) -> str:
        name, data = blob
        return (
            ""
            if not name.startswith(prefix)
            else (
                f"<Blob><Name>{escape(name)}</Name><Properties><Last-Modified>{MODIFIED}</Last-Modified>"
                f"<Content-Length>{len(data)}</Content-Length><Content-Type>x</Content-Type><Etag>1</Etag></Properties></Blob>"
            )
        )

    def _fail(self, status: int, code: str) -> None:
        self._answer(status, f"<Error><Code>{code}</Code></Error>".encode())

    def _answer(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        said = {"Content-Length": str(len(body)), "ETag": '"1"', "Last-Modified": MODIFIED}
        for key, value in (said | (headers or {})).items():
            self.send_header(key, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def main() -> None:
    """Serve until nobody wants it any more."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    moto.start()
    azure = ThreadingHTTPServer(("127.0.0.1", 0), Azure)
    Thread(target=azure.serve_forever, daemon=True).start()
    sys.stdout.write(f"{moto.get_host_and_port()[1]} {azure.server_address[1]}\n")
    sys.stdout.flush()
    sys.stdin.read()
    moto.stop()


if __name__ == "__main__":
    main()
