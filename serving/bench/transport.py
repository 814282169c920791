"""The cost of moving messages, without features and models: `python -m serving.bench.transport [quotes]`.

Against servers of its own, in CPU and wall-clock microseconds a message: receiving quotes, publishing predictions,
writing the cache, all of it together as predict does it, and recording rows.
"""

import asyncio
import sys
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import uvloop

from riskee.cli.bench_servers import servers
from riskee.clock import SystemClock
from riskee.features.definitions import EARNINGS_FEATURES
from riskee.ids import prediction_id, quote_id
from riskee.messaging.envelope import Envelope, wrap
from riskee.messaging.messages import HORIZON, Flag, Interval, Prediction, Quote
from riskee.messaging.subjects import QUOTE
from riskee.settings import Settings
from riskee.storage.bus import Bus, codec_of
from riskee.storage.cache import Cache
from riskee.storage.database import make_engine
from riskee.storage.inbox import Durable
from riskee.storage.recording import PREDICTIONS, QUOTES, Recording, record
from serving.bench.plan import BASE_PRICE, ticker_name
from serving.consumers.consumption import Consumption
from serving.consumers.forecasting import Forecast
from serving.consumers.loop import ConsumerLoop
from serving.consumers.publishing import Publisher
from serving.consumers.service import Service
from serving.health import Health

ItemT = TypeVar("ItemT")

DEFAULT_QUOTES = 20_000
_TICKERS = 5000
_WAVE = 256
_RECORDED = (512, 4096)
_NOW = datetime.now(UTC)
_FEATURES = [0.012345678901 + place for place in range(len(EARNINGS_FEATURES))]


def quoted(number: int) -> Quote:
    """A made-up quote; the same for the same number, but for its moment."""
    ticker, moment = ticker_name(number % _TICKERS), _NOW + timedelta(microseconds=number)
    return Quote(
        quote_id=quote_id("bench", ticker, moment, number),
        feed="bench",
        ticker=ticker,
        data_time=moment,
        received_at=moment,
        session_date=_NOW.date(),
        sequence=number,
        price=BASE_PRICE + 0.01 * (number % 97),
        open=BASE_PRICE,
        high=BASE_PRICE + 1,
        low=BASE_PRICE - 1,
        volume=1e6 + number,
    )


def predicted(quote: Quote) -> Prediction:
    """A made-up prediction of a quote."""
    return Prediction(
        prediction_id=prediction_id(quote.quote_id, HORIZON, "bench"),
        quote_id=quote.quote_id,
        ticker=quote.ticker,
        feed=quote.feed,
        data_time=quote.data_time,
        prediction_time=quote.received_at,
        as_of=_NOW,
        session_date=quote.session_date,
        horizon=HORIZON,
        model_type="normal",
        model_version="normal-20261120-abcdef012345",
        feature_set="abcdef0123456789",
        price=quote.price,
        expected_return=0.00123456789,
        predicted_price=quote.price * 1.00123456789,
        p_up=0.5123456789,
        confidence=0.0246913578,
        interval=Interval(p10=quote.price * 0.98123, p50=quote.price * 1.00123, p90=quote.price * 1.02123),
        flags=(Flag.PROVISIONAL_BAR,),
        bars_as_of=_NOW,
        market_quote_id=quote.quote_id,
    )


def _sealed(payload: Any, identity: uuid.UUID) -> Envelope[Any]:
    return wrap(payload, message_id=identity, correlation_id=identity, source="bench", at=_NOW)


def _batches(items: Sequence[ItemT], size: int) -> Iterator[Sequence[ItemT]]:
    return (items[start : start + size] for start in range(0, len(items), size))


@contextmanager
def _measured(name: str, count: int) -> Iterator[None]:
    cpu, wall = time.process_time(), time.perf_counter()
    yield
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    sys.stdout.write(
        f"{name:38s} {count / wall:9,.0f}/s  CPU {1e6 * cpu / count:6.1f} us  wall {1e6 * wall / count:6.1f} us\n"
    )


class Transport:
    """The measurements, one after another on the same servers."""

    def __init__(self, settings: Settings, bus: Bus, cache: Cache, count: int) -> None:
        self._bus = bus
        service = Service(settings, SystemClock(), Health("bench"), bus, asyncio.Event())
        self._publisher = Publisher(service, cache)
        self._cache = cache
        self._quotes = [quoted(number) for number in range(count)]
        self._forecasts = {quote.quote_id: Forecast(quote, predicted(quote), _FEATURES) for quote in self._quotes}
        self._engine = make_engine(settings.database.url, 1)

    async def all(self) -> None:
        """Write each measurement to the standard output."""
        with _measured("publish quotes", len(self._quotes)):
            await self._bus.publish(QUOTE, *(_sealed(quote, quote.quote_id) for quote in self._quotes))
        await self._consumed("receive, decode, acknowledge", self._nothing)
        with _measured("encode, cache, publish", len(self._quotes)):
            for wave in _batches(self._quotes, _WAVE):
                await self._predict([_sealed(quote, quote.quote_id) for quote in wave])
        # The bus drops what it knows already, at about the same cost.
        await self._consumed("all that predict does around it", self._predict)
        self._recorded("record quotes", QUOTES, [_sealed(quote, quote.quote_id) for quote in self._quotes])
        predictions = [_sealed(each.prediction, each.prediction.prediction_id) for each in self._forecasts.values()]
        self._recorded("record predictions", PREDICTIONS, predictions)
        self._engine.dispose()

    async def _nothing(self, _batch: Sequence[Envelope[Quote]]) -> None:
        return

    async def _predict(self, batch: Sequence[Envelope[Quote]]) -> None:
        quotes = [envelope.payload for envelope in batch]
        await self._publisher.publish([self._forecasts[quote.quote_id] for quote in quotes], quotes)

    async def _consumed(self, name: str, handle: Callable[[Sequence[Envelope[Quote]]], Awaitable[None]]) -> None:
        left, stopping = len(self._quotes), asyncio.Event()

        async def counted(batch: Sequence[Envelope[Quote]]) -> None:
            nonlocal left
            await handle(batch)
            left -= len(batch)
            if left <= 0:
                stopping.set()

        durable = Durable(f"bench-{uuid.uuid4().hex}", QUOTE.name)
        loop = ConsumerLoop(
            self._bus,
            Consumption(durable, codec_of(QUOTE), counted),
            health=Health("bench"),
            clock=SystemClock(),
            stopping=stopping,
        )
        with _measured(name, len(self._quotes)):
            await loop.run()

    def _recorded(self, name: str, recording: Recording[Any], envelopes: Sequence[Envelope[Any]]) -> None:
        half = len(envelopes) // len(_RECORDED)
        for place, size in enumerate(_RECORDED):
            rows = envelopes[place * half : (place + 1) * half]
            with _measured(f"{name}, {size} a transaction", len(rows)):
                for batch in _batches(rows, size):
                    record(self._engine, recording, batch)


async def _measure(settings: Settings, count: int) -> None:
    bus = await Bus.connect(settings.nats, "bench", timeout=10)
    cache = Cache.connect(settings.redis)
    await bus.ensure_streams()
    await Transport(settings, bus, cache, count).all()
    await cache.close()
    await bus.close()


def main() -> None:
    """Start servers, measure, stop them."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else DEFAULT_QUOTES
    with servers() as (_stack, settings):
        uvloop.run(_measure(settings, count))


if __name__ == "__main__":
    main()
