"""From scores to probabilities and intervals, fitted on out-of-fold scores."""

import numpy as np
from numpy.typing import NDArray

from riskee.market.bars import Floats
from riskee.model.artifact import Calibration, ResidualQuantiles


def probability(calibration: Calibration, score: Floats) -> Floats:
    """P(up) of each score."""
    odds = calibration.intercept + calibration.slope * score
    return np.asarray(1 / (1 + np.exp(-odds)), np.float64)


def base_rate(up: NDArray[np.bool_]) -> Calibration:
    """The calibration that knows the frequency of rises and nothing else."""
    share = np.clip(up.mean(), 1e-3, 1 - 1e-3)
    return Calibration(float(np.log(share / (1 - share))), 0.0)


def logistic_weights(inputs: Floats, up: NDArray[np.bool_], penalty: Floats) -> Floats:
    """Logistic regression of rises on inputs (n, k) by Newton's method: weights (k,).

    The first column is the constant one; `penalty` (k,) pulls the weights to zero.
    """
    weights = np.zeros(inputs.shape[1])
    weights[0] = base_rate(up).intercept
    for _ in range(25):
        chance = 1 / (1 + np.exp(-inputs @ weights))
        gradient = inputs.T @ (up - chance) - penalty * weights
        curvature = (inputs * (chance * (1 - chance))[:, None]).T @ inputs + np.diag(penalty)
        step = np.linalg.solve(curvature, gradient)
        weights += step
        if np.abs(step).max() < 1e-12:
            break
    return weights


def fit_logistic(score: Floats, up: NDArray[np.bool_]) -> Calibration:
    """Logistic regression of rises on the score.

    A score that points the wrong way (slope below zero) is worth nothing: then the base rate stands alone.
    """
    # A trace of ridge keeps the system solvable when all scores are equal.
    weights = logistic_weights(np.column_stack([np.ones_like(score), score]), up, np.array([0.0, 1e-3]))
    if weights[1] <= 0:
        return base_rate(up)
    return Calibration(float(weights[0]), float(weights[1]))


def conformal_quantiles(residuals: Floats) -> ResidualQuantiles:
    """Quantiles with the finite-sample correction of split conformal prediction, 10 % outside on each side."""
    ordered = np.sort(residuals)
    count = len(ordered)
    low = max(int(np.floor(0.1 * (count + 1))), 1)
    high = min(int(np.ceil(0.9 * (count + 1))), count)
    return ResidualQuantiles(float(ordered[low - 1]), float(np.median(ordered)), float(ordered[high - 1]))
