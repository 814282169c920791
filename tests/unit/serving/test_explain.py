"""The handler of explain, under the loop that runs it."""

import asyncio
import uuid
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest

from riskee.clock import SystemClock
from riskee.errors import RetryableError
from riskee.messaging.explanations import ExplainRequest
from riskee.messaging.subjects import EXPLAIN, EXPLAINED
from riskee.storage.bus import codec_of
from riskee.storage.inbox import Durable
from serving.consumers.explain import Explain
from serving.consumers.loop import ConsumerLoop, Consumption
from serving.health import Health
from tests.unit.messaging import samples


class Bus:
    """One that is away, and notes dead letters."""

    def __init__(self) -> None:
        self.dead: list[Any] = []

    async def publish(self, *_: Any) -> None:
        raise RetryableError("away")

    async def publish_encoded(self, letters: list[Any]) -> None:
        self.dead += letters


class Cache:
    """One that knows the explanation."""

    async def body(self, *_: Any, **__: Any) -> bytes:
        known = samples.sample(EXPLAINED.name).payload
        return msgspec.json.encode(msgspec.structs.replace(known, prediction_id=samples.PREDICTION.prediction_id))


class Message:
    """A delivery that must stay open."""

    subject = EXPLAIN.name
    is_acked = False
    reply = "$JS.ACK.EXPLANATIONS.explain.1.7.7.0.0"

    def __init__(self) -> None:
        request = ExplainRequest(prediction=samples.PREDICTION, requested_at=samples.NOW)
        envelope = msgspec.structs.replace(samples.sample(EXPLAIN.name), payload=request, message_id=uuid.uuid4())
        self.data = codec_of(EXPLAIN).encode(envelope)


@pytest.mark.parametrize("count", [1, 2])
async def test_without_the_bus_requests_are_kept_for_later(count: int) -> None:
    bus, health, nothing = Bus(), Health("explain"), cast("Any", None)
    service = SimpleNamespace(bus=bus, health=health, clock=SystemClock())
    handler = Explain(cast("Any", service), cast("Any", Cache()), nothing, nothing, 1.0)
    loop = ConsumerLoop(
        cast("Any", bus),
        Consumption(Durable("explain", EXPLAIN.name), codec_of(EXPLAIN), handler.on_requests),
        health=health,
        clock=SystemClock(),
        stopping=asyncio.Event(),
    )
    # Neither acknowledging nor terminating would work: these messages can do neither.
    deliveries = await loop._decode(cast("Any", [Message() for _ in range(count)]))
    with pytest.raises(RetryableError):
        await loop._handle(deliveries)
    assert bus.dead == []
