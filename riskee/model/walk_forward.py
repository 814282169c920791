"""Walk-forward evaluation: every method predicts later sessions from earlier ones only."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from riskee.errors import PoisonError
from riskee.features.definitions import features_of
from riskee.market.bars import Floats
from riskee.model.calibration import base_rate, conformal_quantiles, fit_logistic, probability
from riskee.model.dataset import TrainingSet
from riskee.model.evaluation import Forecast

Mask = NDArray[np.bool_]
# Fits on training rows, scores test rows.
Method = Callable[[Floats, Floats, Floats], Floats]

FOLDS = 5
# The share of rows before the first fold.
FIRST_TRAINING = 0.4
# The outcome reaches one session ahead: that one is purged. Five more, a week, are left out for good measure.
GAP_SESSIONS = 1 + 5
MINIMUM_ROWS = 500
# Outcomes beyond five volatilities teach a squared loss about nothing else.
CLIP = 5.0
_NORMAL_80 = 1.2816


@dataclass(frozen=True)
class OutOfFold:
    """Scores of each method on the rows after the first training span, NaN before; `fold` is -1 there."""

    fold: NDArray[np.int64]
    scores: dict[str, Floats]


def targets(data: TrainingSet) -> Floats:
    """Outcomes in volatilities, clipped."""
    return np.clip(data.outcome / data.scale, -CLIP, CLIP)


def folds(data: TrainingSet) -> list[tuple[Mask, Mask]]:
    """Training and test rows of each fold, expanding. Raises PoisonError when there is too little history."""
    days, number = np.unique(data.session, return_inverse=True)
    # Equal numbers of rows, not of sessions: the early ones often have few tickers.
    rows = np.linspace(FIRST_TRAINING, 1, FOLDS + 1)[:-1] * len(data)
    edges = [*number[rows.astype(int)], len(days)] if len(data) else [0] * (FOLDS + 1)
    made = []
    for first, last in pairwise(edges):
        made.append((number < first - GAP_SESSIONS, (number >= first) & (number < last)))
    if len(data) < MINIMUM_ROWS or any(not train.any() or not test.any() for train, test in made):
        raise PoisonError(
            f"{len(data)} rows in {len(days)} sessions are too few to train a model of type {data.model_type}",
            f"at least {MINIMUM_ROWS} rows are needed: import more history",
        )
    return made


def out_of_fold(
    data: TrainingSet, methods: dict[str, Method], on_fold: Callable[[int], None] = lambda _: None
) -> OutOfFold:
    """Let each method predict each fold."""
    goal = targets(data)
    fold = np.full(len(data), -1, np.int64)
    scores = {name: np.full(len(data), np.nan) for name in methods}
    for number, (train, test) in enumerate(folds(data)):
        on_fold(number)
        fold[test] = number
        for name, method in methods.items():
            scores[name][test] = method(data.features[train], goal[train], data.features[test])
    return OutOfFold(fold, scores)


def calibrated(result: OutOfFold, name: str, outcome: Floats, scale: Floats) -> Forecast:
    """Probabilities and intervals of one method for all folds but the first, each from the folds before it.

    The rows are those with `fold` above zero, in order.
    """
    score = result.scores[name]
    p_up, low, high = (np.full(len(score), np.nan) for _ in range(3))
    for number in range(1, FOLDS):
        past, here = (result.fold >= 0) & (result.fold < number), result.fold == number
        up = outcome[past] > 0
        # A constant score cannot be regressed on.
        constant = np.ptp(score[past]) == 0
        calibration = base_rate(up) if constant else fit_logistic(score[past], up)
        residuals = conformal_quantiles(outcome[past] / scale[past] - score[past])
        p_up[here] = probability(calibration, score[here])
        low[here], high[here] = score[here] + residuals.p10, score[here] + residuals.p90
    tested = result.fold > 0
    return Forecast(score[tested], p_up[tested], low[tested], high[tested])


def ewma_forecast(data: TrainingSet, rows: Mask) -> Forecast:
    """No view on direction, and an interval as a normal distribution of the EWMA volatility has it."""
    half = _NORMAL_80 * data.ewma_volatility[rows] / data.scale[rows]
    nothing = np.zeros(int(rows.sum()))
    return Forecast(nothing, np.full_like(nothing, 0.5), -half, half)


def baselines(data: TrainingSet) -> dict[str, Method]:
    """Methods that any model must beat."""
    names = features_of(data.model_type)
    last, scale = names.index("return_1d"), names.index("volatility_20d")
    return {
        "zero": lambda _x, _y, test: np.zeros(len(test)),
        "last_return": lambda _x, _y, test: test[:, last] / test[:, scale],
        "climatology": lambda _x, y, test: np.full(len(test), y.mean()),
        "ridge": _ridge,
    }


def _ridge(train: Floats, goal: Floats, test: Floats) -> Floats:
    """Linear regression on standardised features, missing ones at their mean, pulled to zero."""
    mean, spread = np.nanmean(train, axis=0), np.nanstd(train, axis=0)
    spread[spread == 0] = 1

    def standardised(features: Floats) -> Floats:
        return np.asarray(np.clip(np.nan_to_num((features - mean) / spread), -5, 5), np.float64)

    inputs = standardised(train)
    penalty = np.eye(inputs.shape[1]) * (0.01 * len(inputs))
    weights = np.linalg.solve(inputs.T @ inputs + penalty, inputs.T @ (goal - goal.mean()))
    return np.asarray(standardised(test) @ weights + goal.mean(), np.float64)
