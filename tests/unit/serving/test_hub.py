"""A slow listener gets the latest, never a backlog."""

import asyncio

import msgspec

from riskee.messaging.messages import Prediction
from serving.api.hub import ALL, Hub, Listener
from tests.unit.messaging.samples import PREDICTION


def prediction(ticker: str, price: float) -> Prediction:
    return msgspec.structs.replace(PREDICTION, ticker=ticker, price=price)


async def prices(listener: Listener) -> list[tuple[str, float, bool]]:
    return [
        (found["ticker"], found["price"], update.snapshot)
        for update in await asyncio.wait_for(listener.take(), 1)
        for found in [msgspec.json.decode(update.prediction)]
    ]


async def test_only_what_was_subscribed_arrives_and_the_latest_wins() -> None:
    hub, listener = Hub(), Listener()
    hub.subscribe(listener, ["AAPL"])
    for price in (1.0, 2.0, 3.0):
        hub.publish(prediction("AAPL", price))
        hub.publish(prediction("IBM", price))
    assert await prices(listener) == [("AAPL", 3.0, False)]


async def test_the_waiting_line_is_bounded_by_the_tickers() -> None:
    hub, listener = Hub(), Listener()
    hub.subscribe(listener, [ALL])
    for price in range(1, 1001):
        hub.publish(prediction("AAPL", float(price)))
        hub.publish(prediction("IBM", float(price)))
    assert await prices(listener) == [("AAPL", 1000.0, False), ("IBM", 1000.0, False)]


async def test_a_snapshot_never_replaces_an_update() -> None:
    hub, listener = Hub(), Listener()
    hub.subscribe(listener, ["AAPL"])
    hub.publish(prediction("AAPL", 2.0))
    listener.offer("AAPL", hub.update(prediction("AAPL", 1.0), snapshot=True))
    assert await prices(listener) == [("AAPL", 2.0, False)]


async def test_unsubscribing_ends_it() -> None:
    hub, listener = Hub(), Listener()
    hub.subscribe(listener, ["AAPL"])
    hub.unsubscribe(listener, ["AAPL", "NEVER"])
    hub.publish(prediction("AAPL", 1.0))
    assert listener.tickers == set()
    assert not listener._waiting
