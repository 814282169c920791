"""Clients of the stream for tests: over a WebSocket, by events, and one that never reads."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect

SECONDS = 60


@asynccontextmanager
async def streaming(client: httpx.AsyncClient, **headers: str) -> AsyncIterator[ClientConnection]:
    """A WebSocket that asked for nothing yet."""
    url = str(client.base_url).replace("http", "ws") + "/v1/stream"
    async with connect(url, compression=None, additional_headers=headers) as socket:
        yield socket


async def ask(socket: ClientConnection, *tickers: str, **more: object) -> None:
    await socket.send(json.dumps({"type": "subscribe", "tickers": tickers, **more}))


async def until(socket: ClientConnection, kind: str) -> list[dict[str, Any]]:
    """All that comes until a message of this type, that one last."""
    seen: list[dict[str, Any]] = []
    async with asyncio.timeout(SECONDS):
        while not seen or seen[-1]["type"] != kind:
            seen.append(json.loads(await socket.recv()))
    return seen


@dataclass(frozen=True)
class Event:
    """A server-sent event."""

    name: str
    data: dict[str, Any]
    id: str | None


@dataclass
class Events:
    """An answer that goes on."""

    answer: httpx.Response
    lines: AsyncIterator[str]

    async def blocks(self) -> AsyncIterator[list[str]]:
        block: list[str] = []
        async for line in self.lines:
            if line:
                block.append(line)
            else:
                yield block
                block = []

    async def until(self, name: str) -> list[Event]:
        """All events until one of this name, that one last; comments are none."""
        seen: list[Event] = []
        async with asyncio.timeout(SECONDS):
            async for block in self.blocks():
                fields = dict(line.split(": ", 1) for line in block if not line.startswith(":"))
                if "event" in fields:
                    seen.append(Event(fields["event"], json.loads(fields["data"]), fields.get("id")))
                    if seen[-1].name == name:
                        return seen
        raise EOFError(f"the stream ended before {name}")


@asynccontextmanager
async def listening(client: httpx.AsyncClient, tickers: str, last_event_id: str = "") -> AsyncIterator[Events]:
    """Server-sent events of these tickers."""
    headers = {"Last-Event-ID": last_event_id} if last_event_id else {}
    async with client.stream("GET", "/v1/stream/events", params={"tickers": tickers}, headers=headers) as answer:
        yield Events(answer, aiter(answer.aiter_lines()))


_HANDSHAKE = (
    "GET /v1/stream HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)
_EVENTS = "GET /v1/stream/events?tickers={tickers} HTTP/1.1\r\nHost: localhost\r\n\r\n"


@asynccontextmanager
async def never_reading(client: httpx.AsyncClient, *tickers: str, events: bool = False) -> AsyncIterator[socket.socket]:
    """A client that subscribes and then takes nothing, with little room in the kernel."""
    body = json.dumps({"type": "subscribe", "tickers": tickers}).encode()
    frame = bytes([0x81, 0x80 | len(body), 0, 0, 0, 0]) + body
    with socket.socket() as raw:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        raw.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(raw, (client.base_url.host, client.base_url.port))
        await loop.sock_sendall(raw, (_EVENTS.format(tickers=",".join(tickers)) if events else _HANDSHAKE).encode())
        assert await loop.sock_recv(raw, 12) in {b"HTTP/1.1 101", b"HTTP/1.1 200"}
        if not events:
            await loop.sock_sendall(raw, frame)
        yield raw
