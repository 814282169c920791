"""How good predictions were: measures, and the bound that decides whether a difference is more than luck."""

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from riskee.market.bars import Dates, Floats

# One-sided confidence of 95 %.
_Z = 1.6449


@dataclass(frozen=True)
class Forecast:
    """What one method said of n rows. Returns and bounds are divided by the rows' volatility."""

    score: Floats
    p_up: Floats
    low: Floats
    high: Floats


@dataclass(frozen=True)
class Measures:
    """Measures of a forecast; `mae` and `width_80` are log returns, None where a method says nothing of the kind."""

    ic: float | None
    hit_rate: float | None
    brier: float
    log_loss: float
    mae: float
    coverage_80: float
    width_80: float

    def as_json(self) -> dict[str, float | None]:
        return {name: None if value is None else round(value, 6) for name, value in asdict(self).items()}


def ranks(values: Floats) -> Floats:
    """Ranks from 0; equal values share the mean of theirs."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    through = np.cumsum(counts)
    return np.asarray((through - (counts + 1) / 2)[inverse], np.float64)


def information_coefficient(score: Floats, outcome: Floats) -> float | None:
    """Spearman's correlation over all rows; None for a constant score."""
    if np.ptp(score) == 0 or np.ptp(outcome) == 0:
        return None
    return float(np.corrcoef(ranks(score), ranks(outcome))[0, 1])


def hit_rate(score: Floats, outcome: Floats) -> float | None:
    """Share of rows whose direction was called, of those that moved and had a call."""
    called = (score != 0) & (outcome != 0)
    return float((np.sign(score) == np.sign(outcome))[called].mean()) if called.any() else None


def log_losses(p_up: Floats, up: NDArray[np.bool_]) -> Floats:
    """Logarithmic loss of each row."""
    return np.asarray(-np.log(np.where(up, p_up, 1 - p_up)), np.float64)


def measure(forecast: Forecast, outcome: Floats, scale: Floats) -> Measures:
    """All measures of one forecast; `outcome` are log returns, `scale` the volatilities."""
    up = outcome > 0
    scaled = outcome / scale
    return Measures(
        ic=information_coefficient(forecast.score, scaled),
        hit_rate=hit_rate(forecast.score, outcome),
        brier=float(np.square(forecast.p_up - up).mean()),
        log_loss=float(log_losses(forecast.p_up, up).mean()),
        mae=float(np.abs(outcome - forecast.score * scale).mean()),
        coverage_80=float(((scaled >= forecast.low) & (scaled <= forecast.high)).mean()),
        width_80=float(((forecast.high - forecast.low) * scale).mean()),
    )


def gain_bound(gain: Floats, session: Dates) -> float:
    """Lower 95 % bound of the mean gain of one method over another, paired by row.

    Rows of a session move together, so a session is one observation. Minus infinity for fewer than two sessions.
    """
    _, of_session = np.unique(session, return_inverse=True)
    daily = np.bincount(of_session, gain) / np.bincount(of_session)
    if len(daily) < 2:
        return -np.inf
    return float(daily.mean() - _Z * daily.std(ddof=1) / np.sqrt(len(daily)))
