"""What is not recorded yet counts in a new state as the database will tell it later."""

from collections.abc import Sequence
from datetime import timedelta
from itertools import permutations

import msgspec
import pytest

from riskee.messaging.messages import Quote
from serving.consumers.forecasting import Forecast
from serving.consumers.tail import Tail
from tests.integration.live_data import MARKET
from tests.unit.serving.test_forecasting import SESSIONS
from tests.unit.serving.test_predict import FakeKnowledge, FakePublisher, enveloped, job, made_predict, quote

TODAY = SESSIONS[310].session_date
EARLY, LATE = quote("AAPL", moment=1), quote("AAPL", moment=5)


def tail_of(quotes: Sequence[Quote], *, bounded: bool = True) -> set[Quote]:
    tail = Tail("live", TODAY, quote("AAPL", moment=6).received_at if bounded else None)
    for each in quotes:
        tail.take(each)
    return {*tail.quotes}


def test_of_each_ticker_and_session_the_last_counts_in_whatever_order_they_come() -> None:
    others = [quote("IBM", moment=2), live(quote("AAPL", 309, 7))]
    for order in permutations([EARLY, LATE, *others]):
        assert tail_of(order) == {LATE, *others}


def live(told: Quote) -> Quote:
    """As a live feed brings it, on its day."""
    day = SESSIONS[[each.session_date for each in SESSIONS].index(told.session_date)]
    return msgspec.structs.replace(told, received_at=day.opens_at + timedelta(minutes=1))


@pytest.mark.parametrize(
    "strange",
    [
        quote("AAPL", moment=7),
        live(quote("AAPL", 311)),
        quote("AAPL", moment=5, feed="other"),
        msgspec.structs.replace(quote("AAPL", 308, 5), received_at=EARLY.received_at),
    ],
    ids=["came later", "of a later session", "of another feed", "played from the past"],
)
def test_what_counts_for_nobody_counts_not_here(strange: Quote) -> None:
    assert tail_of([EARLY, strange]) == {EARLY}


def test_without_a_moment_all_of_the_session_counts() -> None:
    last = quote("AAPL", moment=7)
    assert tail_of([EARLY, last], bounded=False) == {last}


@pytest.mark.parametrize("recorded", [1, 2])
async def test_the_markets_quote_in_force_is_found_though_it_is_not_recorded_yet(recorded: int) -> None:
    """The batch that was not finished is predicted as before, beside the market of its moment and no later one."""
    taken, waiting = [quote(MARKET), quote(MARKET, moment=2)], [quote("AAPL", moment=3), quote(MARKET, moment=5)]
    first, again = FakePublisher(), FakePublisher(cached=waiting)
    before = made_predict(FakeKnowledge(), first)
    for each in taken:
        await before.on_quotes(enveloped(each))
    await before.on_quotes(enveloped(*waiting))
    knowledge = FakeKnowledge(stored=taken[:recorded], unrecorded=[*taken[recorded:], *waiting])
    await made_predict(knowledge, again).on_quotes(enveloped(*waiting))
    (made,) = first.published.values()
    assert made.market_quote_id == taken[1].quote_id
    assert again.published == first.published


async def test_a_job_after_a_restart_is_answered_from_what_is_not_recorded_yet() -> None:
    """Though the cache was lost with it."""
    publisher, taken = FakePublisher(), [quote(MARKET), quote("AAPL", moment=1), quote("AAPL", moment=3)]
    knowledge = FakeKnowledge(stored=taken[:2], unrecorded=taken[2:])
    await made_predict(knowledge, publisher).on_jobs([job("AAPL")], "normal")
    ((_, answer),) = publisher.answers
    assert isinstance(answer, Forecast)
    assert answer.quote == taken[2]
