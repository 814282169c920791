"""The bare floor, which must not be dearer than the product where both do the same."""

import asyncio
from typing import Any, Self

from nats.aio.msg import Msg

from serving.bench.floor import BATCH, EVENT_SUBJECT, PENDING, Floor, UsualFloor
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
    await asyncio.wait_for(floor.publish([("A", b"1"), ("B", b"2"), ("C", b"3")]), 60)
    assert len(bus.replies) == 3
    assert len(set(bus.replies)) == 1
    assert cache.keys == ["floor:A", "floor:B", "floor:C"]


class _JetStream:
    """Holds every acknowledgement back until as many publications wait as are expected."""

    def __init__(self, expected: int) -> None:
        self._expected = expected
        self._all = asyncio.Event()
        self.published: list[bytes] = []

    def jetstream(self) -> Self:
        return self

    async def publish(self, subject: str, data: bytes) -> None:
        assert subject == EVENT_SUBJECT
        self.published.append(data)
        if len(self.published) == self._expected:
            self._all.set()
        await self._all.wait()


async def test_as_usually_written_all_of_a_window_wait_side_by_side() -> None:
    bus = _JetStream(expected=2)
    floor: Floor = UsualFloor(None, None, None, bus)  # type: ignore[arg-type]
    await asyncio.wait_for(floor._tell([("A", b"1"), ("B", b"2")]), 60)
    assert bus.published == [b"1", b"2"]


def test_its_batches_are_the_products() -> None:
    assert BATCH == workload._LARGEST_BATCH
    assert workload._MOST_PENDING == PENDING
