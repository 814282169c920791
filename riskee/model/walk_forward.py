"""Walk-forward evaluation: every method predicts later sessions from earlier ones only."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from riskee.errors import PoisonError
from riskee.market.bars import Floats
from riskee.model.artifact import Calibration, ResidualQuantiles
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


@dataclass(frozen=True)
class OutOfFold:
    """Scores of each method on the rows after the first training span, NaN before; `fold` is -1 there."""

    fold: NDArray[np.int64]
    scores: dict[str, Floats]

    @property
    def tested(self) -> Mask:
        """The rows that measures are taken on: all folds but the first, which has no folds before to calibrate on."""
        return np.asarray(self.fold > 0, np.bool_)


@dataclass(frozen=True)
class Calibrator:
    """What turns a score into probabilities and an interval."""

    calibration: Calibration
    residuals: ResidualQuantiles

    def forecast(self, score: Floats) -> Forecast:
        """The forecast that belongs to scores."""
        low, median, high = (score + offset for offset in (self.residuals.p10, self.residuals.p50, self.residuals.p90))
        return Forecast(score, probability(self.calibration, score), low, median, high)


def fit_calibrator(score: Floats, outcome: Floats, scale: Floats) -> Calibrator:
    """Calibrate on out-of-fold scores and what came of them."""
    up = outcome > 0
    # A constant score cannot be regressed on.
    calibration = base_rate(up) if np.ptp(score) == 0 else fit_logistic(score, up)
    return Calibrator(calibration, conformal_quantiles(outcome / scale - score))


def targets(data: TrainingSet) -> Floats:
    """Outcomes in volatilities, clipped."""
    return np.clip(data.outcome / data.scale, -CLIP, CLIP)


def folds(data: TrainingSet) -> list[tuple[Mask, Mask]]:
    """Training and test rows of each fold, expanding; the gap between them counts the exchange's sessions.

    Raises PoisonError when there is too little history.
    """
    place, sessions = data.place, len(np.unique(data.place))
    # Equal numbers of rows, not of sessions: the early ones often have few tickers.
    rows = np.linspace(FIRST_TRAINING, 1, FOLDS + 1)[:-1] * len(data)
    edges = [*place[rows.astype(int)], place[-1] + 1] if len(data) else [0] * (FOLDS + 1)
    made = []
    for first, last in pairwise(edges):
        made.append((place < first - GAP_SESSIONS, (place >= first) & (place < last)))
    if len(data) < MINIMUM_ROWS or any(not train.any() or not test.any() for train, test in made):
        raise PoisonError(
            f"{len(data)} rows in {sessions} sessions are too few to train a model of type {data.model_type}",
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


def calibrated(result: OutOfFold, name: str, data: TrainingSet) -> Forecast:
    """The forecasts of one method for the tested rows, in order, each fold calibrated on the folds before it."""
    score, scale, parts = result.scores[name], data.scale, []
    for number in range(1, FOLDS):
        past = (result.fold >= 0) & (result.fold < number)
        calibrator = fit_calibrator(score[past], data.outcome[past], scale[past])
        parts.append(calibrator.forecast(score[result.fold == number]))
    columns = zip(*((part.score, part.p_up, part.low, part.median, part.high) for part in parts), strict=True)
    return Forecast(*(np.concatenate(column) for column in columns))
