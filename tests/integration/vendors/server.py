"""A web server on loopback in place of a vendor: it answers as the vendor documents, or as badly as a test wants."""

import json
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True)
class Request:
    """What a client sent."""

    path: str
    query: dict[str, str]
    headers: dict[str, str]


@dataclass(frozen=True)
class Reply:
    """What it gets. `silent` is none at all; `cut` ends the body before the length that was promised."""

    body: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    silent: bool = False
    cut: bool = False

    @property
    def content(self) -> bytes:
        return self.body.encode() if isinstance(self.body, str) else json.dumps(self.body).encode()


class Server:
    """Answers with what stands in `faults` for a request's path, then as `answer` says. Notes every request."""

    def __init__(self, answer: Callable[[Request], Reply]) -> None:
        self.answer = answer
        self.requests: list[Request] = []
        self.faults: dict[str, deque[Reply]] = {}
        self.released = threading.Event()
        self.url = ""

    def fail(self, path: str, *replies: Reply) -> None:
        """Answer the next requests of a path so."""
        self.faults.setdefault(path, deque()).extend(replies)

    def asked(self, path: str) -> list[Request]:
        """The requests of a path."""
        return [request for request in self.requests if request.path == path]

    def reply(self, request: Request) -> Reply:
        self.requests.append(request)
        waiting = self.faults.get(request.path)
        return waiting.popleft() if waiting else self.answer(request)


@contextmanager
def serving(answer: Callable[[Request], Reply]) -> Iterator[Server]:
    """A server on a free port."""
    server = Server(answer)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            headers = {name.lower(): value for name, value in self.headers.items()}
            reply = server.reply(Request(parts.path, dict(parse_qsl(parts.query)), headers))
            if reply.silent:
                server.released.wait()
                self.close_connection = True
                return
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(reply.content) + (9 if reply.cut else 0)))
            self.end_headers()
            self.wfile.write(reply.content)
            self.close_connection = reply.cut

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as httpd:
        httpd.daemon_threads = True
        httpd.block_on_close = False
        server.url = f"http://127.0.0.1:{httpd.server_port}"
        thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.released.set()
            httpd.shutdown()
            thread.join()
