"""Thousands of clients in a process of their own: `python -m serving.bench.stream_crowd`.

It reads a Crowd, connects, says `ready` when each client has all that it asked for, and answers with what was heard.
The clients are as cheap as can be, so that it is the server that is measured: no library, no task for each, and of a
message only its time and its sequence are looked for.
"""

import asyncio
import base64
import os
import resource
import socket
import sys
import time
from array import array
from datetime import datetime
from typing import cast

import msgspec
import numpy as np
import uvloop

from serving.bench.latency import latency_of
from serving.bench.stream_result import Crowd, Heard, own_tickers

_TEXT, _CLOSE, _PING = 0x1, 0x8, 0x9
_MASKED_PONG = 0x8A
# Handshakes under way at once; and how long nothing may come before a load is over.
_AT_ONCE = 100
_SILENCE_SECONDS = 4.0
_LONGEST_SECONDS = 300.0
_AS_OF = b'"as_of":"'
_SEQUENCE = b'"sequence":'
_COMPLETE = b'{"type":"complete"'
_ERROR = b'{"type":"error"'
_AGAIN_SECONDS = 1.0
_SMALL_WINDOW = 4096


class Heap:
    """What all clients heard together."""

    def __init__(self) -> None:
        self.milliseconds = array("d")
        self.ready = 0
        self.closed = 0
        self.fallen = 0
        self.first = 0.0
        self.last = 0.0

    def note(self, now: float, sent: float) -> None:
        """One delivery."""
        self.first = self.first or now
        self.last = now
        self.milliseconds.append((now - sent) * 1000)


class Member(asyncio.Protocol):
    """One client, which hears."""

    def __init__(self, heap: Heap, request: bytes, done: asyncio.Future[None]) -> None:
        self._heap = heap
        self._request = request
        self._done = done
        self._left = b""
        self._open = False
        self._sequence = -1

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """There is a connection; the handshake follows."""
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """The answer to the handshake, then frames."""
        self._left += data
        if not self._open:
            head, end, rest = self._left.partition(b"\r\n\r\n")
            if not end:
                return
            if not head.startswith(b"HTTP/1.1 101"):
                self._fail(ConnectionError(head.decode()))
                return
            self._open, self._left = True, rest
            self.transport.write(frame(self._request))
        now = time.time()
        frames, self._left = split(self._left)
        for opcode, payload in frames:
            self._hear(now, opcode, payload)

    def _hear(self, now: float, opcode: int, payload: bytes) -> None:
        if opcode == _PING:
            self.transport.write(bytes([_MASKED_PONG, 0x80 | len(payload)]) + bytes(4) + payload)
        elif opcode == _TEXT and _AS_OF in payload and b'"snapshot":true' not in payload:
            start = payload.index(_AS_OF) + len(_AS_OF)
            sent = datetime.fromisoformat(payload[start : payload.index(b'"', start)].decode()).timestamp()
            self._heap.note(now, sent)
            self._follow(payload)
        elif payload.startswith(_COMPLETE) and not self._done.done():
            self._done.set_result(None)
        elif payload.startswith(_ERROR):
            # So many who come at once may find the cache busy.
            asyncio.get_running_loop().call_later(_AGAIN_SECONDS, self.transport.write, frame(self._request))

    def _follow(self, payload: bytes) -> None:
        start = payload.find(_SEQUENCE)
        if 0 <= start < len(_COMPLETE) + len(_SEQUENCE) + 4:
            sequence = int(payload[start + len(_SEQUENCE) : payload.index(b",", start)])
            self._heap.fallen += sequence <= self._sequence
            self._sequence = sequence

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody closes these but the server, or the end."""
        self._heap.closed += 1
        self._fail(exc or ConnectionError("the server closed the connection"))

    def _fail(self, error: Exception) -> None:
        if not self._done.done():
            self._done.set_exception(error)


def frame(payload: bytes) -> bytes:
    """A client's frame of text, masked by zeros."""
    size = bytes([0x80 | len(payload)]) if len(payload) < 126 else b"\xfe" + len(payload).to_bytes(2)
    return b"\x81" + size + bytes(4) + payload


def split(data: bytes) -> tuple[list[tuple[int, bytes]], bytes]:
    """The whole frames, as (opcode, payload), and what is left."""
    frames: list[tuple[int, bytes]] = []
    at, end = 0, len(data)
    while end - at >= 2:
        size, start = data[at + 1], at + 2
        if size >= 126:
            width = 2 if size == 126 else 8
            if end < start + width:
                break
            size, start = int.from_bytes(data[start : start + width]), start + width
        if end < start + size:
            break
        frames.append((data[at] & 0x0F, data[start : start + size]))
        at = start + size
    return frames, data[at:]


def _handshake(crowd: Crowd) -> bytes:
    key = base64.b64encode(os.urandom(16)).decode()
    return (
        f"GET {crowd.path} HTTP/1.1\r\nHost: 127.0.0.1:{crowd.port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n"
    ).encode()


async def _join(crowd: Crowd, heap: Heap, number: int, gate: asyncio.Semaphore) -> Member:
    tickers = own_tickers(number, crowd.tickers, crowd.tickers_each)
    request = msgspec.json.encode({"type": "subscribe", "tickers": tickers})
    loop = asyncio.get_running_loop()
    done = loop.create_future()
    async with gate:
        _, member = await loop.create_connection(lambda: Member(heap, request, done), "127.0.0.1", crowd.port)
        member.transport.write(_handshake(crowd))
        await done
    return member


async def _join_deaf(crowd: Crowd) -> socket.socket:
    """A client that asks for everything and takes nothing but the answer to its handshake."""
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SMALL_WINDOW)
    raw.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(raw, ("127.0.0.1", crowd.port))
    await loop.sock_sendall(raw, _handshake(crowd))
    await loop.sock_recv(raw, 1)
    await loop.sock_sendall(raw, frame(msgspec.json.encode({"type": "subscribe", "tickers": list(crowd.tickers)})))
    return raw


async def listen(crowd: Crowd) -> Heard:
    """Connect all, say so, and hear until all has come, or nothing comes any more."""
    heap, gate = Heap(), asyncio.Semaphore(_AT_ONCE)
    deaf = [await _join_deaf(crowd) for _ in range(crowd.deaf)]
    members = await asyncio.gather(*(_join(crowd, heap, number, gate) for number in range(crowd.clients)))
    _say("ready")
    began, cpu = time.time(), time.process_time()
    while len(heap.milliseconds) < crowd.expected and time.time() - began < _LONGEST_SECONDS:
        if heap.last and time.time() - heap.last > _SILENCE_SECONDS:
            break
        await asyncio.sleep(0.1)
    spent, closed = time.process_time() - cpu, heap.closed
    _say("over")
    # Who asked looks at the server before the clients go.
    sys.stdin.buffer.readline()
    for member in members:
        member.transport.abort()
    for each in deaf:
        each.close()
    return Heard(
        deliveries=len(heap.milliseconds),
        latency=latency_of(np.array(heap.milliseconds)),
        first=heap.first,
        last=heap.last,
        fallen=heap.fallen,
        closed=closed,
        cpu_seconds=spent,
    )


def _say(word: str) -> None:
    sys.stdout.buffer.write(f"{word}\n".encode())
    sys.stdout.buffer.flush()


def main() -> None:
    """One crowd."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    heard = uvloop.run(listen(msgspec.json.decode(sys.stdin.buffer.readline(), type=Crowd)))
    sys.stdout.buffer.write(msgspec.json.encode(heard) + b"\n")


if __name__ == "__main__":
    main()
