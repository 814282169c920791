"""Whether a live model has become worse than it says: a test that may be looked at every day.

A calibrated model says itself how often it will be right, how large its Brier score will be and how often its
80 % interval will hold. Each session gives one number: by how much it was worse than said, between -1 and 1 and with
mean zero under the null hypothesis, however many tickers it has and however they move together. A gambler who bets on
"worse" session by session starts with 1 and can not expect to win; that the stake ever grows to 1 / level has at most
the probability `level`, over the whole life of the model (Ville's inequality; Waudby-Smith & Ramdas 2024). So no
correction for looking every day is needed, and no fixed threshold of a hit rate.

Outcomes of neighbouring sessions overlap by hours. Every second session plays for itself, and the level is divided.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from riskee.market.bars import Dates, Floats

Measure = Literal["accuracy", "calibration", "coverage"]
COVERAGE = 0.8
# What the gambler bets on "worse", as a share of the stake: a mixture, for the size of a decay is not known before.
BETS = np.array([0.05, 0.1, 0.2, 0.4, 0.8])
_PARTS = 2


@dataclass(frozen=True)
class Scores:
    """Scored predictions, one an element; returns are log returns."""

    session: Dates
    p_up: Floats
    low: Floats
    high: Floats
    outcome: Floats


@dataclass(frozen=True)
class Decay:
    """One test. `evidence` is the largest stake so far; it fires at `1 / level`. `worse_by` is the mean of sessions."""

    measure: Measure
    sessions: int
    rows: int
    worse_by: float
    evidence: float
    threshold: float

    @property
    def fired(self) -> bool:
        return self.evidence >= self.threshold


def decay_tests(scores: Scores, level: float) -> list[Decay]:
    """All three tests; together they fire wrongly with at most the probability `level`, whenever they are read."""
    up = scores.outcome > 0
    called = scores.p_up >= 0.5
    inside = (scores.outcome >= scores.low) & (scores.outcome <= scores.high)
    worse: dict[Measure, Floats] = {
        "accuracy": np.maximum(scores.p_up, 1 - scores.p_up) - (called == up),
        "calibration": np.square(scores.p_up - up) - scores.p_up * (1 - scores.p_up),
        "coverage": COVERAGE - inside.astype(np.float64),
    }
    threshold = len(worse) * _PARTS / level
    return [_test(measure, scores.session, values, threshold) for measure, values in worse.items()]


def _test(measure: Measure, session: Dates, values: Floats, threshold: float) -> Decay:
    daily = daily_means(session, values)
    evidence = max(float(wealth(daily[part::_PARTS]).max(initial=1.0)) for part in range(_PARTS))
    mean = float(daily.mean()) if len(daily) else 0.0
    return Decay(measure, len(daily), len(values), mean, evidence, threshold)


def daily_means(session: Dates, values: Floats) -> Floats:
    """The mean of each session, in order."""
    _, of_session = np.unique(session, return_inverse=True)
    rows: NDArray[np.int64] = np.bincount(of_session)
    return np.asarray(np.bincount(of_session, values) / rows, np.float64) if len(values) else np.empty(0)


def wealth(daily: Floats) -> Floats:
    """The gambler's stake after each session, from 1, for sessions between -1 (better than said) and 1 (worse)."""
    return np.asarray(np.cumprod(1 + np.outer(daily, BETS), axis=0).mean(axis=1), np.float64)
