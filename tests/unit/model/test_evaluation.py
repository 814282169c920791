"""Measures against values worked out by hand or by scipy."""

import numpy as np
import pytest
from scipy.stats import pearsonr, rankdata, spearmanr

from riskee.model.evaluation import (
    Forecast,
    Outcomes,
    calibration_error,
    daily_correlations,
    equal_bins,
    gain_bound,
    hit_rate,
    measure,
    pinball_losses,
    pooled_ic,
    ranks,
)

SESSIONS = np.repeat(np.arange(50), 4)


def test_ranks_and_correlation_agree_with_scipy() -> None:
    rng = np.random.default_rng(0)
    score, outcome = rng.integers(0, 9, 200).astype(float), rng.normal(0, 1, 200)
    np.testing.assert_allclose(ranks(score), rankdata(score) - 1)
    ic = pooled_ic(score, outcome, SESSIONS)
    assert ic is not None
    assert ic.value == pytest.approx(spearmanr(score, outcome).statistic, abs=1e-6)
    assert ic.low < ic.value < ic.high


def test_ranks_within_groups_are_those_of_each_group_alone() -> None:
    rng = np.random.default_rng(3)
    values, group = rng.integers(0, 5, 300).astype(float), rng.integers(0, 20, 300)
    made = ranks(values, group)
    for one in range(20):
        np.testing.assert_allclose(made[group == one], rankdata(values[group == one]) - 1)


def test_daily_correlations_agree_with_scipy_and_leave_out_what_has_none() -> None:
    rng = np.random.default_rng(1)
    score, outcome = rng.normal(0, 1, 200), rng.normal(0, 1, 200)
    score[SESSIONS == 7] = 0.3
    few = (SESSIONS != 9) | (np.arange(200) % 4 < 2)
    made = daily_correlations(score[few], outcome[few], SESSIONS[few])
    assert set(range(50)) - set(made.session.tolist()) == {7, 9}, "one score for all; two tickers"
    for session, ic, rank_ic in zip(made.session, made.ic, made.rank_ic, strict=True):
        here = session == SESSIONS
        assert ic == pytest.approx(pearsonr(score[here], outcome[here]).statistic)
        assert rank_ic == pytest.approx(spearmanr(score[here], outcome[here]).statistic)


def test_a_constant_has_no_correlation_and_no_direction() -> None:
    assert pooled_ic(np.ones(5), np.arange(5.0), np.arange(5)) is None
    assert hit_rate(np.zeros(5), np.arange(5.0), np.arange(5)) is None
    assert len(daily_correlations(np.ones(9), np.arange(9.0), np.repeat(np.arange(3), 3)).session) == 0


def test_rows_that_did_not_move_are_neither_hit_nor_miss() -> None:
    made = hit_rate(np.array([1.0, -1, 1, 1]), np.array([0.1, -0.1, -0.1, 0.0]), np.arange(4))
    assert made is not None
    assert made.value == pytest.approx(2 / 3, abs=1e-6)


def test_rows_of_one_session_make_no_hit_rate_surer() -> None:
    rng = np.random.default_rng(4)
    score, outcome = rng.normal(0, 1, 300), rng.normal(0, 1, 300)
    session = np.arange(300)
    alone = hit_rate(score, outcome, session)
    crowd = hit_rate(np.repeat(score, 40), np.repeat(outcome, 40), np.repeat(session, 40))
    assert alone is not None
    assert crowd == alone


def test_measures_by_hand() -> None:
    forecast = Forecast(
        score=np.array([1.0, -1.0]),
        p_up=np.array([0.8, 0.4]),
        low=np.array([-1.0, -3.0]),
        median=np.array([1.5, -0.5]),
        high=np.array([3.0, 1.0]),
    )
    made = measure(forecast, Outcomes(np.array([0.02, 0.03]), np.array([0.01, 0.02]), np.array([0, 1])))
    assert (made.rows, made.sessions) == (2, 2)
    assert made.brier == pytest.approx((0.04 + 0.36) / 2)
    assert made.log_loss == pytest.approx(-(np.log(0.8) + np.log(0.4)) / 2, abs=1e-6)
    assert made.mae == pytest.approx((0.01 + 0.05) / 2)
    assert made.mae_skill == pytest.approx(1 - 0.03 / 0.025)
    assert made.coverage_80 is not None
    assert made.coverage_80.value == 0.5
    assert made.width_80 == pytest.approx((0.04 + 0.08) / 2)
    assert made.hit_rate is not None
    assert made.hit_rate.value == 0.5
    assert made.calibration_error == pytest.approx((0.2 + 0.6) / 2)
    # Bounds: -0.01 and -0.06, 0.015 and -0.01, 0.03 and 0.02.
    assert made.pinball_10 == pytest.approx(0.1 * (0.03 + 0.09) / 2)
    assert made.pinball_50 == pytest.approx(0.5 * (0.005 + 0.04) / 2)
    assert made.pinball_90 == pytest.approx((0.1 * 0.01 + 0.9 * 0.01) / 2)


def test_the_true_quantile_has_the_least_pinball_loss() -> None:
    outcome = np.random.default_rng(5).normal(0, 1, 20_000)
    tried = np.linspace(-2.5, 0, 51)
    losses = [pinball_losses(np.full(20_000, quantile), outcome, 0.1).mean() for quantile in tried]
    assert tried[np.argmin(losses)] == pytest.approx(-1.2816, abs=0.1)


def test_calibrated_probabilities_have_little_calibration_error() -> None:
    rng = np.random.default_rng(6)
    p_up = rng.uniform(0.2, 0.8, 50_000)
    up = rng.random(50_000) < p_up
    assert calibration_error(p_up, up) < 0.01
    assert calibration_error(np.clip(p_up + 0.1, 0, 1), up) == pytest.approx(0.1, abs=0.01)


def test_bins_have_equal_mass_and_part_no_equal_probabilities() -> None:
    assert np.bincount(equal_bins(np.random.default_rng(7).random(1000))).tolist() == [100] * 10
    assert np.bincount(equal_bins(np.full(1000, 0.5))).tolist() == [1000]
    assert np.bincount(equal_bins(np.repeat([0.4, 0.5], [900, 100]))).tolist() == [900, 100]


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
