"""The servers that requests are sent to, each in a process of its own: the API, and the bare route."""

import http.client
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from riskee.errors import FatalError
from serving.bench.rig import end

_HOST = "127.0.0.1"
_STARTING_SECONDS = 60.0
_POLL_SECONDS = 0.05


@dataclass(frozen=True)
class Server:
    """A server that answers."""

    port: int
    pid: int

    @property
    def url(self) -> str:
        return f"http://{_HOST}:{self.port}"


@contextmanager
def api_server(**settings: str) -> Iterator[Server]:
    """The API with some settings (as environment variables) of its own. Raises FatalError where it does not start."""
    port = _free_port()
    own = {"RISKEE_API__PORT": str(port), "RISKEE_LOG_LEVEL": "WARNING", **settings}
    with _running(["-m", "serving.api"], port, "/health/live", own) as server:
        yield server


@contextmanager
def bare_server() -> Iterator[Server]:
    """The bare route. Raises as `api_server`."""
    port = _free_port()
    with _running(["-m", "serving.bench.bare", str(port)], port, "/", {}) as server:
        yield server


@contextmanager
def broadcast_server() -> Iterator[Server]:
    """The bare broadcast that the stream is compared with. Raises as `api_server`."""
    port = _free_port()
    with _running(["-m", "serving.bench.stream_floor", str(port)], port, "/", {}) as server:
        yield server


@contextmanager
def _running(arguments: list[str], port: int, page: str, settings: Mapping[str, str]) -> Iterator[Server]:
    # Their logs are not the measurement.
    process = subprocess.Popen([sys.executable, *arguments], env={**os.environ, **settings}, stdout=sys.stderr)  # noqa: S603
    try:
        _await(process, port, page)
        yield Server(port, process.pid)
    finally:
        end(process)


def _await(process: subprocess.Popen[bytes], port: int, page: str) -> None:
    """Until it answers, whatever it says."""
    deadline = time.monotonic() + _STARTING_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            get(port, page)
        except OSError:
            time.sleep(_POLL_SECONDS)
        else:
            return
    raise FatalError(f"{process.args!r} does not answer", "its error stands above")


def get(port: int, path: str) -> tuple[int, bytes]:
    """Status and body of one answer."""
    connection = http.client.HTTPConnection(_HOST, port, timeout=_STARTING_SECONDS)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def _free_port() -> int:
    with socket.create_server((_HOST, 0)) as listener:
        port: int = listener.getsockname()[1]
    return port
