"""Methods that any model must beat."""

import numpy as np

from riskee.features.definitions import SCALE_FEATURE, features_of
from riskee.market.bars import Floats
from riskee.messaging.messages import ModelType
from riskee.model.calibration import logistic_weights
from riskee.model.dataset import TrainingSet
from riskee.model.evaluation import Forecast
from riskee.model.walk_forward import Mask, Method

EWMA = "ewma_interval"
# Inputs beyond five deviations count as five.
_CLIP = 5.0
# The penalty of the linear methods, as a share of the rows.
_SHRINKAGE = 0.01
_NORMAL_80 = 1.2816
# Phi(x) is about the logistic function of 1.6 x: the mean, in deviations, that belongs to log odds.
_ODDS = 1.6


def baselines(model_type: ModelType) -> dict[str, Method]:
    """By name: no move, the last move again, the past's mean move, ridge regression, logistic regression of rises."""
    names = features_of(model_type)
    last, scale = names.index("return_1d"), names.index(SCALE_FEATURE)
    return {
        "zero": lambda _x, _y, test: np.zeros(len(test)),
        "last_return": lambda _x, _y, test: test[:, last] / test[:, scale],
        "climatology": lambda _x, y, test: np.full(len(test), y.mean()),
        "ridge": _ridge,
        "logistic": _logistic,
    }


def ewma_forecast(data: TrainingSet, rows: Mask) -> Forecast:
    """No view on direction, and an interval as a normal distribution of the EWMA volatility has it."""
    half = _NORMAL_80 * data.ewma_volatility[rows] / data.scale[rows]
    nothing = np.zeros(int(rows.sum()))
    return Forecast(nothing, np.full_like(nothing, 0.5), -half, nothing, half)


def _standardised(train: Floats, test: Floats) -> tuple[Floats, Floats]:
    """Both in deviations of the training rows, missing values at the mean."""
    known = np.where(np.isnan(train).all(axis=0), 0.0, train)  # of some features there may be no value at all
    mean, spread = np.nanmean(known, axis=0), np.nanstd(known, axis=0)
    spread[spread == 0] = 1
    first, second = (np.clip(np.nan_to_num((rows - mean) / spread), -_CLIP, _CLIP) for rows in (train, test))
    return first, second


def _ridge(train: Floats, goal: Floats, test: Floats) -> Floats:
    inputs, asked = _standardised(train, test)
    penalty = np.eye(inputs.shape[1]) * (_SHRINKAGE * len(inputs))
    weights = np.linalg.solve(inputs.T @ inputs + penalty, inputs.T @ (goal - goal.mean()))
    return np.asarray(asked @ weights + goal.mean(), np.float64)


def _logistic(train: Floats, goal: Floats, test: Floats) -> Floats:
    """Regresses on rises; its score is the mean that a normal outcome with that probability would have."""
    inputs, asked = (np.insert(rows, 0, 1.0, axis=1) for rows in _standardised(train, test))
    # A quarter: the curvature of the logistic loss at even odds.
    penalty = np.full(inputs.shape[1], _SHRINKAGE * len(inputs) / 4)
    penalty[0] = 0
    return np.asarray(asked @ logistic_weights(inputs, goal > 0, penalty) / _ODDS, np.float64)
