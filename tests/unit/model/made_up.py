"""Training sets whose truth is known."""

import dataclasses

import numpy as np

from riskee.features.definitions import NORMAL_FEATURES
from riskee.features.kernel import FeatureState
from riskee.market.bars import BarMatrix, Dates, Floats
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


def random_walks(seed: int, *, sessions: int = 700, tickers: int = 10) -> TrainingSet:
    """Rows of prices that nobody can forecast, with the product's own features of them.

    Returns have fat tails, a market in common and volatilities that come in waves, as real ones have.
    """
    rng = np.random.default_rng(seed)
    wave = np.exp(np.cumsum(rng.normal(0, 0.06, sessions)) * 0.5)
    market = 0.008 * wave * rng.standard_t(5, sessions)
    moves = rng.uniform(0.5, 1.5, tickers)[:, None] * market + 0.01 * wave * rng.standard_t(5, (tickers, sessions))
    close = 100 * np.exp(np.cumsum(np.vstack([moves, market]), axis=1))
    days = np.busday_offset(np.datetime64("2012-01-03"), np.arange(sessions), roll="forward")
    features, trend = _features(close, days, rng), np.convolve(market, np.ones(60))[:sessions]
    names = tuple(f"T{number:02}" for number in range(tickers))
    rows = [
        (ticker, place) for place in range(260, sessions - 1) for ticker in range(tickers)
    ]  # the longest window is full
    ticker, place = np.array(rows).T
    kept = features[place, ticker]
    return TrainingSet(
        "normal",
        names,
        ticker,
        days[place],
        days[place + 1],
        kept,
        moves[ticker, place + 1],
        kept[:, SCALE],
        place,
        trend[place],
    )


def _features(close: Floats, days: Dates, rng: np.random.Generator) -> Floats:
    """Features (sessions, tickers, F) by the live kernel; the last row of the closes is the market."""
    count = len(close)
    empty = np.empty((count, 0))
    names = (*(f"T{number:02}" for number in range(count - 1)), "M")
    state = FeatureState(BarMatrix(names, empty.astype("datetime64[D]"), *(empty,) * 6), "M")
    index, made = np.arange(count), np.empty((len(days), count - 1, len(NORMAL_FEATURES)))
    for place, day in enumerate(days):
        now, before = close[:, place], close[:, max(place - 1, 0)]
        high, low = np.maximum(now, before) * 1.003, np.minimum(now, before) * 0.997
        state.update(index, day, before, high, low, now, rng.uniform(1e6, 2e6, count), np.ones(count))
        made[place] = state.features(index[:-1])
    return made
