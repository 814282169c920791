"""The handler of explain, under the loop that runs it; what is made once for several; what is kept."""

import asyncio
import uuid
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest

from riskee.clock import FixedClock, SystemClock
from riskee.errors import RetryableError
from riskee.explanation import prompt
from riskee.explanation.facts import Facts
from riskee.explanation.gate import Turn
from riskee.explanation.lasting import TEMPLATE_LASTS
from riskee.messaging.explanations import ExplainRequest, Explanation
from riskee.messaging.subjects import EXPLAIN, EXPLAINED
from riskee.settings import Settings
from riskee.storage.bus import codec_of
from riskee.storage.inbox import Durable
from serving.api.reading import Reader
from serving.consumers.consumption import Consumption
from serving.consumers.explain import Explain
from serving.consumers.explained import Kept, Making
from serving.consumers.loop import ConsumerLoop
from serving.health import Health
from tests.unit.messaging import samples

NOTHING = cast("Any", None)
KNOWN: Explanation = msgspec.structs.replace(
    samples.sample(EXPLAINED.name).payload, prompt_version=prompt.VERSION, llm="llm", created_at=samples.NOW
)


class Bus:
    """One that is away, and notes dead letters."""

    def __init__(self) -> None:
        self.dead: list[Any] = []

    async def publish(self, *_: Any) -> None:
        raise RetryableError("away")

    async def publish_encoded(self, letters: list[Any]) -> None:
        self.dead += letters

    async def tell(self, *_: Any) -> None:
        pass


class Cache:
    """One that knows an explanation."""

    def __init__(self, known: Explanation = KNOWN) -> None:
        self._known = known

    async def body(self, *_: Any, **__: Any) -> bytes:
        return msgspec.json.encode(self._known)


class Knowing:
    """Stands for the attributions, the explainer and what is kept."""

    async def of(self, *_: Any) -> Explanation:
        return KNOWN

    async def facts(self, *_: Any) -> Facts:
        return Facts(samples.PREDICTION, (), ())


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
    bus, health, knowing = Bus(), Health("explain"), cast("Any", Knowing())
    service = SimpleNamespace(bus=bus, health=health, clock=SystemClock(), settings=Settings())
    handler = Explain(cast("Any", service), knowing, knowing, knowing)
    loop = ConsumerLoop(
        cast("Any", bus),
        Consumption(Durable("explain", EXPLAIN.name), codec_of(EXPLAIN), handler.on_request),
        health=health,
        clock=SystemClock(),
        stopping=asyncio.Event(),
    )
    # Neither acknowledging nor terminating would work: these messages can do neither.
    deliveries = await loop._decode(cast("Any", [Message() for _ in range(count)]))
    with pytest.raises(RetryableError):
        await loop._handle(deliveries)
    assert bus.dead == []


async def _of(known: Explanation, facts_sha256: str = KNOWN.facts_sha256, seconds: float = 0.0) -> Explanation | None:
    clock = FixedClock(samples.NOW + timedelta(seconds=seconds))
    kept = Kept(cast("Any", Cache(known)), clock, Health("explain"), "llm")
    return await kept.of(samples.PREDICTION, facts_sha256)


async def test_what_is_kept_is_used_for_the_same_facts_only() -> None:
    assert await _of(KNOWN) == KNOWN
    assert await _of(KNOWN, "other facts") is None
    for changes in ({"prediction_id": uuid.uuid4()}, {"prompt_version": "1"}, {"llm": "another"}):
        assert await _of(msgspec.structs.replace(KNOWN, **changes)) is None


async def test_a_template_is_used_again_for_a_minute_only() -> None:
    template = msgspec.structs.replace(KNOWN, generator="template", llm="")
    lasts = TEMPLATE_LASTS.total_seconds()
    assert await _of(template, seconds=lasts - 1) == template
    assert await _of(template, seconds=lasts) is None
    assert await _of(KNOWN, seconds=lasts) == KNOWN


async def _read(known: Explanation, seconds: float = 0.0) -> Explanation | None:
    async def stored(_: Any) -> Explanation:
        return known

    clock, database = FixedClock(samples.NOW + timedelta(seconds=seconds)), SimpleNamespace(run=stored)
    reader = Reader(cast("Any", Cache(known)), cast("Any", database), clock, 60.0, NOTHING, "llm")
    return await reader.explanation(samples.PREDICTION)


async def test_what_does_not_last_is_absent_to_the_api_too() -> None:
    template = msgspec.structs.replace(KNOWN, generator="template", llm="")
    lasts = TEMPLATE_LASTS.total_seconds()
    assert await _read(template, lasts - 1) == template
    assert await _read(template, lasts) is None
    assert await _read(KNOWN, lasts) == KNOWN
    for changes in ({"prompt_version": "1"}, {"llm": "another"}):
        assert await _read(msgspec.structs.replace(KNOWN, **changes)) is None


class Maker:
    """Makes an explanation when it is told to."""

    def __init__(self) -> None:
        self.made = 0
        self.go = asyncio.Event()

    async def __call__(self) -> Explanation:
        self.made += 1
        await self.go.wait()
        if self.made > 1:
            raise RetryableError("away")
        return KNOWN


async def test_those_who_ask_for_the_same_share_one_and_the_most_urgent_counts() -> None:
    making, maker, patient = Making(), Maker(), Turn(urgent=False)
    first = asyncio.create_task(making.once("facts", patient, maker))
    await asyncio.sleep(0)
    second, *others = [asyncio.create_task(making.once("facts", Turn(urgent=True), maker)) for _ in range(4)]
    await asyncio.sleep(0)
    assert patient.urgent
    for each in (first, second):  # one who gives up takes nothing from the others
        each.cancel()
    maker.go.set()
    assert await asyncio.gather(*others) == [KNOWN] * 3
    assert maker.made == 1


async def test_what_was_made_is_made_again_later_and_a_failure_is_everybody_s() -> None:
    making, maker = Making(), Maker()
    maker.go.set()
    await making.once("facts", Turn(urgent=True), maker)
    results = await asyncio.gather(
        *(making.once("facts", Turn(urgent=True), maker) for _ in range(2)), return_exceptions=True
    )
    assert [type(each) for each in results] == [RetryableError] * 2
    assert maker.made == 2
