"""From a client's line to its socket: as fast as that takes it, and no further."""

import asyncio
from collections import Counter, deque
from collections.abc import Callable

from riskee.logs import get_logger
from riskee.telemetry import STREAM_MESSAGES
from serving.api.streaming.framing import Framing
from serving.api.streaming.listener import Listener
from serving.api.streaming.protocols import Connection

# One write to a socket, and how many sockets are written to before other work has its turn.
_WRITE_BYTES = 32 * 1024
_SLICE = 128
_INTERNAL_ERROR = 1011

_log = get_logger(__name__)


class Pump:
    """Flushes the outlets for which something waits, some at a time, so that requests are served between."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self.monotonic = monotonic
        self._ready: deque[Outlet] = deque()
        self._scheduled = False
        self._sent: Counter[str] = Counter()

    def wake(self, outlet: "Outlet") -> None:
        """Something waits for an outlet."""
        self._ready.append(outlet)
        if not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._run)

    def _run(self) -> None:
        try:
            for _ in range(min(len(self._ready), _SLICE)):
                self._ready.popleft().flush()
        finally:
            self._scheduled = bool(self._ready)
            if self._scheduled:
                asyncio.get_running_loop().call_soon(self._run)

    def count(self, kind: str) -> None:
        """A message was sent."""
        self._sent[kind] += 1

    def publish(self) -> None:
        """Bring the metric up to date. Its own way to count takes longer than to send a message."""
        for kind, count in self._sent.items():
            STREAM_MESSAGES.labels(kind).inc(count)
        self._sent.clear()


class Outlet:
    """One client's listener and connection."""

    __slots__ = ("__weakref__", "_drained", "_framing", "_pump", "blocked_since", "connection", "last_sent", "listener")

    def __init__(self, connection: Connection, framing: Framing, pump: Pump, buffer_bytes: int) -> None:
        self.connection = connection
        self.listener = Listener(self._wake)
        self._framing = framing
        self._pump = pump
        self._drained: asyncio.Future[None] | None = None
        self.last_sent = pump.monotonic()
        # Since when it takes nothing, though something waits.
        self.blocked_since: float | None = None
        connection.begin(self.flush, buffer_bytes)

    def _wake(self) -> None:
        self._pump.wake(self)

    def flush(self) -> None:
        """Write what waits, until the socket takes no more; then it comes back when that does.

        A client whose messages cannot be written is ended; the others go on.
        """
        try:
            self._write()
        except Exception as error:  # noqa: BLE001 (whatever it is, it is of this client alone)
            _log.exception("a client of the stream is ended", cause=str(error))
            self.connection.end(_INTERNAL_ERROR, "its messages could not be written: connect again")

    def _write(self) -> None:
        listener, connection = self.listener, self.connection
        now = self._pump.monotonic()
        while listener and connection.ready:
            updates = listener.take(_WRITE_BYTES)
            connection.write(self._framing(updates))
            self.last_sent, self.blocked_since = now, None
            for update in updates:
                self._pump.count(update.type)
        if not listener:
            listener.awake = False
        elif self.blocked_since is None:
            self.blocked_since = now
        if self._drained and not self._drained.done() and not (listener and connection.open):
            self._drained.set_result(None)

    async def drained(self) -> None:
        """Until nothing waits, or the connection is closed: whoever asks for more than it reads is held up here."""
        if self.listener and self.connection.open:
            self._drained = asyncio.get_running_loop().create_future()
            await self._drained
