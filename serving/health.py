"""What a process says of itself: `/health/live`, `/health/ready` and `/metrics`."""

import asyncio
from dataclasses import dataclass, field

import msgspec

from riskee.errors import FatalError
from riskee.logs import get_logger
from riskee.telemetry import DEPENDENCY_UP, EXPOSITION_TYPE, exposition

_REQUEST_SECONDS = 5.0
_REASONS = {200: "OK", 404: "Not Found", 503: "Service Unavailable"}

_log = get_logger(__name__)


@dataclass
class Health:
    """The troubles of a service by dependency; none: it is ready."""

    service: str
    _troubles: dict[str, str] = field(default_factory=dict)
    _notes: dict[str, str] = field(default_factory=dict)

    def up(self, dependency: str) -> None:
        if self._troubles.get(dependency, "unknown"):
            _log.info("ready", dependency=dependency)
        self._troubles[dependency] = ""
        DEPENDENCY_UP.labels(dependency).set(1)

    def down(self, dependency: str, cause: str) -> None:
        if self._troubles.get(dependency) != cause:
            _log.warning("waiting", dependency=dependency, cause=cause)
        self._troubles[dependency] = cause
        DEPENDENCY_UP.labels(dependency).set(0)

    def forget(self, dependency: str) -> None:
        """It is needed no longer."""
        if self._troubles.pop(dependency, None) is not None:
            DEPENDENCY_UP.remove(dependency)

    def note(self, name: str, text: str) -> None:
        """Something worth knowing that is no trouble."""
        self._notes[name] = text

    def unnote(self, name: str) -> None:
        """It is not worth knowing any more."""
        self._notes.pop(name, None)

    @property
    def ready(self) -> bool:
        return not any(self._troubles.values())

    def report(self) -> dict[str, object]:
        """The state, for each dependency `ok` or its trouble, and notes where there are any."""
        return {
            "service": self.service,
            "status": "ok" if self.ready else "waiting",
            "dependencies": {name: trouble or "ok" for name, trouble in sorted(self._troubles.items())},
            **({"notes": dict(sorted(self._notes.items()))} if self._notes else {}),
        }


class HealthServer:
    """A few lines of HTTP for probes and scrapes; the API serves the same three paths itself."""

    def __init__(self, health: Health) -> None:
        self._health = health
        self._server: asyncio.Server | None = None

    async def start(self, host: str, port: int) -> int:
        """Listen, and give the port. Raises FatalError where it is taken."""
        try:
            self._server = await asyncio.start_server(self._answer, host, port)
        except OSError as error:
            setting = f"RISKEE_METRICS__{self._health.service.upper()}_PORT"
            raise FatalError(f"port {port} cannot be used: {error.strerror}", f"set {setting}") from error
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_REQUEST_SECONDS):
                head = await reader.readuntil(b"\r\n\r\n")
                code, kind, body = self._page(head.split(b" ", 2)[1].decode("latin-1"))
                writer.write(
                    f"HTTP/1.1 {code} {_REASONS[code]}\r\nContent-Type: {kind}\r\n"
                    f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode()
                    + body
                )
                await writer.drain()
        except (TimeoutError, OSError, ValueError, IndexError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            _log.debug("a probe broke off")
        finally:
            writer.close()

    def _page(self, path: str) -> tuple[int, str, bytes]:
        match path.partition("?")[0]:
            case "/health/live":
                return 200, "application/json", b'{"status":"ok"}'
            case "/health/ready":
                code = 200 if self._health.ready else 503
                return code, "application/json", msgspec.json.encode(self._health.report())
            case "/metrics":
                return 200, EXPOSITION_TYPE, exposition()
            case _:
                return 404, "text/plain", b"/health/live /health/ready /metrics\n"
