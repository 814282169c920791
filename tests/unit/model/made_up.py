"""Training sets whose truth is known."""

import dataclasses

import numpy as np

from riskee.features.definitions import NORMAL_FEATURES
from riskee.model.dataset import TrainingSet
from tests.unit.model.small import SCALE

SIGNAL = NORMAL_FEATURES.index("rsi_14")


def made_up(signal: float, *, sessions: int = 300, tickers: int = 6, seed: int = 0) -> TrainingSet:
    """Rows whose outcome is `signal` volatilities for each unit of one feature, and noise. A day is a session."""
    rng = np.random.default_rng(seed)
    rows = sessions * tickers
    features = rng.normal(0, 1, (rows, len(NORMAL_FEATURES)))
    features[:, SCALE] = rng.uniform(0.01, 0.03, rows)
    outcome = features[:, SCALE] * (signal * features[:, SIGNAL] + rng.standard_t(5, rows))
    place = np.repeat(np.arange(sessions), tickers)
    days = np.datetime64("2010-01-04") + place
    names = tuple(f"T{number}" for number in range(tickers))
    ticker = np.tile(np.arange(tickers), sessions)
    trend = np.sin(place / 20)
    return TrainingSet(
        "normal", names, ticker, days, days + 1, features, outcome, features[:, SCALE] * 1.1, place, trend
    )


def shuffled(data: TrainingSet, seed: int) -> TrainingSet:
    """The same rows with each outcome, in volatilities, given to another row."""
    scaled = np.random.default_rng(seed).permutation(data.outcome / data.scale)
    return dataclasses.replace(data, outcome=scaled * data.scale)
