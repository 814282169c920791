"""The bare floor, which must not be dearer than the product where both do the same."""

import asyncio
from typing import Any, Self

from nats.aio.msg import Msg

from riskee.storage.inbox import Durable
from serving.bench.floor import BATCH, EVENT_SUBJECT, PENDING, Floor
from serving.consumers import workload


class _Bus:
    """Takes publications, and acknowledges when it is let."""

    def __init__(self) -> None:
        self.replies: list[str] = []
        self.callback: Any = None
        self.published = asyncio.Event()

    def new_inbox(self) -> str:
        return "_INBOX.floor"

    async def subscribe(self, _subject: str, cb: Any) -> None:
        self.callback = cb

    async def publish(self, subject: str, _data: bytes, reply: str) -> None:
        assert subject == EVENT_SUBJECT
        self.replies.append(reply)
        self.published.set()
        await self.callback(Msg(None, subject=reply, data=b'{"stream":"BENCH_EVENTS","seq":1}'))  # type: ignore[arg-type]


class _Cache:
    """Answers only when the bus has been told: whoever waits for it first waits for ever."""

    def __init__(self, bus: _Bus) -> None:
        self._bus = bus
        self.keys: list[str] = []

    def pipeline(self, transaction: bool) -> Self:
        assert not transaction
        return self

    def set(self, key: str, _value: bytes, ex: int) -> None:
        assert ex > 0
        self.keys.append(key)

    async def execute(self) -> None:
        await self._bus.published.wait()


async def test_a_window_has_one_reply_and_goes_out_beside_the_cache() -> None:
    bus = _Bus()
    cache = _Cache(bus)
    floor: Floor = Floor(None, None, cache, bus)  # type: ignore[arg-type]
    await asyncio.wait_for(floor.publish([("A", b"1"), ("B", b"2"), ("C", b"3")]), 5)
    assert len(bus.replies) == 3
    assert len(set(bus.replies)) == 1
    assert cache.keys == ["floor:A", "floor:B", "floor:C"]


def test_its_batches_are_the_products() -> None:
    assert BATCH == workload._LARGEST_BATCH
    assert Durable("d", "s").max_pending == PENDING
