"""What a history is made of."""

from datetime import UTC, date, datetime, time, timedelta

import numpy as np
import pytest

from riskee.documents.history import histories
from riskee.features.definitions import LONGEST_GAP_DAYS
from riskee.market.bars import BarMatrix


@pytest.mark.parametrize(("gap", "bars"), [(LONGEST_GAP_DAYS, 4), (LONGEST_GAP_DAYS + 1, 2)])
def test_a_move_across_a_long_gap_is_nobodys_news(gap: int, bars: int) -> None:
    first = date(2010, 1, 4)
    days = [first, first + timedelta(days=1), *(first + timedelta(days=1 + gap + more) for more in range(2))]
    sessions = np.array([None, *days], dtype="datetime64[D]")[None, :]
    prices = np.array([[np.nan, 10.0, 11.0, 40.0, 41.0]])
    matrix = BarMatrix(("AAPL",), sessions, prices, prices, prices, prices, prices, np.ones_like(prices))
    closes = {day: datetime.combine(day, time(21), UTC) for day in days}
    (history,) = histories(matrix, closes, {"AAPL": [(first, "made")]})
    assert history.sessions == tuple(days[-bars:])
    assert np.isnan(history.move[0])
    assert len(history.move) == bars
