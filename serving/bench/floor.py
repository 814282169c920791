"""The bare floor that the product is compared with: `python -m serving.bench.floor [usual]`.

The same work with the same libraries and nothing else: a push consumer, what has arrived as one batch, features by the
kernel, one LightGBM call, then a Redis pipeline of SET and beside it a window of publications whose acknowledgements
by JetStream are counted, while the next wave is computed; at last the acknowledgement of the quotes. Batches, waves,
limits, the counting, the connection and how the collector is set are the product's. No validation, no envelope, no
identity of messages, no flags, no second model, no calendar, no metrics, no order of late quotes, no way on after a
failure; and to Redis one SET an event, where the product writes three hashes by a script. It says `ready` when it
consumes.

With `usual` it has nothing of ours: the client library's own client, the collector as Python sets it, and each event
published by the library's own call, which waits for its acknowledgement, all of a window side by side.
"""

import asyncio
import sys
from collections import deque
from collections.abc import Sequence
from datetime import date, datetime

import lightgbm
import msgspec
import nats
import numpy as np
import uvloop
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy, StorageType, StreamConfig
from redis.asyncio import Redis

from riskee.errors import FatalError
from riskee.features.definitions import WARM_UP_BARS
from riskee.features.kernel import FeatureState
from riskee.model.registry import champion
from riskee.settings import NatsSettings, Settings, load_settings
from riskee.storage.bus import WINDOW, Bus
from riskee.storage.database import make_engine
from riskee.storage.receipts import Receipts
from riskee.storage.recent_bars import recent_bars
from serving.bench.plan import MARKET
from serving.consumers.service import spare_the_collector

QUOTE_SUBJECT, EVENT_SUBJECT = "bench.floor.quote", "bench.floor.event"
QUOTE_STREAM, EVENT_STREAM = "BENCH_QUOTES", "BENCH_EVENTS"
# A name that stays lets a floor that starts find what was sent before; so the product finds its backlog.
_DELIVERY = "bench.floor.delivery"
BATCH, PENDING = 8192, 16384
_CONNECT_SECONDS = 10.0
USUAL = "usual"
DIFFERENCES = (
    "the floor has no validation, envelope, ids, flags, calendar, second model, metrics, order of late quotes or"
    " recovery, and one SET an event, not three hashes by a script"
)
"""What the product does beyond the bare floor, as a report tells it beside each ratio."""


class _Quote(msgspec.Struct):
    ticker: str
    received_at: datetime
    session_date: date
    price: float
    open: float
    high: float
    low: float
    volume: float
    adjustment_factor: float = 1.0


class _Message(msgspec.Struct):
    payload: _Quote


class _Prediction(msgspec.Struct):
    ticker: str
    prediction_time: datetime
    price: float
    expected_return: float


class _Event(msgspec.Struct):
    payload: _Prediction


class Floor:
    """The worker."""

    @staticmethod
    async def connect(settings: NatsSettings) -> Client:
        """As the product is connected."""
        return (await Bus.connect(settings, "floor", _CONNECT_SECONDS)).client

    def __init__(self, state: FeatureState, booster: lightgbm.Booster, redis: Redis, client: Client) -> None:
        self._state, self._booster, self._redis, self._client = state, booster, redis, client
        self._receipts = Receipts(client)
        self._decode = msgspec.json.Decoder(_Message).decode
        self._encode = msgspec.json.Encoder().encode
        self._waiting: deque[Msg] = deque()
        self._arrived = asyncio.Event()

    async def receive(self, message: Msg) -> None:
        self._waiting.append(message)
        self._arrived.set()

    async def run(self) -> None:
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            while self._waiting:
                await self._handle([self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))])

    async def _handle(self, batch: list[Msg]) -> None:
        latest = {quote.ticker: quote for quote in (self._decode(message.data).payload for message in batch)}
        quotes = list(latest.values())
        publishing: asyncio.Task[None] | None = None
        for start in range(0, len(quotes), WINDOW):
            events = self._events(quotes[start : start + WINDOW])
            if publishing:
                await publishing
            publishing = asyncio.create_task(self.publish(events))
        if publishing:
            await publishing
        for message in batch:
            await message.ack()

    def _events(self, quotes: Sequence[_Quote]) -> list[tuple[str, bytes]]:
        index = np.array([self._state.index_of[quote.ticker] for quote in quotes], np.int64)
        columns = ("open", "high", "low", "price", "volume", "adjustment_factor")
        numbers = [np.array([getattr(quote, name) for quote in quotes]) for name in columns]
        self._state.update(index, np.datetime64(quotes[0].session_date, "D"), *numbers)
        scores = self._booster.predict(self._state.features(index), num_threads=1)
        return [
            (quote.ticker, self._encode(_Event(_Prediction(quote.ticker, quote.received_at, quote.price, score))))
            for quote, score in zip(quotes, np.asarray(scores).tolist(), strict=True)
            if quote.ticker != MARKET
        ]

    async def publish(self, events: Sequence[tuple[str, bytes]]) -> None:
        """Send a wave's events to the cache and, at the same time, to the bus; at most a window of them."""
        if events:
            await asyncio.gather(self._write(events), self._tell(events))

    async def _write(self, events: Sequence[tuple[str, bytes]]) -> None:
        pipeline = self._redis.pipeline(transaction=False)
        for ticker, data in events:
            pipeline.set(f"floor:{ticker}", data, ex=300)
        await pipeline.execute()

    async def _tell(self, events: Sequence[tuple[str, bytes]]) -> None:
        window = await self._receipts.open(len(events))
        for _, data in events:
            await self._client.publish(EVENT_SUBJECT, data, window.reply)
        await window.complete.wait()
        self._receipts.close(window)
        if window.reason:
            raise FatalError(f"{window.refused} events were refused: {window.reason}", "see `riskee logs nats`")


class UsualFloor(Floor):
    """The worker as it is usually written."""

    @staticmethod
    async def connect(settings: NatsSettings) -> Client:
        """As the client library's first example is."""
        return await nats.connect(settings.url.get_secret_value())

    async def _tell(self, events: Sequence[tuple[str, bytes]]) -> None:
        jetstream = self._client.jetstream()
        await asyncio.gather(*(jetstream.publish(EVENT_SUBJECT, data) for _, data in events))


async def _consume(client: Client, floor: Floor) -> None:
    jetstream = client.jetstream()
    for name, subject in ((QUOTE_STREAM, QUOTE_SUBJECT), (EVENT_STREAM, EVENT_SUBJECT)):
        await jetstream.add_stream(StreamConfig(name=name, subjects=[subject], storage=StorageType.FILE))
    await client.subscribe(_DELIVERY, cb=floor.receive, pending_msgs_limit=-1, pending_bytes_limit=-1)
    await jetstream.add_consumer(
        QUOTE_STREAM,
        ConsumerConfig(
            durable_name="bench-floor",
            deliver_subject=_DELIVERY,
            deliver_policy=DeliverPolicy.NEW,
            ack_policy=AckPolicy.EXPLICIT,
            max_ack_pending=PENDING,
        ),
    )


async def main(settings: Settings, kind: type[Floor]) -> None:
    """Work until SIGTERM, whose usual effect is good enough here."""
    if kind is not UsualFloor:
        spare_the_collector()
    engine = make_engine(settings.database.url, 1)
    with engine.connect() as connection:
        state = FeatureState(recent_bars(connection, date.max, WARM_UP_BARS), MARKET)
        artifact = champion(connection, "normal")
    engine.dispose()
    if artifact is None:
        raise LookupError("there is no champion")
    booster = lightgbm.Booster(model_str=artifact.booster)
    redis = Redis.from_url(settings.redis.url.get_secret_value())
    client = await kind.connect(settings.nats)
    floor = kind(state, booster, redis, client)
    await _consume(client, floor)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await floor.run()


if __name__ == "__main__":
    uvloop.run(main(load_settings(), UsualFloor if USUAL in sys.argv[1:] else Floor))
