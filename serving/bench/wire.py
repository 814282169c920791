"""NATS' protocol for a sender that must not be the bottleneck: bytes made beforehand, a socket, a count of answers.

nats-py costs some 20 us a message and its timers tick in milliseconds; this costs 2 us and keeps to 0.1 ms.
"""

import socket
import threading
import time
from collections.abc import Sequence
from typing import Self
from urllib.parse import unquote, urlsplit

import msgspec

from riskee.errors import FatalError

_INBOX = "_INBOX.bench"
_ANSWER = b"MSG %s " % _INBOX.encode()
_CHUNK = 1 << 16
# Unanswered publications at once, of what is sent as fast as it goes.
WINDOW = 4096


def publication(subject: str, message_id: str, body: bytes) -> bytes:
    """The bytes that publish a message and ask for JetStream's acknowledgement."""
    header = b"NATS/1.0\r\nNats-Msg-Id: %s\r\n\r\n" % message_id.encode()
    sizes = len(header), len(header) + len(body)
    return b"HPUB %s %s %d %d\r\n%s%s\r\n" % (subject.encode(), _INBOX.encode(), *sizes, header, body)


class Sender:
    """A connection that publishes and counts what JetStream accepts and refuses."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._sending = threading.Lock()
        self._answered = threading.Condition()
        self.answers = 0
        self.refused = 0
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @classmethod
    def connect(cls, url: str) -> Self:
        """Connect. Raises OSError where nobody listens, and FatalError where the server does not let us in."""
        address = urlsplit(url)
        connection = socket.create_connection((address.hostname, address.port or 4222), timeout=10)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        options = {"verbose": False, "headers": True, "lang": "python", "name": "bench", "version": "1"}
        options |= {"user": unquote(address.username or ""), "pass": unquote(address.password or "")}
        connection.sendall(b"CONNECT %s\r\nPING\r\n" % msgspec.json.encode(options))
        found = b""
        while b"PONG\r\n" not in found:
            chunk = connection.recv(_CHUNK)
            found += chunk
            if not chunk or b"-ERR" in found:
                connection.close()
                raise FatalError("the message bus does not let the load in", "see `riskee logs nats`")
        connection.settimeout(None)
        connection.sendall(b"SUB %s 1\r\n" % _INBOX.encode())
        return cls(connection)

    def close(self) -> None:
        """Disconnect; answers are counted no more."""
        self._socket.shutdown(socket.SHUT_RDWR)
        self._reader.join()
        self._socket.close()

    def send(self, data: bytes) -> None:
        """Write publications as they are."""
        with self._sending:
            self._socket.sendall(data)

    def _read(self) -> None:
        rest = b""
        while chunk := self._socket.recv(_CHUNK):
            whole, found, rest = (rest + chunk).rpartition(b"\r\n")
            if not found:
                continue
            if b"PING" in whole:
                self.send(b"PONG\r\n")
            with self._answered:
                self.answers += whole.count(_ANSWER)
                self.refused += whole.count(b'"error":')
                self._answered.notify_all()

    def await_answers(self, count: int, seconds: float) -> bool:
        """Wait until so many publications are answered. Says whether they were in time."""
        with self._answered:
            return self._answered.wait_for(lambda: self.answers >= count, seconds)

    def send_paced(self, messages: Sequence[bytes], due: Sequence[float]) -> list[float]:
        """Send each message when it is due, together with those that are due by then. Answers when each was sent."""
        sent: list[float] = []
        while (at := len(sent)) < len(messages):
            wait = due[at] - time.time()
            if wait > 0:
                time.sleep(wait)
            now, end = time.time(), at
            while end < len(messages) and due[end] <= now:
                end += 1
            if end == at:  # the clocks of sleeping and of telling the time differ a little
                continue
            self.send(b"".join(messages[at:end]))
            sent += [time.time()] * (end - at)
        return sent

    def send_windowed(self, messages: Sequence[bytes]) -> list[float]:
        """Send as fast as JetStream acknowledges."""
        sent: list[float] = []
        for at in range(0, len(messages), 256):
            self.await_answers(at - WINDOW, 60)
            self.send(b"".join(messages[at : at + 256]))
            sent += [time.time()] * len(messages[at : at + 256])
        return sent
