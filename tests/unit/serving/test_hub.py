"""A slow listener gets the latest, never a backlog; one that comes back gets what it missed, once."""

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from riskee.messaging.explanations import ExplainProgress
from riskee.messaging.messages import Prediction
from riskee.messaging.statuses import Status
from serving.api.hub import Hub
from serving.api.standing import Notice, Number, Reason
from serving.api.streaming.listener import Listener
from serving.api.streaming.messages import Resume
from serving.api.streaming.update import ALL, Key, Kind, prediction_update
from tests.unit.messaging.samples import PREDICTION
from tests.unit.serving.standings import START, World, made_hub

EVERYTHING = 1 << 30


def prediction(ticker: str, price: float) -> Prediction:
    return msgspec.structs.replace(PREDICTION, ticker=ticker, price=price)


def listening(hub: Hub, *tickers: str) -> Listener:
    listener = Listener(lambda: None)
    hub.subscribe(listener, tickers)
    return listener


def taken(listener: Listener) -> list[dict[str, Any]]:
    return [msgspec.json.decode(update.body) for update in listener.take(EVERYTHING)]


def prices(listener: Listener) -> list[tuple[str, float, bool]]:
    return [
        (found["prediction"]["ticker"], found["prediction"]["price"], found["snapshot"])
        for found in taken(listener)
        if found["type"] == "prediction"
    ]


def statuses(listener: Listener) -> list[tuple[str, list[str], bool]]:
    return [(each["status"], each["tickers"], each["standing"]) for each in taken(listener) if each["type"] == "status"]


def reason(status: Status) -> Reason:
    return Reason(status, START)


def test_only_what_was_subscribed_arrives_and_the_latest_wins() -> None:
    hub = made_hub()
    listener = listening(hub, "AAPL")
    for price in (1.0, 2.0, 3.0):
        hub.publish(prediction("AAPL", price))
        hub.publish(prediction("IBM", price))
    assert prices(listener) == [("AAPL", 3.0, False)]
    assert not listener


def test_an_older_number_does_not_replace_a_newer_one() -> None:
    """A predictor that stood still goes on with the quotes that it had, after another has gone further."""
    hub = made_hub()
    listener = listening(hub, "AAPL")
    newer = prediction("AAPL", 2.0)
    older = msgspec.structs.replace(newer, price=1.0, data_time=newer.data_time - timedelta(seconds=20))
    hub.publish(newer)
    hub.publish(older)
    assert prices(listener) == [("AAPL", 2.0, False)]
    assert hub.newer("AAPL", older) is newer, "nor in a snapshot"
    assert hub.newer("AAPL", newer) is None
    assert hub.newer("AAPL", None) is newer
    hub.publish(msgspec.structs.replace(newer, price=3.0))
    hub.publish(msgspec.structs.replace(older, price=4.0, feed="replay/9"))
    assert prices(listener) == [("AAPL", 4.0, False)], "another feed has times of its own"


def test_the_waiting_line_is_bounded_by_the_tickers_and_in_the_order_of_the_sequence() -> None:
    hub = made_hub()
    listener = listening(hub, ALL, "AAPL")
    for price in range(1, 1001):
        hub.publish(prediction("AAPL", float(price)))
        hub.publish(prediction("IBM", float(price)))
    hub.publish(prediction("AAPL", 1001.0))
    assert [(each["prediction"]["ticker"], each["sequence"]) for each in taken(listener)] == [
        ("IBM", 2000),
        ("AAPL", 2001),
    ]


def test_a_part_can_be_taken_and_the_rest_waits() -> None:
    hub = made_hub()
    listener = listening(hub, ALL)
    for ticker in ("AAPL", "IBM", "MSFT"):
        hub.publish(prediction(ticker, 1.0))
    assert [len(listener.take(1)) for _ in range(4)] == [1, 1, 1, 0]


def test_unsubscribing_ends_it() -> None:
    hub = made_hub()
    listener = listening(hub, "AAPL")
    hub.unsubscribe(listener, ["AAPL", "NEVER"])
    hub.publish(prediction("AAPL", 1.0))
    assert listener.tickers == set()
    assert not listener


def test_a_listener_is_woken_once_until_it_has_taken_all() -> None:
    hub, woken = made_hub(), []
    listener = Listener(lambda: woken.append(1))
    hub.subscribe(listener, ["AAPL"])
    hub.publish(prediction("AAPL", 1.0))
    hub.publish(prediction("AAPL", 2.0))
    assert len(woken) == 1


def test_a_notice_reaches_whom_it_concerns_once() -> None:
    hub = made_hub()
    one, everyone, nobody = listening(hub, "IBM"), listening(hub, ALL), listening(hub, "MSFT")
    hub.notify([Notice(reason(Status.STALE), ("AAPL", "IBM"), standing=False)])
    assert statuses(one) == [("stale", ["IBM"], False)]
    assert statuses(everyone) == [("stale", ["AAPL", "IBM"], False)], "in one message"
    assert not nobody
    hub.notify([Notice(reason(Status.FEED_MUTE))])
    for listener in (one, everyone, nobody):
        assert statuses(listener) == [("feed_mute", [], True)]


def test_a_slow_listener_gets_where_all_stand_now_and_what_happened_after_each_prediction() -> None:
    hub = made_hub()
    listener = listening(hub, ALL)
    hub.notify([Notice(reason(Status.FEED_MUTE), ("IBM",))])
    hub.notify([Notice(reason(Status.FEED_MUTE))])
    hub.notify([Notice(reason(Status.OK))])
    hub.notify([Notice(reason(Status.STALE), ("AAPL", "IBM"), standing=False)])
    hub.publish(prediction("AAPL", 2.0))
    stands, stale, update = taken(listener)
    assert (stands["status"], stands["tickers"]) == ("ok", [])
    assert (stale["status"], stale["tickers"]) == ("stale", ["IBM"]), "AAPL spoke after it was stale"
    assert update["prediction"]["ticker"] == "AAPL"
    assert [stands["sequence"], stale["sequence"], update["sequence"]] == [3, 4, 5]


@pytest.mark.parametrize("own", [("T00001", "T00007"), (ALL,)])
def test_a_client_pays_for_its_own_part_of_a_notice(own: tuple[str, ...]) -> None:
    """Counted, not timed: the keys that are made for clients of a few tickers, and for such of all."""
    hub = made_hub()
    listeners = [listening(hub, *own) for _ in range(20)]
    names = tuple(f"T{number:05}" for number in range(2000))
    made = Counter[str]()

    class Counted(Key):
        def __new__(cls, kind: Kind, ticker: str = "") -> "Counted":
            made[ticker] += 1
            return super().__new__(cls, kind, ticker)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("serving.api.streaming.newest.Key", Counted)
        hub.notify([Notice(reason(Status.STALE), names, standing=False)])
    assert made.total() <= len(names) + len(listeners) * 2 * len(own)
    for listener in listeners:
        assert statuses(listener) == [("stale", list(names if ALL in own else own), False)]


async def test_a_notice_to_many_lets_others_have_their_turn_and_nobodys_sequence_falls() -> None:
    hub = made_hub()
    listeners = [listening(hub, ALL if number % 2 else "AAPL") for number in range(1000)]
    hub.notify([Notice(reason(Status.STALE), ("AAPL", "IBM"), standing=False)])
    told = [len(listener) for listener in listeners].count(0)
    assert 0 < told < len(listeners), "some wait for a later turn"
    late = listening(hub, "AAPL")
    hub.publish(prediction("AAPL", 2.0))
    hub.notify([Notice(reason(Status.FEED_MUTE))])
    hub.unsubscribe(listeners[0], [*listeners[0].tickers])
    for _ in range(30):
        await asyncio.sleep(0)
    for listener in listeners[1:]:
        seen = taken(listener)
        assert [each["type"] for each in seen][-2:] == ["prediction", "status"], "the stale one was of the last number"
        sequences = [each["sequence"] for each in seen]
        assert sequences == sorted(sequences)
    assert [each["type"] for each in taken(late)] == ["prediction", "status"]


def test_an_update_says_all_that_is_against_it() -> None:
    world = World()
    world.beat(Status.OK, halted=("IBM",))
    hub = Hub(world.standings)
    listener = listening(hub, ALL)
    hub.publish(prediction("IBM", 1.0))
    (update,) = taken(listener)
    assert (update["status"], "halted" in update["prediction"]["flags"]) == ("halted", True)
    assert update["status_since"] == "2026-01-05T12:00:00Z"


def test_what_was_missed_comes_once_in_its_order_and_only_of_the_tickers() -> None:
    hub = made_hub()
    hub.publish(prediction("AAPL", 1.0))
    seen = hub.log.sequence
    hub.publish(prediction("IBM", 2.0))
    hub.publish(prediction("AAPL", 3.0))
    hub.notify([Notice(reason(Status.STALE), ("IBM", "MSFT"), standing=False)])
    hub.publish(prediction("AAPL", 4.0))

    def missed(*tickers: str) -> list[tuple[int, str]]:
        return [(item.sequence, key.ticker) for key, item in hub.log.missed(tickers, seen)]

    assert missed("IBM", "AAPL") == [(2, "IBM"), (4, "IBM"), (5, "AAPL")]
    assert missed(ALL) == [(2, "IBM"), (4, "IBM"), (4, "MSFT"), (5, "AAPL")]
    assert missed("AMZN") == []


def test_a_resume_is_refused_where_it_cannot_be_exact() -> None:
    world = World()
    hub = Hub(world.standings, log_updates=2)
    for ticker in ("AAPL", "IBM", "MSFT"):
        hub.publish(prediction(ticker, 1.0))
    epoch = hub.log.epoch
    assert hub.log.covers(Resume(epoch, 1)), "AAPL's, which was let go, was seen"
    assert hub.log.covers(Resume(epoch, 3))
    assert not hub.log.covers(Resume(epoch, 0)), "AAPL's was not"
    assert not hub.log.covers(Resume(epoch, 4)), "that never was"
    assert not hub.log.covers(Resume("another", 3))
    assert Hub(world.standings).log.epoch != epoch


def test_progress_is_told_in_order_and_kept_for_nobody() -> None:
    hub = made_hub()
    listener, other = listening(hub, "AAPL"), listening(hub, "IBM")
    for tokens in range(200):
        hub.explaining(
            ExplainProgress(prediction_id=PREDICTION.prediction_id, ticker="AAPL", stage="writing", tokens=tokens)
        )
    assert [each["progress"]["tokens"] for each in taken(listener)] == list(range(136, 200)), "the last 64"
    assert not other
    assert hub.log.missed([ALL], 0) == []


def test_a_frame_has_the_size_of_its_message() -> None:
    update = prediction_update(1, Number(PREDICTION, Status.OK), snapshot=True)
    assert update.header == bytes([0x81, 126, *len(update.body).to_bytes(2)])
    listener = Listener(lambda: None)
    listener.offer(Key(Kind.PREDICTION, "AAPL"), update)
    assert listener.take(EVERYTHING) == [update]
