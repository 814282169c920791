"""Late, repeated and shuffled quotes give the state that the ordered ones give, to the last bit."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta
from itertools import pairwise
from typing import Any

import msgspec
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from riskee.messaging.messages import Prediction, Quote
from serving.consumers.forecasting import Forecast, Forecaster
from serving.consumers.waves import Waves
from tests.integration.live_data import MARKET
from tests.unit.serving.test_forecasting import NAMES, NOW, forecaster, quote
from tests.unit.serving.test_predict import FakeKnowledge, FakePublisher, enveloped, made_predict

SESSIONS = (310, 311, 312)
MOMENTS = 4


def told(place: int) -> list[Quote]:
    """The quotes of a session in order: each ticker's bar grows from moment to moment."""
    quotes = []
    for moment in range(MOMENTS):
        for name in NAMES:
            whole = quote(name, place)
            share = (moment + 1) / MOMENTS
            at = whole.data_time + timedelta(days=place, seconds=60 * moment)
            price = whole.open + (whole.price - whole.open) * share
            seen = {"price": price, "volume": whole.volume * share, "sequence": moment}
            quotes.append(msgspec.structs.replace(whole, data_time=at, received_at=at, **seen))
    return quotes


def play(subject: Forecaster, waves: Waves, batches: Sequence[Sequence[Quote]]) -> None:
    for batch in batches:
        for wave in waves.split(batch):
            subject.take(wave)
            waves.took(wave)


def predictions(subject: Forecaster, waves: Waves) -> dict[str, Prediction]:
    results = subject.forecast(list(waves.latest.values()), NOW)
    return {result.quote.ticker: result.prediction for result in results if isinstance(result, Forecast)}


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_the_order_of_a_sessions_quotes_does_not_matter(data: st.DataObject) -> None:
    ordered, shuffled = forecaster(), forecaster()
    in_order, as_they_come = Waves(MARKET), Waves(MARKET)
    everyone = np.arange(len(NAMES))
    for place in SESSIONS:
        quotes = told(place)
        play(ordered, in_order, [quotes])
        repeated = data.draw(st.lists(st.sampled_from(quotes), max_size=6))
        arrived = data.draw(st.permutations([*quotes, *repeated]))
        cuts = sorted(data.draw(st.lists(st.integers(0, len(arrived)), max_size=4)))
        edges = [0, *cuts, len(arrived)]
        batches = [arrived[first:last] for first, last in pairwise(edges)]
        play(shuffled, as_they_come, batches)
        np.testing.assert_array_equal(ordered.state.features(everyone), shuffled.state.features(everyone))
        np.testing.assert_array_equal(ordered.state.bars_seen, shuffled.state.bars_seen)
        assert in_order.latest == as_they_come.latest
        assert predictions(ordered, in_order) == predictions(shuffled, as_they_come)


def last_of_each(quotes: Sequence[Quote]) -> list[Quote]:
    return [*{quote.ticker: quote for quote in quotes}.values()]


def arrivals(draw: Callable[[st.SearchStrategy[Any]], Any]) -> list[Quote]:
    """The quotes of all sessions, each session's in any order. Some are late by a session: repetitions, and what was
    overtaken within its own; for each ticker's last quote the next session waits, to which the consumers' loop sees."""
    arrived: list[Quote] = []
    late: list[Quote] = []
    for place in SESSIONS:
        quotes = told(place)
        overtaken = [quote for quote in quotes if quote not in last_of_each(quotes)]
        held_up = draw(st.lists(st.sampled_from(overtaken), max_size=4))
        repeated = draw(st.lists(st.sampled_from(quotes), max_size=4))
        arrived += draw(st.permutations([*(quote for quote in quotes if quote not in held_up), *late]))
        late = [*held_up, *repeated]
    return arrived + late


def cut(draw: Callable[[st.SearchStrategy[Any]], Any], arrived: Sequence[Quote]) -> list[Sequence[Quote]]:
    edges = [0, *sorted(draw(st.lists(st.integers(0, len(arrived)), max_size=8))), len(arrived)]
    return [arrived[first:last] for first, last in pairwise(edges) if first < last]


async def handled(batches: Sequence[Sequence[Quote]]) -> tuple[Forecaster, Waves]:
    """What predict has after batches, which may reach from one session into the next."""
    predict = made_predict(FakeKnowledge(), FakePublisher())
    for batch in batches:
        await predict.on_quotes(enveloped(*batch))
    assert predict._state.forecaster is not None
    return predict._state.forecaster, predict._waves


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_what_is_late_by_a_session_does_not_matter(data: st.DataObject) -> None:
    ordered, in_order = asyncio.run(handled([told(place) for place in SESSIONS]))
    shuffled, as_they_come = asyncio.run(handled(cut(data.draw, arrivals(data.draw))))
    everyone = np.arange(len(NAMES))
    np.testing.assert_array_equal(ordered.state.features(everyone), shuffled.state.features(everyone))
    np.testing.assert_array_equal(ordered.state.bars_seen, shuffled.state.bars_seen)
    assert in_order.latest == as_they_come.latest
    assert predictions(ordered, in_order) == predictions(shuffled, as_they_come)
