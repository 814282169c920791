"""The backtest is the training's own evaluation, row by row."""

import numpy as np
import pytest

from riskee.model.backtest import backtest
from riskee.model.evaluation import hit_rate
from riskee.model.training import train
from riskee.settings import ModelSettings
from tests.unit.model.made_up import made_up


def test_the_backtest_s_rows_give_the_registered_measures() -> None:
    data = made_up(0.5)
    made, metrics = backtest(data), train(data, ModelSettings()).metrics
    assert len(made.ticker) == len(made.session) == metrics["rows"]
    assert hit_rate(made.expected_return, made.outcome) == pytest.approx(metrics["hit_rate"], abs=1e-6)
    assert np.square(made.p_up - (made.outcome > 0)).mean() == pytest.approx(metrics["brier"], abs=1e-6)
    assert made.session == tuple(sorted(made.session))
    assert set(made.ticker) == set(data.tickers)
