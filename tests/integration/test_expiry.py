"""What a stream removes before a slow reader has come to it is noticed, counted and told."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from nats.js.api import StreamConfig

from riskee.messaging.envelope import Envelope
from riskee.messaging.messages import Quote
from riskee.messaging.subjects import QUOTE
from riskee.storage.bus import Bus, codec_of
from riskee.storage.expiry import Expiry
from riskee.storage.inbox import Durable
from riskee.telemetry import MESSAGES_EXPIRED, QUEUE_DEPTH
from serving.consumers.consumption import Consumption
from serving.consumers.loop import ConsumerLoop
from serving.health import Health
from tests.integration.conftest import eventually
from tests.integration.test_bus import out, quotes

pytestmark = pytest.mark.integration

STREAM = "MARKET_DATA"


async def shrink(bus: Bus, messages: int) -> None:
    """Let the stream keep its newest messages only, as at its limit of size."""
    known: StreamConfig = (await bus.jetstream.stream_info(STREAM)).config
    await bus.jetstream.update_stream(known.evolve(max_msgs=messages))


@dataclass
class SetClock:
    """Shows what it is set to."""

    at: datetime = datetime(2026, 1, 5, 12, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at


class Reading:
    """A loop that reads until the end of the test."""

    def __init__(self, bus: Bus, durable: Durable, handle: Callable[[Sequence[Envelope[Quote]]], Any]) -> None:
        self.health, self.clock, self._stopping = Health("test"), SetClock(), asyncio.Event()
        consumption = Consumption(durable, codec_of(QUOTE), handle)
        self._loop = ConsumerLoop(bus, consumption, health=self.health, clock=self.clock, stopping=self._stopping)

    @property
    def told(self) -> str:
        return str(self.health.report().get("notes", ""))

    async def __aenter__(self) -> "Reading":
        self._task = asyncio.create_task(self._loop.run())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stopping.set()
        await asyncio.wait_for(self._task, 60)


def expired(durable: Durable) -> float:
    """How many were counted as removed unread, of this process."""
    return float(MESSAGES_EXPIRED.labels(durable.name)._value.get())


async def two_looks(durable: Durable) -> None:
    """Wait until the watch has looked twice: the first look may have begun before."""
    depth = QUEUE_DEPTH.labels(durable.name)
    for _ in range(2):
        depth.set(-1)
        await eventually(lambda: depth._value.get() >= 0)


async def test_a_reader_that_is_overtaken_is_told_of_it(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serving.consumers.watching._EVERY_SECONDS", 0.05)
    durable = Durable("test-slow", QUOTE.name, max_pending=2)
    go = asyncio.Event()
    handled: list[int] = []

    async def slow(batch: Sequence[Envelope[Quote]]) -> None:
        await go.wait()
        handled.extend(envelope.payload.sequence for envelope in batch)

    before = expired(durable)
    await bus.publish(QUOTE, *quotes(10))
    async with Reading(bus, durable, slow) as reading:
        try:
            # Two are out with the reader, eight wait, and that was seen; then all but the newest three are removed.
            await eventually(lambda: out(bus, durable, 2))
            await two_looks(durable)
            await shrink(bus, 3)
            await eventually(lambda: "of MARKET_DATA never delivered" in reading.told)
            assert expired(durable) - before in {4, 5}, "about"
        finally:
            go.set()
        await eventually(lambda: handled[-1:] == [9])
        # While it removes one after the other, the server may still deliver one of them.
        lone = [number for number in handled if number in range(2, 7)]
        assert (handled, len(lone) <= 1) == ([0, 1, *lone, 7, 8, 9], True)
        # What a later look still finds begins the hour anew.
        await two_looks(durable)
        reading.clock.at += timedelta(minutes=59)
        await asyncio.sleep(0.3)
        assert "removed unread" in reading.told
        reading.clock.at += timedelta(minutes=1)
        await eventually(lambda: "removed unread" not in reading.told)


async def test_what_was_removed_while_nobody_read_is_told_at_the_start(bus: Bus) -> None:
    durable = Durable("test-down", QUOTE.name)
    counted = expired(durable)
    handled: list[int] = []

    async def handle(batch: Sequence[Envelope[Quote]]) -> None:
        handled.extend(envelope.payload.sequence for envelope in batch)

    await bus.publish(QUOTE, *quotes(2))
    async with Reading(bus, durable, handle) as before:
        await eventually(lambda: handled == [0, 1])
    assert before.told == ""
    await bus.publish(QUOTE, *quotes(10)[2:])
    await shrink(bus, 3)
    async with Reading(bus, durable, handle) as after:
        await eventually(lambda: handled == [0, 1, 7, 8, 9])
        assert "about 5 of MARKET_DATA never delivered" in after.told
    assert after.told == "", "another process may read the durable now"
    assert expired(durable) - counted == 5


async def test_a_quiet_subject_of_a_busy_stream_lost_nothing(bus: Bus) -> None:
    """Nothing waits for it, and nothing need have."""
    durable = "test-quiet"
    await bus.publish(QUOTE, *quotes(1))
    subscription = await bus.jetstream.pull_subscribe(QUOTE.name, durable)
    for message in await subscription.fetch(1):
        await message.ack()
    for number in range(5):
        await bus.jetstream.publish("data.market.status", b"", headers={"Nats-Msg-Id": f"quiet-{number}"})
    await shrink(bus, 2)
    assert await Expiry(bus, STREAM, durable).removed() == 0


async def test_what_was_read_may_be_removed(bus: Bus) -> None:
    durable = Durable("test-quick", QUOTE.name)
    expiry = Expiry(bus, STREAM, durable.name)
    assert await expiry.removed() == 0
    subscription = await bus.jetstream.pull_subscribe(QUOTE.name, durable.name)
    await bus.publish(QUOTE, *quotes(10))
    for message in await subscription.fetch(10):
        await message.ack()
    assert await expiry.removed() == 0
    await shrink(bus, 1)
    assert await expiry.removed() == 0


async def test_what_was_delivered_between_two_looks_is_not_counted(bus: Bus) -> None:
    expiry = Expiry(bus, STREAM, "test-between")
    subscription = await bus.jetstream.pull_subscribe(QUOTE.name, "test-between")
    await bus.publish(QUOTE, *quotes(10))
    assert await expiry.removed() == 0
    for message in await subscription.fetch(10):
        await message.ack()
    await shrink(bus, 1)
    assert await expiry.removed() == 0
