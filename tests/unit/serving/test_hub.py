"""A slow listener gets the latest, never a backlog."""

import asyncio
from datetime import timedelta

import msgspec

from riskee.messaging.messages import Prediction
from riskee.messaging.statuses import Status
from serving.api.hub import ALL, Hub, Listener, Update
from serving.api.standing import Notice, Number, Reason
from tests.unit.messaging.samples import PREDICTION
from tests.unit.serving.standings import START, World, made_hub


def prediction(ticker: str, price: float) -> Prediction:
    return msgspec.structs.replace(PREDICTION, ticker=ticker, price=price)


async def taken(listener: Listener) -> list[Update | Notice]:
    return await asyncio.wait_for(listener.take(), 1)


async def prices(listener: Listener) -> list[tuple[str, float, bool]]:
    return [
        (found["ticker"], found["price"], update.snapshot)
        for update in await taken(listener)
        if isinstance(update, Update)
        for found in [msgspec.json.decode(update.prediction)]
    ]


def reason(status: Status) -> Reason:
    return Reason(status, START)


async def test_only_what_was_subscribed_arrives_and_the_latest_wins() -> None:
    hub, listener = made_hub(), Listener()
    hub.subscribe(listener, ["AAPL"])
    for price in (1.0, 2.0, 3.0):
        hub.publish(prediction("AAPL", price))
        hub.publish(prediction("IBM", price))
    assert await prices(listener) == [("AAPL", 3.0, False)]


async def test_an_older_number_does_not_replace_a_newer_one() -> None:
    """A predictor that stood still goes on with the quotes that it had, after another has gone further."""
    hub, listener = made_hub(), Listener()
    hub.subscribe(listener, ["AAPL"])
    newer = prediction("AAPL", 2.0)
    older = msgspec.structs.replace(newer, price=1.0, data_time=newer.data_time - timedelta(seconds=20))
    hub.publish(newer)
    hub.publish(older)
    assert await prices(listener) == [("AAPL", 2.0, False)]
    hub.publish(msgspec.structs.replace(newer, price=3.0))
    hub.publish(msgspec.structs.replace(older, price=4.0, feed="replay/9"))
    assert await prices(listener) == [("AAPL", 4.0, False)], "another feed has times of its own"


async def test_the_waiting_line_is_bounded_by_the_tickers() -> None:
    hub, listener = made_hub(), Listener()
    hub.subscribe(listener, [ALL])
    for price in range(1, 1001):
        hub.publish(prediction("AAPL", float(price)))
        hub.publish(prediction("IBM", float(price)))
    assert await prices(listener) == [("AAPL", 1000.0, False), ("IBM", 1000.0, False)]


async def test_a_snapshot_never_replaces_an_update() -> None:
    hub, listener = made_hub(), Listener()
    hub.subscribe(listener, ["AAPL"])
    hub.publish(prediction("AAPL", 2.0))
    listener.offer("AAPL", hub.update(Number(prediction("AAPL", 1.0), Status.OK), snapshot=True))
    assert await prices(listener) == [("AAPL", 2.0, False)]


async def test_unsubscribing_ends_it() -> None:
    hub, listener = made_hub(), Listener()
    hub.subscribe(listener, ["AAPL"])
    hub.unsubscribe(listener, ["AAPL", "NEVER"])
    hub.publish(prediction("AAPL", 1.0))
    assert listener.tickers == set()
    assert not listener._waiting


async def test_a_notice_reaches_whom_it_concerns_once() -> None:
    hub, one, everyone, nobody = made_hub(), Listener(), Listener(), Listener()
    hub.subscribe(one, ["IBM"])
    hub.subscribe(everyone, [ALL])
    hub.subscribe(nobody, ["MSFT"])
    hub.notify([Notice(reason(Status.STALE), ("AAPL", "IBM"), standing=False)])
    assert await taken(one) == [Notice(reason(Status.STALE), ("IBM",), standing=False)]
    assert await taken(everyone) == [Notice(reason(Status.STALE), ("AAPL", "IBM"), standing=False)]
    assert not nobody._arrived.is_set()
    hub.notify([Notice(reason(Status.FEED_MUTE))])
    for listener in (one, everyone, nobody):
        assert await taken(listener) == [Notice(reason(Status.FEED_MUTE))]


async def test_a_slow_listener_gets_where_all_stand_now_and_what_happened_after_each_prediction() -> None:
    hub, listener = made_hub(), Listener()
    hub.subscribe(listener, [ALL])
    hub.notify([Notice(reason(Status.FEED_MUTE))])
    hub.notify([Notice(reason(Status.OK))])
    hub.notify([Notice(reason(Status.STALE), ("AAPL", "IBM"), standing=False)])
    hub.publish(prediction("AAPL", 2.0))
    hub.notify([Notice(reason(Status.STALE), ("MSFT",), standing=False)])
    first, update, last = await taken(listener)
    assert first == Notice(reason(Status.OK))
    assert isinstance(update, Update)
    assert last == Notice(reason(Status.STALE), ("IBM", "MSFT"), standing=False), "AAPL spoke after it was stale"


async def test_an_update_says_all_that_is_against_it() -> None:
    world, listener = World(), Listener()
    world.beat(Status.OK, halted=("IBM",))
    hub = Hub(world.standings)
    hub.subscribe(listener, [ALL])
    hub.publish(prediction("IBM", 1.0))
    (update,) = await taken(listener)
    assert isinstance(update, Update)
    assert (update.status, update.status_since) == (Status.HALTED, START)
    assert "halted" in msgspec.json.decode(update.prediction)["flags"]
