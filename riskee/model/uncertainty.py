"""How far a mean may be off by luck, where the rows of a session and neighbouring sessions resemble each other.

A session is one observation. The variance of a mean of sessions is Newey and West's (1987), whose Bartlett kernel spans
1.3 sqrt(n) of n sessions (Lazarus, Lewis, Stock, Watson 2018). So wide a kernel makes the usual normal quantiles too
small; those of Kiefer and Vogelsang (2005, table 1) for the Bartlett kernel take their place.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from riskee.market.bars import Floats

BANDWIDTH = 1.3
# Polynomials in b = bandwidth / n for 95 % to one side, and for 97.5 %: 95 % between two sides.
ONE_SIDED = (1.6449, 2.1859, 0.3142, -0.3427)
TWO_SIDED = (1.9600, 2.9694, 0.4160, -0.5324)


@dataclass(frozen=True)
class Estimate:
    """A measure and the ends of its 95 % interval."""

    value: float
    low: float
    high: float


def _bandwidth(count: int) -> int:
    return min(count, int(np.ceil(BANDWIDTH * np.sqrt(count))))


def critical(count: int, quantile: tuple[float, ...]) -> float:
    """The quantile of the mean of `count` sessions divided by its Newey-West error."""
    share = _bandwidth(count) / count
    return float(sum(factor * share**power for power, factor in enumerate(quantile)))


def newey_west(values: Floats) -> float:
    """Standard error of the mean of a series in the order of time, at least two values."""
    count, deviation = len(values), values - values.mean()
    lags = np.arange(1, _bandwidth(count))
    covariances = np.array([deviation[lag:] @ deviation[:-lag] for lag in lags])
    variance = deviation @ deviation + 2 * ((1 - lags / _bandwidth(count)) @ covariances)
    # Bartlett's weights keep the variance from falling below zero, but for rounding.
    return float(np.sqrt(max(variance, 0.0)) / count)


def lower_bound(daily: Floats) -> float:
    """Lower 95 % bound of the mean of a daily series; minus infinity for fewer than two sessions."""
    if len(daily) < 2:
        return -np.inf
    return float(daily.mean() - critical(len(daily), ONE_SIDED) * newey_west(daily))


def estimate(value: float, influence: Floats, session: NDArray[np.int64]) -> Estimate | None:
    """A measure of rows with its interval, clustered by session; None for fewer than two sessions.

    `influence` (n,) is how much each row moves the measure, with mean zero, and `session` (n,) its session's number.
    """
    _, of_session = np.unique(session, return_inverse=True)
    daily = np.bincount(of_session, influence.astype(np.float64)).astype(np.float64)
    if len(daily) < 2:
        return None
    # Sums, not means, of sessions: one with more rows weighs more in the measure.
    half = critical(len(daily), TWO_SIDED) * newey_west(daily) * len(daily) / len(influence)
    return Estimate(round(value, 6), round(value - half, 6), round(value + half, 6))


def estimate_of_share(value: float, influence: Floats, session: NDArray[np.int64]) -> Estimate | None:
    """As `estimate` of a share, within 0 and 1.

    It is never narrower than Wilson's interval (1927) of as many sessions that know nothing of each other: where all
    agree, the rows themselves tell of no spread.
    """
    found = estimate(value, influence, session)
    if found is None:
        return None
    low, high = _wilson(value, len(np.unique(session)))
    return Estimate(found.value, round(max(min(found.low, low), 0.0), 6), round(min(max(found.high, high), 1.0), 6))


def _wilson(share: float, count: int) -> tuple[float, float]:
    weight = TWO_SIDED[0] ** 2 / count
    centre = share + weight / 2
    half = float(np.sqrt(weight * (share * (1 - share) + weight / 4)))
    return (centre - half) / (1 + weight), (centre + half) / (1 + weight)
