"""uvicorn's protocols, which here hand a stream the transport of its connection.

What is sent to thousands of clients is written by whoever has it, without a task and a coroutine's turn for each; and a
client that never reads can be ended, which ASGI has no word for. Both are ASGI servers as before; a stream finds its
connection in the scope, under `extensions`.
"""

import asyncio
import socket
from collections.abc import Callable, Mapping
from struct import pack
from typing import Any, Protocol
from weakref import ref

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request
from websockets.protocol import State

from serving.api.streaming.light import Flag, Mailbox

EXTENSION = "riskee.connection"
RESTARTING = "the API ends or restarts: connect again and resume"
TRY_AGAIN_LATER = 1013
_SERVICE_RESTART = 1012
_NO_LINGERING = pack("ii", 1, 0)
# How long an ended client has to take what it was sent last.
_GRACE_SECONDS = 2.0
# A peer that acknowledges nothing for so long is gone.
_UNACKNOWLEDGED_MILLISECONDS = 60_000


class Connection(Protocol):
    """The transport of one stream."""

    @property
    def open(self) -> bool:
        """Whether neither side has ended it."""

    @property
    def ready(self) -> bool:
        """Whether it takes more now."""

    def begin(self, on_change: Callable[[], None], buffer_bytes: int) -> None:
        """Become a stream's, which is told when more can be written after it was not, and of the end."""

    def write(self, data: bytes) -> None:
        """Send bytes of whole messages; never waits."""

    def end(self, code: int, reason: str) -> None:
        """Close with a reason; whoever does not take it is cut off soon."""


def connection_of(scope: Mapping[str, Any]) -> Any:
    """The connection of a request: a WebSocketProtocol or an HttpProtocol. Raises LookupError where another server
    runs the application."""
    return scope["extensions"][EXTENSION]()


def _bound(transport: asyncio.Transport, size: int) -> None:
    """Hold no more than so many bytes for a slow reader, here and in the kernel each."""
    transport.set_write_buffer_limits(high=size)
    sock = transport.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, size)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNACKNOWLEDGED_MILLISECONDS)


def _cut_off(transport: asyncio.Transport) -> None:
    """End a connection at once, also what of it is in the kernel, which would try for minutes to get rid of it."""
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGERING)
    transport.abort()


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """A WebSocket that a stream writes to."""

    _on_change: Callable[[], None] | None = None
    _paused = False

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.queue = Mailbox()  # type: ignore[assignment]
        self.writable = Flag(is_set=True)  # type: ignore[assignment]

    def handle_connect(self, event: Request) -> None:
        """Put the connection in the scope, before the application's task has its first turn."""
        super().handle_connect(event)
        if self.response.status_code == 101:
            self.scope["extensions"][EXTENSION] = ref(self)  # type: ignore[assignment]

    @property
    def open(self) -> bool:
        """See `Connection`."""
        return not (self.close_sent or self.transport.is_closing())

    @property
    def ready(self) -> bool:
        """See `Connection`."""
        return not self._paused and self.open

    def begin(self, on_change: Callable[[], None], buffer_bytes: int) -> None:
        """See `Connection`."""
        self._on_change = on_change
        _bound(self.transport, buffer_bytes)
        # The handshake is over: what it was made of is a seventh of a connection's memory.
        del self.request, self.response

    def write(self, data: bytes) -> None:
        """See `Connection`."""
        self.transport.write(data)

    def end(self, code: int, reason: str) -> None:
        """See `Connection`."""
        if not self.open or self.conn.state is not State.OPEN:
            return
        self.stop_keepalive()
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        self.conn.send_close(code, reason)
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()
        self.close_timer = self.loop.call_later(_GRACE_SECONDS, _cut_off, self.transport)
        self._tell()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client has gone."""
        super().connection_lost(exc)
        self._tell()

    def _tell(self) -> None:
        if self._on_change:
            self._on_change()

    def shutdown(self) -> None:
        """Tell a stream's client why."""
        if self._on_change is None or self.close_sent:
            super().shutdown()
        else:
            self.end(_SERVICE_RESTART, RESTARTING)

    def keepalive_timeout(self) -> None:
        """The peer is gone: what it has not taken is not waited for."""
        super().keepalive_timeout()
        self.close_timer = self.loop.call_later(_GRACE_SECONDS, _cut_off, self.transport)

    def pause_writing(self) -> None:
        """The buffer is full."""
        super().pause_writing()
        self._paused = True

    def resume_writing(self) -> None:
        """The buffer is empty enough."""
        super().resume_writing()
        self._paused = False
        self._tell()


class HttpProtocol(HttpToolsProtocol):
    """An HTTP connection that a stream of events writes to, in chunks."""

    _on_change: Callable[[], None] | None = None
    _ended: asyncio.Event | None = None
    _cutting: asyncio.TimerHandle | None = None

    def on_message_begin(self) -> None:
        """Put the connection in the scope; weakly, for a circle of references would outlive it."""
        super().on_message_begin()
        self.scope["extensions"] = {EXTENSION: ref(self)}  # type: ignore[dict-item]

    @property
    def open(self) -> bool:
        """See `Connection`."""
        return self._ended is not None and not (self._ended.is_set() or self.transport.is_closing())

    @property
    def ready(self) -> bool:
        """See `Connection`."""
        return not self.flow.write_paused and self.open

    def begin(self, on_change: Callable[[], None], buffer_bytes: int) -> None:
        """See `Connection`."""
        self._on_change = on_change
        self._ended = asyncio.Event()
        _bound(self.transport, buffer_bytes)

    async def wait_ended(self) -> None:
        """Until either side ends the stream."""
        if self._ended:
            await self._ended.wait()

    def write(self, data: bytes) -> None:
        """See `Connection`."""
        self.transport.write(b"%x\r\n%s\r\n" % (len(data), data))

    def end(self, code: int, reason: str) -> None:
        """See `Connection`. Events know no codes."""
        if not self.open or self._ended is None:
            return
        self.write(f": {code} {reason}\n\n".encode())
        self._cutting = self.loop.call_later(_GRACE_SECONDS, _cut_off, self.transport)
        self._finish()

    def _finish(self) -> None:
        if self._ended:
            self._ended.set()
        if self._on_change:
            self._on_change()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client has gone."""
        super().connection_lost(exc)
        if self._cutting:
            self._cutting.cancel()
        self._finish()

    def shutdown(self) -> None:
        """Tell a stream's client why."""
        super().shutdown()
        self.end(_SERVICE_RESTART, RESTARTING)

    def resume_writing(self) -> None:
        """The buffer is empty enough."""
        super().resume_writing()
        if self._on_change:
            self._on_change()
