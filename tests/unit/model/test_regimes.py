"""Regimes are known before the outcome."""

import dataclasses

import numpy as np

from riskee.features.definitions import NORMAL_FEATURES
from riskee.model.dataset import TrainingSet
from riskee.model.regimes import TREND, VOLATILITY, regimes
from tests.unit.model.made_up import made_up

COLUMN = NORMAL_FEATURES.index("market_volatility_20d")


def rising_volatility() -> TrainingSet:
    """The market's volatility is the session's number."""
    data = made_up(0.0)
    features = data.features.copy()
    features[:, COLUMN] = data.place
    return dataclasses.replace(data, features=features)


def test_terciles_are_those_of_the_sessions_before() -> None:
    data = rising_volatility()
    tested = data.place >= 100
    assert set(regimes(data, tested)) == {"wild market", *TREND}, "all later sessions are wilder than those before"
    calm = dataclasses.replace(data, features=np.where(tested[:, None], data.features / 1000, data.features))
    assert set(regimes(calm, tested)) == {"calm market", *TREND}


def test_a_regime_is_told_from_the_values_themselves() -> None:
    data = rising_volatility()
    features = data.features.copy()
    features[:, COLUMN] = data.place % 100
    made = regimes(dataclasses.replace(data, features=features), data.place >= 100)
    shares = [made[name].mean() for name in VOLATILITY]
    np.testing.assert_allclose(shares, [1 / 3, 1 / 3, 1 / 3], atol=0.02)
    assert (np.sum([made[name] for name in VOLATILITY], axis=0) == 1).all()
    np.testing.assert_array_equal(made["rising market"], data.market_trend[data.place >= 100] >= 0)


def test_sessions_without_a_market_have_no_regime() -> None:
    data = made_up(0.0)
    features = data.features.copy()
    features[:, COLUMN] = np.nan
    unknown = dataclasses.replace(data, features=features, market_trend=np.full(len(data), np.nan))
    assert regimes(unknown, data.place >= 100) == {}
