"""A server that says to each request what a test wants, and remembers what was asked."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from attrs import define, field

Answer = tuple[int, bytes]
NO_SUCH_KEY: Answer = (404, b"<Error><Code>NoSuchKey</Code></Error>")


def failed(status: int, code: str) -> Answer:
    """An error in S3's words."""
    return status, f"<Error><Code>{code}</Code><Message>Told so.</Message></Error>".encode()


@define
class Scripted:
    """What is answered, and what was asked, as ``METHOD /path?query``, with ``if new`` where that was a condition."""

    answer: Callable[[str], Answer]
    asked: list[str] = field(factory=list)
    url: str = ""


@contextmanager
def scripted(answer: Callable[[str], Answer]) -> Iterator[Scripted]:
    """Serve while the block lasts."""
    script = Scripted(answer)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def __getattr__(self, name: str) -> Callable[[], None]:
            if not name.startswith("do_"):
                raise AttributeError(name)
            return self.reply

        def reply(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            asked = f"{self.command} {self.path}" + (" if new" if "If-None-Match" in self.headers else "")
            script.asked.append(asked)
            status, body = script.answer(asked)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("ETag", '"1"')
            self.send_header("Last-Modified", "Sat, 01 Aug 2026 12:00:00 GMT")
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        script.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield script
        finally:
            server.shutdown()
            thread.join()
