"""Measures against values worked out by hand or by scipy."""

import numpy as np
import pytest
from scipy.stats import rankdata, spearmanr

from riskee.model.evaluation import Forecast, gain_bound, hit_rate, information_coefficient, measure, ranks


def test_ranks_and_correlation_agree_with_scipy() -> None:
    rng = np.random.default_rng(0)
    score, outcome = rng.integers(0, 9, 200).astype(float), rng.normal(0, 1, 200)
    np.testing.assert_allclose(ranks(score), rankdata(score) - 1)
    assert information_coefficient(score, outcome) == pytest.approx(spearmanr(score, outcome).statistic)


def test_a_constant_has_no_correlation_and_no_direction() -> None:
    assert information_coefficient(np.ones(5), np.arange(5.0)) is None
    assert hit_rate(np.zeros(5), np.arange(5.0)) is None


def test_rows_that_did_not_move_are_neither_hit_nor_miss() -> None:
    assert hit_rate(np.array([1.0, -1, 1, 1]), np.array([0.1, -0.1, -0.1, 0.0])) == pytest.approx(2 / 3)


def test_measures_by_hand() -> None:
    forecast = Forecast(
        score=np.array([1.0, -1.0]), p_up=np.array([0.8, 0.4]), low=np.array([-1.0, -3.0]), high=np.array([3.0, 1.0])
    )
    made = measure(forecast, outcome=np.array([0.02, 0.03]), scale=np.array([0.01, 0.02]))
    assert made.brier == pytest.approx((0.04 + 0.36) / 2)
    assert made.log_loss == pytest.approx(-(np.log(0.8) + np.log(0.4)) / 2)
    assert made.mae == pytest.approx((0.01 + 0.05) / 2)
    assert made.coverage_80 == 0.5
    assert made.width_80 == pytest.approx((0.04 + 0.08) / 2)
    assert made.hit_rate == 0.5


def test_rows_of_one_session_count_once() -> None:
    rng = np.random.default_rng(1)
    daily = rng.normal(0.1, 1, 100)
    session = np.datetime64("2020-01-01") + np.arange(100)
    alone = gain_bound(daily, session)
    crowd = gain_bound(np.repeat(daily, 50), np.repeat(session, 50))
    assert crowd == pytest.approx(alone)
    assert gain_bound(np.ones(9), np.repeat(session[:1], 9)) == -np.inf


def test_the_bound_is_above_zero_by_luck_in_one_of_twenty_cases() -> None:
    session = np.datetime64("2020-01-01") + np.arange(250)
    lucky = [gain_bound(np.random.default_rng(seed).normal(0, 1, 250), session) > 0 for seed in range(1000)]
    assert 0.03 < np.mean(lucky) < 0.07
