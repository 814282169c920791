"""What predict answers to a job that it tries again: bus, rows and cache must tell the same of one identity."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest

from riskee.errors import RetryableError
from riskee.messaging.messages import Prediction
from riskee.messaging.subjects import PREDICTION_UPDATED
from riskee.storage import keys
from riskee.storage.bus import Outgoing, codec_of
from riskee.storage.entries import Entry
from riskee.tracing import OFF
from serving.consumers.publishing import Publisher
from tests.integration.live_data import MARKET
from tests.unit.serving.test_forecasting import NOW
from tests.unit.serving.test_predict import FakeKnowledge, enveloped, job, made_predict, quote


@dataclass
class Stream:
    """Keeps the first message of each id, as JetStream does, and acknowledges it unless its receipts are lost."""

    loses_receipts: bool = False
    taken: dict[str, bytes] = field(default_factory=dict)

    async def publish_encoded(self, messages: list[Outgoing]) -> None:
        for message in messages:
            self.taken.setdefault(message.message_id, message.data)
        if self.loses_receipts:
            raise RetryableError("no receipt came", "it is tried again")

    def predictions(self) -> list[Prediction]:
        return [codec_of(PREDICTION_UPDATED).decode(data).payload for data in self.taken.values()]


@dataclass
class Shown:
    """The cache: of each name what was written last."""

    hashes: dict[str, dict[Any, Any]] = field(default_factory=dict)

    async def write(self, entries: list[Entry]) -> None:
        for entry in entries:
            for _, name, *rest in entry.hashes:
                self.hashes[str(name)] = dict(zip(rest[::2], rest[1::2], strict=True))

    async def bodies(self, *_: object) -> list[None]:
        return []

    def prediction(self, ticker: str) -> Prediction:
        return msgspec.json.decode(self.hashes[keys.PREDICTION.of(ticker=ticker)][keys.BODY], type=Prediction)


@dataclass
class Time:
    """A clock that is set."""

    at: datetime = NOW

    def now(self) -> datetime:
        return self.at


@pytest.mark.parametrize("what", ["the market moves", "time passes"])
async def test_a_job_that_is_tried_again_gives_no_identity_two_contents(what: str) -> None:
    """Its event was taken and the receipt lost; the second try computes from what is then."""
    bus, cache, clock = Stream(), Shown(), Time()
    health = SimpleNamespace(up=lambda *_: None, down=lambda *_: None)
    service = SimpleNamespace(name="predict", clock=clock, tracer=OFF, bus=bus, health=health)
    publisher: Any = Publisher(cast(Any, service), cast(Any, cache))
    predict = made_predict(FakeKnowledge(), publisher, clock=clock)
    await predict.on_quotes(enveloped(quote(MARKET), quote("AAPL", moment=1)))
    asked = job("AAPL")
    bus.loses_receipts = True
    with pytest.raises(RetryableError):
        await predict.on_jobs([asked], "normal")
    bus.loses_receipts = False
    if what == "the market moves":
        await predict.on_quotes(enveloped(quote(MARKET, moment=5)))
    else:
        clock.at += timedelta(seconds=90)
    await predict.on_jobs([asked], "normal")
    told = bus.predictions()
    assert cache.prediction("AAPL") == told[-1], "what was said last"
    assert len({prediction.prediction_id for prediction in told}) == len(told)
