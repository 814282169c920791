"""What a model looks at, and what it loses without it."""

from dataclasses import dataclass

import lightgbm
import numpy as np

from riskee.market.bars import Floats
from riskee.model.evaluation import ranks

# Enough for a correlation's third decimal; more rows would only cost time.
MOST_ROWS = 50_000
_SEED = 7


@dataclass(frozen=True)
class Importance:
    """A feature's share of the loss that all splits saved, and by how much the rank correlation with the outcome falls
    when its values are shuffled among rows that the model did not learn from."""

    feature: str
    gain: float
    ic_drop: float


def importances(
    booster: lightgbm.Booster, names: tuple[str, ...], features: Floats, scaled: Floats
) -> tuple[Importance, ...]:
    """By falling gain; `features` (n, F) and `scaled` outcomes (n,) are rows that the booster has not seen."""
    every = np.linspace(0, len(scaled) - 1, min(len(scaled), MOST_ROWS)).astype(np.int64)
    rows, outcome = features[every], ranks(scaled[every])
    gain = booster.feature_importance("gain")
    whole, random = _correlation(booster, rows, outcome), np.random.default_rng(_SEED)
    made = []
    for column, name in enumerate(names):
        shuffled = rows.copy()
        shuffled[:, column] = random.permutation(rows[:, column])
        drop = whole - _correlation(booster, shuffled, outcome) if gain[column] else 0.0
        made.append(Importance(name, round(float(gain[column] / max(gain.sum(), 1e-300)), 6), round(drop, 6)))
    return tuple(sorted(made, key=lambda one: -one.gain))


def _correlation(booster: lightgbm.Booster, features: Floats, outcome: Floats) -> float:
    score = ranks(np.asarray(booster.predict(features, num_threads=1), np.float64))
    return float(np.corrcoef(score, outcome)[0, 1]) if np.ptp(score) and np.ptp(outcome) else 0.0
