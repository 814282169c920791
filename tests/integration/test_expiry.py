"""What a stream removes before a slow reader has come to it is noticed, counted and told."""

import asyncio
from collections.abc import Sequence

import pytest
from nats.js.api import StreamConfig

from riskee.clock import SystemClock
from riskee.messaging.envelope import Envelope
from riskee.messaging.messages import Quote
from riskee.messaging.subjects import QUOTE
from riskee.storage.bus import Bus, codec_of
from riskee.storage.expiry import Expiry
from riskee.storage.inbox import Durable
from riskee.telemetry import MESSAGES_EXPIRED
from serving.consumers.loop import ConsumerLoop, Consumption
from serving.health import Health
from tests.integration.conftest import eventually
from tests.integration.test_bus import quotes

pytestmark = pytest.mark.integration

STREAM = "MARKET_DATA"


async def shrink(bus: Bus, messages: int) -> None:
    """Let the stream keep its newest messages only, as at its limit of size."""
    known: StreamConfig = (await bus.jetstream.stream_info(STREAM)).config
    await bus.jetstream.update_stream(known.evolve(max_msgs=messages))


async def test_a_reader_that_is_overtaken_is_told_of_it(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serving.consumers.watching._EVERY_SECONDS", 0.05)
    durable = Durable("test-slow", QUOTE.name, max_pending=2)
    health, stopping, go = Health("test"), asyncio.Event(), asyncio.Event()
    handled: list[int] = []

    async def slow(batch: Sequence[Envelope[Quote]]) -> None:
        await go.wait()
        handled.extend(envelope.payload.sequence for envelope in batch)

    loop = ConsumerLoop(
        bus,
        Consumption(durable, codec_of(QUOTE), slow),
        health=health,
        clock=SystemClock(),
        stopping=stopping,
    )
    await bus.publish(QUOTE, *quotes(10))
    task = asyncio.create_task(loop.run())
    try:
        # Two are out with the reader, eight wait; then all but the newest three are removed.
        await asyncio.sleep(0.5)
        await shrink(bus, 3)
        await eventually(lambda: "removed unread" in str(health.report()))
        assert MESSAGES_EXPIRED.labels(durable.name)._value.get() == 5
        go.set()
        await eventually(lambda: len(handled) >= 5)
        assert handled == [0, 1, 7, 8, 9]
    finally:
        go.set()
        stopping.set()
        await asyncio.wait_for(task, 20)


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
