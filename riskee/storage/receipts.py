"""Counting JetStream's acknowledgements of what was published.

Every message of a window asks for its acknowledgement on the same reply subject, so that receiving one costs a
subtraction instead of a future, a task and a timer for each message (28 us become 8, docs/adr/0091).
"""

import asyncio
from dataclasses import dataclass, field

import msgspec
from nats.aio.client import Client
from nats.aio.msg import Msg

_STORED = b'{"stream":'


class _Refusal(msgspec.Struct):
    description: str = ""


class _Receipt(msgspec.Struct):
    error: _Refusal | None = None


@dataclass
class Window:
    """Messages whose acknowledgements are awaited."""

    reply: str
    awaited: int
    refused: int = 0
    reason: str = ""
    complete: asyncio.Event = field(default_factory=asyncio.Event)


class Receipts:
    """One inbox for the acknowledgements of all windows of a connection."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._prefix = ""
        self._opened = 0
        self._windows: dict[str, Window] = {}

    async def open(self, size: int) -> Window:
        """A window for so many messages, at least one: publish each with its `reply`, then wait until `complete`."""
        if not self._prefix:
            self._prefix = self._client.new_inbox()
            await self._client.subscribe(f"{self._prefix}.*", cb=self._receive)
        self._opened += 1
        window = Window(f"{self._prefix}.{self._opened}", size)
        self._windows[window.reply] = window
        return window

    def close(self, window: Window) -> None:
        """Stop waiting; what comes later for this window is ignored."""
        del self._windows[window.reply]

    def abandon(self) -> None:
        """The connection was lost: what is still awaited may never come, and is not worth its timeout."""
        for window in self._windows.values():
            window.reason = "the connection was lost"
            window.complete.set()

    async def _receive(self, message: Msg) -> None:
        window = self._windows.get(message.subject)
        if window is None:
            return
        if not message.data.startswith(_STORED):
            self._judge(window, message)
        window.awaited -= 1
        if window.awaited == 0:
            window.complete.set()

    @staticmethod
    def _judge(window: Window, message: Msg) -> None:
        # An empty answer is the server's "503": no stream takes this subject.
        receipt = msgspec.json.decode(message.data, type=_Receipt) if message.data else _Receipt(_Refusal("no stream"))
        if receipt.error is not None:
            window.refused += 1
            window.reason = receipt.error.description
