"""Connections: the head of a request, its line and headers, must come soon and be short."""

from asyncio import TimerHandle, Transport
from functools import partial
from typing import Any

from riskee.settings import GuardSettings
from serving.api.streaming.protocols import HttpProtocol

_END_OF_HEAD = b"\r\n\r\n"


class PatientProtocol(HttpProtocol):
    """As uvicorn's own, which would wait for a head without end and take one of any length."""

    def __init__(self, *arguments: Any, settings: GuardSettings, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._settings = settings
        # From the first moment, for who connects and says nothing; then from the first byte of each request.
        self._in_head = True
        self._head_bytes = 0
        self._timer: TimerHandle | None = None

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._arm()

    def connection_lost(self, exc: Exception | None) -> None:
        self._disarm()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._in_head:
            left = self._settings.head_bytes - self._head_bytes
            if len(data) > left and data.find(_END_OF_HEAD, 0, max(left, 0)) < 0:
                self._refuse(b"431 Request Header Fields Too Large")
                return
            self._head_bytes += len(data)
        super().data_received(data)
        if self._in_head and self._timer is None:
            self._arm()

    def on_message_begin(self) -> None:
        self._in_head = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._head_bytes = 0
        self._disarm()
        super().on_headers_complete()

    def _arm(self) -> None:
        self._timer = self.loop.call_later(self._settings.head_seconds, self._too_slow)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _too_slow(self) -> None:
        self._timer = None
        # Between two requests the connection is uvicorn's to end.
        if self._in_head and not self.transport.is_closing():
            self._refuse(b"408 Request Timeout")

    def _refuse(self, status: bytes) -> None:
        self._disarm()
        self.transport.write(b"HTTP/1.1 " + status + b"\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        self.transport.close()


def protocol_of(settings: GuardSettings) -> type[HttpProtocol]:
    """What uvicorn makes a protocol of for each connection."""
    return partial(PatientProtocol, settings=settings)  # type: ignore[return-value]
