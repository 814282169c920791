"""The factor of a running session."""

from datetime import date

import numpy as np
import pytest

from riskee.market.adjustment import adjustment_factors
from riskee.market.bars import Floats
from riskee.market.sources.alpaca_actions import Actions, Dividend, Split
from serving.consumers.feeds.alpaca.factors import running_factors
from serving.consumers.feeds.today import Previous

TODAY, YESTERDAY = date(2026, 1, 6), date(2026, 1, 5)
BEFORE = {"A": Previous(100.0, 0.5), "B": Previous(20.0, 1.0)}


def test_without_actions_it_is_that_of_the_bar_before() -> None:
    other_day = Actions(forward_splits=[Split(YESTERDAY, 4, 1, "A")], cash_dividends=[Dividend(YESTERDAY, 1.0, "A")])
    unknown = Actions(forward_splits=[Split(TODAY, 4, 1, "Z")], cash_dividends=[Dividend(TODAY, 1.0, "Z")])
    assert running_factors(BEFORE, [other_day, unknown, Actions()], TODAY) == {"A": 0.5, "B": 1.0}


@pytest.mark.parametrize(
    ("actions", "split", "dividend"),
    [
        (Actions(forward_splits=[Split(TODAY, 4, 1, "A")]), 4.0, 0.0),
        (Actions(reverse_splits=[Split(TODAY, 1, 10, "A")]), 0.1, 0.0),
        (Actions(stock_dividends=[Dividend(TODAY, 0.05, "A")]), 1.05, 0.0),
        (Actions(cash_dividends=[Dividend(TODAY, 2.0, "A"), Dividend(TODAY, 1.0, "A")]), 1.0, 3.0),
        (Actions([Split(TODAY, 2, 1, "A")], cash_dividends=[Dividend(TODAY, 2.0, "A")]), 2.0, 2.0),
    ],
)
def test_it_is_the_factor_that_the_stored_bar_will_have(actions: Actions, split: float, dividend: float) -> None:
    """The ratio to the bar before is that of the adjusted history of the same two days."""
    factors = running_factors(BEFORE, [actions], TODAY)
    before, today = adjustment_factors(*map(_array, ([100.0, 30.0], [0.0, dividend], [1.0, split], [1.0, 1.0])))
    assert factors["A"] / 0.5 == pytest.approx(today / before)
    assert factors["B"] == 1.0


def test_a_dividend_above_the_price_is_not_believed() -> None:
    assert running_factors(BEFORE, [Actions(cash_dividends=[Dividend(TODAY, 20.0, "B")])], TODAY)["B"] == 1.0


def _array(values: list[float]) -> Floats:
    return np.array(values)
