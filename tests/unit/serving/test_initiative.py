"""The own initiative of explain: what goes wrong on its way to ask, and what it does not wait for."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest
from prometheus_client import REGISTRY

from riskee.clock import FixedClock
from riskee.errors import FatalError, RetryableError
from riskee.messaging.envelope import Envelope
from riskee.messaging.explanations import ExplainRequest
from riskee.messaging.messages import Prediction, Quote
from riskee.messaging.subjects import EXPLAIN, PREDICTION_UPDATED, QUOTE
from riskee.settings import Settings
from riskee.storage.bus import codec_of
from serving.consumers import initiative
from serving.consumers.initiative import Initiative
from serving.consumers.service import Service
from tests.unit.messaging import samples

NOW = samples.NOW
PREDICTION: Prediction = msgspec.structs.replace(samples.PREDICTION, flags=())
OPENING: Quote = msgspec.structs.replace(
    samples.sample(QUOTE.name).payload,
    ticker=PREDICTION.ticker,
    session_date=PREDICTION.session_date,
    open=PREDICTION.price / 2,
)


class Bus:
    """Notes what is published and who listens; fails with an error, or only once it is let go on."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.asked: list[Envelope[ExplainRequest]] = []
        self.heard: dict[str, Callable[[Any], Awaitable[None]]] = {}
        self.unread: dict[str, int] = {}
        self.going_on = asyncio.Event()
        self.going_on.set()

    async def listen(self, subject: str, callback: Any, unread_bytes: int = 1 << 30) -> None:
        self.heard[subject] = callback
        self.unread[subject] = unread_bytes

    async def publish(self, _subject: object, envelope: Envelope[ExplainRequest]) -> None:
        await self.going_on.wait()
        if self.error is not None:
            raise self.error
        self.asked.append(envelope)

    async def predict(self, prediction: Prediction = PREDICTION, **fields: Any) -> None:
        """Let it hear a prediction."""
        envelope = msgspec.structs.replace(samples.sample(PREDICTION_UPDATED.name), payload=prediction)
        data = codec_of(PREDICTION_UPDATED).encode(envelope)
        if fields:
            raw = msgspec.json.decode(data)
            raw["payload"] |= fields
            data = msgspec.json.encode(raw)
        await self.heard[PREDICTION_UPDATED.name](SimpleNamespace(data=data))
        await asyncio.sleep(0)


async def _quotes() -> list[Quote]:
    return [OPENING]


async def _begun(
    bus: Bus, monkeypatch: pytest.MonkeyPatch, quotes: Callable[[], Awaitable[list[Quote]]] = _quotes
) -> Initiative:
    async def nothing(*_: object) -> list[object]:
        return []

    monkeypatch.setattr(initiative, "published_since", nothing)
    settings = Settings()
    service = SimpleNamespace(settings=settings, bus=bus, clock=FixedClock(NOW), name="explain")
    begun = Initiative(cast("Service", service), quotes)
    await begun.begin()
    return begun


def _counted(result: str) -> float:
    return REGISTRY.get_sample_value("riskee_material_moves_total", {"end": result}) or 0.0


async def test_a_move_from_the_recorded_opening_is_asked_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    bus = Bus()
    await _begun(bus, monkeypatch)
    for _ in range(3):
        await bus.predict()
    (asked,) = bus.asked
    assert (asked.payload.prediction, asked.payload.occasion) == (PREDICTION, "material")


async def test_without_the_database_it_begins_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    async def away() -> list[Quote]:
        raise RetryableError("the database does not answer")

    bus = Bus()
    await _begun(bus, monkeypatch, away)
    assert bus.heard.keys() == {EXPLAIN.name, PREDICTION_UPDATED.name}
    await bus.predict()
    assert bus.asked == []  # the first price that is heard is the session's first


@pytest.mark.parametrize("error", [RetryableError("away"), FatalError("refused")])
async def test_what_cannot_be_asked_is_counted_and_the_next_is_looked_at(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    bus, before = Bus(error), _counted("failed")
    begun = await _begun(bus, monkeypatch)
    await bus.predict()
    await asyncio.gather(*begun._asking)
    assert _counted("failed") == before + 1
    await bus.predict()
    assert not begun._asking  # it was asked for of late, though in vain


async def test_a_prediction_of_which_only_a_glance_can_be_read_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    bus, before = Bus(), _counted("failed")
    await _begun(bus, monkeypatch)
    await bus.predict(of_another_version=1)
    assert (bus.asked, _counted("failed")) == ([], before + 1)


async def test_while_the_bus_hesitates_predictions_go_on_to_be_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    bus, held_back = Bus(), _counted("held_back")
    begun = await _begun(bus, monkeypatch)
    bus.going_on.clear()
    async with asyncio.timeout(20):
        for minutes in range(3):
            later = PREDICTION.data_time + timedelta(minutes=minutes)
            await bus.predict(msgspec.structs.replace(PREDICTION, data_time=later))
    assert _counted("held_back") == held_back + 2
    bus.going_on.set()
    await asyncio.gather(*begun._asking)
    assert len(bus.asked) == 1


async def test_what_waits_to_be_looked_at_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    bus = Bus()
    await _begun(bus, monkeypatch)
    assert bus.unread[PREDICTION_UPDATED.name] <= 32 * 1024 * 1024
