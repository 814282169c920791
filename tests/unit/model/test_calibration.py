"""Calibration and intervals on data whose truth is known."""

import numpy as np
import pytest

from riskee.model.calibration import base_rate, conformal_quantiles, fit_logistic, probability


def test_the_logistic_fit_finds_the_truth() -> None:
    rng = np.random.default_rng(0)
    score = rng.normal(0, 1, 40_000)
    up = rng.random(40_000) < 1 / (1 + np.exp(-(0.2 + 0.7 * score)))
    fitted = fit_logistic(score, up)
    assert fitted.intercept == pytest.approx(0.2, abs=0.05)
    assert fitted.slope == pytest.approx(0.7, abs=0.05)


def test_a_score_that_points_the_wrong_way_leaves_the_base_rate() -> None:
    score = np.linspace(-1, 1, 1000)
    up = np.random.default_rng(1).random(1000) < 0.5 - 0.3 * score
    assert fit_logistic(score, up) == base_rate(up)


@pytest.mark.parametrize("value", [0.0, 0.3])
def test_equal_scores_give_the_base_rate(value: float) -> None:
    up = np.arange(1000) % 10 < 6
    chance = probability(fit_logistic(np.full(1000, value), up), np.array([value]))
    assert chance[0] == pytest.approx(0.6, abs=1e-6)


def test_only_rises_still_give_a_probability_below_one() -> None:
    assert probability(fit_logistic(np.zeros(50), np.ones(50, bool)), np.zeros(1))[0] < 1


def test_the_interval_covers_at_least_what_it_says() -> None:
    covered = []
    for seed in range(200):
        sample = np.random.default_rng(seed).standard_t(4, 121)
        quantiles = conformal_quantiles(sample[:-1])
        covered.append(quantiles.p10 <= sample[-1] <= quantiles.p90)
    assert 0.75 < np.mean(covered) < 0.9


def test_few_residuals_give_the_widest_interval() -> None:
    quantiles = conformal_quantiles(np.array([0.3, -0.2, 0.1]))
    assert (quantiles.p10, quantiles.p50, quantiles.p90) == (-0.2, 0.1, 0.3)
