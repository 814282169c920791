"""Late, repeated and shuffled quotes give the state that the ordered ones give, to the last bit."""

from collections.abc import Sequence
from datetime import timedelta
from itertools import pairwise

import msgspec
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from riskee.messaging.messages import Prediction, Quote
from serving.consumers.forecasting import Forecast, Forecaster
from serving.consumers.waves import Waves
from tests.integration.live_data import MARKET
from tests.unit.serving.test_forecasting import NAMES, NOW, forecaster, quote

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
