"""The backtest kept with a candidate is the training's own evaluation, row by row."""

from datetime import date

import numpy as np
import pytest

from riskee.model.training import train
from riskee.settings import ModelSettings
from tests.unit.model.made_up import made_up


def test_the_backtest_s_rows_give_the_registered_measures() -> None:
    data = made_up(0.5)
    result = train(data, ModelSettings(), holdout_from=date(2010, 9, 1))
    made = list(result.backtest)
    assert len(made) == len(result.backtest) == result.metrics["rows"]
    hits = [(one.expected_return > 0) == (one.outcome > 0) for one in made]
    assert np.mean(hits) == pytest.approx(result.metrics["hit_rate"], abs=1e-6)
    brier = np.mean([(one.p_up - (one.outcome > 0)) ** 2 for one in made])
    assert brier == pytest.approx(result.metrics["brier"], abs=1e-6)
    sessions = [one.session for one in made]
    assert sessions == sorted(sessions)
    assert max(sessions) < date(2010, 9, 1), "the holdout stays sealed"
    assert {one.ticker for one in made} == set(data.tickers)
    by_row = {
        (data.tickers[ticker], day): outcome
        for ticker, day, outcome in zip(data.ticker, data.session.tolist(), data.outcome, strict=True)
    }
    assert all(by_row[one.ticker, one.session] == pytest.approx(one.outcome, rel=1e-6) for one in made)
