"""Training sets whose truth is known."""

import dataclasses

import numpy as np
from numpy.typing import NDArray

from riskee.features.definitions import NORMAL_FEATURES
from riskee.model.dataset import TrainingSet
from tests.unit.model.small import SCALE

SIGNAL = NORMAL_FEATURES.index("rsi_14")


def made_up(signal: float, *, sessions: int = 300, tickers: int = 6, seed: int = 0) -> TrainingSet:
    """Rows whose outcome is `signal` volatilities for each unit of one feature, and noise."""
    rng = np.random.default_rng(seed)
    rows = sessions * tickers
    features = rng.normal(0, 1, (rows, len(NORMAL_FEATURES)))
    features[:, SCALE] = rng.uniform(0.01, 0.03, rows)
    outcome = features[:, SCALE] * (signal * features[:, SIGNAL] + rng.standard_t(5, rows))
    days = np.datetime64("2010-01-04") + np.repeat(np.arange(sessions), tickers)
    names = tuple(f"T{number}" for number in range(tickers))
    ticker = np.tile(np.arange(tickers), sessions)
    return TrainingSet("normal", names, ticker, days, days + 1, features, outcome, features[:, SCALE] * 1.1)


def shuffled(data: TrainingSet, seed: int) -> TrainingSet:
    """The same rows with each outcome, in volatilities, given to another row."""
    scaled = np.random.default_rng(seed).permutation(data.outcome / data.scale)
    return dataclasses.replace(data, outcome=scaled * data.scale)


def only(data: TrainingSet, rows: NDArray[np.bool_]) -> TrainingSet:
    """Some of the rows."""
    kept = {
        name: getattr(data, name)[rows]
        for name in ("ticker", "session", "outcome_session", "features", "outcome", "ewma_volatility")
    }
    return dataclasses.replace(data, **kept)
